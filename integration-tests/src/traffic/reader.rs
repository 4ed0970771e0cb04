//! Reads numbered records and keeps where each was.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{ClientError, Consumer, Isolation, OffsetSpec, RecordBatch, StartAt};
use headwater::record::{Offset, TopicPartition};

use super::{PATIENCE, Settings, Writer, number_of};
use crate::broker::Broker;

/// A consumer, and what it gave of each partition.
pub struct Reader {
    broker: Broker,
    /// For what the test asks of it directly.
    pub consumer: Box<dyn Consumer>,
    partitions: Vec<TopicPartition>,
    places: HashMap<TopicPartition, usize>,
    /// Offset and number of what was read of the partition at each place.
    read: Vec<Vec<(Offset, usize)>>,
    batches: Vec<Box<dyn RecordBatch>>,
    /// What polls met.
    pub told: Vec<ClientError>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("partitions", &self.partitions).field("told", &self.told).finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads `partitions` from their beginning.
    pub fn new(broker: &Broker, partitions: &[TopicPartition], settings: Settings<'_>) -> Result<Self> {
        let starts = partitions.iter().map(|partition| (partition.clone(), StartAt::Beginning));
        Reader::starting(broker, &starts.collect::<Vec<_>>(), settings)
    }

    /// Reads partitions from where it is told.
    pub fn starting(broker: &Broker, starts: &[(TopicPartition, StartAt)], settings: Settings<'_>) -> Result<Self> {
        let mut consumer = broker.clients().consumer(&broker.config_with(settings))?;
        consumer.assign(starts)?;
        let partitions: Vec<_> = starts.iter().map(|(partition, _)| partition.clone()).collect();
        let places = partitions.iter().enumerate().map(|(at, partition)| (partition.clone(), at)).collect();
        let (broker, read) = (broker.clone(), vec![Vec::new(); partitions.len()]);
        Ok(Reader { broker, consumer, partitions, places, read, batches: Vec::new(), told: Vec::new() })
    }

    /// Reads what has come; waits up to `wait` for it. What the poll meets is kept.
    pub fn poll(&mut self, wait: Duration) -> Result<()> {
        let polled = self.consumer.poll(self.broker.within(wait), &mut self.batches);
        self.told.extend(polled.err());
        for mut batch in std::mem::take(&mut self.batches) {
            let partition = batch.partition().clone();
            let place = self.places.get(&partition).with_context(|| format!("{partition} was not asked for"))?;
            let read = self.read.get_mut(*place).context("a place")?;
            while let Some(record) = batch.head() {
                read.push((record.offset, number_of(&partition, &record)?));
                batch.advance()?;
            }
        }
        Ok(())
    }

    /// Offset and number of what was read of the partition at place `at`.
    pub fn read(&self, at: usize) -> &[(Offset, usize)] {
        self.read.get(at).map_or(&[], Vec::as_slice)
    }

    /// How many records of the partition at place `at` were read.
    pub fn count(&self, at: usize) -> usize {
        self.read(at).len()
    }

    /// Polls until `enough`; the patience begins anew with each record.
    pub fn poll_until(&mut self, what: &str, mut enough: impl FnMut(&Self) -> bool) -> Result<()> {
        let mut read = 0;
        let mut until = self.broker.within(PATIENCE);
        while !enough(self) {
            self.poll(Duration::from_millis(100))?;
            let now: usize = self.read.iter().map(Vec::len).sum();
            if now > read {
                (read, until) = (now, self.broker.within(PATIENCE));
            }
            let last: Vec<_> = self.read.iter().map(|read| read.last()).collect();
            let passed = until.passed(self.broker.clients().clock().now());
            ensure!(!passed, "waited in vain: {what}; read up to {last:?}; polls met {:?}", self.told);
        }
        Ok(())
    }

    /// Reads until it has as many records as `writer` has written, of those partitions that both have.
    pub fn read_to(&mut self, writer: &Writer) -> Result<()> {
        let places = writer.partitions().iter().map(|partition| self.places.get(partition).copied());
        let due: Vec<_> = places.enumerate().map(|(at, place)| (place, writer.stored(at).len())).collect();
        let read = self.poll_until("all that was written is read", |reader| {
            due.iter().all(|(place, count)| place.is_none_or(|at| reader.count(at) >= *count))
        });
        read.with_context(|| {
            let spec = OffsetSpec::Latest(Isolation::ReadUncommitted);
            let admin = self.broker.admin();
            let ends = admin.map(|mut admin| admin.list_offsets(&self.partitions, spec, self.broker.soon()));
            format!("{due:?} (place, records) were stored, the logs end at {ends:?}")
        })
    }

    /// Whether what was read of the partition at place `at` is exactly what was stored, where it was stored, with the position behind it.
    pub fn matches(&self, at: usize, stored: &[(Option<Offset>, usize)]) -> Result<()> {
        let (partition, read) = (self.partitions.get(at).context("a place")?, self.read(at));
        for (turn, (found, due)) in read.iter().zip(stored).enumerate() {
            let same = found.1 == due.1 && due.0.is_none_or(|offset| offset == found.0);
            let around = read.get(turn.saturating_sub(3)..(turn + 4).min(read.len()));
            ensure!(same, "read {found:?} (offset, number) where {due:?} was written; around it {around:?}");
        }
        let (found, due) = (read.len(), stored.len());
        ensure!(found == due, "{found} records were read and {due} written; the last is {:?}", read.last());
        let (position, last) = (self.consumer.position(partition), read.last());
        ensure!(position >= last.map(|(offset, _)| offset.next()), "the position is {position:?} after {last:?}");
        Ok(())
    }
}
