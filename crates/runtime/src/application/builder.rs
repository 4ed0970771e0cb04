//! From a topology, settings and components to a running application.

mod components;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use headwater_client::ClientSupplier;
use headwater_topology::Topology;
use uuid::Uuid;

use super::checks::check;
use super::{Driven, KafkaStreams, StateListener, UncaughtHandler};
use crate::changelog::{RestoreListener, Silent, StandbyUpdateListener};
use crate::config::ROLES;
use crate::directory::StateDirectory;
use crate::environment::DefaultEnvironment;
use crate::global::GlobalPart;
use crate::handler::{
    DeserializationExceptionHandler, ExceptionHandlers, ProcessingExceptionHandler, ProductionExceptionHandler,
};
use crate::instance::{
    DeadLetters, Globals, Instance, LocalStores, LocalThreads, SourcePatterns, Status, StreamsMetadataState, Watch,
};
use crate::task::keeps_state;
use crate::{Environment, Error, StoreMakers, StreamsConfig, host, metric};

/// An application that is being put together. Settings are data ([`Builder::set`]); components are objects.
#[must_use]
pub struct Builder<D> {
    topology: Topology,
    properties: BTreeMap<String, String>,
    clients: Option<Arc<dyn ClientSupplier>>,
    stores: Option<StoreMakers>,
    state_listener: Option<StateListener>,
    uncaught: Option<UncaughtHandler>,
    restore_listener: Arc<dyn RestoreListener>,
    standby_update_listener: Arc<dyn StandbyUpdateListener>,
    deserialization: Option<Arc<dyn DeserializationExceptionHandler>>,
    processing: Option<Arc<dyn ProcessingExceptionHandler>>,
    production: Option<Arc<dyn ProductionExceptionHandler>>,
    process_id: Option<Uuid>,
    cleans_up: bool,
    environment: PhantomData<D>,
}

impl<D: DefaultEnvironment> Builder<D> {
    pub(super) fn new(topology: Topology) -> Self {
        Builder {
            topology,
            properties: BTreeMap::new(),
            clients: None,
            stores: None,
            state_listener: None,
            uncaught: None,
            restore_listener: Arc::new(Silent),
            standby_update_listener: Arc::new(Silent),
            deserialization: None,
            processing: None,
            production: None,
            process_id: None,
            cleans_up: false,
            environment: PhantomData,
        }
    }

    /// Sets a property by Kafka's key, such as `commit.interval.ms`, `producer.linger.ms` or a setting of the client library.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(key.into(), value.into());
        self
    }

    /// Sets all of these properties.
    pub fn set_all(mut self, properties: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        self.properties.extend(properties.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// `application.id`: the application's name, its group's, and the prefix of its internal topics.
    pub fn application_id(self, id: impl Into<String>) -> Self {
        self.set("application.id", id)
    }

    /// `bootstrap.servers`.
    pub fn bootstrap_servers(self, servers: impl Into<String>) -> Self {
        self.set("bootstrap.servers", servers)
    }

    /// `state.dir`: where local state lies.
    pub fn state_dir(self, directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref().to_string_lossy().into_owned();
        self.set("state.dir", directory)
    }

    /// `num.stream.threads`.
    pub fn threads(self, threads: usize) -> Self {
        self.set("num.stream.threads", threads.to_string())
    }

    /// Runs on this cluster, by its clock, instead of the one that the environment would choose.
    pub fn on<C: ClientSupplier + Clone + 'static>(mut self, cluster: &C) -> Self {
        self.clients = Some(Arc::new(cluster.clone()));
        self
    }

    /// Keeps state in these stores instead of those that the environment would choose: with another memory budget for all that is on
    /// disk, say, where Java has a `RocksDBConfigSetter`.
    ///
    /// ```
    /// # #[cfg(feature = "rocksdb")] {
    /// use std::sync::Arc;
    ///
    /// use headwater::prelude::*;
    /// use headwater::rocksdb::RocksDbStores;
    /// use headwater::runtime::StoreMakers;
    /// use headwater::store::{MemoryBudget, MemoryStores};
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("visits").group_by_key().count().to_stream().to("counts");
    /// // For all stores of this process together, bytes.
    /// let budget = MemoryBudget { block_cache_bytes: 64 << 20, write_buffer_bytes: 32 << 20, committed_bytes: 0 };
    /// let stores = StoreMakers {
    ///     in_memory: Arc::new(MemoryStores::new()),
    ///     persistent: Some(Arc::new(RocksDbStores::new(budget))),
    /// };
    /// let _application = KafkaStreams::builder(builder.build()?).application_id("counts").stores(stores);
    /// # }
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn stores(mut self, stores: StoreMakers) -> Self {
        self.stores = Some(stores);
        self
    }

    /// Names the process where the state directory knows no name yet, instead of by chance: for runs that are to be repeatable.
    pub fn process_id(mut self, id: u128) -> Self {
        self.process_id = Some(Uuid::from_u128(id));
        self
    }

    /// Deletes what earlier runs of the application left on this disk before it starts (Java's `cleanUp` before `start`); its stores
    /// are then restored from their changelogs.
    pub fn clean_up(mut self) -> Self {
        self.cleans_up = true;
        self
    }

    /// Starts it: returns when its threads run, not when it has tasks, nor when its global stores are filled (in Java it waits for
    /// these). Until they are, stream threads wait, and [`KafkaStreams::state`] is [`State::Rebalancing`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings that cannot be and for what the environment lacks,
    /// [`ErrorKind::Topology`](crate::ErrorKind::Topology) for a topology that cannot run,
    /// [`ErrorKind::Fenced`](crate::ErrorKind::Fenced) when another process has the state directory.
    pub fn start(self) -> Result<KafkaStreams<D>, Error> {
        let instance = self.instance(false)?;
        let threads = host::spawn_all(&instance)?;
        Ok(KafkaStreams::of(instance, threads))
    }

    /// Prepares it to be driven by hand, turn by turn, without threads: for tests and simulations, on a cluster whose clients do
    /// not wait.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn drive(self) -> Result<Driven, Error> {
        Ok(Driven::of(self.instance(true)?))
    }

    fn instance(self, is_driven: bool) -> Result<Arc<Instance>, Error> {
        let config = StreamsConfig::from_properties(self.properties)?;
        check(&self.topology, &config)?;
        let patterns = SourcePatterns::of(&self.topology)?;
        let mut handlers = ExceptionHandlers::configured(|key| config.given(key))
            .map_err(|unknown| Error::config(unknown.to_string()))?;
        handlers.deserialization = self.deserialization.unwrap_or(handlers.deserialization);
        handlers.processing = self.processing.unwrap_or(handlers.processing);
        handlers.production = self.production.unwrap_or(handlers.production);
        let clients = self.clients.map_or_else(|| D::clients(&config), Ok)?;
        metric::describe();
        tell(&config, clients.as_ref());
        check_clients(&config, clients.as_ref())?;
        let stores = self.stores.map_or_else(|| D::stores(&config), Ok)?;
        let clock = clients.clock();
        let keeps_state = keeps_state(&self.topology, &stores.choice(&config))?;
        let new_id = || self.process_id.unwrap_or_else(Uuid::new_v4);
        let directory = StateDirectory::open_as(&config.state_dir(), config.application_id(), keeps_state, new_id)?;
        if self.cleans_up {
            directory.delete_all()?;
        }
        tracing::info!(
            application = config.application_id(), process = %directory.process_id(), threads = config.threads(),
            state = ?directory.path(), "starting"
        );
        let topology =
            self.topology.for_application(config.application_id()).with_default_row_format(config.row_format());
        Ok(Arc::new(Instance {
            globals: Globals::of(GlobalPart::all(&topology).into_iter().map(|part| (part.store, part.name))),
            metadata: StreamsMetadataState::default(),
            threads: LocalThreads::default(),
            stores: LocalStores::default(),
            topology,
            environment: Environment { clients, stores, clock },
            directory,
            handlers,
            restore_listener: self.restore_listener,
            standby_update_listener: self.standby_update_listener,
            uncaught: self.uncaught,
            patterns,
            status: Status::new(self.state_listener),
            watch: Watch::default(),
            dead_letters: DeadLetters::default(),
            is_driven,
            application: Arc::new(config.application()),
            config,
        }))
    }
}

/// Says which settings do not do what they seem to.
fn tell(config: &StreamsConfig, clients: &dyn ClientSupplier) {
    for overridden in config.overridden() {
        if overridden.is_error {
            tracing::error!("{}", overridden.message);
        } else {
            tracing::warn!("{}", overridden.message);
        }
    }
    for unused in config.unused_with(clients) {
        if unused.is_own {
            tracing::info!("{}", unused.message);
        } else {
            tracing::warn!("{}", unused.message);
        }
    }
}

/// Settings of clients are refused before a thread would fail with them.
fn check_clients(config: &StreamsConfig, clients: &dyn ClientSupplier) -> Result<(), Error> {
    for (role, kind) in ROLES {
        clients.check(kind, &config.client(role, config.application_id()))?;
    }
    Ok(())
}

impl<D> fmt::Debug for Builder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |key: &str| headwater_client::ClientConfig::is_secret(key);
        let shown = |(key, value): (&String, &String)| {
            (key.clone(), if hidden(key) { "[hidden]".into() } else { value.clone() })
        };
        f.debug_struct("Builder")
            .field("topology", &self.topology)
            .field("properties", &self.properties.iter().map(shown).collect::<BTreeMap<_, _>>())
            .finish_non_exhaustive()
    }
}
