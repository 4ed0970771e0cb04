//! Transactions go on, and none is torn, lost or doubled, while the brokers that coordinate them crash, stop and freeze.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater::client::{
    Appended, BatchAck, ClientError, CommittedOffset, ErrorClass, GroupIdentity, Producer, RecordBatch, StartAt,
    TransactionOutcome, Transactional,
};
use headwater::record::{Offset, RawHeaders, RawRecord, Timestamp, TopicPartition};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::cluster::Cluster;
use headwater_integration_tests::program::wait_for;
use headwater_integration_tests::traffic::PATIENCE;

use crate::{make, on_cluster, tell};

/// So many transactions must be committed after a change before it counts as survived.
const GONE_ON: i64 = 20;
/// Every so many are aborted once before they are committed.
const ABORTED: i64 = 4;

/// What an exactly-once task does: transaction `n` writes the number `n` to each partition and commits the offset `n + 1`.
struct Task<'a> {
    broker: &'a Broker,
    all: &'a [TopicPartition],
    name: String,
    /// How often another producer had to settle what was left.
    replaced: u32,
}

impl Task<'_> {
    fn member(&self) -> GroupIdentity {
        GroupIdentity { group: self.name.clone(), generation: -1, ..GroupIdentity::default() }
    }

    fn input(&self) -> TopicPartition {
        self.all[0].clone()
    }

    /// A producer, and the transaction to go on with.
    fn begin_anew(&mut self) -> Result<(Box<dyn Producer>, i64)> {
        let settings = [
            ("transactional.id", self.name.as_str()),
            ("transaction.timeout.ms", "20000"),
            ("request.timeout.ms", "2000"),
            ("linger.ms", "0"),
        ];
        let mut producer = self.broker.clients().producer(&self.broker.config_with(&settings))?;
        producer.transactional().context("it has an id")?.init(self.broker.within(PATIENCE))?;
        let config = self.broker.config_with(&[("request.timeout.ms", "2000")]);
        let mut membership = self.broker.clients().membership(&self.name, &config)?;
        let input = [self.input()];
        let committed = wait_for("the committed offset is stable", PATIENCE, || {
            match membership.committed_offsets(&self.name, &input, true, self.broker.soon()) {
                Err(error) if error.class() == ErrorClass::Retriable => Ok(None),
                found => Ok(Some(found?)),
            }
        })?;
        let next = committed.into_iter().flatten().next().map_or(0, |committed| committed.offset.value());
        Ok((producer, next))
    }

    /// One transaction; what of it failed where that is known before its end.
    fn write(&self, producer: &mut dyn Producer, number: i64) -> Result<(), ClientError> {
        transactional(producer)?.begin()?;
        let value = number.to_string();
        for partition in self.all {
            let to = producer.partition(&partition.topic, partition.partition)?;
            let record = RawRecord {
                offset: Offset::UNKNOWN,
                timestamp: Timestamp::from_millis(number),
                key: None,
                value: Some(value.as_bytes()),
                headers: RawHeaders::NONE,
            };
            if producer.append(to, record)? == Appended::Full {
                return Err(ClientError::Config("there is no room".to_owned()));
            }
        }
        let mut acks = Vec::new();
        producer.flush(self.broker.within(PATIENCE), &mut acks)?;
        let failed = acks.into_iter().find_map(|ack| match ack {
            BatchAck::Failed { error, .. } => Some(error),
            BatchAck::Stored { .. } => None,
        });
        failed.map_or(Ok(()), Err)?;
        let offset = CommittedOffset { offset: Offset::new(number + 1), metadata: String::new() };
        let offsets = [(self.input(), offset)];
        transactional(producer)?.send_offsets(&self.member(), &offsets, self.broker.within(PATIENCE))
    }

    /// Commits one transaction after the other until `over`.
    fn run(&mut self, committed: &AtomicI64, over: &AtomicBool) -> Result<()> {
        let (mut producer, mut next) = self.begin_anew()?;
        let mut aborted = -1;
        while !over.load(Ordering::SeqCst) {
            let written = self.write(&mut *producer, next);
            let until = self.broker.within(Duration::from_secs(20));
            let usable = if written.is_ok() && next % ABORTED == 0 && aborted < next {
                aborted = next;
                transactional(&mut *producer)?.abort(until).is_ok()
            } else {
                match transactional(&mut *producer)?.commit(until) {
                    TransactionOutcome::Committed => {
                        ensure!(written.is_ok(), "committed although {written:?}");
                        next += 1;
                        committed.store(next, Ordering::SeqCst);
                        true
                    }
                    TransactionOutcome::Aborted(_) => true,
                    TransactionOutcome::Indefinite(_) => false,
                    TransactionOutcome::Fenced(error) => bail!("nobody else has this name: {error}, {written:?}"),
                }
            };
            if !usable {
                self.replaced += 1;
                (producer, next) = self.begin_anew()?;
                committed.store(next, Ordering::SeqCst);
            }
        }
        Ok(())
    }
}

fn transactional(producer: &mut dyn Producer) -> Result<&mut dyn Transactional, ClientError> {
    producer.transactional().ok_or(ClientError::Closed)
}

/// Each partition holds the number of each transaction, once and in order.
fn compare(broker: &Broker, all: &[TopicPartition], count: i64) -> Result<()> {
    for partition in all {
        let config = broker.config_with(&[("isolation.level", "read_committed")]);
        let mut consumer = broker.clients().consumer(&config)?;
        consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
        let mut read: Vec<i64> = Vec::new();
        wait_for("the last transaction is read", PATIENCE, || {
            let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
            consumer.poll(broker.within(Duration::from_millis(100)), &mut batches)?;
            for mut batch in batches {
                while let Some(record) = batch.head() {
                    read.push(std::str::from_utf8(record.value.context("a value")?)?.parse()?);
                    batch.advance()?;
                }
            }
            Ok((read.last() >= Some(&(count - 1))).then_some(()))
        })?;
        let expected: Vec<i64> = (0..count).collect();
        ensure!(read == expected, "{partition} has {read:?}, not 0 to {}", count - 1);
    }
    Ok(())
}

/// Has every broker go in turn while transactions go on.
fn survive(cluster: &mut Cluster, test: &str) -> Result<()> {
    let broker = cluster.broker().clone();
    let all = make(cluster, "coordinated", 3, 3, &[])?;
    let (committed, over) = (AtomicI64::new(0), AtomicBool::new(false));
    let mut task = Task { broker: &broker, all: &all, name: format!("{test}-{}", all[0].topic), replaced: 0 };
    let count = std::thread::scope(|scope| -> Result<i64> {
        let working = scope.spawn(|| {
            let outcome = task.run(&committed, &over);
            over.store(true, Ordering::SeqCst);
            outcome
        });
        let goes_on = |after: &str| {
            let from = committed.load(Ordering::SeqCst);
            wait_for(&format!("transactions go on after {after}"), PATIENCE, || {
                ensure!(!over.load(Ordering::SeqCst), "they ended after {after}");
                Ok((committed.load(Ordering::SeqCst) >= from + GONE_ON).then_some(()))
            })
        };
        let mut meddle = || -> Result<()> {
            goes_on("the beginning")?;
            for node in 1..=3 {
                cluster.kill(node)?;
                goes_on("a crash")?;
                cluster.heal()?;
                goes_on("its return")?;
            }
            // Longer than a request may take.
            cluster.freeze(1)?;
            std::thread::sleep(Duration::from_secs(4));
            cluster.thaw(1)?;
            goes_on("a freeze")
        };
        let meddled = meddle();
        over.store(true, Ordering::SeqCst);
        let worked = working.join().map_err(|_| anyhow::anyhow!("the task panicked"))?;
        worked.and(meddled)?;
        Ok(committed.load(Ordering::SeqCst))
    })?;
    compare(&broker, &all, count)?;
    tell(test, &format!("{count} transactions, {} producers were replaced", task.replaced));
    Ok(())
}

fn set_version(broker: &Broker, change: &str, version: i16) -> Result<()> {
    let tool = "org.apache.kafka.tools.FeatureCommand";
    broker.tool(tool, &[change, "--feature", &format!("transaction.version={version}")]).map(drop)
}

#[test]
fn each_transaction_is_there_once_though_coordinators_go_under_protocol_2() -> Result<()> {
    let test = "each_transaction_is_there_once_though_coordinators_go_under_protocol_2";
    on_cluster(test, |cluster| survive(cluster, test))
}

#[test]
fn each_transaction_is_there_once_though_coordinators_go_under_protocol_1() -> Result<()> {
    let test = "each_transaction_is_there_once_though_coordinators_go_under_protocol_1";
    on_cluster(test, |cluster| {
        set_version(cluster.broker(), "downgrade", 1)?;
        let survived = survive(cluster, test);
        set_version(cluster.broker(), "upgrade", 2)?;
        survived
    })
}
