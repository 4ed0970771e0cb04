//! What failed goes to the handler that decides, and its dead letters are sent.

use headwater_record::{Headers, OwnedRecord, RawRecord, Timestamp, Topic};
use headwater_store::RecordContext;

use super::TaskContext;
use crate::caught::caught;
use crate::handler::{DeadLetter, Decision, ErrorContext, HandlerResponse, ProductionErrorOrigin};
use crate::tally::DropReason;
use crate::{BoxError, FailureKind, ProcessError};

impl TaskContext<'_> {
    /// The node `name` failed at a record that stands at `timestamp` with `headers`. The processing exception handler decides; its
    /// dead letters are sent.
    ///
    /// # Errors
    /// When it decides to fail, and for errors that are not the handler's to decide.
    #[cold]
    #[doc(hidden)]
    pub fn node_failed(
        &mut self,
        name: &str,
        timestamp: Timestamp,
        headers: &Headers,
        error: ProcessError,
    ) -> Result<(), ProcessError> {
        let error = error.of_user_code()?;
        let record = self.record_context(timestamp, headers);
        let response = asked(FailureKind::Processing, "processing", || {
            self.handlers.processing(&self.error_context(name, &record), &error)
        })?;
        let message = format!(
            "Exception caught in process. taskId={}, processor={name}, topic={}, partition={}, offset={}",
            self.task,
            self.input.topic.as_ref().map_or("null", Topic::as_str),
            self.input.partition,
            self.input.offset
        );
        self.decide(response, FailureKind::Processing, message, error)
    }

    /// The punctuator of node `name` failed, in the context of its punctuation. The processing exception handler decides.
    ///
    /// # Errors
    /// As [`TaskContext::node_failed`].
    #[cold]
    #[doc(hidden)]
    pub fn punctuator_failed(&mut self, name: &str, error: ProcessError) -> Result<(), ProcessError> {
        let error = error.of_user_code()?;
        let response = asked(FailureKind::Punctuation, "processing", || {
            self.handlers.processing(&self.error_context(name, &self.input), &error)
        })?;
        let message = format!("taskId={} Exception caught while punctuating processor '{name}'", self.task);
        self.decide(response, FailureKind::Punctuation, message, error)
    }

    /// Input bytes at source `name` are no record. The deserialization exception handler decides.
    ///
    /// # Errors
    /// When it decides to fail.
    #[cold]
    #[doc(hidden)]
    pub fn deserialization_failed(
        &mut self,
        name: &str,
        raw: RawRecord<'_>,
        error: BoxError,
    ) -> Result<(), ProcessError> {
        let context = ErrorContext {
            record: &self.input,
            node: name,
            task: self.task,
            source_key: raw.key,
            source_value: raw.value,
        };
        let response = asked(FailureKind::Deserialization, "deserialization", || {
            self.handlers.deserialization(&context, &raw.to_owned(), &error)
        })?;
        let message = format!(
            "Deserialization exception handler is set to fail upon a deserialization error at {}-{} offset {}: {error}. To go on without such records, set deserialization.exception.handler to LogAndContinueExceptionHandler",
            self.input.topic.as_ref().map_or("null", Topic::as_str),
            self.input.partition,
            self.input.offset
        );
        self.decide(response, FailureKind::Deserialization, message, error)
    }

    /// A record for `topic` at sink `name` has no bytes. The production exception handler decides.
    ///
    /// # Errors
    /// When it decides to fail.
    #[cold]
    #[doc(hidden)]
    pub fn production_failed(
        &mut self,
        name: &str,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: BoxError,
    ) -> Result<(), ProcessError> {
        let at = self.record_context(record.timestamp, &record.headers.iter().cloned().collect());
        let response = asked(FailureKind::Production, "production", || {
            self.handlers.production(&self.error_context(name, &at), topic, record, origin, &error)
        })?;
        let message = format!("Error encountered sending record to topic {topic} for task {}", self.task);
        self.decide(response, FailureKind::Production, message, error)
    }

    fn error_context<'c>(&'c self, node: &'c str, record: &'c RecordContext) -> ErrorContext<'c> {
        let (source_key, source_value) = self.source.unwrap_or_default();
        ErrorContext { record, node, task: self.task, source_key, source_value }
    }

    fn decide(
        &mut self,
        response: HandlerResponse,
        kind: FailureKind,
        message: String,
        error: BoxError,
    ) -> Result<(), ProcessError> {
        for letter in &response.dead_letters {
            self.send_dead_letter(letter)?;
        }
        match response.decision {
            Decision::Continue => {
                self.drop_record(DropReason::let_go(kind));
                Ok(())
            }
            Decision::Fail => Err(ProcessError::failed(kind, message, Some(error))),
        }
    }

    fn send_dead_letter(&mut self, letter: &DeadLetter) -> Result<(), ProcessError> {
        let topic = self.emit.topic(&letter.topic)?;
        let headers = letter.headers.to_vec();
        let (destination, record) = letter.record(&headers);
        self.emit.emit(topic, destination, record)?;
        self.clock.dead_letters += 1;
        Ok(())
    }
}

/// What a handler answers. That it panics is fatal, as what a handler throws is in Java.
fn asked(
    kind: FailureKind,
    which: &str,
    ask: impl FnOnce() -> HandlerResponse,
) -> Result<HandlerResponse, ProcessError> {
    caught(|| Ok(ask())).map_err(|panic| {
        ProcessError::failed(kind, format!("Fatal user code error in {which} error callback"), Some(Box::new(panic)))
    })
}
