//! In which order a commit goes, under each guarantee, and what is left when it does not go through.

use std::sync::{Arc, Mutex};

use headwater_client::{
    Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, CommittedOffset, GroupIdentity, GroupMembership,
    Lease, PartitionRef, Producer, TransactionOutcome, Transactional,
};
use headwater_record::{Clock, Deadline, Offset, Partition, RawRecord, Topic, TopicPartition};
use headwater_runtime::commit::{Commit, CommitFailure, ProcessingGuarantee};
use headwater_runtime::output::{OutputSettings, RecordCollector};
use headwater_runtime::task::StreamTask;
use headwater_topology::TaskId;

use crate::graph::count_by_value;
use crate::world::{FAR, World};

const COUNTS: TaskId = TaskId::new(1, 0);
const INPUT: &str = "app-counts-repartition";

type Steps = Arc<Mutex<Vec<String>>>;

/// A producer on the cluster that says what is done with it. Its transactions end as they are told to.
struct Told {
    inner: Box<dyn Producer>,
    steps: Steps,
    has_transactions: bool,
    outcome: fn() -> TransactionOutcome,
}

impl Told {
    fn step(&self, step: impl Into<String>) {
        self.steps.lock().unwrap().push(step.into());
    }
}

impl Producer for Told {
    fn partition(&mut self, topic: &Topic, partition: Partition) -> Result<PartitionRef, ClientError> {
        self.inner.partition(topic, partition)
    }
    fn partition_count(&mut self, topic: &Topic, until: Deadline) -> Result<Partition, ClientError> {
        self.inner.partition_count(topic, until)
    }
    fn append(&mut self, to: PartitionRef, record: RawRecord<'_>) -> Result<Appended, ClientError> {
        self.step("append");
        self.inner.append(to, record)
    }
    fn is_full(&self) -> bool {
        self.inner.is_full()
    }
    fn poll(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.inner.poll(until, acks)
    }
    fn flush(&mut self, until: Deadline, acks: &mut Vec<BatchAck>) -> Result<(), ClientError> {
        self.step("flush");
        self.inner.flush(until, acks)
    }
    fn obey(&mut self, lease: Lease) {
        self.inner.obey(lease);
    }
    fn abandon(&mut self) {
        self.inner.abandon();
    }
    fn transactional(&mut self) -> Option<&mut dyn Transactional> {
        if self.has_transactions { Some(self) } else { None }
    }
}

impl Transactional for Told {
    fn init(&mut self, _: Deadline) -> Result<(), ClientError> {
        Ok(())
    }
    fn begin(&mut self) -> Result<(), ClientError> {
        self.step("begin");
        Ok(())
    }
    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        _: Deadline,
    ) -> Result<(), ClientError> {
        for (partition, committed) in offsets {
            self.step(format!("offset {partition} {} of {}", committed.offset, identity.group));
        }
        Ok(())
    }
    fn commit(&mut self, _: Deadline) -> TransactionOutcome {
        self.step("commit");
        (self.outcome)()
    }
    fn abort(&mut self, _: Deadline) -> Result<(), ClientError> {
        Ok(())
    }
}

/// A counting task that has taken one record, and what is committed with.
struct Counting {
    world: World,
    task: StreamTask,
    group: Box<dyn GroupMembership>,
    identity: GroupIdentity,
    steps: Steps,
}

impl Counting {
    fn new(has_transactions: bool, outcome: fn() -> TransactionOutcome) -> Self {
        let topics = [("in", 1), ("out", 1), (INPUT, 1), ("app-counts-changelog", 1)];
        let mut world = World::new(count_by_value(), &topics);
        let steps = Steps::default();
        let inner = world.cluster.producer(&ClientConfig::new()).unwrap();
        let producer = Told { inner, steps: Arc::clone(&steps), has_transactions, outcome };
        let clock = Arc::new(world.clock.clone());
        let settings = OutputSettings::default();
        world.output = RecordCollector::new(Box::new(producer), clock, settings, world.handlers.clone());
        let mut task = world.start(COUNTS);
        assert!(steps.lock().unwrap().is_empty(), "no transaction begins before there is a record");
        world.write(INPUT, 0, Some("a"), "a", 0);
        world.process(&mut task).unwrap();
        let group = world.cluster.membership("app", &ClientConfig::new()).unwrap();
        let identity = GroupIdentity { group: "app".to_owned(), generation: -1, ..GroupIdentity::default() };
        Counting { world, task, group, identity, steps }
    }

    fn commit(&mut self, guarantee: ProcessingGuarantee) -> Result<(), CommitFailure> {
        let commit = Commit {
            guarantee,
            collector: &mut self.world.output,
            group: self.group.as_mut(),
            identity: &self.identity,
            until: &|| FAR,
        };
        commit.of(&mut [&mut self.task], self.world.clock.now())
    }

    fn committed_input(&mut self) -> Option<Offset> {
        let input = TopicPartition::new(INPUT, 0);
        let committed = self.group.committed_offsets("app", &[input], true, FAR).unwrap();
        committed[0].as_ref().map(|committed| committed.offset)
    }

    /// The changelog offset that the store was committed with.
    fn committed_store(&self) -> Option<Offset> {
        let store = self.task.spec().stores[0].id;
        self.task.store(store).unwrap().read(|store| store.state().committed_offset()).unwrap()
    }

    fn steps(&self) -> Vec<String> {
        std::mem::take(&mut *self.steps.lock().unwrap())
    }
}

#[test]
fn at_least_once_commits_input_offsets_to_the_group_after_all_records() {
    let mut counting = Counting::new(false, || TransactionOutcome::Committed);
    counting.commit(ProcessingGuarantee::AtLeastOnce).unwrap();
    assert_eq!(counting.steps(), ["append", "append", "flush"], "a change and a count");
    assert_eq!(counting.committed_input(), Some(Offset::new(1)));
    assert_eq!(counting.committed_store(), Some(Offset::ZERO));
}

#[test]
fn exactly_once_commits_records_and_offsets_in_one_transaction_and_then_the_stores() {
    let mut counting = Counting::new(true, || TransactionOutcome::Committed);
    counting.commit(ProcessingGuarantee::ExactlyOnceV2).unwrap();
    let input = format!("offset {INPUT}-0 1 of app");
    assert_eq!(counting.steps(), ["begin", "append", "append", "flush", &input, "commit"]);
    assert_eq!(counting.committed_input(), None, "the producer has them committed, not the member");
    assert_eq!(counting.committed_store(), Some(Offset::ZERO));

    counting.commit(ProcessingGuarantee::ExactlyOnceV2).unwrap();
    assert_eq!(counting.steps(), ["flush"], "without anything new there is no transaction");
    counting.world.write(INPUT, 0, Some("a"), "a", 0);
    counting.world.process(&mut counting.task).unwrap();
    assert_eq!(counting.steps(), ["begin", "append", "append"], "each commit ends its transaction");
}

#[test]
fn what_a_transaction_did_not_commit_no_store_commits() {
    let outcomes: [fn() -> TransactionOutcome; 3] = [
        || TransactionOutcome::Aborted(ClientError::Closed),
        || TransactionOutcome::Fenced(ClientError::Closed),
        || TransactionOutcome::Indefinite(ClientError::Closed),
    ];
    for outcome in outcomes {
        let mut counting = Counting::new(true, outcome);
        let failure = counting.commit(ProcessingGuarantee::ExactlyOnceV2).unwrap_err();
        assert!(matches!(failure, CommitFailure::NotCommitted(ClientError::Closed)), "{failure:?}");
        assert_eq!(counting.committed_store(), None);
        assert!(counting.task.commit_needed());
    }
}

#[test]
fn exactly_once_without_transactions_is_an_error() {
    let mut counting = Counting::new(false, || TransactionOutcome::Committed);
    let failure = counting.commit(ProcessingGuarantee::ExactlyOnceV2).unwrap_err();
    assert!(matches!(failure, CommitFailure::Trouble(_)), "{failure:?}");
    assert_eq!(counting.committed_store(), None);
}
