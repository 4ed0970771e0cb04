//! Who decides what becomes of a record that failed (KIP-161, KIP-1033, KIP-1034).

use std::fmt;

use headwater_record::{HeaderList, Headers, Offset, OwnedRecord, RawHeaders, RawRecord, Timestamp};

use crate::{BoxError, Destination, RecordContext, TaskId};

/// Where a record failed (Java's `ErrorHandlerContext`).
#[derive(Debug)]
pub struct ErrorContext<'a> {
    /// The input record's topic, partition, offset; timestamp and headers as they stand at the failing node.
    pub record: &'a RecordContext,
    /// The failing node; for a deserialization error, the source.
    pub node: &'a str,
    /// The task.
    pub task: TaskId,
    /// The input record's key bytes, unless it came from a punctuation.
    pub source_key: Option<&'a [u8]>,
    /// The input record's value bytes, unless it came from a punctuation.
    pub source_value: Option<&'a [u8]>,
}

/// A record for a dead letter topic.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The topic; it must exist.
    pub topic: String,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes.
    pub value: Option<Vec<u8>>,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Its headers.
    pub headers: Headers,
}

impl DeadLetter {
    /// The record to write, with the letter's headers as [`Headers::to_vec`] gives them, and all of its key says where to.
    #[doc(hidden)]
    pub fn record<'a>(&'a self, headers: &'a dyn HeaderList) -> (Destination, RawRecord<'a>) {
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: RawHeaders::of(headers),
        };
        (Destination::ByKey { prefix: self.key.as_ref().map_or(0, Vec::len) }, record)
    }
}

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The failed record is left out and counted as dropped; processing goes on.
    Continue,
    /// The task fails; the uncaught exception handler is next.
    Fail,
}

/// A handler's answer: what is to happen, and which records go to a dead letter topic first.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct HandlerResponse {
    /// What is to happen.
    pub decision: Decision,
    /// Sent before, in this order, with the task's own producer.
    pub dead_letters: Vec<DeadLetter>,
}

impl HandlerResponse {
    /// Go on without the record.
    pub fn resume() -> Self {
        HandlerResponse { decision: Decision::Continue, dead_letters: Vec::new() }
    }

    /// Fail the task.
    pub fn fail() -> Self {
        HandlerResponse { decision: Decision::Fail, dead_letters: Vec::new() }
    }

    /// With a record for a dead letter topic.
    pub fn with_dead_letter(mut self, letter: DeadLetter) -> Self {
        self.dead_letters.push(letter);
        self
    }
}

/// Decides about input bytes that are no record (`DeserializationExceptionHandler`).
#[diagnostic::on_unimplemented(note = "a closure is given to `deserialization_handler_with`")]
pub trait DeserializationExceptionHandler: Send + Sync + fmt::Debug {
    /// `raw` could not be decoded because of `error`.
    fn handle(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse;
}

/// Decides about a record that a node failed on (`ProcessingExceptionHandler`).
#[diagnostic::on_unimplemented(note = "a closure is given to `processing_handler_with`")]
pub trait ProcessingExceptionHandler: Send + Sync + fmt::Debug {
    /// The node named in `context` failed with `error`.
    fn handle(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse;
}

/// What a production error was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProductionErrorOrigin {
    /// The key has no bytes.
    KeySerialization,
    /// The value has no bytes.
    ValueSerialization,
    /// The broker or the way to it refused the record.
    Send,
}

/// Decides about a record that could not be written (`ProductionExceptionHandler`).
#[diagnostic::on_unimplemented(note = "a closure is given to `production_handler_with`")]
pub trait ProductionExceptionHandler: Send + Sync + fmt::Debug {
    /// A record for `topic` could not be written because of `error`. `record` has its bytes, as far as there were any.
    fn handle(
        &self,
        context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse;
}
