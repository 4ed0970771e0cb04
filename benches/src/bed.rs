//! A cluster in this process with an input topic, on which applications run turn by turn: what they cost where no client hides it.
//!
//! What is measured is processor time of the thread, which does not grow when other programs want the processor too.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{
    Appended, BatchAck, ClientConfig, ClientSupplier, PartitionRef, Producer, RecordBatch, StartAt,
};
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Deadline, Offset, Partition, RawHeaders, RawRecord, Topic, TopicPartition, partition_for_key};
use headwater::runtime::{CloseOptions, State};
use tempfile::TempDir;

use crate::progress::Progress;
use crate::workload::{self, Topics};

/// The time of the first input record, ms.
const BASE_MS: i64 = 1_700_000_000_000;
/// So many turns in which nothing is processed say that nothing more is to be done.
const QUIET_TURNS: u32 = 100;
/// So many turns end a run that will never come to its end.
const TURNS: usize = 1_000_000;

/// The kinds of store that are compared: their names, and what `dsl.store.suppliers.class` calls them.
#[cfg(feature = "rocksdb")]
pub const STORES: [(&str, &str); 2] = [("memory", "in_memory"), ("rocksdb", "rocksDB")];
/// The kinds of store that are compared: their names, and what `dsl.store.suppliers.class` calls them.
#[cfg(not(feature = "rocksdb"))]
pub const STORES: [(&str, &str); 1] = [("memory", "in_memory")];

/// What the input topic holds.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// How many records.
    pub records: u64,
    /// How many keys, drawn by chance.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Partitions of input and output.
    pub partitions: Partition,
    /// Microseconds from a record's time to the next one's.
    pub step_us: u64,
    /// How many of 10,000 records are late: by up to 5 s.
    pub late: u64,
}

impl Input {
    /// What the side-by-side loader writes unless told otherwise, one partition of it.
    pub const fn of(records: u64, keys: u64) -> Self {
        Input { records, keys, value_bytes: 100, partitions: 1, step_us: 10, late: 0 }
    }
}

/// The cluster, with what runs need.
#[derive(Debug)]
pub struct Bed {
    cluster: Cluster,
    clock: ManualClock,
    input: Input,
    state: TempDir,
    runs: u32,
}

/// An application that is to be run.
#[derive(Debug)]
pub struct Run {
    /// `application.id`.
    pub application: String,
    /// The output topic.
    pub output: String,
    state_dir: PathBuf,
}

impl Bed {
    /// A cluster with the topic `in`.
    ///
    /// # Errors
    /// What the cluster refuses.
    pub fn new(input: Input) -> Result<Self> {
        let clock = ManualClock::at(Timestamp::from_millis(BASE_MS));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        cluster.create_topic("in", input.partitions)?;
        let bed = Bed { cluster, clock, input, state: TempDir::new()?, runs: 0 };
        bed.load()?;
        Ok(bed)
    }

    /// Makes a further topic, of one record for each key of `in`, all earlier than those of `in`.
    ///
    /// # Errors
    /// What the cluster refuses.
    pub fn add_rows(&self, topic: &str) -> Result<()> {
        self.cluster.create_topic(topic, self.input.partitions)?;
        let mut writer = Writer::new(&self.cluster, topic, self.input.partitions)?;
        let value = vec![7; self.input.value_bytes];
        for key in 0..self.input.keys {
            writer.append(RawRecord {
                offset: Offset::UNKNOWN,
                timestamp: Timestamp::from_millis(BASE_MS - 10_000),
                key: Some(&key.to_be_bytes()),
                value: Some(&value),
                headers: RawHeaders::NONE,
            })?;
        }
        writer.send()
    }

    /// What `in` holds.
    pub fn input(&self) -> Input {
        self.input
    }

    /// The generator is that of the side-by-side loader: xorshift64 from 42, of which 16 draws are thrown away.
    fn load(&self) -> Result<()> {
        let mut state = 42_u64;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..16 {
            draw();
        }
        let mut writer = Writer::new(&self.cluster, "in", self.input.partitions)?;
        let mut value = Vec::new();
        for number in 0..self.input.records {
            let key = (draw() % self.input.keys).to_be_bytes();
            let lateness = draw();
            value.clear();
            while value.len() < self.input.value_bytes {
                value.extend_from_slice(&draw().to_be_bytes());
            }
            value.truncate(self.input.value_bytes);
            let late_ms = if lateness % 10_000 < self.input.late { 1 + lateness / 10_000 % 5_000 } else { 0 };
            let step_ms = number * self.input.step_us / 1_000;
            let timestamp = Timestamp::from_millis(BASE_MS + step_ms.cast_signed() - late_ms.cast_signed());
            writer.append(RawRecord {
                offset: Offset::UNKNOWN,
                timestamp,
                key: Some(&key),
                value: Some(&value),
                headers: RawHeaders::NONE,
            })?;
        }
        writer.send()
    }

    /// A new application id, with an output topic of its own.
    ///
    /// # Errors
    /// What the cluster refuses.
    pub fn fresh(&mut self) -> Result<Run> {
        self.runs += 1;
        let application = format!("run-{}", self.runs);
        let output = format!("{application}-out");
        self.cluster.create_topic(output.as_str(), self.input.partitions)?;
        Ok(Run { state_dir: self.state.path().join(&application), application, output })
    }

    /// The sum of what so many fresh runs take.
    ///
    /// # Errors
    /// What a run refuses.
    pub fn times(&mut self, runs: u64, time: impl Fn(&Bed, &Run) -> Result<Duration>) -> Result<Duration> {
        let mut took = Duration::ZERO;
        for _ in 0..runs {
            let run = self.fresh()?;
            took += time(self, &run)?;
            self.clean(&run)?;
        }
        Ok(took)
    }

    /// Runs a workload until it has processed all input, and closes it: the time of all its turns.
    ///
    /// # Errors
    /// What ended the application.
    pub fn time(&self, run: &Run, workload: &str, settings: &[(&str, &str)]) -> Result<Duration> {
        let topics = Topics { inputs: &["in"], output: Some(&run.output), partitions: self.input.partitions };
        let topology = workload::topology(workload, topics)?;
        self.time_topology(run, topology, settings, self.input.records * workload::passes(workload))
    }

    /// As [`Bed::time`], with any topology that reads `in`, until `records` were processed.
    ///
    /// # Errors
    /// As [`Bed::time`].
    pub fn time_topology(
        &self,
        run: &Run,
        topology: Topology,
        settings: &[(&str, &str)],
        records: u64,
    ) -> Result<Duration> {
        self.time_until(run, topology, settings, |processed| processed >= records)
    }

    /// As [`Bed::time_topology`], until nothing more is to be done, of a topology that sends itself nobody knows how much.
    ///
    /// # Errors
    /// As [`Bed::time`].
    pub fn time_until_quiet(&self, run: &Run, topology: Topology, settings: &[(&str, &str)]) -> Result<Duration> {
        let (mut last, mut quiet) = (0, 0);
        self.time_until(run, topology, settings, |processed| {
            quiet = if processed == last { quiet + 1 } else { 0 };
            last = processed;
            processed >= self.input.records && quiet >= QUIET_TURNS
        })
    }

    fn time_until(
        &self,
        run: &Run,
        topology: Topology,
        settings: &[(&str, &str)],
        mut is_done: impl FnMut(u64) -> bool,
    ) -> Result<Duration> {
        let progress = Progress::default();
        let mut ended = false;
        let mut application = KafkaStreams::builder(topology)
            .application_id(&run.application)
            .on(&self.cluster)
            .state_dir(&run.state_dir)
            .process_id(1)
            .set_all(settings.iter().copied())
            .drive()?;
        let began = processor_time()?;
        metrics::with_local_recorder(&progress, || {
            for _ in 0..TURNS {
                if is_done(progress.processed()) {
                    ended = true;
                    application.begin_close(CloseOptions::default());
                    break;
                }
                application.turn();
            }
            for _ in 0..TURNS {
                if application.state().is_final() {
                    break;
                }
                application.turn();
                self.clock.advance(Duration::from_millis(1));
            }
        });
        let took = processor_time()?.saturating_sub(began);
        application.outcome()?;
        ensure!(ended, "after {TURNS} turns it has processed {} records and is not done", progress.processed());
        ensure!(application.state() == State::NotRunning, "it is {}", application.state());
        Ok(took)
    }

    /// What a bare loop takes that reads all of `in` and writes it to the output of `run`: what [`Bed::time`] would be if the
    /// framework cost nothing.
    ///
    /// # Errors
    /// What the cluster refuses.
    pub fn time_bare_copy(&self, run: &Run) -> Result<Duration> {
        let mut writer = Writer::new(&self.cluster, &run.output, self.input.partitions)?;
        self.time_bare(|record| match record {
            Some(record) => writer.append(record),
            None => writer.send(),
        })
    }

    /// What a bare loop takes that reads all of `in` and writes nothing, as a count does whose keys lie in the cache.
    ///
    /// # Errors
    /// What the cluster refuses.
    pub fn time_bare_read(&self, _: &Run) -> Result<Duration> {
        self.time_bare(|record| {
            std::hint::black_box(record);
            Ok(())
        })
    }

    /// Hands every record of `in` to `take`, and nothing after each poll.
    fn time_bare(&self, mut take: impl FnMut(Option<RawRecord<'_>>) -> Result<()>) -> Result<Duration> {
        let topic = Topic::from("in");
        let all: Vec<_> = (0..self.input.partitions)
            .map(|partition| (TopicPartition { topic: topic.clone(), partition }, StartAt::Beginning))
            .collect();
        let mut consumer = self.cluster.consumer(&ClientConfig::new())?;
        consumer.assign(&all)?;
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        let mut read = 0;
        let began = processor_time()?;
        while read < self.input.records {
            consumer.poll(Deadline::NOW, &mut batches)?;
            for mut batch in batches.drain(..) {
                while let Some(record) = batch.head() {
                    take(Some(record))?;
                    batch.advance()?;
                    read += 1;
                }
            }
            take(None)?;
        }
        Ok(processor_time()?.saturating_sub(began))
    }

    /// Deletes what `run` left in the cluster and on disk.
    ///
    /// # Errors
    /// What the cluster or the file system refuses.
    pub fn clean(&self, run: &Run) -> Result<()> {
        let mut admin = self.cluster.admin(&ClientConfig::new())?;
        let prefix = format!("{}-", run.application);
        let topics: Vec<Topic> =
            self.cluster.topics().into_iter().filter(|topic| topic.as_str().starts_with(&prefix)).collect();
        admin.delete_topics(&topics, Deadline::NOW)?;
        if run.state_dir.exists() {
            std::fs::remove_dir_all(&run.state_dir)?;
        }
        Ok(())
    }
}

/// For how long this thread has had a processor.
///
/// # Errors
/// Where the kernel does not say: it is Linux's.
pub fn processor_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split_whitespace().next().context("/proc/thread-self/schedstat is empty")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Writes records by their keys.
struct Writer {
    producer: Box<dyn Producer>,
    partitions: Vec<PartitionRef>,
    acks: Vec<BatchAck>,
}

impl Writer {
    fn new(cluster: &Cluster, topic: &str, partitions: Partition) -> Result<Self> {
        let mut producer = cluster.producer(&ClientConfig::new())?;
        let topic = Topic::from(topic);
        let partitions =
            (0..partitions).map(|partition| producer.partition(&topic, partition)).collect::<Result<Vec<_>, _>>()?;
        Ok(Writer { producer, partitions, acks: Vec::new() })
    }

    fn append(&mut self, record: RawRecord<'_>) -> Result<()> {
        let number = partition_for_key(record.key.unwrap_or_default(), self.partitions.len() as Partition);
        let to = self.partitions.get(number as usize).copied();
        let to = to.with_context(|| format!("there is no partition {number}"))?;
        while self.producer.append(to, record)? == Appended::Full {
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        self.producer.poll(Deadline::NOW, &mut self.acks)?;
        self.acks.clear();
        Ok(())
    }
}
