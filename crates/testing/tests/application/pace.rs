//! What gets through while commits, or records, take long: all in virtual time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_client_memory::ManualClock;
use headwater_record::{Clock, Headers, Timestamp, Topic, TopicPartition};
use headwater_runtime::{CloseOptions, Driven, State};

use crate::graph::{ticking, word_count_with};
use crate::threads::{self, PATIENCE};
use crate::world::{APPLICATION, World};

/// One way over the network, and `commit.interval.ms`.
const NETWORKS: [u64; 5] = [0, 25, 50, 200, 500];
const INTERVALS: [u64; 4] = [100, 200, 1_000, 30_000];
/// For how long it is counted.
const SPAN: Duration = Duration::from_secs(40);

/// An application that counts words, each of which costs some time, over a network that has its own.
struct Distant {
    world: World,
    lines: Arc<AtomicU64>,
    instances: Vec<Driven>,
}

impl Distant {
    /// Lines cost `micros` each.
    fn start(micros: u64, commit_interval: u64) -> Self {
        let mut world = World::new();
        let lines = Arc::new(AtomicU64::new(0));
        let (counted, clock) = (Arc::clone(&lines), world.clock.clone());
        let topology = word_count_with(move |_| {
            let before = counted.fetch_add(1, Ordering::Relaxed) * micros;
            clock.advance(Duration::from_millis((before + micros) / 1_000 - before / 1_000));
        });
        let builder = world
            .builder_of(topology, 1)
            .set("commit.interval.ms", commit_interval.to_string())
            .set("repartition.purge.interval.ms", "3600000");
        let mut instances = vec![builder.drive().unwrap()];
        // Whatever is asked only once has been asked.
        world.feed(100);
        world.settle(&mut instances);
        lines.store(0, Ordering::Relaxed);
        Distant { world, lines, instances }
    }

    /// How many lines were processed in [`SPAN`], of those that `due` says are there after so long.
    fn lines_in_span(mut self, one_way: u64, due: impl Fn(Duration) -> u64) -> u64 {
        let clock: ManualClock = self.world.clock.clone();
        if one_way > 0 {
            self.world.cluster.faults().delay_answers(&clock, Duration::from_millis(2 * one_way));
        }
        let (topic, headers, began) = (Topic::from("lines"), Headers::new(), clock.now());
        let mut fed = 0;
        while clock.now().since(began) < SPAN {
            while fed < due(clock.now().since(began)) {
                fed += 1;
                let word = format!("w{}", fed % 300);
                self.world.cluster.produce(&topic, None, Some(word.as_bytes()), Timestamp::UNKNOWN, &headers).unwrap();
            }
            let before = clock.now();
            self.instances[0].turn();
            if clock.now() == before {
                clock.advance(Duration::from_millis(50));
            }
        }
        self.lines.load(Ordering::Relaxed)
    }
}

/// Checks each network and interval with what `lines` gives for them.
fn check(least: impl Fn(u64, u64) -> u64, lines: impl Fn(u64, u64) -> u64) {
    let mut short = Vec::new();
    for interval in INTERVALS {
        for one_way in NETWORKS {
            let (lines, least) = (lines(one_way, interval), least(one_way, interval));
            if lines < least {
                short.push(format!("{one_way} ms one way, an interval of {interval} ms: {lines} lines, not {least}"));
            }
        }
    }
    assert!(short.is_empty(), "{short:#?}");
}

#[test]
fn a_commit_that_takes_longer_than_its_interval_costs_no_throughput() {
    let load =
        |one_way, interval| Distant::start(120, interval).lines_in_span(one_way, |time| time.as_millis() as u64 / 4);
    let near: Vec<u64> = INTERVALS.iter().map(|interval| load(0, *interval)).collect();
    let near = |interval| near[INTERVALS.iter().position(|other| *other == interval).unwrap()];
    check(|_, interval| near(interval) * 9 / 10, load);
}

#[test]
fn all_the_time_between_commits_is_for_records() {
    const MICROS: u64 = 5_000;
    let backlog = |one_way, interval| Distant::start(MICROS, interval).lines_in_span(one_way, |_| 9_000);
    // A commit waits for two answers, and the interval begins anew at its end.
    let least = |one_way, interval| {
        let all = SPAN.as_micros() as u64 / MICROS;
        all * interval / (interval + 4 * one_way) * 9 / 10
    };
    check(least, backlog);
}

/// Lines that take long: each names its partition, and they were processed in this order.
struct Slow {
    world: World,
    seen: Arc<Mutex<Vec<String>>>,
    instances: Vec<Driven>,
}

impl Slow {
    /// `each` lines in each of `partitions`, which take `cost` each; `watch` is called after each.
    fn start(
        (partitions, each): (i32, usize),
        cost: Duration,
        settings: &[(&str, &str)],
        watch: impl Fn(&World) + Send + Sync + 'static,
    ) -> Self {
        let world = World::without_topics();
        let watched = world.clone();
        world.cluster.create_topic("lines", partitions).unwrap();
        world.cluster.create_topic("counts", partitions).unwrap();
        for partition in 0..partitions {
            let (to, value) = (TopicPartition::new("lines", partition), format!("p{partition}"));
            for _ in 0..each {
                let value = Some(value.as_bytes());
                world.cluster.produce_to(&to, None, value, Timestamp::UNKNOWN, &Headers::new()).unwrap();
            }
        }
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (all, clock) = (Arc::clone(&seen), world.clock.clone());
        let topology = word_count_with(move |line| {
            all.lock().unwrap().push(line.to_owned());
            clock.advance(cost);
            watch(&watched);
        });
        let instances = vec![world.builder_of(topology, 1).set_all(settings.iter().copied()).drive().unwrap()];
        Slow { world, seen, instances }
    }

    fn run_until_committed(&mut self, lines: i64) {
        let world = &self.world;
        world.run_until(&mut self.instances, "lines are committed", |_| {
            world.committed_lines() >= lines && world.words_are_committed()
        });
    }
}

#[test]
fn slow_records_of_many_partitions_are_processed_once_within_the_poll_interval() {
    let settings = [("max.poll.interval.ms", "20000"), ("commit.interval.ms", "30000")];
    let mut slow = Slow::start((16, 100), Duration::from_millis(20), &settings, |_| {});
    slow.run_until_committed(1_600);
    assert_eq!(slow.seen.lock().unwrap().len(), 1_600);
    let counts = slow.world.counts();
    assert_eq!(counts.len(), 16);
    assert!(counts.values().all(|count| *count == 100), "{counts:?}");
}

#[test]
fn records_that_take_a_tenth_of_the_poll_interval_get_through() {
    let settings = [("max.poll.interval.ms", "2000"), ("commit.interval.ms", "30000")];
    let mut slow = Slow::start((16, 20), Duration::from_millis(200), &settings, |_| {});
    slow.run_until_committed(320);
    assert_eq!(slow.seen.lock().unwrap().len(), 320, "none was lost with its task");
}

#[test]
fn even_one_record_in_most_of_the_poll_interval_gets_through() {
    let settings = [("max.poll.interval.ms", "2000"), ("commit.interval.ms", "100")];
    let mut slow = Slow::start((16, 2), Duration::from_millis(1_900), &settings, |_| {});
    slow.run_until_committed(32);
    assert_eq!(slow.seen.lock().unwrap().len(), 32, "none was lost with its task");
}

#[test]
fn slow_records_keep_no_partition_waiting_for_another_ones_second() {
    let mut slow = Slow::start((16, 3), Duration::from_millis(300), &[], |_| {});
    slow.run_until_committed(48);
    let seen = slow.seen.lock().unwrap();
    for round in seen.chunks(16) {
        assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 16, "{seen:?}");
    }
}

#[test]
fn slow_punctuations_of_many_tasks_each_have_their_turn_within_the_poll_interval() {
    let world = World::without_topics();
    world.cluster.create_topic("lines", 16).unwrap();
    let ticked = Arc::new(Mutex::new(Vec::new()));
    let (all, clock) = (Arc::clone(&ticked), world.clock.clone());
    let topology = ticking(move |task| {
        all.lock().unwrap().push(task.to_owned());
        clock.advance(Duration::from_secs(2));
    });
    let builder = world.builder_of(topology, 1).set("max.poll.interval.ms", "20000");
    let mut instances = vec![builder.drive().unwrap()];
    world.run_until(&mut instances, "all have ticked three times", |_| ticked.lock().unwrap().len() >= 48);
    let ticked = ticked.lock().unwrap();
    for round in ticked.chunks_exact(16) {
        assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 16, "{ticked:?}");
    }
    assert_eq!(world.cluster.group(APPLICATION).generation, 1, "no place in the group was lost");
}

#[test]
fn a_commit_waits_for_one_slow_record_at_most() {
    let (longest, last) = (Arc::new(Mutex::new(Duration::ZERO)), Mutex::new((0, Timestamp::UNKNOWN)));
    let seen = Arc::clone(&longest);
    let watch = move |world: &World| {
        let (now, committed, mut last) = (world.clock.now(), world.committed_lines(), last.lock().unwrap());
        if last.0 != committed || !last.1.is_known() {
            *last = (committed, now);
        }
        let mut longest = seen.lock().unwrap();
        *longest = longest.max(now.since(last.1));
    };
    let settings = [("commit.interval.ms", "100")];
    let mut slow = Slow::start((16, 20), Duration::from_millis(30), &settings, watch);
    slow.run_until_committed(320);
    let longest = *longest.lock().unwrap();
    // The interval, the record during which it ends, and the one before the first that sees the commit.
    assert!(longest <= Duration::from_millis(100 + 2 * 30 + 20), "{longest:?} without a commit");
}

#[test]
fn closing_waits_for_one_slow_record_at_most() {
    let cluster = threads::cluster();
    for _ in 0..400 {
        threads::feed(&cluster, "a");
    }
    let (tell, started) = channel();
    let (go, goes) = channel::<()>();
    let (tell, goes, seen) = (Mutex::new(tell), Mutex::new(goes), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&seen);
    let topology = word_count_with(move |_| {
        // Quick ones at first, so that many are taken at once.
        if counted.fetch_add(1, Ordering::SeqCst) == 99 {
            tell.lock().unwrap().send(()).unwrap();
            goes.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
    });
    let streams = threads::builder_of(topology, &cluster).set("commit.interval.ms", "3600000").start().unwrap();
    started.recv_timeout(PATIENCE).unwrap();
    streams.begin_close(CloseOptions::default());
    go.send(()).unwrap();
    streams.wait().unwrap();
    assert_eq!(streams.state(), State::NotRunning);
    assert_eq!(seen.load(Ordering::SeqCst), 100, "none began after the wish to close");
    let committed = cluster.group(APPLICATION).committed;
    let lines = committed.iter().filter(|(partition, _)| partition.topic.as_str() == "lines");
    assert_eq!(lines.map(|(_, committed)| committed.offset.value()).sum::<i64>(), 100, "and all were committed");
}
