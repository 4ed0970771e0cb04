//! Running a program as an application: on a cluster in this process, with several partitions, two stream threads and a virtual
//! clock, turn by turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Partition, Timestamp, Topic, TopicPartition};
use headwater::runtime::{CloseOptions, Driven, State, StoreMakers};
use headwater::testing::MemoryStores;

use super::contents::Keeping;
use super::drive::{self, Cache};
use super::{APPLICATION, Stores, settings, written};
use crate::outcome::Record;
use crate::scenario::{Action, Scenario};

/// Stream threads of the application.
const THREADS: usize = 2;

/// What passes between two turns, and between two commits.
const PACE: Duration = Duration::from_millis(20);

/// So many turns without rest are taken for an application that never comes to rest.
const TURNS: usize = 10_000;

/// How an application is given its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeding {
    /// The next record when all that the one before caused is consumed and committed.
    OneByOne,
    /// All of it before the application starts.
    AtOnce,
}

impl std::fmt::Display for Feeding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Feeding::OneByOne => "one by one",
            Feeding::AtOnce => "at once",
        })
    }
}

/// What lies in the topics when the application has come to rest.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// The records of each topic by partition and offset.
    pub topics: BTreeMap<String, Vec<(Partition, Record)>>,
    /// The changelogs of the program's tables and stores: a row for each key.
    pub tables: BTreeSet<String>,
}

/// Runs a scenario's program as an application, without record caches, over topics of so many partitions.
///
/// # Errors
/// When the program cannot be built or started, when it fails, or never comes to rest.
pub fn spread(scenario: &Scenario, stores: Stores, partitions: Partition, feeding: Feeding) -> Result<Spread> {
    let settings = settings(scenario, Cache::Off)?;
    let (program, shaping) = written(scenario, &settings)?;
    let built = program.build(scenario.build_config.then_some(&shaping));
    let topology = built.map_err(|mistakes| anyhow::anyhow!("{mistakes}"))?.for_application(APPLICATION);
    let tables = program.keeping(&topology, Keeping::new(scenario, stores)).tables(&topology);
    let clock = ManualClock::at(Timestamp::from_millis(scenario.start_ms));
    let cluster = Cluster::new(Arc::new(clock.clone()));
    for topic in named(&topology).filter(|topic| !topology.is_repartition_topic(topic)) {
        cluster.create_topic(topic.as_str(), partitions).with_context(|| topic.clone())?;
    }
    let world = World { clock, cluster, read: consumed(&topology) };
    // The directory goes when the run is over.
    let directory = tempfile::Builder::new().prefix("headwater-conformance-").tempdir()?;
    let start = || -> Result<Driven> {
        let builder = KafkaStreams::builder(topology.clone()).set_all(settings.iter().cloned()).on(&world.cluster);
        let builder = builder.stores(makers(stores)?).state_dir(directory.path()).threads(THREADS).process_id(1);
        Ok(builder.set("commit.interval.ms", PACE.as_millis().to_string()).drive()?)
    };
    let steps = scenario.steps.as_deref().unwrap_or_default();
    let mut application = match feeding {
        Feeding::AtOnce => {
            steps.iter().try_for_each(|step| world.feed(&step.action))?;
            let mut application = start()?;
            world.settle(&mut application)?;
            application
        }
        Feeding::OneByOne => {
            let mut application = start()?;
            world.settle(&mut application)?;
            for step in steps {
                world.feed(&step.action).with_context(|| step.shown.clone())?;
                world.settle(&mut application).with_context(|| step.shown.clone())?;
            }
            application
        }
    };
    world.close(&mut application)?;
    world.has_everywhere(partitions)?;
    Ok(Spread { topics: world.content(), tables })
}

/// Topics that the topology reads or writes.
fn named(topology: &Topology) -> impl Iterator<Item = String> {
    let nodes = topology.nodes().map(|(_, node)| node);
    let topics = nodes.flat_map(|node| node.source_topics().iter().map(String::as_str).chain(node.sink_topic()));
    topics.map(str::to_owned).collect::<BTreeSet<_>>().into_iter()
}

/// Topics that its tasks read, and commit.
fn consumed(topology: &Topology) -> Vec<Topic> {
    let parts = topology.subtopologies().iter().filter(|part| !part.global);
    parts.flat_map(|part| topology.source_topics(part)).map(Topic::new).collect()
}

fn makers(stores: Stores) -> Result<StoreMakers> {
    Ok(match stores {
        Stores::RocksDb => drive::makers()?,
        Stores::Memory => {
            let in_memory = Arc::new(MemoryStores::new());
            StoreMakers { in_memory: in_memory.clone(), persistent: Some(in_memory) }
        }
    })
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
    read: Vec<Topic>,
}

impl World {
    /// Writes a record to the partition of its key, or lets time pass.
    fn feed(&self, action: &Action) -> Result<()> {
        match action {
            Action::AdvanceWallClock { by_ms } => {
                self.clock.advance(Duration::from_millis(u64::try_from(*by_ms).unwrap_or_default()));
            }
            Action::Pipe(input) => {
                let (topic, at) = (Topic::from(input.topic.as_str()), Timestamp::from_millis(input.timestamp));
                self.cluster.produce(
                    &topic,
                    input.key.as_deref(),
                    input.value.as_deref(),
                    at,
                    &drive::headers(input),
                )?;
            }
        }
        Ok(())
    }

    /// Gives turns, at least one, until everything that lies in the topics is consumed and committed.
    fn settle(&self, application: &mut Driven) -> Result<()> {
        for _ in 0..TURNS {
            application.turn();
            self.clock.advance(PACE);
            if application.state().is_ending() {
                application.outcome()?;
                bail!("the application is {}", application.state());
            }
            if application.state() == State::Running && self.is_committed() {
                return Ok(());
            }
        }
        bail!("the application never came to rest")
    }

    /// Closes it: that nothing of its tasks is left then, it says itself.
    fn close(&self, application: &mut Driven) -> Result<()> {
        application.begin_close(CloseOptions::default());
        for _ in 0..TURNS {
            if application.state().is_final() {
                return Ok(application.outcome()?);
            }
            application.turn();
            self.clock.advance(PACE);
        }
        bail!("the application never closed")
    }

    fn is_committed(&self) -> bool {
        let committed = self.cluster.group(APPLICATION).committed;
        self.read.iter().all(|topic| {
            let marks = self.cluster.topic(topic).map(|topic| topic.partitions).unwrap_or_default();
            marks.iter().zip(0..).all(|(marks, number)| {
                let at = committed.get(&TopicPartition::new(topic.clone(), number));
                marks.high.value() == at.map_or(0, |at| at.offset.value())
            })
        })
    }

    /// Whether all topics that are read have so many partitions, those that the application made too.
    fn has_everywhere(&self, partitions: Partition) -> Result<()> {
        for topic in &self.read {
            let found = self.cluster.topic(topic).map_or(0, |topic| topic.partitions.len());
            if i32::try_from(found) != Ok(partitions) {
                bail!("{topic} has {found} partitions, not {partitions}");
            }
        }
        Ok(())
    }

    fn content(&self) -> BTreeMap<String, Vec<(Partition, Record)>> {
        let topics = self.cluster.topics().into_iter();
        let records = |topic: &Topic| self.cluster.records(topic).into_iter();
        topics
            .map(|topic| {
                let shown = records(&topic).map(|(partition, record)| (partition, drive::shown(&record)));
                (topic.as_str().to_owned(), shown.collect())
            })
            .collect()
    }
}
