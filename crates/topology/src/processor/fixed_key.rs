//! Processors that cannot change the key (KIP-820), so that what follows need not repartition.

use std::fmt;
use std::time::Duration;

use headwater_record::{Headers, Record, Timestamp};

use super::{Processor, ProcessorContext, RecordMetadata};
use crate::{ProcessError, PunctuationType, ScheduleId, TaskContext, TaskId};

/// A record whose key stays what it is: only the framework makes one.
pub struct FixedKeyRecord<'a, K, V>(Record<'a, K, V>);

impl<K, V> Clone for FixedKeyRecord<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for FixedKeyRecord<'_, K, V> {}

impl<'a, K, V> FixedKeyRecord<'a, K, V> {
    /// The key.
    pub fn key(&self) -> &'a K {
        self.0.key
    }
    /// The value.
    pub fn value(&self) -> &'a V {
        self.0.value
    }
    /// Event time.
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }
    /// The header list.
    pub fn headers(&self) -> &'a Headers {
        self.0.headers
    }
    /// The same with another value.
    #[must_use]
    pub fn with_value<W>(self, value: &'a W) -> FixedKeyRecord<'a, K, W> {
        FixedKeyRecord(self.0.with_value(value))
    }
    /// The same at another time.
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        FixedKeyRecord(self.0.with_timestamp(timestamp))
    }
    /// The same with another header list.
    #[must_use]
    pub fn with_headers(self, headers: &'a Headers) -> Self {
        FixedKeyRecord(self.0.with_headers(headers))
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for FixedKeyRecord<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Works on the values of records and keeps their keys (`FixedKeyProcessor`).
pub trait FixedKeyProcessor<K, VIn, VOut>: 'static {
    /// Called once, before the first record.
    ///
    /// # Errors
    /// Any; the task then does not start.
    fn init(&mut self, cx: &mut FixedKeyContext<'_, '_, '_, K, VOut>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// Called for every record.
    ///
    /// # Errors
    /// Any; the processing exception handler decides.
    fn process(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, K, VOut>,
        record: FixedKeyRecord<'_, K, VIn>,
    ) -> Result<(), ProcessError>;

    /// Called when a schedule fires. No record can be forwarded from here: there is no key to keep.
    ///
    /// # Errors
    /// As [`FixedKeyProcessor::process`].
    fn punctuate(
        &mut self,
        cx: &mut FixedKeyContext<'_, '_, '_, K, VOut>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let _ = (cx, schedule, time);
        Ok(())
    }

    /// Called once, when the task is closed.
    fn close(&mut self) {}
}

/// What a [`FixedKeyProcessor`] may do.
pub struct FixedKeyContext<'c, 'a, 't, K: 'static, V: 'static>(&'c mut ProcessorContext<'a, 't, K, V>);

impl<'t, K: 'static, V: 'static> FixedKeyContext<'_, '_, 't, K, V> {
    /// What a processor may do that may change keys.
    pub(crate) fn whole(&self) -> &ProcessorContext<'_, 't, K, V> {
        self.0
    }

    /// Hands `record` to every child.
    ///
    /// # Errors
    /// What no handler let pass. Return it.
    pub fn forward(&mut self, record: FixedKeyRecord<'_, K, V>) -> Result<(), ProcessError> {
        self.0.forward(record.0)
    }

    /// Hands `record` to the child of this name only.
    ///
    /// # Errors
    /// As [`ProcessorContext::forward_to`].
    pub fn forward_to(&mut self, child: &str, record: FixedKeyRecord<'_, K, V>) -> Result<(), ProcessError> {
        self.0.forward_to(child, record.0)
    }

    /// As [`ProcessorContext::schedule`].
    ///
    /// # Errors
    /// As [`ProcessorContext::schedule`].
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> Result<ScheduleId, ProcessError> {
        self.0.schedule(interval, kind)
    }

    /// As [`ProcessorContext::schedule_with`].
    ///
    /// # Errors
    /// As [`ProcessorContext::schedule_with`].
    pub fn schedule_with(
        &mut self,
        interval: Duration,
        kind: PunctuationType,
        mut punctuate: impl FnMut(&mut FixedKeyContext<'_, '_, '_, K, V>, Timestamp) -> Result<(), ProcessError> + 'static,
    ) -> Result<ScheduleId, ProcessError> {
        self.0.schedule_with(interval, kind, move |cx, time| punctuate(&mut FixedKeyContext(cx), time))
    }

    /// As [`ProcessorContext::schedule_at`].
    ///
    /// # Errors
    /// As [`ProcessorContext::schedule`].
    pub fn schedule_at(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        self.0.schedule_at(start, interval, kind)
    }

    /// Ends a schedule.
    pub fn cancel(&mut self, schedule: ScheduleId) {
        self.0.cancel(schedule);
    }

    /// As [`ProcessorContext::current_stream_time`].
    pub fn current_stream_time(&self) -> Timestamp {
        self.0.current_stream_time()
    }

    /// As [`ProcessorContext::current_system_time`].
    pub fn current_system_time(&self) -> Timestamp {
        self.0.current_system_time()
    }

    /// As [`ProcessorContext::record_metadata`].
    pub fn record_metadata(&self) -> Option<RecordMetadata> {
        self.0.record_metadata()
    }

    /// Asks for a commit soon.
    pub fn commit(&mut self) {
        self.0.commit();
    }

    /// Counts a record that this processor leaves out.
    pub fn drop_record(&mut self) {
        self.0.drop_record();
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.0.task_id()
    }

    /// What stores want to be handed when they are read or written.
    pub fn task(&mut self) -> &mut TaskContext<'t> {
        self.0.task()
    }
}

impl<K: 'static, V: 'static> fmt::Debug for FixedKeyContext<'_, '_, '_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A [`FixedKeyProcessor`] as a [`Processor`]. As in Java it sees a header list of its own.
#[derive(Clone, Debug)]
pub struct FixedKey<P>(
    /// The processor.
    pub P,
);

impl<P, K, VIn, VOut> Processor<K, VIn, K, VOut> for FixedKey<P>
where
    P: FixedKeyProcessor<K, VIn, VOut>,
    K: 'static,
    VOut: 'static,
{
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, K, VOut>) -> Result<(), ProcessError> {
        self.0.init(&mut FixedKeyContext(cx))
    }

    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, K, VOut>,
        record: Record<'_, K, VIn>,
    ) -> Result<(), ProcessError> {
        let headers = record.headers.clone();
        self.0.process(&mut FixedKeyContext(cx), FixedKeyRecord(record.with_headers(&headers)))
    }

    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, K, VOut>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.0.punctuate(&mut FixedKeyContext(cx), schedule, time)
    }

    fn close(&mut self) {
        self.0.close();
    }
}
