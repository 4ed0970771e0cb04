//! Reads the outputs of an application as those do who see committed records alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{Consumer, ErrorClass, RecordBatch, StartAt};
use headwater::record::{Offset, TopicPartition};

use super::application::{Extent, TOGETHER, topic};
use super::faults::Faults;
use super::input::Expected;
use super::seen::Seen;
use crate::broker::Broker;

/// Of so many torn events it is told where they lie.
const TRACED: usize = 20;

/// A reader of all outputs, and what it saw.
pub struct Ledger {
    broker: Broker,
    consumer: Box<dyn Consumer>,
    names: BTreeMap<String, &'static str>,
    partitions: Vec<TopicPartition>,
    seen: Seen,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("partitions", &self.partitions).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Of the application `id`, whose topics are there.
    pub fn new(broker: &Broker, id: &str, extent: Extent) -> Result<Self> {
        let names: BTreeMap<_, _> = extent.outputs().map(|name| (topic(id, name), name)).collect();
        let partitions = names.keys().map(|topic| broker.partitions(topic)).collect::<Result<Vec<_>>>()?.concat();
        let config = broker.config_with(&[("isolation.level", "read_committed")]);
        let mut consumer = broker.clients().consumer(&config)?;
        let all = partitions.iter().map(|partition| (partition.clone(), StartAt::Beginning));
        consumer.assign(&all.collect::<Vec<_>>())?;
        Ok(Ledger { broker: broker.clone(), consumer, names, partitions, seen: Seen::nothing(extent) })
    }

    /// How many records were seen.
    pub fn seen(&self) -> u64 {
        self.seen.count
    }

    /// How many events have come to the first output.
    pub fn events(&self) -> u64 {
        self.seen.events
    }

    /// Reads what has come; waits up to `wait` for it.
    pub fn poll(&mut self, wait: Duration) -> Result<()> {
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        match self.consumer.poll(self.broker.within(wait), &mut batches) {
            // A broker is away.
            Err(error) if error.class() == ErrorClass::Retriable => {}
            polled => polled?,
        }
        for batch in &mut batches {
            let name = *self.names.get(batch.partition().topic.as_str()).context("a topic that was not asked for")?;
            while let Some(record) = batch.head() {
                let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
                let value = record.value.map(String::from_utf8_lossy);
                self.seen.take(name, key, value.as_deref());
                batch.advance()?;
            }
        }
        Ok(())
    }

    /// Whether everything was seen that must come.
    pub fn is_complete(&self, expected: &Expected) -> bool {
        self.seen.is_complete(expected)
    }

    /// Reads to the end of all outputs, which must come: nothing is left open before it.
    pub fn read_to_end(&mut self, patience: Duration) -> Result<()> {
        let until = self.broker.within(patience);
        let mut ends: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
        for topic in self.names.keys() {
            ends.extend(self.broker.ends(topic)?);
        }
        loop {
            self.poll(Duration::from_millis(100))?;
            let behind =
                |partition: &&TopicPartition| self.consumer.position(partition) < ends.get(*partition).copied();
            let open: Vec<_> = self.partitions.iter().filter(behind).collect();
            if open.is_empty() {
                return Ok(());
            }
            let passed = until.passed(self.broker.clients().clock().now());
            ensure!(!passed, "transactions are left open in {open:?}");
        }
    }

    /// What is not as it must be. Of what is torn it is told where it lies in the logs, whoever was let see it.
    pub fn faults(&self, expected: &Expected, patience: Duration) -> Result<Faults> {
        let mut faults = self.seen.faults(expected);
        let torn = self.seen.torn_events(expected);
        if !torn.is_empty() {
            faults.examples.extend(self.traces(&torn, patience)?);
        }
        Ok(faults)
    }

    /// Where events lie in the outputs that one transaction writes, aborted records among them.
    fn traces(&self, events: &[(String, u32, usize)], patience: Duration) -> Result<Vec<String>> {
        let events = events.get(..TRACED).unwrap_or(events);
        let wanted: BTreeSet<(&str, u32)> = events.iter().map(|(key, number, _)| (key.as_str(), *number)).collect();
        let together = self
            .partitions
            .iter()
            .filter(|partition| self.names.get(partition.topic.as_str()).is_some_and(|name| TOGETHER.contains(name)));
        let config = self.broker.config_with(&[("isolation.level", "read_uncommitted")]);
        let mut consumer = self.broker.clients().consumer(&config)?;
        let starts: Vec<_> = together.clone().map(|partition| (partition.clone(), StartAt::Beginning)).collect();
        consumer.assign(&starts)?;
        let mut ends: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
        for topic in together.clone().map(|partition| partition.topic.as_str()).collect::<BTreeSet<_>>() {
            ends.extend(self.broker.ends(topic)?);
        }
        let until = self.broker.within(patience);
        let mut traces: BTreeMap<(String, u32), Vec<String>> = BTreeMap::new();
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        while together.clone().any(|partition| consumer.position(partition) < ends.get(partition).copied()) {
            ensure!(!until.passed(self.broker.clients().clock().now()), "the outputs cannot be read once more");
            consumer.poll(self.broker.within(Duration::from_millis(100)), &mut batches)?;
            for mut batch in batches.drain(..) {
                let partition = batch.partition().clone();
                while let Some(record) = batch.head() {
                    let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
                    let number = record.value.map(String::from_utf8_lossy);
                    let number =
                        number.and_then(|value| value.split(' ').next()?.parse::<u32>().ok()).unwrap_or_default();
                    if wanted.contains(&(key.as_str(), number)) {
                        let place = format!("{partition} at {}", record.offset.value());
                        traces.entry((key, number)).or_default().push(place);
                    }
                    batch.advance()?;
                }
            }
        }
        let tell = |(key, number, _): &(String, u32, usize)| {
            let places = traces.get(&(key.clone(), *number)).map_or(String::new(), |places| places.join(", "));
            format!("event {number} of {key} lies, committed or not, in {places}")
        };
        Ok(events.iter().map(tell).collect())
    }
}
