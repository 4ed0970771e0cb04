//! The open stores of a task, as they travel between those who work on them.

use std::collections::{BTreeMap, HashMap};

use headwater_record::{Offset, TopicPartition};
use headwater_store::Store;
use headwater_topology::{StoreId, TaskId, Topology};

use super::{OpenError, StoreChoice, UpdateFailure, open_stores};
use crate::directory::{TaskClaim, offset_sum};
use crate::task::TaskSpec;

/// A store's changelog, and how much of it the store contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreChangelog {
    /// Which store.
    pub store: StoreId,
    /// The store's name.
    pub name: String,
    /// The changelog.
    pub partition: TopicPartition,
    /// Whether it is a topic that the application also reads as input.
    pub is_source: bool,
    /// The last record that the store contains, committed or not; `None` when it contains none.
    pub offset: Option<Offset>,
}

/// The open stores of a task, with the right to its part of the state directory.
#[derive(Debug)]
pub struct TaskStores {
    /// Which task.
    pub id: TaskId,
    /// Its stores.
    pub stores: HashMap<StoreId, Store>,
    /// The changelogs of those that have one, in the order of the task's stores.
    pub changelogs: Vec<StoreChangelog>,
    /// The right to its directory. Declared last: stores are closed before somebody else may open them.
    pub claim: TaskClaim,
}

impl TaskStores {
    /// Opens the stores of `task`. Its directory is made when one of them is kept on disk.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        topology: &Topology,
        task: &TaskSpec,
        choice: &StoreChoice<'_>,
        claim: TaskClaim,
    ) -> Result<Self, OpenError> {
        let mut directory = None;
        for store in &task.stores {
            let node = topology.store(store.id).ok_or(OpenError::UnknownStore(store.id))?;
            if directory.is_none() && choice.supplier(&node.spec)?.is_persistent() {
                directory = claim.prepare()?;
            }
        }
        let stores = open_stores(topology, task, choice, directory.as_deref())?;
        let mut changelogs = Vec::new();
        for store in &task.stores {
            let (Some(partition), Some(open)) = (&store.changelog, stores.get(&store.id)) else { continue };
            changelogs.push(StoreChangelog {
                store: store.id,
                name: open.state().name().to_owned(),
                partition: partition.clone(),
                is_source: store.source_changelog,
                offset: open.state().committed_offset()?,
            });
        }
        Ok(TaskStores { id: task.id, stores, changelogs, claim })
    }

    /// Makes durable what the stores contain, and notes the offsets beside them.
    ///
    /// # Errors
    /// [`UpdateFailure::Store`], [`UpdateFailure::Directory`].
    pub fn commit(&mut self) -> Result<(), UpdateFailure> {
        let offsets: HashMap<StoreId, Option<Offset>> =
            self.changelogs.iter().map(|changelog| (changelog.store, changelog.offset)).collect();
        for (id, store) in &mut self.stores {
            store.state_mut().commit(offsets.get(id).copied().flatten())?;
        }
        self.note_offsets()
    }

    /// Notes beside the stores on disk which offsets they contain, for those who ask without opening them.
    ///
    /// # Errors
    /// [`UpdateFailure::Directory`].
    pub fn note_offsets(&self) -> Result<(), UpdateFailure> {
        let on_disk = |store: &StoreId| self.stores.get(store).is_some_and(|store| store.state().is_persistent());
        let noted = self.changelogs.iter().filter(|changelog| on_disk(&changelog.store));
        let noted: BTreeMap<_, _> = noted.map(|changelog| (changelog.partition.clone(), changelog.offset)).collect();
        Ok(self.claim.note_offsets(&noted)?)
    }

    /// The offsets of all changelogs added up, as members tell their group.
    pub fn offset_sum(&self) -> i64 {
        offset_sum(self.changelogs.iter().filter_map(|changelog| changelog.offset))
    }

    /// Closes the stores without committing and deletes all that the task has on disk. The claim is given back, to open anew.
    ///
    /// # Errors
    /// [`UpdateFailure::Directory`] when it cannot be deleted.
    pub fn wipe(self) -> Result<TaskClaim, UpdateFailure> {
        let TaskStores { stores, claim, .. } = self;
        drop(stores);
        claim.wipe()?;
        Ok(claim)
    }
}

/// An active task whose stores are not complete yet.
#[derive(Debug)]
pub struct Restoring(pub TaskStores);

/// A copy of a task's stores that follows the changelogs, so that the task can go on here quickly.
#[derive(Debug)]
pub struct Standby(pub TaskStores);
