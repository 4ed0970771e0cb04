//! What the output knows of one task.

use headwater_client::PartitionRef;
use headwater_record::{Offset, TopicPartition};
use headwater_topology::{StoreId, TaskId};

use crate::task::{TaskError, TaskSpec};

/// The changelog of one store.
#[derive(Debug)]
pub(super) struct Changelog {
    pub(super) store: StoreId,
    pub(super) partition: TopicPartition,
    /// Whether the store's source topic serves as changelog: nothing is written then.
    pub(super) is_source: bool,
    /// The producer's number of it, once it was asked.
    pub(super) to: Option<PartitionRef>,
    /// The offset of the last change that lies there.
    pub(super) acked: Option<Offset>,
}

/// What the output knows of one task.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) task: TaskId,
    pub(super) changelogs: Vec<Changelog>,
    /// What no handler let pass.
    pub(super) failure: Option<TaskError>,
    /// Records that the production exception handler let go.
    pub(super) dropped: u64,
    /// Dead letters that it sent.
    pub(super) dead_letters: u64,
    closed: bool,
}

impl Lane {
    pub(super) fn new(spec: &TaskSpec) -> Self {
        let logged = spec.stores.iter().filter_map(|store| {
            Some(Changelog {
                store: store.id,
                partition: store.changelog.clone()?,
                is_source: store.source_changelog,
                to: None,
                acked: None,
            })
        });
        Lane { task: spec.id, changelogs: logged.collect(), failure: None, dropped: 0, dead_letters: 0, closed: false }
    }

    /// A task has few stores: looking through them is quicker than any map.
    #[inline]
    pub(super) fn changelog(&self, store: StoreId) -> Option<&Changelog> {
        self.changelogs.iter().find(|changelog| changelog.store == store)
    }

    #[inline]
    pub(super) fn changelog_mut(&mut self, store: StoreId) -> Option<&mut Changelog> {
        self.changelogs.iter_mut().find(|changelog| changelog.store == store)
    }

    /// The task is gone: nobody asks for its changelogs or failures any more.
    pub(super) fn close(&mut self) {
        self.changelogs = Vec::new();
        self.failure = None;
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn forget_partitions(&mut self) {
        for changelog in &mut self.changelogs {
            changelog.to = None;
        }
    }
}
