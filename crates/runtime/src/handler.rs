//! Who decides about failed records: Java's exception handlers by their names, and how a task asks them.
//!
//! A handler of one's own is a closure:
//!
//! ```
//! use headwater::prelude::*;
//! use headwater::runtime::handler::HandlerResponse;
//! use headwater::testing::TopologyTestDriver;
//!
//! let builder = StreamsBuilder::new();
//! builder.stream::<String, String>("amounts").try_map_values(|_, text| text.parse::<i64>()).to("numbers");
//! // An application is given it in the same way: `KafkaStreams::builder(topology).processing_handler_with(..)`.
//! let driver = TopologyTestDriver::builder(builder.build()?)
//!     .processing_handler_with(|context, error| {
//!         eprintln!("{} of {:?}: {error}", context.record.offset, context.record.topic);
//!         HandlerResponse::resume()
//!     })
//!     .build()?;
//! driver.input_topic::<String, String>("amounts").pipe_all([("a", "one"), ("b", "2")])?;
//! assert_eq!(driver.output_topic::<String, i64>("numbers").read_values()?, [2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Or a type, here one which keeps what it cannot process:
//!
//! ```
//! use headwater::prelude::*;
//! use headwater::processor::BoxError;
//! use headwater::runtime::handler::{ErrorContext, HandlerResponse, ProcessingExceptionHandler, dead_letter};
//! use headwater::testing::TopologyTestDriver;
//!
//! /// Lets a record pass, and keeps it in the topic `failed`.
//! #[derive(Debug)]
//! struct Keeps;
//!
//! impl ProcessingExceptionHandler for Keeps {
//!     fn handle(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse {
//!         let kept = dead_letter("failed", context.source_key, context.source_value, context, error);
//!         HandlerResponse::resume().with_dead_letter(kept)
//!     }
//! }
//!
//! let builder = StreamsBuilder::new();
//! builder.stream::<String, String>("amounts").try_map_values(|_, text| text.parse::<i64>()).to("numbers");
//! // An application is given it in the same way: `KafkaStreams::builder(topology).processing_handler(Keeps)`.
//! let driver = TopologyTestDriver::builder(builder.build()?).processing_handler(Keeps).build()?;
//! let amounts = driver.input_topic::<String, String>("amounts");
//! amounts.pipe("a", "1")?;
//! amounts.pipe("b", "one")?;
//! assert_eq!(driver.output_topic::<String, i64>("numbers").read_values()?, [1]);
//! assert_eq!(driver.output_topic::<String, String>("failed").read_values()?, ["one"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod closure;
mod dead_letter;
mod defaults;

use std::fmt;
use std::sync::Arc;

use headwater_record::OwnedRecord;
use headwater_topology::{BoxError, Handlers};

pub use closure::FromFn;
pub use dead_letter::dead_letter;
pub use defaults::{
    DefaultProductionExceptionHandler, LogAndContinueExceptionHandler, LogAndContinueProcessingExceptionHandler,
    LogAndFailExceptionHandler, LogAndFailProcessingExceptionHandler,
};
#[doc(inline)]
pub use headwater_topology::handler::{
    DeadLetter, Decision, DeserializationExceptionHandler, ErrorContext, HandlerResponse, ProcessingExceptionHandler,
    ProductionErrorOrigin, ProductionExceptionHandler,
};

const DESERIALIZATION: &str = "deserialization.exception.handler";
const DESERIALIZATION_DEPRECATED: &str = "default.deserialization.exception.handler";
const PROCESSING: &str = "processing.exception.handler";
const PRODUCTION: &str = "production.exception.handler";
const PRODUCTION_DEPRECATED: &str = "default.production.exception.handler";
pub(crate) const DEAD_LETTERS: &str = "errors.dead.letter.queue.topic.name";

/// A setting that names an exception handler which is not one of Kafka Streams' own.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid value {value} for configuration {key}: known by name are {known}; one of your own is given in code")]
pub struct UnknownHandler {
    /// The setting.
    pub key: &'static str,
    /// What it says.
    pub value: String,
    /// What it may say.
    pub known: &'static str,
}

headwater_record::debug_as_text!(UnknownHandler);

/// The three exception handlers of an application.
#[derive(Clone)]
pub struct ExceptionHandlers {
    /// About input bytes that are no record.
    pub deserialization: Arc<dyn DeserializationExceptionHandler>,
    /// About records that a node failed on.
    pub processing: Arc<dyn ProcessingExceptionHandler>,
    /// About records that could not be written.
    pub production: Arc<dyn ProductionExceptionHandler>,
}

impl ExceptionHandlers {
    /// Java's defaults, which fail the task; with a topic, a dead letter goes there first.
    pub fn defaults(dead_letters: Option<&str>) -> Self {
        ExceptionHandlers {
            deserialization: Arc::new(LogAndFailExceptionHandler::new(dead_letters)),
            processing: Arc::new(LogAndFailProcessingExceptionHandler::new(dead_letters)),
            production: Arc::new(DefaultProductionExceptionHandler::new(dead_letters)),
        }
    }

    /// The same, but that nobody decides about records that a node failed on: the error stands.
    pub(crate) fn without_processing(self) -> Self {
        ExceptionHandlers { processing: Arc::new(defaults::Nobody), ..self }
    }

    /// The handlers that the settings name, as Java's classes are called (with or without their package).
    ///
    /// # Errors
    /// [`UnknownHandler`] for a name that is none of Kafka Streams' own handlers.
    pub fn configured<'a>(setting: impl Fn(&str) -> Option<&'a str>) -> Result<Self, UnknownHandler> {
        let letters = setting(DEAD_LETTERS).filter(|topic| !topic.is_empty());
        let mut handlers = Self::defaults(letters);
        if let Some(value) = setting(DESERIALIZATION).or_else(|| setting(DESERIALIZATION_DEPRECATED)) {
            handlers.deserialization = match class_name(value) {
                "LogAndFailExceptionHandler" => Arc::new(LogAndFailExceptionHandler::new(letters)),
                "LogAndContinueExceptionHandler" => Arc::new(LogAndContinueExceptionHandler::new(letters)),
                _ => {
                    let known = "LogAndFailExceptionHandler, LogAndContinueExceptionHandler";
                    return Err(UnknownHandler { key: DESERIALIZATION, value: value.to_owned(), known });
                }
            };
        }
        if let Some(value) = setting(PROCESSING) {
            handlers.processing = match class_name(value) {
                "LogAndFailProcessingExceptionHandler" => Arc::new(LogAndFailProcessingExceptionHandler::new(letters)),
                "LogAndContinueProcessingExceptionHandler" => {
                    Arc::new(LogAndContinueProcessingExceptionHandler::new(letters))
                }
                _ => {
                    let known = "LogAndFailProcessingExceptionHandler, LogAndContinueProcessingExceptionHandler";
                    return Err(UnknownHandler { key: PROCESSING, value: value.to_owned(), known });
                }
            };
        }
        if let Some(value) = setting(PRODUCTION).or_else(|| setting(PRODUCTION_DEPRECATED))
            && class_name(value) != "DefaultProductionExceptionHandler"
        {
            let known = "DefaultProductionExceptionHandler";
            return Err(UnknownHandler { key: PRODUCTION, value: value.to_owned(), known });
        }
        Ok(handlers)
    }
}

impl Default for ExceptionHandlers {
    fn default() -> Self {
        Self::defaults(None)
    }
}

fn class_name(value: &str) -> &str {
    value.rsplit(['.', '$', ':']).next().unwrap_or(value)
}

impl Handlers for ExceptionHandlers {
    fn deserialization(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse {
        self.deserialization.handle(context, raw, error)
    }

    fn processing(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse {
        self.processing.handle(context, error)
    }

    fn production(
        &self,
        context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse {
        self.production.handle(context, topic, record, origin, error)
    }
}

impl fmt::Debug for ExceptionHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExceptionHandlers")
            .field("deserialization", &self.deserialization)
            .field("processing", &self.processing)
            .field("production", &self.production)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::ExceptionHandlers;

    #[test]
    fn handlers_are_known_by_javas_names() {
        let settings = |key: &str| match key {
            "deserialization.exception.handler" => {
                Some("org.apache.kafka.streams.errors.LogAndContinueExceptionHandler")
            }
            "processing.exception.handler" => Some("LogAndContinueProcessingExceptionHandler"),
            "errors.dead.letter.queue.topic.name" => Some("dead"),
            _ => None,
        };
        let handlers = ExceptionHandlers::configured(settings).expect("these are Java's own");
        let text = format!("{handlers:?}");
        assert!(text.contains("LogAndContinueExceptionHandler { dead_letters: Some(\"dead\") }"), "{text}");
        assert!(text.contains("LogAndContinueProcessingExceptionHandler"), "{text}");
        assert!(text.contains("DefaultProductionExceptionHandler"), "{text}");
    }

    #[test]
    fn an_unknown_handler_is_an_error_that_names_the_known_ones() {
        let error =
            ExceptionHandlers::configured(|key| (key == "processing.exception.handler").then_some("com.acme.Mine"))
                .expect_err("there is no such handler");
        assert!(error.to_string().contains("com.acme.Mine"), "{error}");
        assert!(error.to_string().contains("LogAndFailProcessingExceptionHandler"), "{error}");
    }
}
