//! Numbered records, written and read while something happens to the cluster, and compared afterwards: each partition holds each
//! record once and in order, where the producer said, and the consumer gave it once.

mod reader;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater::record::{Header, Offset, OwnedRecord, RawRecord, Timestamp, Topic, TopicPartition};

use crate::broker::Broker;
use crate::program::wait_for;

pub use reader::Reader;
pub use writer::{Answer, Writer};

/// Settings of a client, by Kafka's names.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// Ends a wait that will never come to it.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// So many records of each partition are written at a time.
const CHUNK: usize = 5;
/// So many records of each partition must have come after a change before it counts as survived.
const GONE_ON: usize = 200;
/// The first record's timestamp; the others follow by milliseconds.
const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// All partitions of a topic.
pub fn partitions(topic: &str, count: i32) -> Vec<TopicPartition> {
    let topic = Topic::from(topic);
    (0..count).map(|partition| TopicPartition { topic: topic.clone(), partition }).collect()
}

/// Record `number` of a partition, with a value of `bytes` bytes.
fn record(partition: &TopicPartition, number: usize, bytes: usize) -> OwnedRecord {
    let mut value = format!("{partition} {number} ").into_bytes();
    value.resize(bytes.max(value.len()), b'.');
    OwnedRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(FIRST_TIMESTAMP + number as i64),
        key: Some(number.to_string().into()),
        value: Some(value.into()),
        headers: vec![Header { name: "partition".into(), value: Some(partition.partition.to_string().into()) }],
    }
}

/// The number of a record of `partition`, which must be whole.
fn number_of(partition: &TopicPartition, found: &RawRecord<'_>) -> Result<usize> {
    let key = found.key.and_then(|key| std::str::from_utf8(key).ok()).context("a record without key")?;
    let number = key.parse().with_context(|| format!("{key:?} is no record's number"))?;
    let written = record(partition, number, found.value.map_or(0, <[u8]>::len));
    let found = RawRecord { offset: Offset::UNKNOWN, ..*found }.to_owned();
    ensure!(found == written, "record {number} of {partition} was written as {written:?} and came as {found:?}");
    Ok(number)
}

/// How far a partition has come, as both threads tell it.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    answered: usize,
    read: usize,
}

/// Records on their way, while the cluster is meddled with.
#[derive(Debug)]
pub struct Traffic {
    ways: Mutex<Vec<Way>>,
    /// Nothing more is to be written.
    over: AtomicBool,
    /// One of the threads has ended before that.
    broken: AtomicBool,
}

impl Traffic {
    fn ways(&self) -> Vec<Way> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl Fn(usize, &mut Way)) {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.iter_mut().enumerate().for_each(|(at, way)| change(at, way));
    }

    /// Waits until records of every partition were written and read from now on.
    pub fn wait_until_all_go_on(&self, after: &str) -> Result<()> {
        let before = self.ways();
        let gone_on = |now: &Way, before: &Way| {
            now.answered >= before.answered + GONE_ON && now.read >= before.read.max(before.answered) + GONE_ON
        };
        let waited = wait_for(&format!("all partitions go on after {after}"), PATIENCE, || {
            if self.broken.load(Ordering::SeqCst) {
                bail!("the traffic ended before its time, after {after}");
            }
            Ok(self.ways().iter().zip(&before).all(|(now, before)| gone_on(now, before)).then_some(()))
        });
        waited.with_context(|| format!("from {before:?} to {:?}", self.ways()))
    }

    fn write(&self, writer: &mut Writer) -> Result<()> {
        while !self.over.load(Ordering::SeqCst) {
            writer.write(CHUNK)?;
            writer.hear(Duration::from_millis(20))?;
            writer.nothing_failed()?;
            self.note(|at, way| way.answered = writer.answered(at));
            std::thread::sleep(Duration::from_millis(10));
        }
        writer.settle()?;
        writer.nothing_failed()?;
        self.note(|at, way| way.answered = writer.answered(at));
        Ok(())
    }

    fn read(&self, reader: &mut Reader) -> Result<()> {
        // What is answered when the writing is over may still be to come.
        while !self.over.load(Ordering::SeqCst) {
            reader.poll(Duration::from_millis(100))?;
            self.note(|at, way| way.read = reader.count(at));
        }
        Ok(())
    }

    /// Ends the traffic of this thread; on any way out, so that nobody waits for it.
    fn run(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let outcome = work();
        if outcome.is_err() {
            self.broken.store(true, Ordering::SeqCst);
            self.over.store(true, Ordering::SeqCst);
        }
        outcome
    }
}

/// What was seen beside the records.
#[derive(Debug)]
pub struct Seen {
    /// Records of each partition.
    pub records: usize,
    /// How many of them were acknowledged without an offset, as those are that the broker had already.
    pub without_offset: usize,
}

/// Writes and reads records of `partitions` while `act` happens, then compares. No poll may fail: somebody of the cluster always
/// answers.
pub fn while_records_flow(
    broker: &Broker,
    partitions: &[TopicPartition],
    settings: Settings<'_>,
    act: impl FnOnce(&Traffic) -> Result<()>,
) -> Result<Seen> {
    let mut writer = Writer::new(broker, partitions, settings)?;
    let mut reader = Reader::new(broker, partitions, settings)?;
    let traffic = Traffic {
        ways: Mutex::new(vec![Way::default(); partitions.len()]),
        over: AtomicBool::new(false),
        broken: AtomicBool::new(false),
    };
    let outcomes = std::thread::scope(|scope| {
        let writing = scope.spawn(|| traffic.run(|| traffic.write(&mut writer)));
        let reading = scope.spawn(|| traffic.run(|| traffic.read(&mut reader)));
        let acted = traffic.wait_until_all_go_on("the beginning").and_then(|()| act(&traffic));
        traffic.over.store(true, Ordering::SeqCst);
        let ended = [("writing", writing.join()), ("reading", reading.join())];
        let mut outcomes = vec![acted];
        for (what, outcome) in ended {
            outcomes.push(outcome.unwrap_or_else(|_| bail!("it panicked")).with_context(|| what));
        }
        outcomes
    });
    // What a thread met says more than that it was waited for in vain.
    outcomes.into_iter().rev().collect::<Result<()>>()?;
    reader.read_to(&writer)?;
    let seen = compare(broker, &writer, &mut reader)?;
    // Less grave than what was compared before.
    reader.told.dedup();
    let (records, told) = (seen.records, &reader.told);
    ensure!(told.is_empty(), "all {records} records are right, but with most brokers alive polls met {told:?}");
    Ok(seen)
}

/// Compares what was written, what was read on the way, and what is in the log.
pub fn compare(broker: &Broker, writer: &Writer, reader: &mut Reader) -> Result<Seen> {
    let mut again = Reader::new(broker, writer.partitions(), &[])?;
    again.read_to(writer)?;
    // Nothing more may come.
    again.poll(Duration::from_millis(50))?;
    reader.poll(Duration::from_millis(50))?;
    let mut seen = Seen { records: 0, without_offset: 0 };
    for (at, partition) in writer.partitions().iter().enumerate() {
        let stored = writer.stored(at);
        seen.records += stored.len();
        seen.without_offset += stored.iter().filter(|(offset, _)| offset.is_none()).count();
        again.matches(at, &stored).with_context(|| format!("{partition} as it is in the log"))?;
        reader.matches(at, &stored).with_context(|| format!("{partition} as it was read on the way"))?;
    }
    Ok(seen)
}
