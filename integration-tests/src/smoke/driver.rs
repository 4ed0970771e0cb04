//! Kafka's `SmokeTestDriver`: keys whose numbers are known by the key, and what must come of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{Appended, BatchAck, Consumer, PartitionRef, Producer, RecordBatch, StartAt};
use headwater::record::{Offset, RawHeaders, RawRecord, Timestamp, Topic, partition_for_key};

use super::client::{FLUSH, OUTPUTS, topic};
use crate::broker::Broker;
use crate::dice::Dice;

/// So many keys, each with so many numbers of its own.
const KEYS: i32 = 20;
const NUMBERS: i32 = 300;
/// Numbers of a key come within so many of their order.
const SHUFFLED: usize = 10;
/// All windows of the numbers are within two days of this kind.
const TWO_DAYS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// A key says its first and its last number.
fn range(key: &str) -> Result<(i64, i64)> {
    let (first, last) = key.split_once('-').with_context(|| format!("{key} is no key"))?;
    Ok((first.parse()?, last.parse()?))
}

/// Writes the numbers.
pub struct Driver {
    broker: Broker,
    producer: Box<dyn Producer>,
    partitions: Vec<PartitionRef>,
    records: std::vec::IntoIter<(String, i32)>,
    time: Timestamp,
    /// What was written, by key: number and time.
    written: BTreeMap<String, Vec<(i32, i64)>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("time", &self.time).finish_non_exhaustive()
    }
}

/// All records: the keys in turn, the numbers of each nearly in their order.
fn records(dice: &mut Dice) -> Vec<(String, i32)> {
    let mut keys: Vec<(String, Vec<i32>)> = (0..KEYS)
        .map(|key| (key * NUMBERS, (key + 1) * NUMBERS - 1))
        .map(|(first, last)| (format!("{first}-{last}"), (first..=last).rev().collect()))
        .collect();
    let mut all = Vec::new();
    while !keys.is_empty() {
        let turn = dice.below(keys.len() as u64) as usize;
        let Some((key, left)) = keys.get_mut(turn) else { continue };
        // The next are at the end.
        let near = left.len() - 1 - dice.below(SHUFFLED.min(left.len()) as u64) as usize;
        all.push((key.clone(), left.remove(near)));
        if left.is_empty() {
            keys.swap_remove(turn);
        }
    }
    all
}

impl Driver {
    /// For the application `id`, whose topics are there.
    pub fn new(broker: &Broker, id: &str, seed: u64) -> Result<Self> {
        let mut producer = broker.producer()?;
        let data = Topic::from(topic(id, "data").as_str());
        let count = producer.partition_count(&data, broker.soon())?;
        let partitions = (0..count).map(|number| producer.partition(&data, number)).collect::<Result<_, _>>()?;
        let now = broker.clients().clock().now().millis();
        let time = Timestamp::from_millis((now / TWO_DAYS + 1) * TWO_DAYS).plus(Duration::from_hours(1));
        let records = records(&mut Dice::new(seed)).into_iter();
        Ok(Driver { broker: broker.clone(), producer, partitions, records, time, written: BTreeMap::new() })
    }

    /// How many records there are to write in all.
    pub fn all() -> usize {
        (KEYS * NUMBERS) as usize
    }

    /// How many of them are written.
    pub fn written(&self) -> usize {
        Driver::all() - self.records.len()
    }

    /// Writes the next `count`.
    pub fn write(&mut self, count: usize) -> Result<()> {
        let next: Vec<_> = self.records.by_ref().take(count).collect();
        for (key, value) in &next {
            self.time = self.time.plus(Duration::from_millis(7));
            let partition = partition_for_key(key.as_bytes(), self.partitions.len() as i32);
            self.append(partition as usize, key, *value)?;
            self.written.entry(key.clone()).or_default().push((*value, self.time.millis()));
        }
        self.flush()
    }

    /// Moves time on in each partition, past all windows.
    pub fn finish(&mut self) -> Result<()> {
        self.time = self.time.plus(Duration::from_hours(72));
        (0..self.partitions.len()).try_for_each(|partition| self.append(partition, FLUSH, 0))?;
        self.flush()
    }

    fn append(&mut self, partition: usize, key: &str, value: i32) -> Result<()> {
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: self.time,
            key: Some(key.as_bytes()),
            value: Some(&value.to_be_bytes()),
            headers: RawHeaders::NONE,
        };
        let to = *self.partitions.get(partition).context("a partition")?;
        ensure!(self.producer.append(to, record)? == Appended::Stored, "the producer has no room");
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let mut acks = Vec::new();
        self.producer.flush(self.broker.soon(), &mut acks)?;
        for ack in acks {
            if let BatchAck::Failed { error, .. } = ack {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The sums of the hopping windows, by key and start.
    fn sums(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for (key, numbers) in &self.written {
            for (number, time) in numbers {
                let last = time / 1_000 * 1_000;
                for start in [last - 1_000, last] {
                    *sums.entry(format!("{key}@{start}")).or_default() += i64::from(*number);
                }
            }
        }
        sums
    }
}

/// What an application has written, as readers of committed records saw it.
pub struct Outputs {
    broker: Broker,
    consumer: Box<dyn Consumer>,
    names: BTreeMap<String, &'static str>,
    /// By topic and key, in order.
    seen: BTreeMap<&'static str, BTreeMap<String, Vec<i64>>>,
}

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outputs").field("names", &self.names).finish_non_exhaustive()
    }
}

/// A number of 4 or 8 bytes; averages, which alone have a fraction, are doubled.
fn number(name: &str, bytes: &[u8]) -> Result<i64> {
    Ok(match bytes.len() {
        4 => i64::from(i32::from_be_bytes(bytes.try_into()?)),
        8 if name == "avg" => (f64::from_be_bytes(bytes.try_into()?) * 2.0) as i64,
        _ => i64::from_be_bytes(bytes.try_into()?),
    })
}

impl Outputs {
    /// Those of the application `id`.
    pub fn new(broker: &Broker, id: &str) -> Result<Self> {
        let names: BTreeMap<_, _> = OUTPUTS.into_iter().chain(["echo"]).map(|name| (topic(id, name), name)).collect();
        let mut consumer = broker.clients().consumer(&broker.config_with(&[("isolation.level", "read_committed")]))?;
        let partitions = names.keys().map(|topic| broker.partitions(topic)).collect::<Result<Vec<_>>>()?.concat();
        consumer.assign(&partitions.into_iter().map(|of| (of, StartAt::Beginning)).collect::<Vec<_>>())?;
        Ok(Outputs { broker: broker.clone(), consumer, names, seen: BTreeMap::new() })
    }

    /// Reads what has come.
    pub fn poll(&mut self) -> Result<()> {
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        self.consumer.poll(self.broker.within(Duration::from_millis(100)), &mut batches)?;
        for batch in &mut batches {
            let name = *self.names.get(batch.partition().topic.as_str()).context("a topic that was not asked for")?;
            while let Some(record) = batch.head() {
                let key = String::from_utf8(record.key.unwrap_or_default().to_vec())?;
                if let Some(value) = record.value {
                    self.seen.entry(name).or_default().entry(key).or_default().push(number(name, value)?);
                }
                batch.advance()?;
            }
        }
        Ok(())
    }

    /// How many numbers came back.
    pub fn echoed(&self) -> usize {
        self.seen.get("echo").into_iter().flatten().map(|(_, numbers)| numbers.len()).sum()
    }

    fn of(&self, name: &str, key: &str) -> &[i64] {
        self.seen.get(name).and_then(|keys| keys.get(key)).map_or(&[], Vec::as_slice)
    }

    /// What is not as `driver` has it. Where records may be `repeated`, sums may be higher, and windows may close again.
    pub fn verify(&self, driver: &Driver, repeated: bool) -> Result<()> {
        for (key, written) in &driver.written {
            let (first, last) = range(key)?;
            let count = last - first + 1;
            ensure!(written.len() as i64 == count, "{key}: {} were written", written.len());
            let twice_the_average = first + last;
            let sum = twice_the_average * count / 2;
            for (name, due) in [("min", first), ("max", last), ("dif", last - first)] {
                let found = self.of(name, key).last().copied();
                ensure!(found == Some(due), "{name} of {key} is {found:?}, not {due}");
            }
            for (name, due) in [("sum", sum), ("cnt", count)] {
                let found = self.of(name, key).last().copied().with_context(|| format!("no {name} of {key}"))?;
                ensure!(found == due || repeated && found > due, "{name} of {key} is {found}, not {due}");
            }
            let average = self.of("avg", key).last();
            ensure!(repeated || average == Some(&twice_the_average), "twice the average of {key} is {average:?}");
            let echo = self.of("echo", key);
            let echoed = echo.iter().collect::<BTreeSet<_>>().len() as i64;
            ensure!(echoed == count, "{echoed} of {count} numbers of {key} came back");
            ensure!(repeated || echo.len() as i64 == count, "{} numbers of {key} came back", echo.len());
        }
        let sums = driver.sums();
        for (window, due) in &sums {
            let found = self.of("sws-suppressed", window);
            let last = found.last().copied().with_context(|| format!("the window {window} never closed"))?;
            ensure!(repeated || found == [*due], "the window {window} closed as {found:?}, not as {due}");
            ensure!(last >= *due, "the window {window} closed as {last}, not as {due}");
        }
        let windows = |name: &str| self.seen.get(name).map_or(0, BTreeMap::len);
        ensure!(windows("sws-suppressed") == sums.len(), "{} windows closed", windows("sws-suppressed"));
        ensure!(windows("min-suppressed") == driver.written.len(), "{} days closed", windows("min-suppressed"));
        for (window, found) in self.seen.get("min-suppressed").into_iter().flatten() {
            let first = range(window.split('@').next().unwrap_or_default())?.0;
            ensure!(found.last() == Some(&first), "the day {window} closed as {found:?}");
            ensure!(repeated || found.len() == 1, "the day {window} closed as {found:?}");
        }
        // Every key has the same count, and none has a lower one any more.
        if !repeated {
            for (count, found) in self.seen.get("tagg").into_iter().flatten() {
                let due = if count.parse() == Ok(NUMBERS) { i64::from(KEYS) } else { 0 };
                ensure!(found.last() == Some(&due), "{found:?} keys have the count {count}, not {due}");
            }
            ensure!(!self.of("tagg", &NUMBERS.to_string()).is_empty(), "no key has the count {NUMBERS}");
        }
        Ok(())
    }
}
