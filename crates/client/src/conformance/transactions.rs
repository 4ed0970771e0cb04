//! Transactions: what is seen of them, by whom and when.
//!
//! The cases do not know which protocol the cluster speaks: run them on one of each.

mod fencing;
mod offsets;

use std::time::Duration;

use headwater_record::{Offset, TopicPartition};

use super::{Case, Failure, Outcome, Suite, ensure, equal, record, refused};
use crate::{
    Appended, BatchAck, ClientError, Consumer, Isolation, OffsetSpec, Producer, StartAt, TransactionOutcome,
    Transactional,
};

/// All cases about transactions, by name.
pub const TRANSACTION_CASES: &[Case] = &[
    ("what is committed is seen as one", committed_is_seen_as_one),
    ("what is aborted is not seen", aborted_is_not_seen),
    ("committed records keep their order", committed_records_keep_their_order),
    ("an open transaction holds back what lies behind it", open_transaction_holds_back_what_lies_behind_it),
    ("transactions follow one another", transactions_follow_one_another),
    ("an empty transaction ends", empty_transaction_ends),
    ("calls out of place are refused", calls_out_of_place_are_refused),
    ("records that were not flushed are not committed", unflushed_records_are_not_committed),
    ("offsets come with the transaction", offsets::offsets_come_with_the_transaction),
    ("offsets go with the transaction", offsets::offsets_go_with_the_transaction),
    ("offsets of a stale generation abort the transaction", offsets::stale_generation_aborts_the_transaction),
    ("offsets need no records", offsets::offsets_need_no_records),
    ("a second producer fences the first", fencing::second_producer_fences_the_first),
    ("a new producer settles what was left open", fencing::new_producer_settles_what_was_left_open),
    ("a new producer settles an indefinite outcome", fencing::new_producer_settles_an_indefinite_outcome),
    ("a transaction that takes too long is aborted", fencing::transaction_that_takes_too_long_is_aborted),
];

/// A producer with transactions.
struct Writer {
    producer: Box<dyn Producer>,
}

impl Writer {
    /// One with this `transactional.id`, initialised.
    fn new(suite: &Suite<'_>, id: &str) -> Result<Self, Failure> {
        Self::with_timeout(suite, id, Duration::from_mins(1))
    }

    fn with_timeout(suite: &Suite<'_>, id: &str, timeout: Duration) -> Result<Self, Failure> {
        let config = suite
            .config
            .clone()
            .with("transactional.id", suite.name(id))
            .with("transaction.timeout.ms", timeout.as_millis().to_string());
        let mut writer = Writer { producer: suite.clients.producer(&config)? };
        writer.transactions()?.init(suite.until())?;
        Ok(writer)
    }

    fn transactions(&mut self) -> Result<&mut dyn Transactional, Failure> {
        self.producer
            .transactional()
            .ok_or_else(|| Failure::new("a producer with a transactional.id has no transactions"))
    }

    fn begin(&mut self) -> Outcome {
        Ok(self.transactions()?.begin()?)
    }

    /// Appends records with these values to a partition, without waiting for anything.
    fn append(&mut self, to: &TopicPartition, values: &[&'static str]) -> Outcome {
        let target = self.producer.partition(&to.topic, to.partition)?;
        for value in values {
            let appended = self.producer.append(target, record(Some("key"), Some(value), 1_000).view())?;
            equal("what became of a record", &appended, &Appended::Stored)?;
        }
        Ok(())
    }

    /// Waits until everything is acknowledged.
    fn flush(&mut self, suite: &Suite<'_>) -> Outcome {
        let mut acks = Vec::new();
        self.producer.flush(suite.until(), &mut acks)?;
        let failed = acks.iter().find(|ack| matches!(ack, BatchAck::Failed { .. }));
        ensure(failed.is_none(), || format!("not everything was written: {failed:?}"))
    }

    fn write(&mut self, suite: &Suite<'_>, to: &TopicPartition, values: &[&'static str]) -> Outcome {
        self.append(to, values)?;
        self.flush(suite)
    }

    fn commit(&mut self, suite: &Suite<'_>) -> Outcome {
        match self.transactions()?.commit(suite.until()) {
            TransactionOutcome::Committed => Ok(()),
            other => Err(Failure::new(format!("the transaction should be committed, not {other:?}"))),
        }
    }

    fn abort(&mut self, suite: &Suite<'_>) -> Outcome {
        Ok(self.transactions()?.abort(suite.until())?)
    }
}

/// A reader, and the values that it has read, with their partition.
struct Reader {
    consumer: Box<dyn Consumer>,
    read: Vec<(TopicPartition, String)>,
}

impl Reader {
    fn new(suite: &Suite<'_>, isolation: Isolation, partitions: &[TopicPartition]) -> Result<Self, Failure> {
        let level = match isolation {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        };
        let mut consumer = suite.clients.consumer(&suite.config.clone().with("isolation.level", level))?;
        let from: Vec<_> = partitions.iter().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
        consumer.assign(&from)?;
        Ok(Reader { consumer, read: Vec::new() })
    }

    fn poll(&mut self, suite: &Suite<'_>) -> Outcome {
        let mut batches = Vec::new();
        self.consumer.poll(suite.soon(), &mut batches)?;
        for mut batch in batches {
            while let Some(head) = batch.head() {
                let value = String::from_utf8_lossy(head.value.unwrap_or_default()).into_owned();
                self.read.push((batch.partition().clone(), value));
                batch.advance()?;
            }
        }
        Ok(())
    }

    fn of(&self, partition: &TopicPartition) -> Vec<&str> {
        self.read.iter().filter(|(from, _)| from == partition).map(|(_, value)| value.as_str()).collect()
    }

    /// Reads until the position in each partition is its end for this isolation, and compares what was seen.
    fn sees(&mut self, suite: &Suite<'_>, isolation: Isolation, expected: &[(&TopicPartition, &[&str])]) -> Outcome {
        let partitions: Vec<_> = expected.iter().map(|(partition, _)| (*partition).clone()).collect();
        let mut admin = suite.admin()?;
        suite.wait("the reader to reach the end", || {
            self.poll(suite)?;
            let ends = admin.list_offsets(&partitions, OffsetSpec::Latest(isolation), suite.until())?;
            let seen = expected.iter().all(|(partition, values)| self.of(partition).len() >= values.len());
            let at_end =
                partitions.iter().zip(&ends).all(|(partition, end)| self.consumer.position(partition) == Some(*end));
            Ok((seen && at_end).then_some(()))
        })?;
        for (partition, values) in expected {
            equal(&format!("what is read of {partition}"), &self.of(partition), &values.to_vec())?;
        }
        Ok(())
    }
}

/// What a new reader of committed records sees of one partition.
fn committed(suite: &Suite<'_>, partition: &TopicPartition, expected: &[&str]) -> Outcome {
    let mut reader = Reader::new(suite, Isolation::ReadCommitted, std::slice::from_ref(partition))?;
    reader.sees(suite, Isolation::ReadCommitted, &[(partition, expected)])
}

fn partitions(suite: &Suite<'_>, what: &str, count: i32) -> Result<Vec<TopicPartition>, Failure> {
    let topic = suite.topic(what, count)?;
    Ok((0..count).map(|number| TopicPartition::new(topic.clone(), number)).collect())
}

fn partition(suite: &Suite<'_>, what: &str) -> Result<TopicPartition, Failure> {
    Ok(TopicPartition::new(suite.topic(what, 1)?, 0))
}

/// The end of a partition, once `is` accepts it.
fn end(
    suite: &Suite<'_>,
    partition: &TopicPartition,
    isolation: Isolation,
    is: impl Fn(Offset) -> bool,
) -> Result<Offset, Failure> {
    let mut admin = suite.admin()?;
    // An admin does not wait; a reader does.
    let mut reader = Reader::new(suite, isolation, std::slice::from_ref(partition))?;
    suite.wait("the partition's end", || {
        let ends = admin.list_offsets(std::slice::from_ref(partition), OffsetSpec::Latest(isolation), suite.until())?;
        let found = ends.into_iter().next().filter(|end| is(*end));
        if found.is_none() {
            reader.poll(suite)?;
        }
        Ok(found)
    })
}

fn is_misuse(error: &ClientError) -> bool {
    matches!(error, ClientError::Config(_))
}

fn committed_is_seen_as_one(suite: &Suite<'_>) -> Outcome {
    let (first, second) = (partitions(suite, "tx-one", 2)?, partition(suite, "tx-other")?);
    let [left, right] = &first[..] else { return Err(Failure::new("no two partitions")) };
    let all = [left.clone(), right.clone(), second.clone()];
    let mut writer = Writer::new(suite, "one")?;
    writer.begin()?;
    writer.write(suite, left, &["a", "b"])?;
    writer.write(suite, right, &["c"])?;
    writer.write(suite, &second, &["d"])?;
    let mut uncommitted = Reader::new(suite, Isolation::ReadUncommitted, &all)?;
    let written: [(&TopicPartition, &[&str]); 3] = [(left, &["a", "b"]), (right, &["c"]), (&second, &["d"])];
    uncommitted.sees(suite, Isolation::ReadUncommitted, &written)?;
    let mut reader = Reader::new(suite, Isolation::ReadCommitted, &all)?;
    reader.sees(suite, Isolation::ReadCommitted, &[(left, &[]), (right, &[]), (&second, &[])])?;
    writer.commit(suite)?;
    // The marker takes an offset, which readers pass.
    for (partition, values) in written {
        let end = end(suite, partition, Isolation::ReadCommitted, |end| end > Offset::ZERO)?;
        equal("the end of the partition", &end.value(), &(values.len() as i64 + 1))?;
    }
    reader.sees(suite, Isolation::ReadCommitted, &written)
}

fn aborted_is_not_seen(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-aborted")?;
    let mut writer = Writer::new(suite, "aborted")?;
    writer.begin()?;
    writer.write(suite, &partition, &["a", "b"])?;
    writer.abort(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(3))?;
    committed(suite, &partition, &[])?;
    let mut uncommitted = Reader::new(suite, Isolation::ReadUncommitted, std::slice::from_ref(&partition))?;
    uncommitted.sees(suite, Isolation::ReadUncommitted, &[(&partition, &["a", "b"])])?;
    // An abort drops what was never sent, too.
    writer.begin()?;
    writer.append(&partition, &["c"])?;
    writer.abort(suite)?;
    writer.begin()?;
    writer.write(suite, &partition, &["d"])?;
    writer.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end >= Offset::new(5))?;
    committed(suite, &partition, &["d"])
}

fn committed_records_keep_their_order(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-order")?;
    let (mut first, mut second) = (Writer::new(suite, "order-1")?, Writer::new(suite, "order-2")?);
    for writer in [&mut first, &mut second] {
        writer.begin()?;
    }
    // Interleaved; the order is that of the log, not that of the commits.
    first.write(suite, &partition, &["1a"])?;
    second.write(suite, &partition, &["2a"])?;
    first.write(suite, &partition, &["1b"])?;
    suite.write(&partition, &[record(None, Some("plain"), 1)])?;
    second.write(suite, &partition, &["2b"])?;
    second.commit(suite)?;
    first.commit(suite)?;
    first.begin()?;
    first.write(suite, &partition, &["1c"])?;
    first.abort(suite)?;
    second.begin()?;
    second.write(suite, &partition, &["2c"])?;
    second.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(11))?;
    committed(suite, &partition, &["1a", "2a", "1b", "plain", "2b", "2c"])
}

fn open_transaction_holds_back_what_lies_behind_it(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-open")?;
    suite.write(&partition, &[record(None, Some("before"), 1)])?;
    let mut writer = Writer::new(suite, "open")?;
    writer.begin()?;
    writer.write(suite, &partition, &["within"])?;
    suite.write(&partition, &[record(None, Some("behind"), 1)])?;
    end(suite, &partition, Isolation::ReadUncommitted, |end| end == Offset::new(3))?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(1))?;
    let mut reader = Reader::new(suite, Isolation::ReadCommitted, std::slice::from_ref(&partition))?;
    reader.sees(suite, Isolation::ReadCommitted, &[(&partition, &["before"])])?;
    let heard = reader.consumer.watermarks(&partition).map(|watermarks| watermarks.high.value());
    equal("what the reader has heard of the end", &heard, &Some(1))?;
    writer.abort(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(4))?;
    reader.sees(suite, Isolation::ReadCommitted, &[(&partition, &["before", "behind"])])
}

fn transactions_follow_one_another(suite: &Suite<'_>) -> Outcome {
    let (first, second) = (partition(suite, "tx-many-1")?, partition(suite, "tx-many-2")?);
    let mut writer = Writer::new(suite, "many")?;
    let mut kept = Vec::new();
    for (round, value) in ["0", "1", "2", "3", "4"].into_iter().cycle().take(20).enumerate() {
        writer.begin()?;
        writer.write(suite, &first, &[value])?;
        if round % 4 == 0 {
            writer.write(suite, &second, &[value, value])?;
        }
        if round % 3 == 0 {
            writer.abort(suite)?;
        } else {
            writer.commit(suite)?;
            kept.push((round, value));
        }
    }
    let in_second: Vec<_> =
        kept.iter().filter(|(round, _)| round % 4 == 0).flat_map(|(_, value)| [*value, *value]).collect();
    let in_first: Vec<_> = kept.iter().map(|(_, value)| *value).collect();
    end(suite, &first, Isolation::ReadCommitted, |end| end == Offset::new(40))?;
    end(suite, &second, Isolation::ReadCommitted, |end| end == Offset::new(15))?;
    committed(suite, &first, &in_first)?;
    committed(suite, &second, &in_second)
}

fn empty_transaction_ends(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-empty")?;
    let mut writer = Writer::new(suite, "empty")?;
    writer.begin()?;
    writer.commit(suite)?;
    writer.begin()?;
    writer.abort(suite)?;
    writer.begin()?;
    writer.write(suite, &partition, &["a"])?;
    writer.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(2))?;
    committed(suite, &partition, &["a"])
}

fn calls_out_of_place_are_refused(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-misuse")?;
    ensure(suite.producer()?.transactional().is_none(), || "a producer without an id has transactions".to_owned())?;
    let config = suite.config.clone().with("transactional.id", suite.name("early"));
    let mut early = Writer { producer: suite.clients.producer(&config)? };
    refused("beginning before init", early.transactions()?.begin(), is_misuse)?;

    let mut writer = Writer::new(suite, "misuse")?;
    let target = writer.producer.partition(&partition.topic, 0)?;
    let stray = record(None, Some("stray"), 1);
    refused("a record outside of a transaction", writer.producer.append(target, stray.view()), is_misuse)?;
    refused("aborting nothing", writer.transactions()?.abort(suite.until()), is_misuse)?;
    let nothing = writer.transactions()?.commit(suite.until());
    ensure(matches!(&nothing, TransactionOutcome::Aborted(error) if is_misuse(error)), || {
        format!("committing nothing should be refused, not {nothing:?}")
    })?;
    writer.begin()?;
    refused("beginning twice", writer.transactions()?.begin(), is_misuse)?;
    writer.write(suite, &partition, &["a"])?;
    writer.commit(suite)?;
    refused("a record after the commit", writer.producer.append(target, stray.view()), is_misuse)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(2))?;
    committed(suite, &partition, &["a"])
}

fn unflushed_records_are_not_committed(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-unflushed")?;
    let mut writer = Writer::new(suite, "unflushed")?;
    writer.begin()?;
    writer.write(suite, &partition, &["a"])?;
    writer.append(&partition, &["b"])?;
    let outcome = writer.transactions()?.commit(suite.until());
    ensure(matches!(outcome, TransactionOutcome::Aborted(_)), || {
        format!("a commit before everything is acknowledged should abort, not be {outcome:?}")
    })?;
    writer.begin()?;
    writer.write(suite, &partition, &["c"])?;
    writer.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end >= Offset::new(4))?;
    committed(suite, &partition, &["c"])
}
