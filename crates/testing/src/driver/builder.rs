//! A driver in the making.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{OwnedRecord, Timestamp};
use headwater_runtime::StoreMakers;
use headwater_runtime::config::UnknownSetting;
use headwater_runtime::handler::{ExceptionHandlers, FromFn};
use headwater_store::StoreSupplier;
use headwater_topology::handler::{
    DeserializationExceptionHandler, ErrorContext, HandlerResponse, ProcessingExceptionHandler, ProductionErrorOrigin,
    ProductionExceptionHandler,
};
use headwater_topology::{BoxError, Topology};

use super::TopologyTestDriver;
use super::live::Live;
use super::stores::StoreChoice;
use crate::DriverError;

/// A driver in the making (the arguments of Java's constructors).
///
/// ```
/// # use headwater::record::DefaultSerde;
/// # use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
/// # let (none, text) = (<()>::default_serde(), String::default_serde());
/// # let builder = TopologyBuilder::new();
/// # let source = builder.add_source("source", SourceSpec::topics(["lines"], none.clone(), text.clone()));
/// # builder.add_sink("sink", SinkSpec::topic("copies", none, text), &[&source]);
/// # let topology = builder.build()?;
/// use headwater::testing::TopologyTestDriver;
/// let driver = TopologyTestDriver::builder(topology)
///     .setting("application.id", "copier")
///     .setting("deserialization.exception.handler", "LogAndContinueExceptionHandler")
///     .start_time(1_700_000_000_000)
///     .build()?;
/// assert_eq!(driver.now().millis(), 1_700_000_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    topology: Topology,
    settings: BTreeMap<String, String>,
    start: Timestamp,
    stores: StoreChoice,
    handlers: OwnHandlers,
}

/// Exception handlers of the user's own, instead of those that the settings name.
#[derive(Debug, Default)]
pub(super) struct OwnHandlers {
    deserialization: Option<Arc<dyn DeserializationExceptionHandler>>,
    processing: Option<Arc<dyn ProcessingExceptionHandler>>,
    production: Option<Arc<dyn ProductionExceptionHandler>>,
}

impl OwnHandlers {
    pub(super) fn or(self, configured: ExceptionHandlers) -> ExceptionHandlers {
        ExceptionHandlers {
            deserialization: self.deserialization.unwrap_or(configured.deserialization),
            processing: self.processing.unwrap_or(configured.processing),
            production: self.production.unwrap_or(configured.production),
        }
    }
}

impl Builder {
    pub(super) fn new(topology: Topology) -> Self {
        Builder {
            topology,
            settings: BTreeMap::new(),
            start: Timestamp::ZERO,
            stores: StoreChoice::default(),
            handlers: OwnHandlers::default(),
        }
    }

    /// Sets `key`, any setting of Kafka Streams, to `value`. What a test driver has no use for is ignored. A name that is nearly that
    /// of a setting is a mistake ([`DriverError::UnknownSetting`]); of any other that no one knows the log has a line: processors see it in
    /// `app_configs`.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(key.into(), value.into());
        self
    }

    /// Sets all of these.
    #[must_use]
    pub fn settings<K: Into<String>, V: Into<String>>(mut self, settings: impl IntoIterator<Item = (K, V)>) -> Self {
        self.settings.extend(settings.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// The wall clock at the start, in milliseconds since 1970; 0 unless said.
    #[must_use]
    pub fn start_time(mut self, start: impl Into<Timestamp>) -> Self {
        self.start = start.into();
        self
    }

    /// Asks `handler` about input that is no record, instead of the one that the settings name.
    #[must_use]
    pub fn deserialization_handler(mut self, handler: impl DeserializationExceptionHandler + 'static) -> Self {
        self.handlers.deserialization = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about input that is no record: where it lies, its bytes, what is wrong.
    #[must_use]
    pub fn deserialization_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &OwnedRecord, &BoxError) -> HandlerResponse + Send + Sync + 'static,
    ) -> Self {
        self.deserialization_handler(FromFn(handler))
    }

    /// Asks `handler` about records that an operator failed on, instead of the one that the settings name.
    #[must_use]
    pub fn processing_handler(mut self, handler: impl ProcessingExceptionHandler + 'static) -> Self {
        self.handlers.processing = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about records that an operator failed on: where, and why.
    #[must_use]
    pub fn processing_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &BoxError) -> HandlerResponse + Send + Sync + 'static,
    ) -> Self {
        self.processing_handler(FromFn(handler))
    }

    /// Asks `handler` about records that could not be written, instead of the one that the settings name.
    #[must_use]
    pub fn production_handler(mut self, handler: impl ProductionExceptionHandler + 'static) -> Self {
        self.handlers.production = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about records that could not be written: where they came from, their topic, their bytes, what was tried, and why
    /// it failed.
    #[must_use]
    pub fn production_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &str, &OwnedRecord, ProductionErrorOrigin, &BoxError) -> HandlerResponse
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.production_handler(FromFn(handler))
    }

    /// Opens stores that are not to lie in memory with `supplier`, in `directory`. Without it, they lie in memory too.
    /// `headwater::rocksdb` has an example.
    #[must_use]
    pub fn persistent_stores(mut self, supplier: Arc<dyn StoreSupplier>, directory: impl Into<PathBuf>) -> Self {
        self.stores.persistent = Some((supplier, directory.into()));
        self
    }

    /// Opens stores as an application in this environment does; those on disk lie in `directory`.
    #[must_use]
    pub fn stores(mut self, makers: StoreMakers, directory: impl Into<PathBuf>) -> Self {
        self.stores.in_memory = makers.in_memory;
        self.stores.persistent = makers.persistent.map(|supplier| (supplier, directory.into()));
        self
    }

    /// Opens stores in memory with `supplier`.
    #[must_use]
    pub fn memory_stores(mut self, supplier: Arc<dyn StoreSupplier>) -> Self {
        self.stores.in_place_of_disk = Arc::clone(&supplier);
        self.stores.in_memory = supplier;
        self
    }

    /// The driver: stores are opened, nodes wired, and `init` is called on processors.
    ///
    /// # Errors
    /// [`DriverError::Task`] when the topology cannot come alive, [`DriverError::Store`] for a store that cannot be opened,
    /// [`DriverError::Setting`], [`DriverError::UnknownSetting`] and [`DriverError::Handler`] for settings that cannot be.
    pub fn build(self) -> Result<TopologyTestDriver, DriverError> {
        for key in self.settings.keys() {
            match UnknownSetting::named(key) {
                Some(unknown) if unknown.meant.is_some() => {
                    return Err(DriverError::UnknownSetting { key: key.clone(), unknown });
                }
                Some(unknown) if unknown.is_own() => tracing::info!("{}", unknown.of(key)),
                Some(unknown) => tracing::warn!("{}", unknown.of(key)),
                None => {}
            }
        }
        let live = Live::start(self.topology, &self.settings, self.start, &self.stores, self.handlers)?;
        Ok(TopologyTestDriver { live: Rc::new(RefCell::new(live)) })
    }
}
