//! Who listens to an application, and who decides about what fails.

use std::sync::Arc;

use headwater_record::OwnedRecord;
use headwater_topology::BoxError;

use super::Builder;
use crate::Error;
use crate::application::{State, UncaughtResponse};
use crate::changelog::{RestoreListener, StandbyUpdateListener};
use crate::environment::DefaultEnvironment;
use crate::handler::{
    DeserializationExceptionHandler, ErrorContext, FromFn, HandlerResponse, ProcessingExceptionHandler,
    ProductionErrorOrigin, ProductionExceptionHandler,
};

impl<D: DefaultEnvironment> Builder<D> {
    /// Calls `listener` at each step of the application's state, with the state before and the one after.
    pub fn state_listener(mut self, listener: impl Fn(State, State) + Send + Sync + 'static) -> Self {
        self.state_listener = Some(Arc::new(listener));
        self
    }

    /// Asks `handler` what becomes of the application when a thread fails; without one, this instance closes.
    pub fn uncaught_error_handler(
        mut self,
        handler: impl Fn(&Error) -> UncaughtResponse + Send + Sync + 'static,
    ) -> Self {
        self.uncaught = Some(Arc::new(handler));
        self
    }

    /// Tells `listener` how restoring goes on.
    pub fn restore_listener(mut self, listener: impl RestoreListener + 'static) -> Self {
        self.restore_listener = Arc::new(listener);
        self
    }

    /// Tells `listener` how the stores of standbys follow their changelogs (Java's `setStandbyUpdateListener`, KIP-988).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::record::{Offset, TopicPartition};
    /// use headwater::runtime::{StandbyEnd, StandbyUpdateListener};
    ///
    /// /// Says which stores have begun to follow, and why others have ended.
    /// #[derive(Debug)]
    /// struct Told;
    ///
    /// impl StandbyUpdateListener for Told {
    ///     fn on_start(&self, changelog: &TopicPartition, store: &str, from: Offset) {
    ///         eprintln!("{store} follows {changelog} from {from}");
    ///     }
    ///
    ///     fn on_suspended(&self, _: &TopicPartition, store: &str, next: Offset, _: Option<Offset>, why: StandbyEnd) {
    ///         eprintln!("{store} followed up to {next}: {why:?}");
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("visits").group_by_key().count_with(Materialized::named("counts"));
    /// let _application = KafkaStreams::builder(builder.build()?)
    ///     .application_id("counts")
    ///     .set("num.standby.replicas", "1")
    ///     .standby_update_listener(Told);
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn standby_update_listener(mut self, listener: impl StandbyUpdateListener + 'static) -> Self {
        self.standby_update_listener = Arc::new(listener);
        self
    }

    /// Asks `handler` about input that is no record, instead of the one that the settings name.
    pub fn deserialization_handler(mut self, handler: impl DeserializationExceptionHandler + 'static) -> Self {
        self.deserialization = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about input that is no record: where it lies, its bytes, what is wrong.
    pub fn deserialization_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &OwnedRecord, &BoxError) -> HandlerResponse + Send + Sync + 'static,
    ) -> Self {
        self.deserialization_handler(FromFn(handler))
    }

    /// Asks `handler` about records that an operator failed on, instead of the one that the settings name.
    pub fn processing_handler(mut self, handler: impl ProcessingExceptionHandler + 'static) -> Self {
        self.processing = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about records that an operator failed on: where, and why.
    pub fn processing_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &BoxError) -> HandlerResponse + Send + Sync + 'static,
    ) -> Self {
        self.processing_handler(FromFn(handler))
    }

    /// Asks `handler` about records that could not be written, instead of the one that the settings name.
    pub fn production_handler(mut self, handler: impl ProductionExceptionHandler + 'static) -> Self {
        self.production = Some(Arc::new(handler));
        self
    }

    /// Asks a closure about records that could not be written: where they came from, their topic, their bytes, what was tried, and why
    /// it failed.
    pub fn production_handler_with(
        self,
        handler: impl Fn(&ErrorContext<'_>, &str, &OwnedRecord, ProductionErrorOrigin, &BoxError) -> HandlerResponse
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.production_handler(FromFn(handler))
    }
}
