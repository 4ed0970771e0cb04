//! Records through a task, and its punctuations.

use headwater_record::{RawRecord, Timestamp};
use headwater_topology::{PunctuationType, RecordContext, TaskContext};

use super::{StreamTask, Taken};
use crate::intake::PartitionQueue;
use crate::output::RecordCollector;
use crate::task::TaskError;

impl StreamTask {
    /// Takes records, the earliest first, as long as there are any, none has to be waited for, and what comes of them finds room in the
    /// producer. After each, `next` says at what time the next one is taken, or that it is not.
    ///
    /// # Errors
    /// What no handler let pass. The task is then of no more use but to be closed.
    pub fn process(
        &mut self,
        output: &mut RecordCollector,
        now: Timestamp,
        next: &mut dyn FnMut(Taken) -> Option<Timestamp>,
    ) -> Result<(), TaskError> {
        self.clock.now = now;
        loop {
            let taken = if self.group.queues().len() == 1 {
                self.take_from_only_queue(output)?
            } else if let Some(skipped) = self.look_at_heads(output)? {
                Some(skipped)
            } else if self.readiness(self.clock.now).is_ready() {
                self.process_next(output)?
            } else {
                None
            };
            let Some(taken) = taken else { return Ok(()) };
            match next(taken) {
                Some(now) if !output.is_full() => self.clock.now = now,
                _ => return Ok(()),
            }
        }
    }

    /// Without another partition, a record's time decides nothing before the record is processed.
    fn take_from_only_queue(&mut self, output: &mut RecordCollector) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        let Some((index, queue)) = self.group.unseen() else { return Ok(None) };
        let mut time = None;
        if let Some(raw) = queue.head() {
            let mut emit = output.lane(self.lane);
            let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
            cx.at_input(input_context(queue, raw, raw.timestamp), raw);
            let mut result = self.graph.timestamp(queue.node(), &mut cx, raw, queue.partition_time());
            if let Ok(Some(time)) = result {
                if time != raw.timestamp {
                    cx.at_input(input_context(queue, raw, time), raw);
                }
                result = self.graph.push(queue.node(), &mut cx, raw, time).map(|()| Some(time));
                if let Some(last) = &mut self.last_input {
                    last.keep(raw);
                }
            }
            time = match result {
                Ok(time) => time,
                Err(error) => return Err(self.failed(output, error)),
            };
        }
        self.group.pass(index, time).map_err(|error| TaskError::Input { task, error })?;
        Ok(Some(if time.is_some() { Taken::Processed } else { Taken::Skipped }))
    }

    /// Has sources decode the records that have come to the head of their queue and say their times, until one is skipped.
    fn look_at_heads(&mut self, output: &mut RecordCollector) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        while let Some((index, queue)) = self.group.unseen() {
            let mut time = Ok(None);
            if let Some(raw) = queue.head() {
                let mut emit = output.lane(self.lane);
                let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
                cx.at_input(input_context(queue, raw, raw.timestamp), raw);
                time = self.graph.timestamp(queue.node(), &mut cx, raw, queue.partition_time());
            }
            let Some(time) = time.map_err(|error| self.failed(output, error))? else {
                self.group.pass(index, None).map_err(|error| TaskError::Input { task, error })?;
                return Ok(Some(Taken::Skipped));
            };
            self.group.seen(index, time);
        }
        Ok(None)
    }

    fn process_next(&mut self, output: &mut RecordCollector) -> Result<Option<Taken>, TaskError> {
        let task = self.spec.id;
        let Some((_, queue, time)) = self.group.next() else { return Ok(None) };
        let Some(raw) = queue.head() else { return Ok(None) };
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(task, &mut self.clock, &mut emit, &self.handlers);
        cx.at_input(input_context(queue, raw, time), raw);
        if let Err(error) = self.graph.push(queue.node(), &mut cx, raw, time) {
            return Err(self.failed(output, error));
        }
        if let Some(last) = &mut self.last_input {
            last.keep(raw);
        }
        self.group.take().map_err(|error| TaskError::Input { task, error })?;
        Ok(Some(Taken::Processed))
    }

    /// Fires the punctuators that are due, by stream time first; returns whether any was.
    ///
    /// # Errors
    /// As [`StreamTask::process`].
    pub fn punctuate(&mut self, output: &mut RecordCollector, now: Timestamp) -> Result<bool, TaskError> {
        let by_stream_time = self.punctuate_by(PunctuationType::StreamTime, output, now)?;
        let by_wall_clock = self.punctuate_by(PunctuationType::WallClockTime, output, now)?;
        Ok(by_stream_time || by_wall_clock)
    }

    /// Fires the punctuators of one kind that are due; returns whether any was.
    ///
    /// # Errors
    /// As [`StreamTask::process`].
    pub fn punctuate_by(
        &mut self,
        kind: PunctuationType,
        output: &mut RecordCollector,
        now: Timestamp,
    ) -> Result<bool, TaskError> {
        self.clock.now = now;
        if kind == PunctuationType::StreamTime && !self.clock.stream_time.is_known() {
            return Ok(false);
        }
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(self.spec.id, &mut self.clock, &mut emit, &self.handlers);
        let fired = self.graph.punctuate(&mut cx, kind);
        let mut fired = fired.map_err(|error| self.failed(output, error))?;
        if kind == PunctuationType::WallClockTime {
            fired |= self.close_idle(output)?;
        }
        self.punctuated |= fired;
        Ok(fired)
    }

    /// Has operators close what stays open since no records come, if nothing is left to be taken.
    fn close_idle(&mut self, output: &mut RecordCollector) -> Result<bool, TaskError> {
        if !self.closes_idle() || !self.group.is_drained() {
            return Ok(false);
        }
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(self.spec.id, &mut self.clock, &mut emit, &self.handlers);
        if let Some(last) = &self.last_input {
            cx.at_input(RecordContext::none(), last.view());
        }
        self.graph.close_idle(&mut cx).map_err(|error| self.failed(output, error))
    }

    /// Whether any of its operators closes what is open when no records come.
    pub fn closes_idle(&self) -> bool {
        self.graph.closes_idle()
    }

    /// Has such operators count from `now` on, as if a record had come: nobody looked for so long that some may have.
    pub fn begin_idleness_anew(&mut self, now: Timestamp) {
        self.graph.begin_idleness_anew(now);
    }
}

/// Where the head of `queue` lies, at this time.
#[inline]
fn input_context(queue: &PartitionQueue, raw: RawRecord<'_>, timestamp: Timestamp) -> RecordContext {
    RecordContext {
        timestamp,
        offset: raw.offset,
        partition: queue.partition().partition,
        topic: Some(queue.partition().topic.clone()),
        headers: raw.headers.to_headers(),
    }
}
