//! Exactly-once: readers of committed records see each count once and in order, whoever dies and whatever answer is lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_client_memory::{Api, Cluster, ClusterConfig, ManualClock, TransactionProtocol};
use headwater_record::{Timestamp, Topic};
use headwater_runtime::{Builder, CloseOptions, Driven, ErrorKind, NoDefault, State, StoreMakers};

use crate::chaos::Dice;
use crate::disk::Directory;
use crate::disk_store::{InMemory, OnDisk};
use crate::world::{APPLICATION, World, memory_stores};

/// What members ask of the cluster.
const APIS: [Api; 14] = [
    Api::Produce,
    Api::Fetch,
    Api::CreateTopics,
    Api::ListOffsets,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
    Api::OffsetFetch,
    Api::InitProducerId,
    Api::AddPartitionsToTxn,
    Api::AddOffsetsToTxn,
    Api::TxnOffsetCommit,
    Api::EndTxn,
    Api::LeaveGroup,
];

fn exactly_once(builder: Builder<NoDefault>) -> Builder<NoDefault> {
    builder.set("processing.guarantee", "exactly_once_v2")
}

/// What readers of committed records see of each word, in the order of its partition.
fn committed_counts(world: &World) -> BTreeMap<String, Vec<i64>> {
    let mut counts = BTreeMap::<_, Vec<_>>::new();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    for (_, record) in world.cluster.committed_records(&Topic::from("counts")) {
        let count = text(record.value.as_deref()).parse().unwrap();
        counts.entry(text(record.key.as_deref())).or_default().push(count);
    }
    counts
}

fn expected_counts(world: &World) -> BTreeMap<String, Vec<i64>> {
    world.expected.iter().map(|(word, count)| (word.clone(), (1..=*count).collect())).collect()
}

/// Turns until all is committed: each count once, in order.
fn settle(world: &World, instances: &mut [Driven]) {
    let lines = world.fed() as i64;
    world.run_until(instances, "all lines and words are committed", |_| {
        world.committed_lines() == lines && world.words_are_committed()
    });
    world.run_until(instances, "all counts are committed", |_| {
        let counts = committed_counts(world);
        world.expected.iter().all(|(word, count)| counts.get(word).is_some_and(|seen| seen.len() as i64 >= *count))
    });
    assert_eq!(committed_counts(world), expected_counts(world), "each count is seen once and in order");
}

#[test]
fn what_is_not_committed_is_not_seen() {
    for (guarantee, seen) in [("exactly_once_v2", 0), ("at_least_once", 100)] {
        let mut world = World::new();
        let builder = world.builder(1).set("processing.guarantee", guarantee).set("commit.interval.ms", "5000");
        let mut instances = vec![builder.drive().unwrap()];
        world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
        world.feed(50);
        // Words reach the second task by a topic: under exactly-once only those that are committed.
        world.run(&mut instances, 100);
        let counted: usize = committed_counts(&world).values().map(Vec::len).sum();
        assert_eq!(counted, seen, "{guarantee}");
        settle(&world, &mut instances);
    }
}

#[test]
fn the_producer_is_named_after_application_process_and_thread() {
    let mut world = World::new();
    let builder = exactly_once(world.builder(0xa)).threads(2);
    let mut instances = vec![builder.drive().unwrap()];
    world.feed(20);
    settle(&world, &mut instances);
    for thread in [1, 2] {
        let id = format!("{APPLICATION}-00000000-0000-0000-0000-00000000000a-{thread}");
        assert!(world.cluster.transaction(&id).is_some(), "{id}");
    }
}

#[test]
fn a_closed_application_leaves_no_transaction_open() {
    let mut world = World::new();
    let mut instances = vec![exactly_once(world.builder(1)).drive().unwrap()];
    world.feed(20);
    world.run(&mut instances, 20);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    let all: usize = world.cluster.records(&Topic::from("counts")).len();
    let seen: usize = committed_counts(&world).values().map(Vec::len).sum();
    assert_eq!(seen, all, "what it wrote is committed");
}

#[test]
fn an_interval_longer_than_transactions_may_last_is_refused_in_javas_words() {
    let world = World::new();
    let builder = exactly_once(world.builder(1)).set("commit.interval.ms", "20000");
    let error = builder.drive().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = "Transaction timeout 10000 was set lower than streams commit interval 20000";
    assert!(error.to_string().contains(said), "{error}");
    let builder = exactly_once(world.builder(1)).set("commit.interval.ms", "20000");
    builder.set("producer.transaction.timeout.ms", "30000").drive().unwrap();
}

/// Instances that come, go and die, on a cluster that fails.
struct Chaos {
    world: World,
    dice: Dice,
    instances: Vec<Driven>,
    next_id: u128,
    /// Where state lies; `None` for memory.
    directory: Option<Directory>,
    protocol: TransactionProtocol,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(7919) + 1);
        let protocol = if dice.below(2) == 0 { TransactionProtocol::One } else { TransactionProtocol::Two };
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let config = ClusterConfig { transaction_protocol: protocol, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(clock.clone()), config);
        let world = World::on(clock, cluster);
        let directory = (dice.below(2) == 0).then(Directory::new);
        let mut chaos = Chaos { world, dice, instances: Vec::new(), next_id: 1, directory, protocol };
        chaos.join();
        chaos
    }

    /// Another instance, one time in two on the state of one that has died.
    fn join(&mut self) {
        let mut builder = exactly_once(self.world.builder(self.next_id));
        builder = builder.set("num.standby.replicas", (self.next_id % 2).to_string());
        builder = match &self.directory {
            None => builder.stores(memory_stores()),
            Some(directory) => {
                let stores = StoreMakers { in_memory: Arc::new(InMemory), persistent: Some(Arc::new(OnDisk)) };
                let place = directory.0.join(self.dice.below(6).to_string());
                builder.stores(stores).set("dsl.store.suppliers.class", "rocksDB").state_dir(place)
            }
        };
        self.next_id += 1;
        // Who has the state of one that still lives is refused.
        if let Ok(instance) = builder.threads(1 + self.dice.below(2)).drive() {
            self.instances.push(instance);
        }
    }

    fn step(&mut self) {
        let (times, late) = (1 + self.dice.below(3) as u32, Duration::from_millis(50 << self.dice.below(8)));
        let api = APIS[self.dice.below(APIS.len())];
        let faults = self.world.cluster.faults();
        match self.dice.below(16) {
            0 if self.instances.len() < 4 => self.join(),
            1 if self.instances.len() > 1 => {
                let victim = self.dice.below(self.instances.len());
                self.instances[victim].begin_close(CloseOptions::default());
            }
            2 if !self.instances.is_empty() => {
                let victim = self.dice.below(self.instances.len());
                drop(self.instances.remove(victim));
                self.world.clock.advance(Duration::from_secs(self.dice.below(30) as u64));
            }
            3 => faults.fail_next(api, times, ClientError::TimedOut { request: "chaos".into() }),
            4 => faults.lose_responses(api, times),
            5 => faults.lose_requests(api, times),
            6 => faults.delay_requests(api, 1, late),
            7 if self.protocol == TransactionProtocol::Two => faults.repeat_requests(api, 1, late),
            8 => faults.move_coordinator(api, times),
            // Longer than a session, or than a transaction, may last.
            9 => self.world.clock.advance(Duration::from_secs(8 + self.dice.below(50) as u64)),
            _ => {
                let lines = 1 + self.dice.below(20);
                self.world.feed(lines);
            }
        }
        let turns = 1 + self.dice.below(12);
        self.world.run(&mut self.instances, turns);
        self.instances.retain(|instance| !instance.state().is_final());
        while self.instances.is_empty() {
            self.join();
        }
    }

    fn calm_down(&mut self) {
        self.world.cluster.faults().forget_rules();
        self.world.run_until(&mut self.instances, "those that close are closed", |instances| {
            !instances.iter().any(|instance| matches!(instance.state(), State::PendingShutdown | State::PendingError))
        });
        self.instances.retain(|instance| !instance.state().is_final());
        while self.instances.is_empty() {
            self.join();
        }
        self.world.feed(5);
    }
}

/// How many seeds are tried, from which on.
fn seeds() -> std::ops::Range<u64> {
    let number = |key: &str, default: u64| std::env::var(key).ok().and_then(|it| it.parse().ok()).unwrap_or(default);
    let from = number("SEED", 0);
    from..from + number("SEEDS", 40)
}

#[test]
fn every_word_is_counted_once_whoever_dies_and_whatever_answer_is_lost() {
    for seed in seeds() {
        let mut chaos = Chaos::new(seed);
        println!("seed {seed}, {:?}, on disk: {}", chaos.protocol, chaos.directory.is_some());
        for _ in 0..60 {
            chaos.step();
        }
        chaos.calm_down();
        settle(&chaos.world, &mut chaos.instances);
    }
}
