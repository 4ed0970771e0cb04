//! The Processor API: nodes that do with a record what they like.

mod fixed_key;
mod node;
mod stores;
mod table;
mod wrapper;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use headwater_record::{Offset, Partition, Record, Timestamp, Topic};

use crate::punctuate::Punctuations;
use crate::{NodeId, Outlet, ProcessError, PunctuationType, ScheduleId, Stream, TaskContext, TaskId};

pub use self::fixed_key::{FixedKey, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
pub use self::node::{ProcessorNode, ProcessorSupplier, StoreAccess};
pub use self::stores::At;
pub use self::table::{LiveProcessor, ProcessorTable};
pub use self::wrapper::ProcessorWrapper;
pub(crate) use self::wrapper::Wrapped;

/// Works on records of `KIn` and `VIn`, and forwards records of `KOut` and `VOut` when it likes
/// (`org.apache.kafka.streams.processor.api.Processor`).
///
/// One lives in each task; it need not be `Send`. State lies in stores, which it gets where it is made (see
/// [`ProcessorSupplier`]) and keeps as fields.
pub trait Processor<KIn, VIn, KOut, VOut>: 'static {
    /// Called once, before the first record: the place to schedule punctuations.
    ///
    /// # Errors
    /// Any; the task then does not start.
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, KOut, VOut>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// Called for every record.
    ///
    /// # Errors
    /// Any; the processing exception handler decides. Make one of your own error with [`ProcessError::user`].
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, KOut, VOut>,
        record: Record<'_, KIn, VIn>,
    ) -> Result<(), ProcessError>;

    /// Called when a schedule fires. `time` is the current time (not the scheduled one): stream time or wall clock as the schedule says.
    ///
    /// # Errors
    /// As [`Processor::process`].
    fn punctuate(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, KOut, VOut>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let _ = (cx, schedule, time);
        Ok(())
    }

    /// Called once, when the task is closed.
    fn close(&mut self) {}
}

/// Where the record that is being processed lies in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Its topic; `None` in a punctuation.
    pub topic: Option<Topic>,
    /// Its partition; -1 in a punctuation.
    pub partition: Partition,
    /// Its offset; -1 in a punctuation.
    pub offset: Offset,
}

/// What a [`Processor`] may do.
pub struct ProcessorContext<'a, 't, K: 'static, V: 'static> {
    pub(crate) task: &'a mut TaskContext<'t>,
    pub(crate) out: &'a mut Outlet<Stream<K, V>>,
    pub(crate) punctuations: &'a Rc<RefCell<Punctuations>>,
    pub(crate) node: NodeId,
    pub(crate) in_init: bool,
}

impl<'a, 't, K: 'static, V: 'static> ProcessorContext<'a, 't, K, V> {
    /// The context of a processor that is tested alone; `in_init` while its `init` runs.
    pub fn alone(
        task: &'a mut TaskContext<'t>,
        out: &'a mut Outlet<Stream<K, V>>,
        punctuations: &'a Rc<RefCell<Punctuations>>,
        in_init: bool,
    ) -> Self {
        ProcessorContext { task, out, punctuations, node: NodeId::new(0), in_init }
    }

    /// Hands `record` to every child, in the order in which they were added; each is done, with all below it, before the next.
    ///
    /// # Errors
    /// What no handler let pass. Return it.
    pub fn forward(&mut self, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.may_forward(record.timestamp)?;
        self.out.push(self.task, record)
    }

    /// Hands `record` to the child of this name only.
    ///
    /// # Errors
    /// [`ProcessError::User`] when there is no such child; otherwise as [`ProcessorContext::forward`].
    pub fn forward_to(&mut self, child: &str, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.may_forward(record.timestamp)?;
        self.out.push_to(child, self.task, record)
    }

    fn may_forward(&self, timestamp: Timestamp) -> Result<(), ProcessError> {
        if self.in_init {
            Err(ProcessError::user("forward is not possible in init: the children are not there yet"))
        } else if timestamp.is_known() {
            Ok(())
        } else {
            Err(ProcessError::user(format!("Malformed Record: Timestamp may not be negative. Got: {timestamp}")))
        }
    }

    /// Asks to be called back every `interval`, by stream time or wall clock. See [`Processor::punctuate`].
    ///
    /// # Errors
    /// When the interval is shorter than a millisecond.
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> Result<ScheduleId, ProcessError> {
        self.schedule_from(None, interval, kind)
    }

    /// As [`ProcessorContext::schedule`], aligned to `start` (KIP-1146): first at `start`, or, when that has passed, at the first
    /// multiple of the interval after it.
    ///
    /// # Errors
    /// As [`ProcessorContext::schedule`].
    pub fn schedule_at(
        &mut self,
        start: Timestamp,
        interval: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        self.schedule_from(Some(start), interval, kind)
    }

    fn schedule_from(
        &mut self,
        start: Option<Timestamp>,
        interval: Duration,
        kind: PunctuationType,
    ) -> Result<ScheduleId, ProcessError> {
        let now = match kind {
            PunctuationType::StreamTime => self.task.stream_time(),
            PunctuationType::WallClockTime => self.task.now(),
        };
        self.punctuations.borrow_mut().schedule(self.node, interval, kind, start, now)
    }

    /// Ends a schedule.
    pub fn cancel(&mut self, schedule: ScheduleId) {
        self.punctuations.borrow_mut().cancel(schedule);
    }

    /// The greatest timestamp of the records that the task has taken, -1 before the first.
    pub fn current_stream_time(&self) -> Timestamp {
        self.task.stream_time()
    }

    /// The wall clock as it stood when this record or punctuation began.
    pub fn current_system_time(&self) -> Timestamp {
        self.task.now()
    }

    /// Where the record that is being processed lies. `None` in `init`.
    pub fn record_metadata(&self) -> Option<RecordMetadata> {
        let (topic, partition, offset) = self.task.input();
        (!self.in_init).then(|| RecordMetadata { topic: topic.cloned(), partition, offset })
    }

    /// Asks for a commit soon.
    pub fn commit(&mut self) {
        self.task.request_commit();
    }

    /// Counts a record that this processor leaves out, in the task's `dropped-records`.
    pub fn drop_record(&mut self) {
        self.task.drop_record();
    }

    /// The task.
    pub fn task_id(&self) -> TaskId {
        self.task.task()
    }

    /// What stores want to be handed when they are read or written.
    pub fn task(&mut self) -> &mut TaskContext<'t> {
        self.task
    }
}

impl<K: 'static, V: 'static> fmt::Debug for ProcessorContext<'_, '_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorContext").field("node", &self.node).finish_non_exhaustive()
    }
}
