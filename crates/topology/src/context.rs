//! What a node may touch while a record passes.

mod failed;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_record::{Headers, Offset, OwnedRecord, Partition, RawHeaders, RawRecord, Timestamp, Topic};
use headwater_store::RecordContext;

use crate::caught::caught;
use crate::handler::{ErrorContext, HandlerResponse, ProductionErrorOrigin};
use crate::tally::{DropReason, Tally};
use crate::{Application, BoxError, ProcessError, StoreId, TaskId};

/// A topic that a task writes to, as the task's output numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OutputTopic(u32);

impl OutputTopic {
    /// Made by outputs.
    pub const fn new(index: usize) -> Self {
        OutputTopic(index as u32)
    }
    /// The output's number of it.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// To which partition a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The one that Java's producer would choose by these leading bytes of the key; any when there is no key.
    ByKey {
        /// How many bytes of the key count.
        prefix: usize,
    },
    /// This one.
    Partition(Partition),
}

/// How records leave a task. The runtime implements it; a topology does not know what is behind.
pub trait Emit {
    /// The handle of the topic of this full name; asked when a task is wired, and per record only for topics that the record names.
    ///
    /// # Errors
    /// When there is no such topic.
    fn topic(&mut self, topic: &str) -> Result<OutputTopic, ProcessError>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// When nobody knows.
    fn partitions(&mut self, topic: OutputTopic) -> Result<Partition, ProcessError>;

    /// Writes a record.
    ///
    /// # Errors
    /// When the output as a whole has failed. A failed record goes to the production exception handler later.
    fn emit(&mut self, topic: OutputTopic, destination: Destination, record: RawRecord<'_>)
    -> Result<(), ProcessError>;

    /// Writes a change of a store to its changelog, at the task's partition.
    ///
    /// # Errors
    /// As [`Emit::emit`].
    fn log(&mut self, store: StoreId, record: RawRecord<'_>) -> Result<(), ProcessError>;
}

/// Who decides about failed records. The runtime implements it over the user's handlers.
pub trait Handlers {
    /// About input bytes that are no record.
    fn deserialization(&self, context: &ErrorContext<'_>, raw: &OwnedRecord, error: &BoxError) -> HandlerResponse;
    /// About a record that a node failed on.
    fn processing(&self, context: &ErrorContext<'_>, error: &BoxError) -> HandlerResponse;
    /// About a record that could not be written.
    fn production(
        &self,
        context: &ErrorContext<'_>,
        topic: &str,
        record: &OwnedRecord,
        origin: ProductionErrorOrigin,
        error: &BoxError,
    ) -> HandlerResponse;
}

/// What outlives one record in a task: its times, its counters, and what it was asked for.
#[derive(Debug)]
pub struct TaskClock {
    /// The greatest timestamp taken from the task's queues so far.
    pub stream_time: Timestamp,
    /// The wall clock as it stood when the current record or punctuation began.
    pub now: Timestamp,
    /// Records dropped since the task began: late, null where null is not allowed, or let pass by a handler.
    pub dropped: u64,
    /// Dead letters that were sent since the task began.
    pub dead_letters: u64,
    /// Records along each edge of the graph, side by side: all that a record passes are in a line or two of the processor's cache.
    #[doc(hidden)]
    pub taken: Vec<u64>,
    /// Why those were dropped that no node was charged with yet.
    #[doc(hidden)]
    pub left_out: Vec<DropReason>,
    /// Whether user code asked for a commit.
    pub commit_requested: bool,
    /// What nodes keep with the committed offsets, by their own keys (Java's `ProcessorMetadata`).
    pub remembered: BTreeMap<String, i64>,
    /// Whether that changed since offsets were committed.
    pub remembered_anew: bool,
    /// How long to wait between two emissions of closed windows (internal setting of Java, 1 s; 0 in the test driver).
    pub emit_interval_ms: i64,
    /// What processors may ask of their application.
    pub application: Arc<Application>,
}

impl Default for TaskClock {
    fn default() -> Self {
        TaskClock {
            stream_time: Timestamp::UNKNOWN,
            now: Timestamp::ZERO,
            dropped: 0,
            dead_letters: 0,
            taken: Vec::new(),
            left_out: Vec::new(),
            commit_requested: false,
            remembered: BTreeMap::new(),
            remembered_anew: false,
            emit_interval_ms: 1000,
            application: Arc::default(),
        }
    }
}

/// What a node may touch while a record passes: where the record came from, the task's times, and the way out.
pub struct TaskContext<'a> {
    task: TaskId,
    pub(crate) clock: &'a mut TaskClock,
    emit: &'a mut dyn Emit,
    handlers: &'a dyn Handlers,
    input: RecordContext,
    source: Option<(Option<&'a [u8]>, Option<&'a [u8]>)>,
    // Cached stores written by nodes that do not own them: flushed when the record is done.
    pub(crate) deferred: Vec<StoreId>,
}

impl<'a> TaskContext<'a> {
    /// A context outside of any record.
    #[doc(hidden)]
    pub fn new(task: TaskId, clock: &'a mut TaskClock, emit: &'a mut dyn Emit, handlers: &'a dyn Handlers) -> Self {
        TaskContext { task, clock, emit, handlers, input: RecordContext::none(), source: None, deferred: Vec::new() }
    }

    /// Puts the context at an input record. `raw` is what dead letters carry.
    #[doc(hidden)]
    pub fn at_input(&mut self, input: RecordContext, raw: RawRecord<'a>) {
        self.input = input;
        self.source = Some((raw.key, raw.value));
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The greatest timestamp taken from the task's queues so far, -1 before the first record.
    #[inline]
    pub fn stream_time(&self) -> Timestamp {
        self.clock.stream_time
    }

    /// Called by sources: a record of this time is being taken.
    #[inline]
    #[doc(hidden)]
    pub fn advance_stream_time(&mut self, to: Timestamp) {
        self.clock.stream_time = self.clock.stream_time.max(to);
    }

    /// The wall clock as it stood when the current record or punctuation began.
    #[inline]
    pub fn now(&self) -> Timestamp {
        self.clock.now
    }

    /// How long to wait between two emissions of closed windows, milliseconds.
    #[doc(hidden)]
    pub fn emit_interval_ms(&self) -> i64 {
        self.clock.emit_interval_ms
    }

    /// What was kept under `key`, by this task or by whoever had it before.
    #[doc(hidden)]
    pub fn remembered(&self, key: &str) -> Option<i64> {
        self.clock.remembered.get(key).copied()
    }

    /// Keeps a number under `key` with the offsets that are committed.
    #[doc(hidden)]
    pub fn remember(&mut self, key: &str, value: i64) {
        self.clock.remembered_anew = true;
        match self.clock.remembered.get_mut(key) {
            Some(kept) => *kept = value,
            None => {
                self.clock.remembered.insert(key.to_owned(), value);
            }
        }
    }

    /// Counts a record that is left out. It is charged to the node that is at work.
    pub fn drop_record(&mut self, reason: DropReason) {
        self.clock.dropped += 1;
        self.clock.left_out.push(reason);
    }

    /// Counts a record along an edge.
    #[inline]
    pub(crate) fn take(&mut self, edge: usize) {
        match self.clock.taken.get_mut(edge) {
            Some(taken) => *taken += 1,
            None => self.take_first(edge),
        }
    }

    #[cold]
    fn take_first(&mut self, edge: usize) {
        // The edges of a node that is tested alone are nobody's.
        if edge < usize::MAX {
            self.clock.taken.resize(edge + 1, 0);
            self.take(edge);
        }
    }

    /// How many were left out that nobody was charged with yet.
    #[inline]
    pub(crate) fn left_out(&self) -> usize {
        self.clock.left_out.len()
    }

    /// Charges all that were left out after the first `since` to `tally`.
    #[cold]
    pub(crate) fn charge(&mut self, since: usize, tally: &Tally) {
        while self.clock.left_out.len() > since
            && let Some(reason) = self.clock.left_out.pop()
        {
            tally.leave_out(reason);
        }
    }

    /// Asks for a commit soon (`ProcessorContext#commit`).
    pub fn request_commit(&mut self) {
        self.clock.commit_requested = true;
    }

    /// Where the input record lies: topic (none in a punctuation), partition, offset.
    pub fn input(&self) -> (Option<&Topic>, Partition, Offset) {
        (self.input.topic.as_ref(), self.input.partition, self.input.offset)
    }

    /// Headers of the input record, as they stand now: processors may have changed them in place.
    pub fn input_headers(&self) -> &Headers {
        &self.input.headers
    }

    /// What a store must know of a record that stands at `timestamp` with `headers`.
    pub fn record_context(&self, timestamp: Timestamp, headers: &Headers) -> RecordContext {
        RecordContext {
            timestamp,
            offset: self.input.offset,
            partition: self.input.partition,
            topic: self.input.topic.clone(),
            headers: headers.clone(),
        }
    }

    /// Makes `context` what [`TaskContext::record_context`] gives, with as little work as its likeness allows.
    #[inline]
    #[doc(hidden)]
    pub fn renew_context(&self, context: &mut RecordContext, timestamp: Timestamp, headers: &Headers) {
        let text = |topic: Option<&Topic>| topic.map(|topic| std::ptr::from_ref(topic.as_str()));
        if text(context.topic.as_ref()) != text(self.input.topic.as_ref()) {
            context.topic.clone_from(&self.input.topic);
        }
        if !(context.headers.is_empty() && headers.is_empty()) {
            context.headers = headers.clone();
        }
        context.timestamp = timestamp;
        context.offset = self.input.offset;
        context.partition = self.input.partition;
    }

    /// The way out.
    #[inline]
    #[doc(hidden)]
    pub fn emit(&mut self) -> &mut dyn Emit {
        &mut *self.emit
    }

    /// Logs a change of a store.
    ///
    /// # Errors
    /// When the output as a whole has failed.
    #[inline]
    #[doc(hidden)]
    pub fn log(
        &mut self,
        store: StoreId,
        key: &[u8],
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: RawHeaders<'_>,
    ) -> Result<(), ProcessError> {
        let record = RawRecord { offset: Offset::UNKNOWN, timestamp, key: Some(key), value, headers };
        self.emit.log(store, record)
    }

    /// Runs `work` as if the input record were that of `context`, as the flush of a cached entry does.
    ///
    /// # Errors
    /// Those of `work`.
    #[doc(hidden)]
    pub fn within<T>(
        &mut self,
        context: RecordContext,
        work: impl FnOnce(&mut Self) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let outer = std::mem::replace(&mut self.input, context);
        let result = caught(|| work(self));
        self.input = outer;
        result
    }

    /// Runs `work` with no input record at all, as a punctuation does.
    ///
    /// # Errors
    /// Those of `work`.
    #[doc(hidden)]
    pub fn outside_input<T>(
        &mut self,
        context: RecordContext,
        work: impl FnOnce(&mut Self) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let source = self.source.take();
        let result = self.within(context, work);
        self.source = source;
        result
    }
}

impl fmt::Debug for TaskContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("task", &self.task)
            .field("input", &self.input)
            .field("clock", &self.clock)
            .finish()
    }
}
