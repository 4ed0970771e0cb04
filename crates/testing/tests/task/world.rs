//! A task as a thread runs it, on a cluster in this process.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientSupplier, CommittedOffset, Consumer, StartAt};
use headwater_client_memory::{Cluster, ManualClock};
use headwater_record::{Clock, Deadline, Headers, Offset, Timestamp, Topic, TopicPartition};
use headwater_runtime::directory::StateDirectory;
use headwater_runtime::handler::ExceptionHandlers;
use headwater_runtime::output::{OutputSettings, RecordCollector};
use headwater_runtime::task::{Committed, Parts, StreamTask, Taken, TaskError, TaskSettings, TaskSpec, TaskStores};
use headwater_store::cache::Budget;
use headwater_store::{OpenContext, Store, StoreSupplier};
use headwater_store_memory::MemoryStores;
use headwater_topology::{StoreId, TaskId, Topology};

pub(crate) const FAR: Deadline = Deadline::at(Timestamp::from_millis(1_000_000));

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) clock: ManualClock,
    pub(crate) topology: Topology,
    pub(crate) handlers: ExceptionHandlers,
    pub(crate) max_task_idle: Option<Duration>,
    pub(crate) output: RecordCollector,
    consumer: Box<dyn Consumer>,
}

impl World {
    pub(crate) fn new(topology: Topology, topics: &[(&str, i32)]) -> Self {
        Self::with(topology, topics, ExceptionHandlers::default(), &ClientConfig::new())
    }

    pub(crate) fn with(
        topology: Topology,
        topics: &[(&str, i32)],
        handlers: ExceptionHandlers,
        client: &ClientConfig,
    ) -> Self {
        let clock = ManualClock::default();
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for (topic, partitions) in topics {
            cluster.create_topic(*topic, *partitions).unwrap();
        }
        let producer = cluster.producer(client).unwrap();
        let settings = OutputSettings::default();
        let output = RecordCollector::new(producer, Arc::new(clock.clone()), settings, handlers.clone());
        let consumer = cluster.consumer(&ClientConfig::new()).unwrap();
        let topology = topology.for_application("app");
        World { cluster, clock, topology, handlers, max_task_idle: Some(Duration::ZERO), output, consumer }
    }

    pub(crate) fn spec(&self, task: TaskId) -> TaskSpec {
        TaskSpec::of(&self.topology, task, &|_| Vec::new()).expect("the topology has this part")
    }

    pub(crate) fn open(&self, spec: &TaskSpec) -> TaskStores {
        let open = |id: StoreId| {
            let node = self.topology.store(id).expect("the spec names stores of the topology");
            MemoryStores::new().open(&node.spec, OpenContext { task_directory: None }).unwrap()
        };
        stores(spec, spec.stores.iter().map(|store| (store.id, open(store.id))).collect())
    }

    pub(crate) fn start(&mut self, task: TaskId) -> StreamTask {
        let spec = self.spec(task);
        let stores = self.open(&spec);
        self.start_with(spec, stores, &[]).unwrap()
    }

    pub(crate) fn start_with(
        &mut self,
        spec: TaskSpec,
        stores: TaskStores,
        committed: &[(TopicPartition, CommittedOffset)],
    ) -> Result<StreamTask, TaskError> {
        let committed: HashMap<TopicPartition, Committed> =
            committed.iter().map(|(partition, offset)| (partition.clone(), Committed::of(offset))).collect();
        for partition in spec.partitions() {
            let at = committed.get(partition).map_or(Offset::ZERO, |committed| committed.offset);
            if self.consumer.position(partition).is_some() {
                self.consumer.unassign(std::slice::from_ref(partition)).unwrap();
            }
            self.consumer.assign(&[(partition.clone(), StartAt::Offset(at))]).unwrap();
        }
        let settings = TaskSettings {
            max_task_idle: self.max_task_idle,
            emit_interval: Duration::from_secs(1),
            handlers: self.handlers.clone(),
            application: Arc::default(),
            cache: Rc::new(Budget::new(0)),
        };
        let parts = Parts { topology: &self.topology, spec, stores, globals: HashMap::new(), committed, settings };
        StreamTask::start(parts, &mut self.output, self.clock.now())
    }

    pub(crate) fn write(&self, to: &str, partition: i32, key: Option<&str>, value: &str, at: i64) {
        let (key, value) = (key.map(str::as_bytes), Some(value.as_bytes()));
        let to = TopicPartition::new(to, partition);
        self.cluster.produce_to(&to, key, value, Timestamp::from_millis(at), &Headers::new()).unwrap();
    }

    /// What lies in the log and was not read yet comes to the task.
    pub(crate) fn fetch(&mut self, task: &mut StreamTask) {
        let mut batches = Vec::new();
        self.consumer.poll(Deadline::NOW, &mut batches).unwrap();
        for batch in batches {
            task.enqueue(batch).unwrap();
        }
        let partitions: Vec<TopicPartition> = task.spec().partitions().cloned().collect();
        for partition in &partitions {
            task.heard(partition, self.consumer.position(partition), self.consumer.watermarks(partition));
        }
    }

    pub(crate) fn process(&mut self, task: &mut StreamTask) -> Result<usize, TaskError> {
        self.fetch(task);
        self.process_up_to(task, usize::MAX)
    }

    /// Processes what waits, as long as that is no more than `limit` records; gives how many it was.
    pub(crate) fn process_up_to(&mut self, task: &mut StreamTask, limit: usize) -> Result<usize, TaskError> {
        let (mut processed, now) = (0, self.clock.now());
        task.process(&mut self.output, now, &mut |taken| {
            processed += usize::from(taken == Taken::Processed);
            (processed < limit).then_some(now)
        })?;
        Ok(processed)
    }

    pub(crate) fn commit(
        &mut self,
        task: &mut StreamTask,
    ) -> Result<Vec<(TopicPartition, CommittedOffset)>, TaskError> {
        task.prepare_commit(&mut self.output, self.clock.now())?;
        self.output.flush(FAR).unwrap();
        let offsets = task.offsets(&mut self.output)?;
        task.post_commit(offsets.clone(), &self.output)?;
        Ok(offsets)
    }

    /// The values of a topic with their partitions.
    pub(crate) fn values(&self, topic: &str) -> Vec<(i32, String)> {
        let records = self.cluster.records(&Topic::from(topic)).into_iter();
        records.map(|(partition, record)| (partition, text(record.value.as_deref()))).collect()
    }
}

/// Open stores as those of the task.
pub(crate) fn stores(spec: &TaskSpec, stores: HashMap<StoreId, Store>) -> TaskStores {
    let directory = StateDirectory::open(&std::env::temp_dir(), "app", false).unwrap();
    TaskStores::of(spec, stores, directory.claim(spec.id).unwrap()).unwrap()
}

pub(crate) fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}
