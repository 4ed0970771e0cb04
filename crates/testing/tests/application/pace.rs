//! What gets through while commits, or records, take long: all in virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headwater_client_memory::ManualClock;
use headwater_record::{Clock, Headers, Timestamp, Topic};
use headwater_runtime::Driven;

use crate::graph::word_count_with;
use crate::world::World;

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
