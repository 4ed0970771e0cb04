//! The open stores of a task with their changelogs, as they travel between those who work on them.

use std::collections::{BTreeMap, HashMap};

use headwater_record::{Offset, TopicPartition};
use headwater_store::{Store, StoreError};
use headwater_topology::{StoreId, TaskId, Topology};

use super::{OpenError, StoreChoice, TaskSpec, open_stores};
use crate::directory::{DirectoryError, TaskClaim, offset_sum};

/// The changelog of a task's store, and how much of it the store contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogPartition {
    /// Which store.
    pub store: StoreId,
    /// The store's name.
    pub name: String,
    /// The changelog.
    pub partition: TopicPartition,
    /// Whether it is a topic that the application also reads as input.
    pub is_source: bool,
    /// Whether the store is kept on disk.
    pub is_persistent: bool,
    /// The last record that the store contains, committed or not; `None` when it contains none.
    pub offset: Option<Offset>,
}

impl ChangelogPartition {
    /// The store contains the changelog up to the record `last`, and never less than before.
    pub(crate) fn contains(&mut self, last: Option<Offset>) {
        self.offset = self.offset.max(last);
    }
}

/// The open stores of a task, with the right to its part of the state directory.
#[derive(Debug)]
pub struct TaskStores {
    /// Which task.
    pub id: TaskId,
    /// Its stores.
    pub stores: HashMap<StoreId, Store>,
    /// The changelogs of those that have one, in the order of the task's stores.
    pub changelogs: Vec<ChangelogPartition>,
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
        Ok(Self::of(task, stores, claim)?)
    }

    /// The open `stores` of `task`.
    ///
    /// # Errors
    /// What a store says that cannot tell what it contains.
    pub fn of(task: &TaskSpec, stores: HashMap<StoreId, Store>, claim: TaskClaim) -> Result<Self, StoreError> {
        let mut changelogs = Vec::new();
        for store in &task.stores {
            let (Some(partition), Some(open)) = (&store.changelog, stores.get(&store.id)) else { continue };
            changelogs.push(ChangelogPartition {
                store: store.id,
                name: open.state().name().to_owned(),
                partition: partition.clone(),
                is_source: store.source_changelog,
                is_persistent: open.state().is_persistent(),
                offset: open.state().committed_offset()?,
            });
        }
        Ok(TaskStores { id: task.id, stores, changelogs, claim })
    }

    /// Makes durable what the stores contain, and notes the offsets beside them.
    ///
    /// # Errors
    /// [`StoresError`].
    pub fn commit(&mut self) -> Result<(), StoresError> {
        let offsets: HashMap<StoreId, Option<Offset>> =
            self.changelogs.iter().map(|changelog| (changelog.store, changelog.offset)).collect();
        for (id, store) in &mut self.stores {
            store.state_mut().commit(offsets.get(id).copied().flatten())?;
        }
        Ok(note_offsets(&self.changelogs, &self.claim)?)
    }

    /// Has the stores bring to disk what was committed.
    ///
    /// # Errors
    /// What a store says; the others do all the same.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.stores.values_mut().map(|store| store.state_mut().sync()).fold(Ok(()), Result::and)
    }

    /// The offsets of all changelogs added up, as members tell their group.
    pub fn offset_sum(&self) -> i64 {
        offset_sum(self.changelogs.iter().filter_map(|changelog| changelog.offset))
    }

    /// Closes the stores without committing and deletes all that the task has on disk. The claim is given back, to open anew.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub fn wipe(self) -> Result<TaskClaim, DirectoryError> {
        let TaskStores { stores, claim, .. } = self;
        drop(stores);
        claim.wipe()?;
        Ok(claim)
    }
}

/// Why stores could not be committed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoresError {
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

headwater_record::debug_as_text!(StoresError);

/// Notes beside the stores on disk which offsets they contain, for those who ask without opening them.
pub(super) fn note_offsets(changelogs: &[ChangelogPartition], claim: &TaskClaim) -> Result<(), DirectoryError> {
    let on_disk = changelogs.iter().filter(|changelog| changelog.is_persistent);
    let noted: BTreeMap<_, _> = on_disk.map(|changelog| (changelog.partition.clone(), changelog.offset)).collect();
    if noted.is_empty() { Ok(()) } else { claim.note_offsets(&noted) }
}
