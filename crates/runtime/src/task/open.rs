//! Opening the stores of a task, each by the make that is asked for.

use std::collections::HashMap;
use std::path::Path;

use headwater_store::{OpenContext, Store, StoreError, StoreSpec, StoreSupplier, StoreType};
use headwater_topology::{StoreId, Topology};

use crate::directory::DirectoryError;
use crate::task::TaskSpec;

/// What stores are that leave it to the configuration (`dsl.store.suppliers.class`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ConfiguredStores {
    /// RocksDB.
    #[default]
    RocksDb,
    /// Memory.
    InMemory,
}

impl ConfiguredStores {
    /// From the setting's value: `rocksdb` or `in_memory` in any case, or the name of Java's class. `None` for anything else.
    pub fn parse(value: &str) -> Option<Self> {
        let lower = value.trim().to_ascii_lowercase();
        let name = lower.rsplit(['.', '$']).next().unwrap_or_default();
        match name {
            "rocksdb" | "rocks_db" | "rocksdbdslstoresuppliers" => Some(ConfiguredStores::RocksDb),
            "in_memory" | "inmemorydslstoresuppliers" => Some(ConfiguredStores::InMemory),
            _ => None,
        }
    }
}

/// The makes of stores there are, and the one to take where a store leaves it open.
#[derive(Clone, Copy, Debug)]
pub struct StoreChoice<'a> {
    /// Keeps its stores in memory.
    pub in_memory: &'a dyn StoreSupplier,
    /// Keeps its stores on disk; `None` when this build has none.
    pub persistent: Option<&'a dyn StoreSupplier>,
    /// What a store is that leaves it open.
    pub configured: ConfiguredStores,
}

/// Why the stores of a task could not be opened.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A store would be RocksDB, and there is none.
    #[error(
        "store {store} is to be kept by RocksDB, which this program was built without: enable the feature `rocksdb` of headwater, or set dsl.store.suppliers.class=in_memory (or make this store an in-memory one)"
    )]
    NoRocksDb {
        /// Which store.
        store: String,
    },
    /// The task names a store that the topology does not have.
    #[error("the topology has no store {0:?}")]
    UnknownStore(StoreId),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

headwater_record::debug_as_text!(OpenError);

impl<'a> StoreChoice<'a> {
    /// The make that opens the store of `spec`.
    ///
    /// # Errors
    /// [`OpenError::NoRocksDb`].
    pub fn supplier<'s>(&self, spec: &'s StoreSpec) -> Result<&'s dyn StoreSupplier, OpenError>
    where
        'a: 's,
    {
        let rocks_db = || self.persistent.ok_or_else(|| OpenError::NoRocksDb { store: spec.name.clone() });
        match (&spec.store_type, self.configured) {
            (StoreType::Custom(supplier), _) => Ok(supplier.as_ref()),
            (StoreType::InMemory, _) | (StoreType::Configured, ConfiguredStores::InMemory) => Ok(self.in_memory),
            (StoreType::RocksDb, _) | (StoreType::Configured, ConfiguredStores::RocksDb) => rocks_db(),
        }
    }
}

/// Whether `topology` has a store that is kept on disk, so that a state directory is needed.
///
/// # Errors
/// [`OpenError::NoRocksDb`] when a store cannot be opened at all, which is better said at the start than later.
pub fn keeps_state(topology: &Topology, choice: &StoreChoice<'_>) -> Result<bool, OpenError> {
    topology.stores().try_fold(false, |any, (_, store)| Ok(choice.supplier(&store.spec)?.is_persistent() || any))
}

/// Opens the stores of a task in `directory`, which must be there. Without one nothing is kept on disk.
///
/// # Errors
/// [`OpenError::NoRocksDb`], [`OpenError::UnknownStore`], or what the store says.
pub fn open_stores(
    topology: &Topology,
    task: &TaskSpec,
    choice: &StoreChoice<'_>,
    directory: Option<&Path>,
) -> Result<HashMap<StoreId, Store>, OpenError> {
    let open = |id: StoreId| {
        let node = topology.store(id).ok_or(OpenError::UnknownStore(id))?;
        let store = choice.supplier(&node.spec)?.open(&node.spec, OpenContext { task_directory: directory })?;
        Ok((id, store))
    };
    task.stores.iter().map(|store| open(store.id)).collect()
}
