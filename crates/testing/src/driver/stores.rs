//! Opening the stores of a topology.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_runtime::directory::StateDirectory;
use headwater_runtime::task::{TaskSpec, TaskStores};
use headwater_store::{OpenContext, Store, StoreError, StoreSupplier, StoreType};
use headwater_store_memory::MemoryStores;
use headwater_topology::node::StoreNode;
use headwater_topology::{StoreId, Topology};

use crate::DriverError;

const MAKE: &str = "dsl.store.suppliers.class";
const MAKE_DEPRECATED: &str = "default.dsl.store";

/// Who opens stores.
#[derive(Clone, Debug)]
pub(super) struct StoreChoice {
    pub(super) in_memory: Arc<dyn StoreSupplier>,
    /// Stands in for stores on disk where there are none.
    pub(super) in_place_of_disk: Arc<dyn StoreSupplier>,
    /// With the directory in which they lie.
    pub(super) persistent: Option<(Arc<dyn StoreSupplier>, PathBuf)>,
}

impl Default for StoreChoice {
    fn default() -> Self {
        StoreChoice {
            in_memory: Arc::new(MemoryStores::new()),
            in_place_of_disk: Arc::new(MemoryStores::in_place_of_disk()),
            persistent: None,
        }
    }
}

impl StoreChoice {
    /// Where stores on disk lie, if they do.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        self.persistent.as_ref().map(|(_, directory)| directory.clone())
    }

    /// The same, with what lies on disk in this folder of the directory.
    pub(super) fn within(&self, folder: &str) -> Self {
        let persistent = self.persistent.as_ref();
        let persistent = persistent.map(|(supplier, directory)| (Arc::clone(supplier), directory.join(folder)));
        StoreChoice { persistent, ..self.clone() }
    }

    /// Opens the stores of the task `spec`, which lie where the user said: nobody else can have a claim on them.
    pub(super) fn of_task<'a>(
        &self,
        topology: &Topology,
        spec: &TaskSpec,
        setting: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<TaskStores, DriverError> {
        let directory = StateDirectory::open(&std::env::temp_dir(), "topology-test-driver", false);
        let directory = directory.map_err(|error| DriverError::Directory(error.to_string()))?;
        let Some(claim) = directory.claim(spec.id) else { return Err(DriverError::Closed) };
        let stores = self.open(topology, |store| !store.global, setting)?;
        Ok(TaskStores::of(spec, stores, claim)?)
    }

    /// Opens those stores of `topology` that are `wanted`.
    pub(super) fn open<'a>(
        &self,
        topology: &Topology,
        wanted: impl Fn(&StoreNode) -> bool,
        setting: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<HashMap<StoreId, Store>, StoreError> {
        let wanted = topology.stores().filter(|(_, node)| wanted(node));
        // A store that no node uses belongs to no task.
        let wanted = wanted.filter(|(id, _)| topology.store_order().contains(id));
        wanted.map(|(id, node)| Ok((id, self.open_one(&node.spec, &setting)?))).collect()
    }

    fn open_one<'a>(
        &self,
        spec: &headwater_store::StoreSpec,
        setting: &impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Store, StoreError> {
        let configured = setting(MAKE).or_else(|| setting(MAKE_DEPRECATED)).unwrap_or_default().to_ascii_lowercase();
        let in_memory = match &spec.store_type {
            StoreType::InMemory => true,
            StoreType::RocksDb => false,
            StoreType::Configured => configured.contains("memory"),
            StoreType::Custom(supplier) => {
                let directory = self.persistent.as_ref().map(|(_, directory)| directory.as_path());
                return supplier.open(spec, OpenContext { task_directory: directory });
            }
        };
        match &self.persistent {
            Some((supplier, directory)) if !in_memory => {
                supplier.open(spec, OpenContext { task_directory: Some(directory) })
            }
            None if !in_memory => self.in_place_of_disk.open(spec, OpenContext { task_directory: None }),
            _ => self.in_memory.open(spec, OpenContext { task_directory: None }),
        }
    }
}
