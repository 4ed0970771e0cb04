//! Handing records to the producer: which partition, and patience while it is full.

use headwater_client::{Appended, ClientError, ErrorClass, GroupError, PartitionRef};
use headwater_record::{Deadline, Partition, RawRecord, TopicPartition, partition_for_key};
use headwater_topology::{Destination, FailureKind, OutputTopic, ProcessError, StoreId, TaskId};

use super::RecordCollector;
use super::topics::PartitionState;
use super::transaction::Transaction;
use crate::task::TaskError;

/// So many polls of a full producer may bring nothing while its clock stands still, before it is taken for stuck.
const FRUITLESS_POLLS: u32 = 1_000;

impl RecordCollector {
    pub(super) fn topic_number(&mut self, topic: &str) -> OutputTopic {
        self.topics.number(topic)
    }

    pub(super) fn partition_count(&mut self, lane: usize, topic: OutputTopic) -> Result<Partition, ProcessError> {
        let Some(state) = self.topics.get_mut(topic) else {
            return Err(ProcessError::failed(FailureKind::Production, "a topic was not asked for", None));
        };
        if let Some(count) = state.count {
            return Ok(count);
        }
        let until = Deadline::after(self.clock.now(), self.settings.max_block);
        match self.producer.partition_count(&state.topic, until) {
            Ok(count) => {
                state.count = Some(count);
                Ok(count)
            }
            Err(error) => {
                let name = state.topic.to_string();
                Err(self.fail(lane, &name, error))
            }
        }
    }

    #[inline]
    pub(super) fn send(
        &mut self,
        lane: usize,
        topic: OutputTopic,
        destination: Destination,
        record: RawRecord<'_>,
    ) -> Result<(), ProcessError> {
        let partition = match destination {
            Destination::Partition(partition) => partition,
            Destination::ByKey { prefix } => {
                let count = self.partition_count(lane, topic)?;
                match record.key {
                    Some(key) => partition_for_key(key.get(..prefix).unwrap_or(key), count),
                    None => self.sticky(topic, count, record.payload_len()),
                }
            }
        };
        let to = self.partition_ref(lane, topic, partition)?;
        self.append(lane, to, record)
    }

    #[inline]
    pub(super) fn send_change(
        &mut self,
        lane: usize,
        store: StoreId,
        record: RawRecord<'_>,
    ) -> Result<(), ProcessError> {
        let Some(changelog) = self.lanes.get(lane).and_then(|lane| lane.changelog(store)) else { return Ok(()) };
        if changelog.is_source {
            return Ok(());
        }
        let to = match changelog.to {
            Some(to) => to,
            None => self.changelog_ref(lane, store)?,
        };
        self.append(lane, to, record)
    }

    #[cold]
    fn changelog_ref(&mut self, lane: usize, store: StoreId) -> Result<PartitionRef, ProcessError> {
        let Some(changelog) = self.lanes.get(lane).and_then(|lane| lane.changelog(store)) else {
            return Err(ProcessError::failed(FailureKind::Production, "a store has no changelog", None));
        };
        let TopicPartition { topic, partition } = changelog.partition.clone();
        let topic = self.topics.number(topic.as_str());
        let to = self.partition_ref(lane, topic, partition)?;
        if let Some(state) = self.partitions.get_mut(to.index()) {
            state.store = Some(store);
        }
        if let Some(changelog) = self.lanes.get_mut(lane).and_then(|lane| lane.changelog_mut(store)) {
            changelog.to = Some(to);
        }
        Ok(to)
    }

    /// Java's producer keeps records without a key together and turns to the next partition when a batch is full.
    fn sticky(&mut self, topic: OutputTopic, count: Partition, bytes: usize) -> Partition {
        let Some(state) = self.topics.get_mut(topic) else { return 0 };
        if state.sticky_bytes >= self.settings.sticky_bytes {
            state.sticky_bytes = 0;
            state.sticky += 1;
        }
        if state.sticky >= count {
            state.sticky = 0;
        }
        state.sticky_bytes += bytes;
        state.sticky
    }

    #[inline]
    fn partition_ref(
        &mut self,
        lane: usize,
        topic: OutputTopic,
        partition: Partition,
    ) -> Result<PartitionRef, ProcessError> {
        let known = self.topics.get_mut(topic).and_then(|state| *state.refs.get(usize::try_from(partition).ok()?)?);
        known.map_or_else(|| self.ask_partition(lane, topic, partition), Ok)
    }

    #[cold]
    fn ask_partition(
        &mut self,
        lane: usize,
        topic: OutputTopic,
        partition: Partition,
    ) -> Result<PartitionRef, ProcessError> {
        let Some(state) = self.topics.get_mut(topic) else {
            return Err(ProcessError::failed(FailureKind::Production, "a topic was not asked for", None));
        };
        let Ok(index) = usize::try_from(partition) else {
            let text =
                format!("partition {partition} of topic {} cannot be: partitions are numbered from 0", state.topic);
            return Err(ProcessError::failed(FailureKind::Production, text, None));
        };
        let to = match self.producer.partition(&state.topic, partition) {
            Ok(to) => to,
            Err(error) => {
                let name = state.topic.to_string();
                return Err(self.fail(lane, &name, error));
            }
        };
        if state.refs.len() <= index {
            state.refs.resize(index + 1, None);
        }
        if let Some(slot) = state.refs.get_mut(index) {
            *slot = Some(to);
        }
        while self.partitions.len() <= to.index() {
            self.partitions.push(PartitionState::new(topic, partition));
        }
        if let Some(state) = self.partitions.get_mut(to.index()) {
            (state.topic, state.partition) = (topic, partition);
        }
        Ok(to)
    }

    #[inline]
    fn append(&mut self, lane: usize, to: PartitionRef, record: RawRecord<'_>) -> Result<(), ProcessError> {
        if matches!(self.transaction, Transaction::Closed | Transaction::New)
            && let Err(error) = self.begin()
        {
            return self.refused(lane, to, record, error);
        }
        match self.producer.append(to, record) {
            Ok(Appended::Stored) => self.stored(lane, to),
            Ok(Appended::Full) => self.append_when_there_is_room(lane, to, record),
            Err(error) => self.refused(lane, to, record, error),
        }
    }

    #[inline]
    fn stored(&mut self, lane: usize, to: PartitionRef) -> Result<(), ProcessError> {
        if let Some(partition) = self.partitions.get_mut(to.index()) {
            partition.sent(lane);
        }
        match self.lanes.get(lane) {
            Some(lane) if lane.failure.is_some() => Err(failed_before(lane.task)),
            _ => Ok(()),
        }
    }

    #[cold]
    fn append_when_there_is_room(
        &mut self,
        lane: usize,
        to: PartitionRef,
        record: RawRecord<'_>,
    ) -> Result<(), ProcessError> {
        let until = Deadline::after(self.clock.now(), self.settings.delivery_timeout);
        let mut fruitless = 0;
        loop {
            let before = (self.clock.now(), self.under_way());
            // What waits for the lease may find room yet.
            if let Err(error) = self.poll(until)
                && error != ClientError::Group(GroupError::Unconfirmed)
            {
                let name = self.topic_name(to);
                return Err(self.fail(lane, &name, error));
            }
            match self.producer.append(to, record) {
                Ok(Appended::Stored) => return self.stored(lane, to),
                Ok(Appended::Full) => {}
                Err(error) => return self.refused(lane, to, record, error),
            }
            let now = self.clock.now();
            fruitless = if before == (now, self.under_way()) { fruitless + 1 } else { 0 };
            if until.passed(now) || fruitless >= FRUITLESS_POLLS {
                let name = self.topic_name(to);
                let request = format!(
                    "write to topic {name}: the producer's buffer stayed full for delivery.timeout.ms; check that the brokers keep up, or raise buffer.memory"
                );
                return Err(self.fail(lane, &name, ClientError::TimedOut { request }));
            }
        }
    }

    /// The producer refused one record: the production exception handler decides.
    #[cold]
    fn refused(
        &mut self,
        lane: usize,
        to: PartitionRef,
        record: RawRecord<'_>,
        error: ClientError,
    ) -> Result<(), ProcessError> {
        let name = self.topic_name(to);
        if matches!(error.class(), ErrorClass::Fenced | ErrorClass::Aborted) {
            self.fatal = Some(error.clone());
            return Err(self.fail(lane, &name, error));
        }
        self.production_failed(lane, to, record, &error);
        match self.lanes.get(lane) {
            Some(lane) if lane.failure.is_some() => Err(failed_before(lane.task)),
            _ => Ok(()),
        }
    }

    pub(super) fn topic_name(&mut self, to: PartitionRef) -> String {
        let topic = self.partitions.get(to.index()).map(|partition| partition.topic);
        topic.and_then(|topic| self.topics.get_mut(topic)).map(|state| state.topic.to_string()).unwrap_or_default()
    }

    /// The task of `lane` fails because of `error`.
    #[cold]
    pub(super) fn fail(&mut self, lane: usize, topic: &str, error: ClientError) -> ProcessError {
        let Some(lane) = self.lanes.get_mut(lane) else {
            return ProcessError::failed(FailureKind::Production, "a task that is not registered wrote a record", None);
        };
        let task = lane.task;
        lane.failure.get_or_insert(TaskError::Production { task, topic: topic.to_owned(), error: error.clone() });
        let message = format!("Error encountered sending record to topic {topic} for task {task}");
        ProcessError::failed(FailureKind::Production, message, Some(Box::new(error)))
    }
}

#[cold]
fn failed_before(task: TaskId) -> ProcessError {
    ProcessError::failed(FailureKind::Production, format!("a record of task {task} could not be written"), None)
}
