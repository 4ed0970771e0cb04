//! Why nothing was handed on.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Clock as _, TopicPartition};
use headwater::runtime::{DropReason, ErrorKind, HoldKind};

use crate::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Counts of each second, with a second of grace, handed on when they are final.
fn suppressed() -> Topology {
    let builder = StreamsBuilder::new();
    let seconds = TimeWindows::of_size_and_grace(SECOND, SECOND);
    let counts = builder.stream::<String, String>("left").group_by_key().windowed_by(seconds);
    let counts = counts.count_with(Materialized::named("counts"));
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("finals");
    counts.suppress(finals).to_stream().map(|key, count| (key.key.clone(), *count)).to_with("out", Produced::by_type());
    builder.build().unwrap()
}

#[test]
fn a_suppression_tells_what_waits_and_which_partition_stands_still() {
    let mut world = World::new(suppressed(), &[]);
    let (task, text) = world.explain("finals");
    assert_eq!(task.stream_time(), Timestamp::UNKNOWN);
    assert!(text.contains("no record has come to it yet"), "{text}");
    for (key, time) in [("a", 1_100), ("b", 1_200), ("a", 1_300), ("c", 2_500)] {
        world.feed("left", key, time);
    }
    world.run(5 * SECOND);
    let (task, text) = world.explain("finals");
    let held = task.node.held.unwrap();
    assert_eq!((held.kind, held.stream_time, held.due), (HoldKind::Suppressed, at(2_500), Some(at(3_000))));
    assert_eq!((held.records, world.out()), (Some(3), 0));
    assert!(held.bytes.is_some_and(|bytes| bytes > 100), "{held:?}");
    assert_eq!(task.node.handed_on.values().sum::<u64>(), 0);
    let input = &task.inputs[&TopicPartition::new("left", 0)];
    assert!(input.since.is_known() && input.lag() == Some(0), "{input:?}");
    for said in [
        "finals hands the last change on when a record comes",
        "handed on nothing",
        "no records come from left-0 since 1970-01-01T00:16:4",
        "so stream time stands still",
        "3 records wait",
        "its stream time is 1970-01-01T00:00:02.500Z; the first of them is due at stream time 1970-01-01T00:00:03.000Z, 500 ms later",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // What is late for the table does not come so far; what moves stream time on lets the windows of the first second go.
    world.feed("left", "d", 3_000);
    world.feed("left", "late", 1_400);
    world.run(3 * SECOND);
    let (task, _) = world.explain("finals");
    let held = task.node.held.unwrap();
    assert_eq!((held.stream_time, held.due, held.records), (at(3_000), Some(at(4_000)), Some(2)));
    assert_eq!((world.out(), task.node.handed_on.values().sum::<u64>()), (2, 2));
    let (task, text) = world.explain("KSTREAM-AGGREGATE-0000000001");
    assert_eq!(task.node.dropped, BTreeMap::from([(DropReason::Late, 1)]));
    assert_eq!(task.node.held.map(|held| (held.kind, held.due)), Some((HoldKind::WindowUpdates, Some(at(4_000)))));
    assert!(text.contains("1 records were left out: late"), "{text}");
}

#[test]
fn windows_that_are_final_when_they_close_tell_when_the_next_one_does() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(3 * SECOND, SECOND).advance_by(SECOND);
    let counts = builder.stream::<String, String>("left").group_by_key().windowed_by(windows);
    let counts = counts.emit_strategy(EmitStrategy::OnWindowClose).count();
    counts.to_stream().map(|key, count| (key.key.clone(), *count)).to_with("out", Produced::by_type());
    let mut world = World::new(builder.build().unwrap(), &[]);
    for time in [500, 2_700, 4_000] {
        world.feed("left", "a", time);
        world.run(2 * SECOND);
        let (task, text) = world.explain("KSTREAM-AGGREGATE-0000000002");
        let held = task.node.held.unwrap();
        // Windows begin at each second and are closed a second after their end: the first at 4 s.
        let due = if time < 4_000 { 4_000 } else { 5_000 };
        assert_eq!((held.kind, held.stream_time, held.due), (HoldKind::WindowFinals, at(time), Some(at(due))));
        assert!(text.contains("the next window closes at stream time"), "{text}");
        assert_eq!(world.out(), usize::from(time == 4_000));
    }
}

#[test]
fn an_empty_partition_that_is_waited_for_is_named() {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    let near = JoinWindows::of_time_difference_and_grace(SECOND, SECOND);
    left.outer_join(&right, |_, one: Option<&String>, other: Option<&String>| format!("{one:?}{other:?}"), near)
        .to("out");
    let mut world = World::new(builder.build().unwrap(), &[("max.task.idle.ms", "60000")]);
    let nodes = world.instance.snapshot().threads.into_iter().flat_map(|thread| thread.tasks.into_values());
    let nodes: Vec<_> = nodes.flat_map(|task| task.nodes).filter(|(_, node)| node.held.is_some()).collect();
    let [(one, _), (other, _)] = &nodes[..] else { panic!("both sides hold: {nodes:?}") };
    let began = world.clock.now();
    world.feed("left", "a", 1_000);
    world.run(30 * SECOND);
    let empty = TopicPartition::new("right", 0);
    let (task, text) = world.explain(one);
    assert_eq!(task.waits_for.keys().collect::<Vec<_>>(), [&empty]);
    let since = task.waits_for[&empty];
    assert!(since >= began && since <= began.plus(2 * SECOND), "{since}");
    assert!(text.contains("right-0 holds the task back since 1970-01-01T00:16:4"), "{text}");
    assert!(text.contains("1 records of other partitions wait"), "{text}");
    // It is not waited for longer than was said; then the record waits for a partner.
    world.run(40 * SECOND);
    let (task, text) = world.explain(one);
    assert!(task.waits_for.is_empty(), "{text}");
    let held = task.node.held.unwrap();
    assert_eq!((held.kind, held.stream_time, held.records), (HoldKind::StreamJoin, at(1_000), Some(1)));
    assert_eq!(held.due, Some(at(3_001)));
    assert_eq!(world.explain(other).0.node.held, Some(held), "both sides have one time");
    world.feed("right", "b", 3_001);
    world.feed("left", "c", 3_001);
    world.run(70 * SECOND);
    assert_eq!(world.out(), 1, "it found none");
    assert_eq!(world.explain(one).0.node.held.unwrap().records, Some(2));
}

#[test]
fn a_node_to_which_nothing_comes_says_so() {
    let builder = StreamsBuilder::new();
    let rows = builder.stream::<String, String>("left").filter(|_, value| value.is_empty());
    rows.group_by_key().count().to_stream().to("out");
    let mut world = World::new(builder.build().unwrap(), &[]);
    world.feed("left", "a", 1_000);
    world.run(3 * SECOND);
    let (task, text) = world.explain("KSTREAM-AGGREGATE-0000000003");
    assert_eq!(task.node.taken, 0, "{text}");
    assert!(text.contains("see what those above it leave out"), "{text}");
    let (filter, _) = world.explain("KSTREAM-FILTER-0000000001");
    assert_eq!((filter.node.taken, filter.node.handed_on.values().sum::<u64>()), (1, 0));
    let error = world.instance.explain("KSTREAM-FILTR-0000000001").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology);
    let said = "there is no node KSTREAM-FILTR-0000000001 in the topology: did you mean KSTREAM-FILTER-0000000001? There are KSTREAM-SOURCE";
    assert!(error.to_string().starts_with(said), "{error}");
}

#[test]
fn record_caches_tell_how_often_they_had_what_was_looked_for() {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("left")
        .group_by_key()
        .count_with(Materialized::named("counts"))
        .to_stream()
        .to("out");
    let mut world = World::new(builder.build().unwrap(), &[]);
    for number in 0..30 {
        world.feed("left", &format!("k{}", number % 3), 1_000);
    }
    world.run(3 * SECOND);
    let threads = world.instance.snapshot().threads;
    let used = threads.iter().flat_map(|thread| thread.tasks.values()).find_map(|task| task.caches.get("counts"));
    let used = used.unwrap();
    assert_eq!((used.entries, used.hits, used.misses), (3, 27, 3));
}
