//! The Processor API: nodes that do with a record what they like.

mod fixed_key;
mod node;
mod schedules;
mod stores;
mod table;
mod wrapper;

use std::fmt;
use std::time::Duration;

use headwater_record::{Offset, Partition, Record, Timestamp, Topic};

use crate::{DropReason, NodeId, Outlet, ProcessError, PunctuationType, ScheduleId, Stream, TaskContext, TaskId};

pub use self::fixed_key::{FixedKey, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord};
pub use self::node::{ProcessorNode, ProcessorSupplier, StoreAccess};
pub use self::schedules::Schedules;
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

    /// Called when a schedule fires, but for those that call a closure ([`ProcessorContext::schedule_with`]). `time` is the current time (not the scheduled one): stream time or wall clock as the schedule says.
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
    pub(crate) schedules: &'a Schedules<K, V>,
    pub(crate) node: NodeId,
    pub(crate) in_init: bool,
}

impl<'a, 't, K: 'static, V: 'static> ProcessorContext<'a, 't, K, V> {
    /// The context of a processor that is tested alone; `in_init` while its `init` runs.
    pub fn alone(
        task: &'a mut TaskContext<'t>,
        out: &'a mut Outlet<Stream<K, V>>,
        schedules: &'a Schedules<K, V>,
        in_init: bool,
    ) -> Self {
        Self::at(NodeId::new(0), task, out, schedules, in_init)
    }

    /// The context of what works at `node`; `in_init` while its `init` runs.
    #[doc(hidden)]
    pub fn at(
        node: NodeId,
        task: &'a mut TaskContext<'t>,
        out: &'a mut Outlet<Stream<K, V>>,
        schedules: &'a Schedules<K, V>,
        in_init: bool,
    ) -> Self {
        ProcessorContext { task, out, schedules, node, in_init }
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

    /// Asks to be called back every `interval`, by stream time or wall clock: [`Processor::punctuate`] is. A processor with more than
    /// one schedule has it simpler with [`ProcessorContext::schedule_with`].
    ///
    /// # Errors
    /// When the interval is shorter than a millisecond.
    pub fn schedule(&mut self, interval: Duration, kind: PunctuationType) -> Result<ScheduleId, ProcessError> {
        self.schedule_from(None, interval, kind)
    }

    /// Asks for `punctuate` to be called every `interval`, by stream time or wall clock, instead of [`Processor::punctuate`] (Java's
    /// `Punctuator` as a lambda). It has what it captures: stores, by clones of their `Rc`, and what it shares with the processor.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Adds up sales; tells the sums every minute and begins anew every hour.
    /// struct Sums {
    ///     sums: Rc<KeyValueState<String, i64>>,
    /// }
    ///
    /// impl Processor<String, i64, String, i64> for Sums {
    ///     fn init(&mut self, cx: &mut ProcessorContext<'_, '_, String, i64>) -> Result<(), ProcessError> {
    ///         let sums = Rc::clone(&self.sums);
    ///         cx.schedule_with(Duration::from_secs(60), PunctuationType::WallClockTime, move |cx, time| {
    ///             for (item, sum) in sums.entries(cx)? {
    ///                 cx.forward(Record::new(&item, &sum, time, &Headers::new()))?;
    ///             }
    ///             Ok(())
    ///         })?;
    ///         let sums = Rc::clone(&self.sums);
    ///         cx.schedule_with(Duration::from_secs(3600), PunctuationType::WallClockTime, move |cx, time| {
    ///             for (item, _) in sums.entries(cx)? {
    ///                 sums.remove_at(cx, &item, time)?;
    ///             }
    ///             Ok(())
    ///         })?;
    ///         Ok(())
    ///     }
    ///
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         let sum = self.sums.value(cx, record.key)?.unwrap_or(0) + record.value;
    ///         self.sums.put_at(cx, record.key, sum, &record)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_state_store(StoreSpec::key_value("sums"));
    /// let sales = builder.stream::<String, i64>("sales");
    /// sales.process(|stores| Ok(Sums { sums: stores.key_value(&StoreHandle::named("sums"))? }), &["sums"]).to("told");
    ///
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// driver.input_topic::<String, i64>("sales").pipe_all([("pens", 3), ("pens", 4)])?;
    /// driver.advance_wall_clock(Duration::from_secs(60))?;
    /// assert_eq!(driver.output_topic::<String, i64>("told").read_key_values()?, [("pens".to_owned(), 7)]);
    /// driver.advance_wall_clock(Duration::from_secs(3540))?;
    /// assert!(driver.key_value_store(&StoreHandle::<String, i64>::named("sums"))?.all()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`ProcessorContext::schedule`]. Those of `punctuate` are the processing exception handler's.
    pub fn schedule_with(
        &mut self,
        interval: Duration,
        kind: PunctuationType,
        punctuate: impl FnMut(&mut ProcessorContext<'_, '_, K, V>, Timestamp) -> Result<(), ProcessError> + 'static,
    ) -> Result<ScheduleId, ProcessError> {
        let schedule = self.schedule(interval, kind)?;
        self.schedules.call(schedule, Box::new(punctuate));
        Ok(schedule)
    }

    /// Calls the closure of a schedule, as when it fires; `None` when it has none, and [`Processor::punctuate`] is to be called.
    pub fn fire(&mut self, schedule: ScheduleId, time: Timestamp) -> Option<Result<(), ProcessError>> {
        let schedules = self.schedules;
        schedules.fire(self, schedule, time)
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
        let node = self.node;
        self.schedules.make(|of_task| of_task.schedule(node, interval, kind, start, now))
    }

    /// Ends a schedule.
    pub fn cancel(&mut self, schedule: ScheduleId) {
        self.schedules.cancel(schedule);
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
        self.task.drop_record(DropReason::ByProcessor);
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
