//! One application with two stores on a cluster in this process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_client::{
    ClientConfig, ClientSupplier, CommittedOffset, GroupIdentity, GroupMembership, NewTopic, OffsetCommit,
};
use headwater_client_memory::{Cluster, ManualClock};
use headwater_record::{Clock, Deadline, Headers, Offset, Timestamp, TopicPartition};
use headwater_runtime::changelog::{
    GroupOffsets, RestoreListener, Restoring, Standby, StandbyEnd, StandbyUpdateListener, Updated, Updater,
    UpdaterSettings,
};
use headwater_runtime::directory::StateDirectory;
use headwater_runtime::task::{ConfiguredStores, StoreChoice, TaskSpec, TaskStore, TaskStores};
use headwater_store::bytes::{KeyRange, Order};
use headwater_store::{Store, StoreKind, StoreSpec};
use headwater_topology::node::{NodeSpec, SourceTopics};
use headwater_topology::{Draft, StoreId, TaskId, Topology, TopologySettings};

use crate::disk_store::{InMemory, OnDisk};

/// What a listener heard, as text.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    fn push(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl StandbyUpdateListener for Heard {
    fn on_start(&self, changelog: &TopicPartition, store: &str, from: Offset) {
        self.push(format!("follow {store} {changelog} {from}"));
    }
    fn on_batch(
        &self,
        _: &TopicPartition,
        store: &str,
        task: TaskId,
        batch_end: Offset,
        records: u64,
        ends: Option<Offset>,
    ) {
        self.push(format!("loaded {store} {task} {batch_end} {records} of {ends:?}"));
    }
    fn on_suspended(&self, _: &TopicPartition, store: &str, next: Offset, ends: Option<Offset>, why: StandbyEnd) {
        self.push(format!("left {store} {next} of {ends:?} {why:?}"));
    }
}

impl RestoreListener for Heard {
    fn on_start(&self, changelog: &TopicPartition, store: &str, from: Offset, to: Offset) {
        self.push(format!("start {store} {changelog} {from}..{to}"));
    }
    fn on_batch(&self, _: &TopicPartition, store: &str, batch_end: Offset, records: u64) {
        self.push(format!("batch {store} {batch_end} {records}"));
    }
    fn on_end(&self, _: &TopicPartition, store: &str, total: u64) {
        self.push(format!("end {store} {total}"));
    }
    fn on_suspended(&self, _: &TopicPartition, store: &str, total: u64) {
        self.push(format!("suspended {store} {total}"));
    }
}

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) clock: ManualClock,
    pub(crate) topology: Topology,
    pub(crate) root: PathBuf,
    pub(crate) directory: StateDirectory,
    pub(crate) heard: Arc<Heard>,
    pub(crate) settings: UpdaterSettings,
    /// `max.poll.records` of the updater's consumer.
    pub(crate) poll_records: usize,
    pub(crate) configured: ConfiguredStores,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

pub(crate) fn changelog(store: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(format!("app-{store}-changelog"), partition)
}

fn topology() -> Topology {
    let draft = Draft::new();
    let source = draft.add_node(NodeSpec::source("source", SourceTopics::Named(vec!["in".to_owned()]), None));
    let mut processor = NodeSpec::processor("processor", [source]);
    for store in ["a", "b"] {
        processor = processor.with_store(draft.add_store(StoreSpec::new(store, StoreKind::KeyValue)));
    }
    draft.add_node(processor);
    draft.freeze(&TopologySettings::new()).unwrap().for_application("app")
}

impl World {
    /// With changelogs of two partitions.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("headwater-changelog-{}-{number}", std::process::id()));
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        let world = World {
            cluster: Cluster::new(Arc::new(clock.clone())),
            clock,
            topology: topology(),
            directory: StateDirectory::open(&root, "app", true).unwrap(),
            root,
            heard: Arc::default(),
            settings: UpdaterSettings::default(),
            poll_records: 500,
            configured: ConfiguredStores::RocksDb,
        };
        for store in ["a", "b"] {
            world.create(&changelog(store, 0), "compact");
        }
        world
    }

    pub(crate) fn create(&self, of: &TopicPartition, cleanup: &str) {
        let configs = BTreeMap::from([("cleanup.policy".to_owned(), cleanup.to_owned())]);
        let topic = NewTopic { topic: of.topic.clone(), partitions: 2, replication_factor: 1, configs };
        self.cluster.create_topic_with(&topic).unwrap();
    }

    pub(crate) fn delete(&self, of: &TopicPartition) {
        let mut admin = self.cluster.admin(&ClientConfig::new()).unwrap();
        admin.delete_topics(std::slice::from_ref(&of.topic), Deadline::NEVER).unwrap().remove(0).unwrap();
    }

    pub(crate) fn write(&self, to: &TopicPartition, key: Option<&str>, value: Option<&str>) {
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        self.cluster.produce_to(to, key, value, Timestamp::ZERO, &Headers::new()).unwrap();
    }

    /// Writes `count` records `k<n>`, `v<n>` with n from `first` on.
    pub(crate) fn fill(&self, to: &TopicPartition, first: usize, count: usize) {
        for n in first..first + count {
            self.write(to, Some(&format!("k{n}")), Some(&format!("v{n}")));
        }
    }

    pub(crate) fn store(&self, name: &str) -> StoreId {
        self.topology.store_named(name).unwrap()
    }

    /// The task of `partition` with `stores`.
    pub(crate) fn spec(&self, partition: i32, stores: &[&str]) -> TaskSpec {
        let stores = stores.iter().map(|name| TaskStore {
            id: self.store(name),
            changelog: Some(changelog(name, partition)),
            source_changelog: false,
        });
        TaskSpec { id: TaskId::new(0, partition), inputs: Vec::new(), stores: stores.collect() }
    }

    pub(crate) fn choice(&self) -> StoreChoice<'static> {
        StoreChoice { in_memory: &InMemory, persistent: Some(&OnDisk), configured: self.configured }
    }

    pub(crate) fn open(&self, spec: &TaskSpec) -> TaskStores {
        let claim = self.directory.claim(spec.id).expect("nobody else has the task");
        TaskStores::open(&self.topology, spec, &self.choice(), claim).unwrap()
    }

    pub(crate) fn updater(&self) -> Updater {
        let config =
            ClientConfig::new().with("client.id", "restore").with("max.poll.records", self.poll_records.to_string());
        let offsets = GroupOffsets::new("app", self.cluster.membership("app", &config).unwrap());
        Updater::new(
            self.cluster.consumer(&config).unwrap(),
            self.cluster.admin(&config).unwrap(),
            Box::new(offsets),
            self.settings.clone(),
            Arc::clone(&self.heard) as Arc<dyn RestoreListener>,
        )
    }

    pub(crate) fn turn(&self, updater: &mut Updater) -> Vec<Updated> {
        updater.turn(self.clock.now(), Deadline::NOW)
    }

    /// Restores the task from what is on disk.
    pub(crate) fn restored(&self, spec: &TaskSpec) -> TaskStores {
        let mut updater = self.updater();
        updater.restore(Restoring(self.open(spec)));
        self.until_restored(&mut updater)
    }

    /// Turns until a task is restored; it must not take long.
    pub(crate) fn until_restored(&self, updater: &mut Updater) -> TaskStores {
        for _ in 0..100 {
            match self.turn(updater).pop() {
                Some(Updated::Restored(stores)) => return stores,
                Some(failed @ Updated::Failed { .. }) => panic!("{failed:?}"),
                None => self.clock.advance(Duration::from_millis(100)),
            }
        }
        panic!("not restored: {:?}", updater.progress());
    }

    pub(crate) fn followed(&self, spec: &TaskSpec) -> Updater {
        let mut updater = self.updater();
        updater.follow(Standby(self.open(spec)));
        assert!(self.turn(&mut updater).is_empty());
        updater
    }

    /// Commits `offset` of `partition` for the application.
    pub(crate) fn commit_offset(&self, partition: &TopicPartition, offset: i64) {
        let identity = GroupIdentity { group: "app".to_owned(), generation: -1, ..GroupIdentity::default() };
        let committed = CommittedOffset { offset: Offset::new(offset), metadata: String::new() };
        let commit = OffsetCommit { identity, offsets: vec![(partition.clone(), committed)] };
        let mut group: Box<dyn GroupMembership> = self.cluster.membership("app", &ClientConfig::new()).unwrap();
        group.commit_offsets(&commit, Deadline::NEVER).unwrap();
    }
}

/// The keys of a store.
pub(crate) fn keys(stores: &TaskStores, store: StoreId) -> Vec<String> {
    let Some(Store::KeyValue(store)) = stores.stores.get(&store) else { panic!("no such store") };
    let mut entries = Vec::new();
    let _ = store.scan(KeyRange::ALL, Order::Forward, usize::MAX, &mut entries).unwrap();
    entries.into_iter().map(|entry| String::from_utf8(entry.key).unwrap()).collect()
}
