//! Kafka's `EosIntegrationTest`, rebuilt on a cluster in this process: a processor that sums, tasks that fail, stand still, close and
//! crash at chosen moments. Readers of committed records see each sum once and in order.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test of one program in one process"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::record::{Headers, Offset, OwnedRecord, Topic, TopicPartition};
use headwater::runtime::changelog::RestoreListener;
use headwater::runtime::{Driven, State, UncaughtResponse};

const PARTITIONS: i32 = 2;
/// Keys, of which both partitions have some.
const KEYS: i64 = 4;
/// Longer than a member may be silent, and than `max.poll.interval.ms`; transactions last no longer either.
const TOO_LONG: Duration = Duration::from_mins(6);

/// What was heard of stores that are restored: from where, and how many records so far.
#[derive(Clone, Debug, Default)]
struct Restored(Arc<Mutex<Vec<(i64, u64)>>>);

impl RestoreListener for Restored {
    fn on_start(&self, _: &TopicPartition, _: &str, from: Offset, _: Offset) {
        self.0.lock().unwrap().push((from.value(), 0));
    }

    fn on_batch(&self, _: &TopicPartition, _: &str, _: Offset, records: u64) {
        self.0.lock().unwrap().last_mut().unwrap().1 += records;
    }
}

impl Restored {
    fn take(&self) -> Vec<(i64, u64)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn records(&self) -> u64 {
        self.0.lock().unwrap().iter().map(|(_, records)| records).sum()
    }
}

struct World {
    clock: ManualClock,
    cluster: Cluster,
    /// The next record fails, once.
    fails: Arc<AtomicBool>,
    restored: Restored,
    fed: i64,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        cluster.create_topic("numbers", PARTITIONS).unwrap();
        // Tasks of all partitions write to one.
        cluster.create_topic("sums", 1).unwrap();
        World { clock, cluster, fails: Arc::default(), restored: Restored::default(), fed: 0 }
    }

    fn topology(&self) -> Topology {
        let fails = Arc::clone(&self.fails);
        let builder = StreamsBuilder::new();
        let sums = builder.stream::<i64, i64>("numbers").group_by_key().reduce(|sum, number| sum + number);
        // Its state has changed by then.
        let sums = sums.to_stream().try_map_values(move |_, sum: &Option<i64>| {
            if fails.swap(false, Ordering::SeqCst) { Err("injected") } else { Ok(*sum) }
        });
        sums.to("sums");
        builder.build().unwrap()
    }

    fn instance(&self, id: u128, threads: usize, state: &Path) -> Driven {
        KafkaStreams::builder(self.topology())
            .application_id("eos")
            .on(&self.cluster)
            .set("processing.guarantee", "exactly_once_v2")
            .set("statestore.cache.max.bytes", "0")
            .set("commit.interval.ms", "2000")
            .set("producer.transaction.timeout.ms", "60000")
            .set("restore.consumer.max.poll.records", "10")
            .uncaught_error_handler(|_| UncaughtResponse::ReplaceThread)
            .restore_listener(self.restored.clone())
            .state_dir(state)
            .threads(threads)
            .process_id(id)
            .drive()
            .unwrap()
    }

    /// The next `count` numbers for each key.
    fn feed(&mut self, count: i64) {
        for number in self.fed..self.fed + count {
            for key in 0..KEYS {
                let to = TopicPartition::new("numbers", (key % i64::from(PARTITIONS)) as i32);
                let (key, value) = (key.to_be_bytes(), number.to_be_bytes());
                let time = Timestamp::UNKNOWN;
                self.cluster.produce_to(&to, Some(&key), Some(&value), time, &Headers::new()).unwrap();
            }
        }
        self.fed += count;
    }

    fn run(&self, instances: &mut [Driven], turns: usize) {
        for _ in 0..turns {
            for instance in instances.iter_mut() {
                instance.turn();
            }
            self.clock.advance(Duration::from_millis(20));
        }
    }

    fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn() -> bool) {
        for _ in 0..20_000 {
            if done() {
                return;
            }
            self.run(instances, 1);
        }
        panic!("it never came to this: {what}");
    }

    fn sums_of(records: Vec<(i32, OwnedRecord)>) -> BTreeMap<i64, Vec<i64>> {
        let number = |bytes: Option<&[u8]>| i64::from_be_bytes(bytes.unwrap().try_into().unwrap());
        let mut sums = BTreeMap::<_, Vec<_>>::new();
        for (_, record) in records {
            sums.entry(number(record.key.as_deref())).or_default().push(number(record.value.as_deref()));
        }
        sums
    }

    fn committed(&self) -> BTreeMap<i64, Vec<i64>> {
        Self::sums_of(self.cluster.committed_records(&Topic::from("sums")))
    }

    /// How many sums are in the log, and how many of them are committed.
    fn written(&self) -> (usize, usize) {
        let topic = Topic::from("sums");
        (self.cluster.records(&topic).len(), self.cluster.committed_records(&topic).len())
    }

    /// Each key's sums of all numbers that were fed.
    fn expected(&self) -> BTreeMap<i64, Vec<i64>> {
        let sums = (0..self.fed).scan(0, |sum, number| {
            *sum += number;
            Some(*sum)
        });
        let sums: Vec<i64> = sums.collect();
        (0..KEYS).map(|key| (key, sums.clone())).collect()
    }

    /// Until all is committed: each sum once, in order.
    fn settle(&self, instances: &mut [Driven]) {
        let due = (self.fed * KEYS) as usize;
        self.run_until(instances, "all is committed", || self.written().1 >= due);
        assert_eq!(self.committed(), self.expected());
    }

    /// Until all is in the log, and nothing of the last is committed.
    fn write_without_commit(&mut self, instances: &mut [Driven]) {
        // A commit has just been: the next one is far away.
        let (all, committed) = self.written();
        let last = 5;
        self.feed(last);
        self.run_until(instances, "all is written", || self.written().0 >= all + (last * KEYS) as usize);
        assert_eq!(self.written().1, committed, "nothing more is committed");
    }

    fn close(&self, instance: &mut [Driven]) {
        instance[0].begin_close(CloseOptions::default());
        for _ in 0..1_000 {
            if instance[0].state() == State::NotRunning {
                return;
            }
            self.run(instance, 1);
        }
        panic!("it is not closed: {:?}", instance[0].state());
    }
}

#[test]
fn several_transactions_follow_each_other_and_an_instance_that_closes_goes_on() {
    let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
    for _ in 0..3 {
        let mut instance = [world.instance(1, 2, state.path())];
        for _ in 0..3 {
            world.feed(10);
            world.settle(&mut instance);
        }
        // What is not committed yet is so when it is closed.
        world.write_without_commit(&mut instance);
        world.close(&mut instance);
        assert_eq!(world.committed(), world.expected());
    }
}

#[test]
fn what_a_task_wrote_that_fails_is_seen_once_and_its_state_is_what_was_committed() {
    let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
    let mut instance = [world.instance(1, 2, state.path())];
    world.feed(10);
    world.settle(&mut instance);
    world.write_without_commit(&mut instance);
    world.restored.take();
    world.fails.store(true, Ordering::SeqCst);
    world.feed(1);
    world.settle(&mut instance);
    assert!(!world.fails.load(Ordering::SeqCst), "it has failed");
    let (all, committed) = world.written();
    assert!(all > committed, "what was aborted is in the log: {all} of which {committed}");
    // Its state was not lost, and nothing of it had been written that was not committed.
    assert_eq!(world.restored.records(), 0);
    world.feed(10);
    world.settle(&mut instance);
}

#[test]
fn what_was_flushed_and_not_committed_before_a_crash_is_not_seen() {
    for wiped in [false, true] {
        let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
        let mut instance = vec![world.instance(1, 2, state.path())];
        world.feed(10);
        world.settle(&mut instance);
        world.write_without_commit(&mut instance);
        instance.clear();
        let other = tempfile::tempdir().unwrap();
        let mut instance = [world.instance(1, 2, if wiped { other.path() } else { state.path() })];
        world.settle(&mut instance);
        let (all, committed) = world.written();
        assert!(all > committed, "what was aborted is in the log: {all} of which {committed}");
        world.feed(10);
        world.settle(&mut instance);
    }
}

#[test]
fn who_stands_still_for_too_long_commits_nothing_when_it_goes_on() {
    let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
    let at = |name: &str| state.path().join(name);
    let mut both = vec![world.instance(1, 1, &at("1")), world.instance(2, 1, &at("2"))];
    world.feed(10);
    world.settle(&mut both);
    // Both have something open.
    world.write_without_commit(&mut both);
    let mut stands = both.pop().unwrap();
    world.clock.advance(TOO_LONG);
    world.feed(10);
    world.settle(&mut both);
    // It wakes in the midst of its transaction, with records that others have processed meanwhile.
    for _ in 0..50 {
        stands.turn();
    }
    assert_eq!(world.committed(), world.expected());
    both.push(stands);
    world.feed(10);
    world.settle(&mut both);
}

#[test]
fn who_closes_restores_nothing_when_it_comes_back() {
    let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
    let mut instance = [world.instance(1, 1, state.path())];
    world.feed(30);
    world.settle(&mut instance);
    world.write_without_commit(&mut instance);
    world.close(&mut instance);
    drop(instance);
    world.restored.take();
    let mut instance = [world.instance(1, 1, state.path())];
    world.feed(1);
    world.settle(&mut instance);
    let restored = world.restored.take();
    assert_eq!(restored.len(), PARTITIONS as usize);
    assert!(restored.iter().all(|(from, records)| *from > 0 && *records == 0), "{restored:?}");
}

#[test]
fn who_closes_while_it_restores_goes_on_from_there() {
    let (mut world, state) = (World::new(), tempfile::tempdir().unwrap());
    let at = |name: &str| state.path().join(name);
    let mut first = [world.instance(1, 1, &at("1"))];
    world.feed(100);
    world.settle(&mut first);
    world.close(&mut first);
    drop(first);
    world.restored.take();
    let mut instance = [world.instance(2, 1, &at("2"))];
    world.run_until(&mut instance, "some of it is restored", || world.restored.records() > 50);
    let before = world.restored.records();
    assert!(before < 300, "not all of it: {before}");
    world.close(&mut instance);
    drop(instance);
    let before = world.restored.records();
    world.restored.take();
    let mut instance = [world.instance(2, 1, &at("2"))];
    world.feed(1);
    world.settle(&mut instance);
    assert_eq!(before + world.restored.records(), 100 * KEYS as u64, "each record is restored once");
}
