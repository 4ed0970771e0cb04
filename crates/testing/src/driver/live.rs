//! What a driver holds: cluster, clock, output, the one task and the global one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{
    ClientConfig, ClientSupplier, Consumer, GroupIdentity, GroupMembership, RecordBatch, StartAt, Watermarks,
};
use headwater_client_memory::{Cluster, ClusterConfig, ManualClock};
use headwater_record::{Clock, Deadline, Headers, Offset, OwnedRecord, Timestamp, Topic, TopicPartition};
use headwater_runtime::StreamsConfig;
use headwater_runtime::commit::{Commit, ProcessingGuarantee};
use headwater_runtime::handler::{ExceptionHandlers, LogAndContinueExceptionHandler};
use headwater_runtime::output::{OutputSettings, RecordCollector};
use headwater_runtime::task::{
    ClosedTask, GlobalTask, Parts, StreamTask, TaskError, TaskInput, TaskSettings, TaskSpec, TaskStore, TaskStores,
};
use headwater_store::RowFormat;
use headwater_store::cache::Budget;
use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::state::{self, SeenEntry};
use headwater_topology::{Application, NodeId, PunctuationType, SharedStore, StoreId, TaskId, Topology, known, naming};
use regex::Regex;

use super::builder::OwnHandlers;
use super::outputs::Outputs;
use super::stores::StoreChoice;
use crate::DriverError;
use crate::capture::{Captured, CapturingProducer};

const APPLICATION_ID: &str = "application.id";
const DEFAULT_APPLICATION: &str = "dummy-topology-test-driver-app-id";
const ROW_FORMAT: &str = "dsl.store.format";
const MAX_TASK_IDLE: &str = "max.task.idle.ms";
const CACHE: &str = "statestore.cache.max.bytes";
const CACHE_DEPRECATED: &str = "cache.max.bytes.buffering";
const DEFAULT_CACHE: i64 = 10 << 20;
/// Begins what stands for a pattern among the inputs: no topic has it in its name.
const PATTERN: &str = "/";

/// All that is alive in a driver.
pub(crate) struct Live {
    pub(super) clock: ManualClock,
    pub(crate) outputs: Outputs,
    pub(super) topology: Topology,
    pub(super) cluster: Cluster,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) output: RecordCollector,
    captured: Captured,
    pub(super) running: Option<StreamTask>,
    pub(super) global: GlobalTask,
    // Positions in the topics of global stores.
    global_topics: HashMap<Topic, Offset>,
    patterns: Vec<(NodeId, Regex)>,
    pub(super) dropped_before: u64,
    /// What the task is made of anew when it restarts.
    pub(super) made_of: MadeOf,
    /// Where inputs are committed.
    pub(super) group: Box<dyn GroupMembership>,
    pub(super) identity: GroupIdentity,
}

/// A task that was closed.
pub(super) struct Stopped {
    pub(super) spec: TaskSpec,
    pub(super) stores: TaskStores,
    /// Whether the stores contain all that was committed.
    pub(super) is_complete: bool,
    /// Whether its last commit went well.
    pub(super) committed: Result<(), DriverError>,
}

/// What a task is made of, beside its topology.
pub(super) struct MadeOf {
    pub(super) stores: StoreChoice,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) task: TaskSettings,
}

/// A global store is filled past what cannot be decoded, whatever the application's handler says.
fn of_global(handlers: ExceptionHandlers) -> ExceptionHandlers {
    ExceptionHandlers { deserialization: Arc::new(LogAndContinueExceptionHandler::default()), ..handlers }
}

/// What processors are told of their application.
fn application(id: &str, settings: &BTreeMap<String, String>, stores: &StoreChoice) -> Application {
    let mut configs = StreamsConfig::values(settings);
    configs.insert(APPLICATION_ID.to_owned(), id.to_owned());
    let state_dir = stores.directory().unwrap_or_else(|| {
        let root = settings.get("state.dir").map(PathBuf::from);
        root.unwrap_or_else(|| std::env::temp_dir().join("kafka-streams")).join(id)
    });
    Application { id: id.to_owned(), configs, state_dir }
}

impl Live {
    pub(super) fn start(
        topology: Topology,
        settings: &BTreeMap<String, String>,
        start: Timestamp,
        stores: &StoreChoice,
        own: OwnHandlers,
    ) -> Result<Self, DriverError> {
        let setting = |key: &str| settings.get(key).map(String::as_str);
        let topology = match setting(ROW_FORMAT) {
            Some(format) => topology.with_default_row_format(RowFormat::of_setting(format)),
            None => topology,
        };
        let application_id = setting(APPLICATION_ID).unwrap_or(DEFAULT_APPLICATION);
        let topology = topology.for_application(application_id);
        let handlers = own.or(ExceptionHandlers::configured(setting)?);
        let idle = number(settings, MAX_TASK_IDLE, 0)?;
        let cache_key = if settings.contains_key(CACHE) { CACHE } else { CACHE_DEPRECATED };
        let cache = Rc::new(Budget::new(number(settings, cache_key, DEFAULT_CACHE)?.max(0) as usize));

        let clock = ManualClock::at(start);
        let config = ClusterConfig { auto_create_topics: true, default_partitions: 1, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(clock.clone()), config);
        let client = ClientConfig::new().with("client.id", "topology-test-driver");
        let captured = Captured::default();
        let producer = Box::new(CapturingProducer::new(cluster.producer(&client)?, captured.clone()));
        let mut output =
            RecordCollector::new(producer, Arc::new(clock.clone()), OutputSettings::default(), handlers.clone());
        let consumer = cluster.consumer(&client)?;
        let group = cluster.membership(application_id, &client)?;
        // Nobody else is in the group: it takes the offsets of whoever commits.
        let identity = GroupIdentity { group: application_id.to_owned(), generation: -1, ..GroupIdentity::default() };

        let now = clock.now();
        let global_handlers = of_global(handlers.clone());
        let global_stores = stores.within("global").open(&topology, |store| store.global, setting)?;
        let global_stores = global_stores.into_iter().map(|(id, store)| (id, SharedStore::own(store))).collect();
        let application = Arc::new(application(application_id, settings, stores));
        let (told, budget) = (Arc::clone(&application), Rc::clone(&cache));
        let global = GlobalTask::start(&topology, global_stores, global_handlers, told, budget, &mut output, now)?;
        let global_topics = GlobalTask::topics(&topology).into_keys().map(|topic| (topic, Offset::ZERO)).collect();

        let (spec, patterns) = whole(&topology);
        let task_settings = TaskSettings {
            max_task_idle: u64::try_from(idle).ok().map(Duration::from_millis),
            emit_interval: Duration::ZERO,
            handlers,
            application,
            cache,
        };
        let stores = stores.within("0_0");
        let parts = Parts {
            topology: &topology,
            stores: stores.of_task(&topology, &spec, setting)?,
            globals: global.stores().clone(),
            committed: HashMap::new(),
            settings: task_settings.clone(),
            spec,
        };
        let running = StreamTask::start(parts, &mut output, now)?;
        let made_of = MadeOf { stores, settings: settings.clone(), task: task_settings };
        let mut live = Live {
            clock,
            outputs: Outputs::default(),
            topology,
            cluster,
            consumer,
            output,
            captured,
            running: Some(running),
            global,
            global_topics,
            patterns,
            dropped_before: 0,
            made_of,
            group,
            identity,
        };
        live.read_inputs()?;
        Ok(live)
    }

    /// Reads every input of the task that is not read yet; a pattern is none.
    pub(super) fn read_inputs(&mut self) -> Result<(), DriverError> {
        let Some(running) = &self.running else { return Err(DriverError::Closed) };
        for partition in running.spec().partitions() {
            if !partition.topic.as_str().starts_with(PATTERN) && self.consumer.position(partition).is_none() {
                if self.cluster.topic(&partition.topic).is_none() {
                    self.cluster.create_topic(partition.topic.clone(), 1)?;
                }
                self.consumer.assign(&[(partition.clone(), StartAt::Offset(Offset::ZERO))])?;
            }
        }
        Ok(())
    }

    pub(crate) fn pipe(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), DriverError> {
        if !timestamp.is_known() {
            return Err(DriverError::NegativeTimestamp { timestamp });
        }
        let to = TopicPartition::new(topic, 0);
        let is_input = self.is_input(&to)?;
        let is_global = self.global.reads(&to.topic);
        if !is_input && !is_global {
            let names = self.topology.input_names();
            let known = known(topic, names.iter().map(String::as_str));
            return Err(DriverError::UnknownTopic { topic: topic.to_owned(), known });
        }
        let offset = self.cluster.produce_to(&to, key, value, timestamp, headers)?;
        if is_input {
            self.fetch(&[])?;
            self.complete()?;
        }
        if is_global {
            let record = OwnedRecord {
                offset,
                timestamp,
                key: key.map(|bytes| bytes.to_vec().into()),
                value: value.map(|bytes| bytes.to_vec().into()),
                headers: headers.to_vec(),
            };
            self.update_global(&to, &record)?;
        }
        Ok(())
    }

    /// Whether the task reads `partition`. A topic that a source's pattern matches becomes an input when it is first used.
    fn is_input(&mut self, partition: &TopicPartition) -> Result<bool, DriverError> {
        let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
        if running.spec().input(partition).is_some() {
            return Ok(true);
        }
        let matching = self.patterns.iter().find(|(_, pattern)| pattern.is_match(partition.topic.as_str()));
        let Some((node, _)) = matching else { return Ok(false) };
        running.add_input(TaskInput { node: *node, partition: partition.clone(), reset: None }, None);
        self.read_inputs()?;
        Ok(true)
    }

    /// Takes what lies in the input topics into the task's queues: first that of the topics in `order`.
    pub(super) fn fetch(&mut self, order: &[Topic]) -> Result<(), DriverError> {
        let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
        loop {
            let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
            self.consumer.poll(Deadline::NOW, &mut batches)?;
            if batches.is_empty() {
                return Ok(());
            }
            batches.sort_by_key(|batch| order.iter().position(|topic| *topic == batch.partition().topic));
            for batch in batches {
                running.enqueue(batch)?;
            }
        }
    }

    /// Java's `completeAllProcessableWork`: one record at a time, each committed before the next.
    pub(super) fn complete(&mut self) -> Result<(), DriverError> {
        self.capture()?;
        loop {
            let now = self.clock.now();
            self.hear()?;
            let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
            // All topics of a pattern are one input in Java's driver: one of them is waited for, where none has records.
            for (node, _) in &self.patterns {
                let inputs = running.spec().inputs.iter().filter(|input| input.node == *node);
                let of_pattern: Vec<_> = inputs.map(|input| input.partition.clone()).collect();
                let has_records = |partition| running.intake().queue(partition).is_some_and(|queue| !queue.is_empty());
                let waits = !of_pattern.iter().any(has_records);
                for (number, partition) in of_pattern.iter().enumerate() {
                    running.wait_for(partition, waits && number == 0);
                }
            }
            if running.intake().buffered() == 0 || !running.readiness(now).is_ready() {
                return Ok(());
            }
            running.process(&mut self.output, now, &mut |_| None)?;
            running.punctuate_by(PunctuationType::StreamTime, &mut self.output, now)?;
            self.commit()?;
            self.capture()?;
        }
    }

    /// Nothing lies in a topic that is not in a queue already.
    fn hear(&mut self) -> Result<(), DriverError> {
        let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
        let partitions: Vec<TopicPartition> = running.spec().partitions().cloned().collect();
        let empty = Watermarks { low: Offset::ZERO, high: Offset::ZERO };
        for partition in &partitions {
            running.heard(partition, Some(Offset::ZERO), Some(empty));
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), DriverError> {
        let now = self.clock.now();
        let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
        if !running.commit_needed() {
            return Ok(());
        }
        let commit = Commit {
            guarantee: ProcessingGuarantee::AtLeastOnce,
            collector: &mut self.output,
            group: self.group.as_mut(),
            identity: &self.identity,
            until: &|| Deadline::after(now, Duration::from_mins(2)),
        };
        Ok(commit.of(&mut [running], now)?)
    }

    /// Puts what was written to the outputs, and what the topology reads of it back in.
    pub(super) fn capture(&mut self) -> Result<(), DriverError> {
        // What was written outside of a commit is not in the log yet.
        self.output.poll(Deadline::NOW)?;
        let mut order: Vec<Topic> = Vec::new();
        for (partition, record) in self.captured.take() {
            self.outputs.push(partition.topic.clone(), record.clone());
            if self.is_input(&partition)? && !order.contains(&partition.topic) {
                order.push(partition.topic.clone());
            }
            if self.global.reads(&partition.topic) {
                self.update_global(&partition, &record)?;
            }
        }
        if order.is_empty() { Ok(()) } else { self.fetch(&order) }
    }

    fn update_global(&mut self, from: &TopicPartition, record: &OwnedRecord) -> Result<(), DriverError> {
        let now = self.clock.now();
        let position = self.global_topics.entry(from.topic.clone()).or_default();
        let mut record = record.clone();
        record.offset = std::mem::replace(position, position.next());
        if !record.timestamp.is_known() {
            record.timestamp = now;
        }
        self.global.update(&mut self.output, from, record.view(), now)?;
        self.global.flush(&mut self.output, now)?;
        Ok(())
    }

    pub(super) fn advance_wall_clock(&mut self, by: Duration) -> Result<(), DriverError> {
        self.clock.advance(by);
        let now = self.clock.now();
        self.hear()?;
        let Some(running) = &mut self.running else { return Err(DriverError::Closed) };
        running.punctuate_by(PunctuationType::WallClockTime, &mut self.output, now)?;
        self.commit()?;
        self.complete()
    }

    pub(super) fn dropped_records(&self) -> u64 {
        let running = self.running.as_ref().map_or(0, |running| running.dropped_records(&self.output));
        self.dropped_before + running + self.global.dropped_records()
    }

    /// What to say when nothing was written to `topic`: nothing if a sink writes there.
    pub(crate) fn hint_of_output(&self, topic: &str) -> String {
        let outputs = self.topology.output_names();
        if outputs.contains(&topic) {
            return String::new();
        }
        format!("; of topics that a sink writes to, {}", known(topic, outputs))
    }

    pub(crate) fn store(&self, name: &str) -> Result<SharedStore, DriverError> {
        let missing = || DriverError::NoSuchStore(self.topology.no_store(name));
        let id = self.topology.store_named(name).ok_or_else(missing)?;
        if let Some(store) = self.global.stores().get(&id) {
            return Ok(store.clone());
        }
        let Some(running) = &self.running else { return Err(DriverError::Closed) };
        running.store(id).cloned().ok_or_else(missing)
    }

    /// What kind of store it is.
    pub(crate) fn kind_of(&self, store: &str) -> &'static str {
        let id = self.topology.store_named(store);
        id.and_then(|id| self.topology.store(id)).map_or("missing", |store| store.spec.kind.name())
    }

    /// What a window or session store has, seen through its cache.
    pub(crate) fn entries(&self, name: &str) -> Result<Vec<SeenEntry>, DriverError> {
        let store = self.store(name)?;
        let id = self.topology.store_named(name);
        if let Some((running, id)) = self.running.as_ref().zip(id) {
            let seen = running.seen_through_cache(id);
            let task = running.id();
            if let Some(seen) = seen.map_err(|error| TaskError::Process { task, error })? {
                return Ok(seen);
            }
        }
        let kind = id.and_then(|id| self.topology.store(id)).map(|node| node.spec.kind);
        Ok(store.read(|store| state::entries_of(store, kind))?)
    }

    pub(super) fn close(&mut self) -> Result<(), DriverError> {
        self.stop()?.map_or(Ok(()), |stopped| stopped.committed)
    }

    /// Closes the task, if there is one.
    pub(super) fn stop(&mut self) -> Result<Option<Stopped>, DriverError> {
        if self.running.is_none() {
            return Ok(None);
        }
        let committed = self.commit().and_then(|()| self.capture());
        self.dropped_before += self.running.as_ref().map_or(0, |running| running.dropped_records(&self.output));
        let Some(running) = self.running.take() else { return Ok(None) };
        let spec = running.spec().clone();
        let ClosedTask { stores, is_complete, held } = running.close();
        match held.first().and_then(|id| self.topology.store(*id)) {
            Some(held) => Err(DriverError::Held(held.spec.name.clone())),
            None => Ok(Some(Stopped { spec, stores, is_complete, committed })),
        }
    }
}

/// One task for all of the topology: Java's driver has only task `0_0`. A pattern stands as an input that never has records, until
/// a topic matches it.
fn whole(topology: &Topology) -> (TaskSpec, Vec<(NodeId, Regex)>) {
    let mut spec = TaskSpec { id: TaskId::new(0, 0), inputs: Vec::new(), stores: Vec::new() };
    let mut patterns = Vec::new();
    let mut stores: HashMap<StoreId, TaskStore> = HashMap::new();
    for part in topology.subtopologies() {
        let id = TaskId { subtopology: part.id, partition: 0 };
        let Some(task) = TaskSpec::of(topology, id, &|_| Vec::new()) else { continue };
        spec.inputs.extend(task.inputs);
        stores.extend(task.stores.into_iter().map(|store| (store.id, store)));
        for &node in &part.nodes {
            if let Some(NodeKind::Source { topics: SourceTopics::Pattern(pattern), reset }) =
                topology.node(node).map(|spec| &spec.kind)
            {
                let partition = TopicPartition::new(format!("{PATTERN}{pattern}"), 0);
                spec.inputs.push(TaskInput { node, partition, reset: *reset });
                // Building refuses those that are none.
                patterns.extend(naming::pattern(pattern).ok().map(|pattern| (node, pattern)));
            }
        }
    }
    spec.stores = topology.store_order().iter().filter_map(|id| stores.remove(id)).collect();
    (spec, patterns)
}

fn number(settings: &BTreeMap<String, String>, key: &str, default: i64) -> Result<i64, DriverError> {
    let Some(value) = settings.get(key) else { return Ok(default) };
    value.trim().parse().map_err(|_| DriverError::Setting {
        key: key.to_owned(),
        value: value.clone(),
        reason: "it is not a whole number".to_owned(),
    })
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopologyTestDriver")
            .field("now", &self.clock.now())
            .field("task", &self.running)
            .finish_non_exhaustive()
    }
}
