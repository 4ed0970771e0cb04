//! What is said when others take long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::Cluster;
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Clock as _, Headers, Topic};
use headwater::runtime::{State, SystemClock};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::summary::{Log, logged};
use crate::world::World;

fn copies() -> Topology {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("left").to("out");
    builder.build().unwrap()
}

#[test]
fn a_coordinator_that_is_silent_for_longer_than_a_session_is_told_of_once_and_the_instance_is_not_ready() {
    let lines = logged("the coordinator of group seen", || {
        let mut world = World::new(copies(), &[("session.timeout.ms", "10000")]);
        let second = Duration::from_secs(1);
        assert!(world.instance.health().ready);
        world.cluster.faults().unreachable_until(world.clock.now().plus(Duration::from_secs(40)));
        world.run(5 * second);
        assert!(world.instance.health().ready, "it may be fine");
        world.run(9 * second);
        let health = world.instance.health();
        assert!(health.live && !health.ready, "{health:?}");
        assert!(health.reasons[0].starts_with("the group's coordinator has not answered for 1"), "{health:?}");
        world.run(20 * second);
        assert!(!world.instance.health().ready);
        world.run(30 * second);
        assert!(world.instance.health().ready, "{:?}", world.instance.health());
    });
    let [silent, answers] = &lines[..] else { panic!("{lines:#?}") };
    assert!(silent.contains("WARN") && silent.contains("has not answered for 1"), "{silent}");
    assert!(answers.contains("INFO") && answers.contains("answers again"), "{answers}");
}

#[test]
fn closing_says_once_that_it_waits_for_the_coordinator() {
    let lines = logged("has been closing for", || {
        let mut world = World::new(copies(), &[]);
        world.cluster.faults().delay_answers(&world.clock, Duration::from_hours(1));
        world.instance.begin_close(CloseOptions::default().timeout(Duration::from_secs(20)));
        world.run(Duration::from_secs(20));
        assert_eq!(world.instance.state(), State::NotRunning);
    });
    let [only] = &lines[..] else { panic!("{lines:#?}") };
    let said =
        "closing for 5 s: stream thread 1 waits for the group's coordinator, which has not answered that it leaves";
    assert!(only.contains("WARN") && only.ends_with(said), "{only}");
}

/// In threads, since it is user code that takes the time: it goes on when it was told of.
#[test]
#[allow(clippy::disallowed_methods, reason = "it waits for threads")]
fn closing_says_that_it_waits_for_a_record_that_takes_long() {
    let log = Log::default();
    let told = |log: &Log| -> Vec<String> {
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains("has been closing")).map(str::to_owned).collect()
    };
    let writer = log.clone();
    tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish().init();
    let cluster = Cluster::new(Arc::new(SystemClock));
    for topic in ["left", "out"] {
        cluster.create_topic(topic, 1).unwrap();
    }
    let builder = StreamsBuilder::new();
    let (takes_long, own_log) = (Arc::new(AtomicBool::new(false)), log.clone());
    let busy = Arc::clone(&takes_long);
    let stands = move |_: &String, _: &String| {
        busy.store(true, Ordering::SeqCst);
        while told(&own_log).is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    builder.stream::<String, String>("left").peek(stands).to("out");
    let builder = KafkaStreams::builder(builder.build().unwrap()).application_id("closes").on(&cluster);
    let streams = builder.start().unwrap();
    cluster.produce(&Topic::from("left"), Some(b"k"), Some(b"v"), SystemClock.now(), &Headers::new()).unwrap();
    while !takes_long.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
    streams.close(CloseOptions::default()).unwrap();
    let lines = told(&log);
    let [only] = &lines[..] else { panic!("{lines:#?}") };
    let said = "stream thread 1 waits for the record, the listener or the rebalance that it is busy with";
    assert!(only.contains("WARN") && only.ends_with(said), "{only}");
}
