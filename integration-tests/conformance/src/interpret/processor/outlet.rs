//! What both interfaces of a processor let it do.

use std::time::Duration;

use headwater::dsl::TransformContext;
use headwater::processor::processor::{FixedKeyContext, FixedKeyRecord, ProcessorContext, RecordMetadata};
use headwater::processor::{ProcessError, PunctuationType, ScheduleId, TaskContext};
use headwater::record::{Record, Timestamp};

use crate::val::Val;

/// What a processor may do.
pub(super) trait Outlet<'t> {
    fn forward(&mut self, record: Record<'_, Val, Val>, child: Option<&str>) -> Result<(), ProcessError>;
    fn schedule(
        &mut self,
        start: Option<Timestamp>,
        every: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError>;
    fn cancel(&mut self, schedule: ScheduleId);
    fn stream_time(&self) -> Timestamp;
    fn system_time(&self) -> Timestamp;
    fn metadata(&self) -> Option<RecordMetadata>;
    fn task(&mut self) -> &mut TaskContext<'t>;
}

impl<'t> Outlet<'t> for ProcessorContext<'_, 't, Val, Val> {
    fn forward(&mut self, record: Record<'_, Val, Val>, child: Option<&str>) -> Result<(), ProcessError> {
        match child {
            Some(child) => self.forward_to(child, record),
            None => ProcessorContext::forward(self, record),
        }
    }
    fn schedule(
        &mut self,
        start: Option<Timestamp>,
        every: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        match start {
            Some(start) => self.schedule_at(start, every, kind),
            None => ProcessorContext::schedule(self, every, kind),
        }
    }
    fn cancel(&mut self, schedule: ScheduleId) {
        ProcessorContext::cancel(self, schedule);
    }
    fn stream_time(&self) -> Timestamp {
        self.current_stream_time()
    }
    fn system_time(&self) -> Timestamp {
        self.current_system_time()
    }
    fn metadata(&self) -> Option<RecordMetadata> {
        self.record_metadata()
    }
    fn task(&mut self) -> &mut TaskContext<'t> {
        ProcessorContext::task(self)
    }
}

/// A context that only forwards what is made of the current record, with its key.
pub(super) struct FixedOutlet<'x, 'c, 'a, 't, K: 'static> {
    pub(super) cx: &'x mut FixedKeyContext<'c, 'a, 't, K, Val>,
    /// `None` in a punctuation.
    pub(super) current: Option<FixedKeyRecord<'x, K, Val>>,
}

impl<'t, K> Outlet<'t> for FixedOutlet<'_, '_, '_, 't, K> {
    fn forward(&mut self, record: Record<'_, Val, Val>, child: Option<&str>) -> Result<(), ProcessError> {
        let Some(current) = self.current else {
            return Err(ProcessError::user("there is no record whose key could be kept"));
        };
        let record = current.with_value(record.value).with_timestamp(record.timestamp).with_headers(record.headers);
        match child {
            Some(child) => self.cx.forward_to(child, record),
            None => self.cx.forward(record),
        }
    }
    fn schedule(
        &mut self,
        start: Option<Timestamp>,
        every: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        match start {
            Some(start) => self.cx.schedule_at(start, every, kind),
            None => self.cx.schedule(every, kind),
        }
    }
    fn cancel(&mut self, schedule: ScheduleId) {
        self.cx.cancel(schedule);
    }
    fn stream_time(&self) -> Timestamp {
        self.cx.current_stream_time()
    }
    fn system_time(&self) -> Timestamp {
        self.cx.current_system_time()
    }
    fn metadata(&self) -> Option<RecordMetadata> {
        self.cx.record_metadata()
    }
    fn task(&mut self) -> &mut TaskContext<'t> {
        self.cx.task()
    }
}

/// A context below which there is nothing.
pub(super) struct Dead<'x, 'a, 't>(pub(super) &'x mut ProcessorContext<'a, 't, (), ()>);

impl<'t> Outlet<'t> for Dead<'_, '_, 't> {
    fn forward(&mut self, record: Record<'_, Val, Val>, child: Option<&str>) -> Result<(), ProcessError> {
        let record = record.with_key(&()).with_value(&());
        match child {
            Some(child) => self.0.forward_to(child, record),
            None => self.0.forward(record),
        }
    }
    fn schedule(
        &mut self,
        start: Option<Timestamp>,
        every: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        match start {
            Some(start) => self.0.schedule_at(start, every, kind),
            None => self.0.schedule(every, kind),
        }
    }
    fn cancel(&mut self, schedule: ScheduleId) {
        self.0.cancel(schedule);
    }
    fn stream_time(&self) -> Timestamp {
        self.0.current_stream_time()
    }
    fn system_time(&self) -> Timestamp {
        self.0.current_system_time()
    }
    fn metadata(&self) -> Option<RecordMetadata> {
        self.0.record_metadata()
    }
    fn task(&mut self) -> &mut TaskContext<'t> {
        self.0.task()
    }
}

/// The context of a transformer, with the value of the record that was forwarded last.
pub(super) struct LastValue<'x, 'a, 't> {
    pub(super) cx: &'x mut TransformContext<'a, 't>,
    pub(super) last: Option<Val>,
}

impl<'t> Outlet<'t> for LastValue<'_, '_, 't> {
    fn forward(&mut self, record: Record<'_, Val, Val>, child: Option<&str>) -> Result<(), ProcessError> {
        if let Some(child) = child {
            return Err(ProcessError::user(format!("a transformer has no child `{child}`")));
        }
        self.last = Some(record.value.clone());
        Ok(())
    }
    fn schedule(
        &mut self,
        start: Option<Timestamp>,
        every: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        match start {
            Some(start) => self.cx.schedule_at(start, every, kind),
            None => self.cx.schedule(every, kind),
        }
    }
    fn cancel(&mut self, schedule: ScheduleId) {
        self.cx.cancel(schedule);
    }
    fn stream_time(&self) -> Timestamp {
        self.cx.current_stream_time()
    }
    fn system_time(&self) -> Timestamp {
        self.cx.current_system_time()
    }
    fn metadata(&self) -> Option<RecordMetadata> {
        self.cx.record_metadata()
    }
    fn task(&mut self) -> &mut TaskContext<'t> {
        self.cx.task()
    }
}
