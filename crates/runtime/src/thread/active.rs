//! An active task with what goes with it when it is handed on: its changelogs' offsets and the right to its directory.

use std::collections::BTreeMap;

use headwater_client::CommittedOffset;
use headwater_record::TopicPartition;

use super::registry::Place;
use crate::changelog::{StoreChangelog, TaskStores};
use crate::directory::TaskClaim;
use crate::error::Trouble;
use crate::intake::PartitionQueue;
use crate::metric;
use crate::output::Output;
use crate::task::{ClosedStores, Running};

/// A running task of this thread.
#[derive(Debug)]
pub(crate) struct ActiveTask {
    pub(crate) running: Running,
    changelogs: Vec<StoreChangelog>,
    /// What was committed last of each input partition.
    committed: BTreeMap<TopicPartition, CommittedOffset>,
    /// How many dropped records the metric knows of.
    told_dropped: u64,
    claim: TaskClaim,
}

impl ActiveTask {
    pub(crate) fn new(running: Running, changelogs: Vec<StoreChangelog>, claim: TaskClaim) -> Self {
        ActiveTask { running, changelogs, committed: BTreeMap::new(), told_dropped: 0, claim }
    }

    /// Whether it has state with a changelog.
    pub(crate) fn is_stateful(&self) -> bool {
        !self.changelogs.is_empty()
    }

    /// The input offsets are committed: now the stores are, with the changelog offsets they contain.
    pub(crate) fn committed(
        &mut self,
        offsets: Vec<(TopicPartition, CommittedOffset)>,
        output: &Output,
    ) -> Result<(), Trouble> {
        self.running.committed(output)?;
        self.committed.extend(offsets);
        for changelog in &mut self.changelogs {
            let contained = if changelog.is_source {
                self.running.intake().queue(&changelog.partition).and_then(PartitionQueue::last_taken)
            } else {
                output.changelog_offset(self.running.id(), changelog.store)
            };
            changelog.offset = changelog.offset.max(contained);
        }
        let on_disk = |changelog: &&StoreChangelog| {
            let store = self.running.store(changelog.store);
            store.is_some_and(|store| store.read(|store| Ok(store.state().is_persistent())).unwrap_or(false))
        };
        let noted: BTreeMap<_, _> = self
            .changelogs
            .iter()
            .filter(on_disk)
            .map(|changelog| (changelog.partition.clone(), changelog.offset))
            .collect();
        if !noted.is_empty() {
            self.claim.note_offsets(&noted).map_err(crate::changelog::UpdateFailure::from)?;
        }
        Ok(())
    }

    /// Counts the records that were left out since the last time.
    pub(crate) fn tell_dropped(&mut self, output: &Output) {
        let dropped = self.running.dropped_records(output);
        if dropped > self.told_dropped {
            metric::records_dropped(self.running.id(), dropped - self.told_dropped);
            self.told_dropped = dropped;
        }
    }

    /// What was committed last of the input partitions, as far as this thread did it.
    pub(crate) fn committed_offsets(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter()
    }

    /// Stops it and says where its stores are then. What was not committed stays uncommitted.
    pub(super) fn stop(self) -> Place {
        let id = self.running.id();
        let ClosedStores { stores, held } = self.running.close();
        for store in &held {
            tracing::error!(task = %id, store = store.index(), "something of a task that has closed holds a store open: no task of this process can open it again");
        }
        debug_assert!(held.is_empty(), "a task that closes frees all that it held");
        let mut changelogs = self.changelogs;
        let mut complete = true;
        for changelog in &mut changelogs {
            // A buffer goes with the node that used it: it is restored from the beginning of its changelog.
            let store = stores.get(&changelog.store);
            let contains_nothing = store.is_some_and(|store| matches!(store.state().committed_offset(), Ok(None)));
            if contains_nothing && changelog.offset.take().is_some() {
                complete = false;
            }
        }
        let stores = TaskStores { id, stores, changelogs, claim: self.claim };
        if complete { Place::Complete(stores) } else { Place::Stopped(stores) }
    }
}
