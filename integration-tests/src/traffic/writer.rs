//! Writes numbered records and keeps what became of each.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater::client::{Appended, BatchAck, ClientError, PartitionRef, Producer};
use headwater::record::{Offset, TopicPartition};

use super::{PATIENCE, Settings, number_of, record};
use crate::broker::Broker;

/// So many records of one partition wait for their answer at most; others are written meanwhile.
const UNDER_WAY: usize = 2_000;

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the log; at no offset where the broker had it already.
    Stored(Option<Offset>),
    /// It came back.
    Failed(ClientError),
}

#[derive(Debug)]
struct Place {
    partition: TopicPartition,
    handle: PartitionRef,
    written: usize,
    /// By number: they are given in the order of writing.
    answers: Vec<Answer>,
}

/// A producer of records `0..` of each of its partitions.
pub struct Writer {
    broker: Broker,
    producer: Box<dyn Producer>,
    places: Vec<Place>,
    partitions: Vec<TopicPartition>,
    acks: Vec<BatchAck>,
    /// The first record that came back, and why.
    failed: Option<String>,
    /// How long a record's value is.
    pub bytes: usize,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Writer {
    /// Has written nothing yet.
    pub fn new(broker: &Broker, partitions: &[TopicPartition], settings: Settings<'_>) -> Result<Self> {
        // However slow the machine: a test's patience ends first.
        let settings = [&[("linger.ms", "5"), ("delivery.timeout.ms", "600000")], settings].concat();
        let mut producer = broker.clients().producer(&broker.config_with(&settings))?;
        let mut places = Vec::new();
        for partition in partitions {
            let handle = producer.partition(&partition.topic, partition.partition)?;
            places.push(Place { partition: partition.clone(), handle, written: 0, answers: Vec::new() });
        }
        let (broker, partitions) = (broker.clone(), partitions.to_vec());
        Ok(Writer { broker, producer, places, partitions, acks: Vec::new(), failed: None, bytes: 100 })
    }

    /// The partitions it writes.
    pub fn partitions(&self) -> &[TopicPartition] {
        &self.partitions
    }

    /// Writes the next `count` records of each partition, of one after the other, but for those that have many under way.
    pub fn write(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            for at in 0..self.places.len() {
                self.write_one(at)?;
            }
        }
        Ok(())
    }

    fn write_one(&mut self, at: usize) -> Result<()> {
        let until = self.broker.within(PATIENCE);
        loop {
            let Some(place) = self.places.get_mut(at) else { return Ok(()) };
            if place.written >= place.answers.len() + UNDER_WAY {
                return Ok(());
            }
            let next = record(&place.partition, place.written, self.bytes);
            if self.producer.append(place.handle, next.view())? == Appended::Stored {
                place.written += 1;
                return Ok(());
            }
            ensure!(!until.passed(self.broker.clients().clock().now()), "the producer has no room for {PATIENCE:?}");
            self.hear(Duration::from_millis(100))?;
        }
    }

    /// Hears what became of records; waits up to `wait` for that.
    pub fn hear(&mut self, wait: Duration) -> Result<()> {
        self.producer.poll(self.broker.within(wait), &mut self.acks)?;
        self.take_acks()
    }

    /// Waits until it is known of each record what became of it.
    pub fn settle(&mut self) -> Result<()> {
        let flushed = self.producer.flush(self.broker.within(PATIENCE), &mut self.acks);
        self.take_acks()?;
        flushed?;
        for Place { partition, written, answers, .. } in &self.places {
            ensure!(*written == answers.len(), "{written} records of {partition} have {} answers", answers.len());
        }
        Ok(())
    }

    fn take_acks(&mut self) -> Result<()> {
        for ack in std::mem::take(&mut self.acks) {
            let (BatchAck::Stored { to, .. } | BatchAck::Failed { to, .. }) = &ack;
            let place = self.places.iter_mut().find(|place| place.handle == *to).context("an unknown partition")?;
            match ack {
                BatchAck::Stored { base_offset, count, .. } => {
                    let base = Some(base_offset.value()).filter(|base| *base >= 0);
                    let offset = |number| base.map(|base| Offset::new(base + i64::from(number)));
                    place.answers.extend((0..count).map(|number| Answer::Stored(offset(number))));
                }
                BatchAck::Failed { error, mut records, .. } => {
                    while let Some(record) = records.head() {
                        let (number, due) = (number_of(&place.partition, &record)?, place.answers.len());
                        ensure!(number == due, "record {number} of {} came back, {due} was due", place.partition);
                        let told = || format!("record {number} of {} came back: {error}", place.partition);
                        self.failed.get_or_insert_with(told);
                        place.answers.push(Answer::Failed(error.clone()));
                        records.advance()?;
                    }
                }
            }
            let (answers, written) = (place.answers.len(), place.written);
            ensure!(answers <= written, "{written} records of {} have {answers} answers", place.partition);
        }
        Ok(())
    }

    /// An error when a record has come back.
    pub fn nothing_failed(&self) -> Result<()> {
        match &self.failed {
            Some(failed) => bail!("{failed}"),
            None => Ok(()),
        }
    }

    /// What became of the records of the partition at place `at`, by number.
    pub fn answers(&self, at: usize) -> &[Answer] {
        self.places.get(at).map_or(&[], |place| &place.answers)
    }

    /// Of how many records of the partition at place `at` it is known what became of them.
    pub fn answered(&self, at: usize) -> usize {
        self.answers(at).len()
    }

    /// Offset, where it is known, and number of all records that are in the log, in order.
    pub fn stored(&self, at: usize) -> Vec<(Option<Offset>, usize)> {
        let numbered = self.answers(at).iter().enumerate();
        let stored = numbered.filter_map(|(number, answer)| match answer {
            Answer::Stored(offset) => Some((*offset, number)),
            Answer::Failed(_) => None,
        });
        stored.collect()
    }
}
