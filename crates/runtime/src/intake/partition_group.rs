//! All queues of a task: which record is next, and whether to wait for another partition first (Java's `PartitionGroup`).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use headwater_client::{ClientError, RecordBatch, Watermarks};
use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_topology::priority_queue::PriorityQueue;
use headwater_topology::{NodeId, java_order};

use super::PartitionQueue;
use crate::task::TaskInput;

/// Whether a task may process now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every partition has records, or nothing is waited for.
    Ready,
    /// `max.task.idle.ms` has passed for an empty partition: the task goes on without it.
    Enforced,
    /// There is nothing to process.
    Empty,
    /// Some partition is empty and may have records; at the time given, if any, the task no longer waits.
    Waiting(Option<Timestamp>),
}

impl Readiness {
    /// Whether to process.
    pub fn is_ready(self) -> bool {
        matches!(self, Readiness::Ready | Readiness::Enforced)
    }
}

/// What is known of an empty partition.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    // Records that lie in the broker's log and were not fetched; none while the consumer has not heard.
    lag: Option<i64>,
    deadline: Option<Timestamp>,
    // Whether it is left out of the question.
    is_passed_over: bool,
}

/// The queues of a task's input partitions.
#[derive(Debug)]
pub struct PartitionGroup {
    queues: Vec<PartitionQueue>,
    idle: Vec<Idle>,
    by_partition: HashMap<TopicPartition, usize>,
    // Queues whose head has a time, by that time: equal times come in the order of Java's heap.
    by_time: PriorityQueue<usize>,
    // Queues whose head was not looked at yet, in the order in which they got it.
    unseen: VecDeque<usize>,
    max_idle: Option<Duration>,
    // In which order empty queues are waited for.
    in_turn: Vec<usize>,
}

impl PartitionGroup {
    /// Empty queues of `inputs`. `max_idle` is `max.task.idle.ms`, `None` for -1: never wait. `committed` says from where each
    /// partition is read and what its time was.
    pub fn new(
        inputs: &[TaskInput],
        max_idle: Option<Duration>,
        committed: impl Fn(&TopicPartition) -> (Option<Offset>, Timestamp),
    ) -> Self {
        let queues: Vec<PartitionQueue> = inputs
            .iter()
            .map(|input| {
                let (offset, time) = committed(&input.partition);
                PartitionQueue::new(input, time, offset)
            })
            .collect();
        let by_partition = inputs.iter().enumerate().map(|(index, input)| (input.partition.clone(), index)).collect();
        PartitionGroup {
            in_turn: java_order::partitions(inputs.iter().map(|input| &input.partition)),
            idle: vec![Idle::default(); queues.len()],
            queues,
            by_partition,
            by_time: PriorityQueue::new(),
            unseen: VecDeque::new(),
            max_idle,
        }
    }

    /// One more input, as when a new topic matches a source's pattern. One that is there already stays as it is.
    pub fn add_input(&mut self, input: &TaskInput, offset: Option<Offset>, partition_time: Timestamp) {
        if !self.by_partition.contains_key(&input.partition) {
            self.by_partition.insert(input.partition.clone(), self.queues.len());
            self.queues.push(PartitionQueue::new(input, partition_time, offset));
            self.idle.push(Idle::default());
            self.in_turn = java_order::partitions(self.queues.iter().map(PartitionQueue::partition));
        }
    }

    /// The queues in the order of the task's inputs.
    pub fn queues(&self) -> &[PartitionQueue] {
        &self.queues
    }

    /// The queue of `partition`.
    pub fn queue(&self, partition: &TopicPartition) -> Option<&PartitionQueue> {
        self.queues.get(*self.by_partition.get(partition)?)
    }

    /// Adds a batch to the queue of its partition.
    ///
    /// # Errors
    /// The batch, when its partition is none of this task's.
    pub fn add(&mut self, batch: Box<dyn RecordBatch>) -> Result<(), Box<dyn RecordBatch>> {
        let Some(&index) = self.by_partition.get(batch.partition()) else { return Err(batch) };
        let Some(queue) = self.queues.get_mut(index) else { return Err(batch) };
        let was_empty = queue.is_empty();
        queue.push(batch);
        if was_empty && !queue.is_empty() {
            self.unseen.push_back(index);
        }
        Ok(())
    }

    /// The next queue whose head must be looked at: ask its source for the time, then answer [`PartitionGroup::seen`] or
    /// [`PartitionGroup::pass`].
    pub fn unseen(&self) -> Option<(usize, &PartitionQueue)> {
        let index = *self.unseen.front()?;
        Some((index, self.queues.get(index)?))
    }

    /// The head of queue `index`, which [`PartitionGroup::unseen`] showed, has this time, and its turn comes.
    pub fn seen(&mut self, index: usize, time: Timestamp) {
        if self.unseen.front() == Some(&index) {
            self.unseen.pop_front();
        }
        if let Some(queue) = self.queues.get_mut(index) {
            queue.head_time = Some(time);
            self.by_time.push(time.millis(), index);
        }
    }

    /// The head of queue `index`, which [`PartitionGroup::unseen`] showed, is taken at once: it was processed at `time`, or skipped
    /// and has none.
    ///
    /// # Errors
    /// When the bytes after it are malformed.
    pub fn pass(&mut self, index: usize, time: Option<Timestamp>) -> Result<(), ClientError> {
        let Some(queue) = self.queues.get_mut(index) else { return Ok(()) };
        let taken = queue.take(time);
        if queue.is_empty() && self.unseen.front() == Some(&index) {
            self.unseen.pop_front();
        }
        taken
    }

    /// The queue whose record is next: the one with the smallest head time.
    pub fn next(&self) -> Option<(usize, &PartitionQueue, Timestamp)> {
        let (time, &index) = self.by_time.peek()?;
        Some((index, self.queues.get(index)?, Timestamp::from_millis(time)))
    }

    /// Takes the record that [`PartitionGroup::next`] showed.
    ///
    /// # Errors
    /// When the bytes after it are malformed.
    pub fn take(&mut self) -> Result<(), ClientError> {
        let Some((time, index)) = self.by_time.pop() else { return Ok(()) };
        let Some(queue) = self.queues.get_mut(index) else { return Ok(()) };
        let taken = queue.take(Some(Timestamp::from_millis(time)));
        if !queue.is_empty() {
            self.unseen.push_front(index);
        }
        taken
    }

    /// What the consumer has heard of a partition: with it the task knows whether waiting for an empty partition makes sense.
    pub fn heard(&mut self, partition: &TopicPartition, position: Option<Offset>, watermarks: Option<Watermarks>) {
        let Some(idle) = self.by_partition.get(partition).and_then(|index| self.idle.get_mut(*index)) else { return };
        idle.lag = match (position, watermarks) {
            (Some(position), Some(marks)) => Some((marks.high.value() - position.value()).max(0)),
            _ => None,
        };
    }

    /// Whether `partition` is waited for where it is empty, as all are unless something else is said.
    pub fn wait_for(&mut self, partition: &TopicPartition, waits: bool) {
        if let Some(idle) = self.by_partition.get(partition).and_then(|index| self.idle.get_mut(*index)) {
            idle.is_passed_over = !waits;
        }
    }

    /// Whether to process at the time `now`. Heads that were not looked at yet count as records. As in Java empty partitions are waited
    /// for one after the other, in the order of its hash table.
    pub fn readiness(&mut self, now: Timestamp) -> Readiness {
        let buffered = self.queues.iter().any(|queue| !queue.is_empty());
        let Some(max_idle) = self.max_idle else {
            return if buffered { Readiness::Ready } else { Readiness::Empty };
        };
        let mut all = true;
        for index in &self.in_turn {
            let (Some(queue), Some(idle)) = (self.queues.get(*index), self.idle.get_mut(*index)) else { continue };
            if !queue.is_empty() || idle.is_passed_over {
                idle.deadline = None;
                continue;
            }
            all = false;
            let waiting = if idle.lag == Some(0) {
                let deadline = *idle.deadline.get_or_insert_with(|| now.plus(max_idle));
                (now < deadline).then_some(Readiness::Waiting(Some(deadline)))
            } else {
                idle.deadline = None;
                Some(Readiness::Waiting(None))
            };
            if let Some(waiting) = waiting {
                return if buffered { waiting } else { Readiness::Empty };
            }
        }
        match (buffered, all) {
            (false, _) => Readiness::Empty,
            (true, true) => Readiness::Ready,
            (true, false) => Readiness::Enforced,
        }
    }

    /// The empty partitions that are waited for as of `now`, while others have records.
    pub fn waits_for(&self, now: Timestamp) -> impl Iterator<Item = &TopicPartition> {
        let waits = self.max_idle.is_some() && self.queues.iter().any(|queue| !queue.is_empty());
        let is_waited_for = move |(queue, idle): &(&PartitionQueue, &Idle)| {
            let may_come = idle.lag != Some(0) || idle.deadline.is_none_or(|deadline| now < deadline);
            waits && queue.is_empty() && !idle.is_passed_over && may_come
        };
        self.queues.iter().zip(&self.idle).filter(is_waited_for).map(|(queue, _)| queue.partition())
    }

    /// Whether every partition was read to its end, as far as the consumer has heard, and nothing waits.
    pub fn is_drained(&self) -> bool {
        self.queues.iter().zip(&self.idle).all(|(queue, idle)| queue.is_empty() && idle.lag == Some(0))
    }

    /// How many records wait in all queues.
    pub fn buffered(&self) -> usize {
        self.queues.iter().map(PartitionQueue::buffered).sum()
    }

    /// How much memory the waiting batches hold.
    pub fn held_bytes(&self) -> usize {
        self.queues.iter().map(PartitionQueue::held_bytes).sum()
    }

    /// The greatest time of all partitions, -1 before the first record.
    pub fn stream_time(&self) -> Timestamp {
        self.queues.iter().map(PartitionQueue::partition_time).max().unwrap_or(Timestamp::UNKNOWN)
    }

    /// What was taken so far is committed.
    pub fn mark_committed(&mut self) {
        self.queues.iter_mut().for_each(PartitionQueue::mark_committed);
    }

    /// The source that reads queue `index`.
    pub fn node(&self, index: usize) -> Option<NodeId> {
        self.queues.get(index).map(PartitionQueue::node)
    }
}
