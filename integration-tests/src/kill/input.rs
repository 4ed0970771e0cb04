//! What goes in, and what must come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{Appended, BatchAck, PartitionRef, Producer};
use headwater::record::{Offset, RawHeaders, RawRecord, Timestamp, Topic, partition_for_key};

use super::application::{ACCOUNTS, EVENTS, Extent, WINDOW, topic};
use crate::broker::Broker;
use crate::dice::Dice;

/// Keys of events.
const KEYS: u64 = 40;
/// Keys of accounts.
const ACCOUNT_KEYS: u64 = 8;
/// An account changes once in so many events.
const CHANGE: u64 = 40;
/// Begins the key of what comes last: it closes windows, and nothing is asked of it.
pub const LAST: &str = "last";
/// Brokers come back within this, and nothing is given up meanwhile.
const PATIENCE: Duration = Duration::from_mins(10);

/// What must come of what was written.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// Of each key, the account that each event names, in order.
    pub events: BTreeMap<String, Vec<String>>,
    /// How many events name an account.
    pub groups: BTreeMap<String, u32>,
    /// How many events are in a window.
    pub windows: BTreeMap<String, u32>,
    /// The last version of each account.
    pub versions: BTreeMap<String, u32>,
}

impl Expected {
    /// How many events were written.
    pub fn records(&self) -> u64 {
        self.events.values().map(|events| events.len() as u64).sum()
    }
}

/// Writes events, and changes accounts now and then.
pub struct Input {
    broker: Broker,
    producer: Box<dyn Producer>,
    events: Vec<PartitionRef>,
    accounts: Vec<PartitionRef>,
    dice: Dice,
    /// The time of the next event; each is a millisecond after the one before it.
    time: Timestamp,
    acks: Vec<BatchAck>,
    /// What must come of it.
    pub expected: Expected,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Input {
    /// For the application `id`, whose topics are there. Every account gets its first version.
    pub fn new(broker: &Broker, id: &str, extent: Extent, seed: u64) -> Result<Self> {
        let settings = [("delivery.timeout.ms", "600000"), ("linger.ms", "5")];
        let mut producer = broker.clients().producer(&broker.config_with(&settings))?;
        let mut handles = |name: &str| -> Result<Vec<PartitionRef>> {
            let topic = Topic::from(topic(id, name).as_str());
            let count = producer.partition_count(&topic, broker.soon())?;
            Ok((0..count).map(|partition| producer.partition(&topic, partition)).collect::<Result<_, _>>()?)
        };
        let events = handles(EVENTS)?;
        let everything = extent == Extent::Everything;
        let accounts = if everything { handles(ACCOUNTS)? } else { Vec::new() };
        let (time, acks) = (broker.clients().clock().now(), Vec::new());
        let (broker, dice, expected) = (broker.clone(), Dice::new(seed), Expected::default());
        let mut input = Input { broker, producer, events, accounts, dice, time, acks, expected };
        for number in 0..ACCOUNT_KEYS {
            input.change(&format!("a{number}"))?;
        }
        input.flush()?;
        Ok(input)
    }

    /// The next version of an account.
    fn change(&mut self, account: &str) -> Result<()> {
        let version = self.expected.versions.entry(account.to_owned()).or_default();
        *version += 1;
        let value = version.to_string();
        if self.accounts.is_empty() { Ok(()) } else { self.append(false, account, &value, None) }
    }

    /// Writes `count` events.
    pub fn write(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let (key, account) = (self.dice.below(KEYS), self.dice.below(ACCOUNT_KEYS));
            let (key, account) = (format!("k{key}"), format!("a{account}"));
            self.time = self.time.plus(Duration::from_millis(1));
            let of_key = self.expected.events.entry(key.clone()).or_default();
            of_key.push(account.clone());
            let value = format!("{} {account}", of_key.len());
            let size = WINDOW.as_millis() as i64;
            let window = format!("{key}@{}", self.time.millis() / size * size);
            *self.expected.windows.entry(window).or_default() += 1;
            *self.expected.groups.entry(account.clone()).or_default() += 1;
            self.append(true, &key, &value, None)?;
            if self.dice.one_in(CHANGE) {
                self.change(&account)?;
            }
        }
        self.hear(Duration::ZERO)
    }

    /// One more event for each partition, so late that it closes all windows, and waits until everything is there.
    pub fn finish(&mut self) -> Result<()> {
        self.time = self.time.plus(WINDOW * 60);
        for partition in 0..self.events.len() {
            self.append(true, &format!("{LAST}{partition}"), &format!("1 {LAST}"), Some(partition))?;
        }
        self.flush()
    }

    fn append(&mut self, event: bool, key: &str, value: &str, partition: Option<usize>) -> Result<()> {
        let partitions = if event { &self.events } else { &self.accounts };
        let by_hash = || partition_for_key(key.as_bytes(), partitions.len() as i32) as usize;
        let to = *partitions.get(partition.unwrap_or_else(by_hash)).context("a partition")?;
        let record = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: self.time,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        };
        let until = self.broker.within(PATIENCE);
        while self.producer.append(to, record)? == Appended::Full {
            ensure!(!until.passed(self.broker.clients().clock().now()), "the producer has no room for {PATIENCE:?}");
            self.hear(Duration::from_millis(100))?;
        }
        Ok(())
    }

    fn hear(&mut self, wait: Duration) -> Result<()> {
        self.producer.poll(self.broker.within(wait), &mut self.acks)?;
        self.take_acks()
    }

    /// Waits until all is in the log.
    pub fn flush(&mut self) -> Result<()> {
        self.producer.flush(self.broker.within(PATIENCE), &mut self.acks)?;
        self.take_acks()
    }

    fn take_acks(&mut self) -> Result<()> {
        for ack in self.acks.drain(..) {
            if let BatchAck::Failed { error, .. } = ack {
                return Err(error).context("input could not be written");
            }
        }
        Ok(())
    }
}
