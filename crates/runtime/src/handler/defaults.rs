//! Kafka Streams' own exception handlers.

use headwater_record::OwnedRecord;
use headwater_topology::BoxError;
use headwater_topology::handler::{
    DeserializationExceptionHandler, ErrorContext, HandlerResponse, ProcessingExceptionHandler, ProductionErrorOrigin,
    ProductionExceptionHandler,
};

use super::dead_letter;

macro_rules! handler {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            dead_letters: Option<String>,
        }

        impl $name {
            /// With a topic for dead letters, or none.
            pub fn new(dead_letters: Option<&str>) -> Self {
                Self { dead_letters: dead_letters.map(str::to_owned) }
            }
        }
    };
}

handler!(
    /// Logs what could not be decoded and fails the task: the default.
    LogAndFailExceptionHandler
);
handler!(
    /// Logs what could not be decoded and goes on without it.
    LogAndContinueExceptionHandler
);
handler!(
    /// Logs the record that a node failed on and fails the task: the default.
    LogAndFailProcessingExceptionHandler
);
handler!(
    /// Logs the record that a node failed on and goes on without it.
    LogAndContinueProcessingExceptionHandler
);
handler!(
    /// Fails the task for a record that could not be written: the default.
    DefaultProductionExceptionHandler
);

impl DeserializationExceptionHandler for LogAndFailExceptionHandler {
    fn handle(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse {
        tracing::error!(
            task = %context.task, node = context.node, topic = ?context.record.topic,
            partition = context.record.partition, offset = %context.record.offset, %error,
            "Exception caught during Deserialization"
        );
        letter_of_raw(self.dead_letters.as_deref(), HandlerResponse::fail(), context, raw, error)
    }
}

impl DeserializationExceptionHandler for LogAndContinueExceptionHandler {
    fn handle(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse {
        tracing::warn!(
            task = %context.task, node = context.node, topic = ?context.record.topic,
            partition = context.record.partition, offset = %context.record.offset, %error,
            "Exception caught during Deserialization; the record is left out"
        );
        letter_of_raw(self.dead_letters.as_deref(), HandlerResponse::resume(), context, raw, error)
    }
}

/// Nobody is asked: the error stands, and there is no dead letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nobody;

impl ProcessingExceptionHandler for Nobody {
    fn handle(&self, _context: &ErrorContext<'_>, _error: &BoxError) -> HandlerResponse {
        HandlerResponse::fail()
    }
}

impl ProcessingExceptionHandler for LogAndFailProcessingExceptionHandler {
    fn handle(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse {
        tracing::error!(
            task = %context.task, node = context.node, topic = ?context.record.topic,
            partition = context.record.partition, offset = %context.record.offset, %error,
            "Exception caught during message processing"
        );
        letter_of_source(self.dead_letters.as_deref(), HandlerResponse::fail(), context, error)
    }
}

impl ProcessingExceptionHandler for LogAndContinueProcessingExceptionHandler {
    fn handle(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse {
        tracing::warn!(
            task = %context.task, node = context.node, topic = ?context.record.topic,
            partition = context.record.partition, offset = %context.record.offset, %error,
            "Exception caught during message processing; the record is left out"
        );
        letter_of_source(self.dead_letters.as_deref(), HandlerResponse::resume(), context, error)
    }
}

impl ProductionExceptionHandler for DefaultProductionExceptionHandler {
    fn handle(
        &self,
        context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        _origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse {
        tracing::error!(
            task = %context.task, node = context.node, topic, %error, "Error encountered sending record to topic"
        );
        let letters = self.dead_letters.as_deref();
        if context.source_key.is_some() || context.source_value.is_some() {
            letter_of_source(letters, HandlerResponse::fail(), context, error)
        } else {
            letter_of_raw(letters, HandlerResponse::fail(), context, record, error)
        }
    }
}

fn letter_of_raw(
    topic: Option<&str>,
    response: HandlerResponse,
    context: &ErrorContext<'_>,
    raw: &OwnedRecord,
    error: &BoxError,
) -> HandlerResponse {
    match topic {
        Some(topic) => {
            response.with_dead_letter(dead_letter(topic, raw.key.as_deref(), raw.value.as_deref(), context, error))
        }
        None => response,
    }
}

fn letter_of_source(
    topic: Option<&str>,
    response: HandlerResponse,
    context: &ErrorContext<'_>,
    error: &BoxError,
) -> HandlerResponse {
    match topic {
        Some(topic) => {
            response.with_dead_letter(dead_letter(topic, context.source_key, context.source_value, context, error))
        }
        None => response,
    }
}
