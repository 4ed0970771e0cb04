//! An instance stands still in the middle of a turn for longer than its session. Another takes its tasks over; when it goes on it has
//! more to write that is not true any more, and writes none of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use headwater::prelude::{KStream, Materialized, StreamsBuilder, Topology};
use headwater_record::{Clock, Headers, Timestamp, Topic};
use headwater_runtime::{Driven, State};

use crate::metrics::Counters;
use crate::world::{APPLICATION, World};

const CHANGELOG: &str = "word-count-counts-changelog";
/// Longer than a session.
const PAUSE: Duration = Duration::from_secs(50);
const SESSION: Duration = Duration::from_secs(45);

thread_local! {
    /// What happens while an instance is in the middle of the record `freeze`. It happens once.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static OTHER: RefCell<Vec<Driven>> = const { RefCell::new(Vec::new()) };
}

/// Counts of words, whose last record stops whoever processes it.
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let words: KStream<String, String> = builder.stream("words");
    let words = words.peek(|_, value| {
        if value == "freeze"
            && let Some(meanwhile) = MEANWHILE.take()
        {
            meanwhile();
        }
    });
    words.group_by_key().count_with(Materialized::named("counts")).to_stream().to("counts");
    builder.build().unwrap()
}

fn world(partitions: i32) -> World {
    let world = World::without_topics();
    for topic in ["words", "counts"] {
        world.cluster.create_topic(topic, partitions).unwrap();
    }
    world
}

/// What is cached is shown when it is committed, every 30 s.
fn instance(world: &World, id: u128, settings: &[(&str, &str)]) -> Driven {
    let builder = world.builder_of(topology(), id).set("commit.interval.ms", "30000");
    settings.iter().fold(builder, |builder, (key, value)| builder.set(*key, *value)).drive().unwrap()
}

fn say(world: &World, word: &str, value: &str) {
    let (key, value) = (Some(word.as_bytes()), Some(value.as_bytes()));
    world.cluster.produce(&Topic::from("words"), key, value, Timestamp::UNKNOWN, &Headers::new()).unwrap();
}

/// The last count of each word in a topic, and how often a count was lower than one before it.
fn counts(world: &World, topic: &str) -> (BTreeMap<String, i64>, usize) {
    let (mut last, mut low) = (BTreeMap::new(), 0);
    for (_, record) in world.cluster.committed_records(&Topic::from(topic)) {
        let word = String::from_utf8(record.key.unwrap().to_vec()).unwrap();
        let value = record.value.unwrap();
        // The changelog has the time before the count.
        let count = i64::from_be_bytes(value[value.len() - 8..].try_into().unwrap());
        low += usize::from(last.insert(word, count).is_some_and(|before| before > count));
    }
    (last, low)
}

/// Has an instance stand still, with counts that it has not written, until another has counted everything and more.
fn stand_still(settings: &'static [(&str, &str)]) -> World {
    let world = world(1);
    let mut instances = vec![instance(&world, 1, settings)];
    world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
    let client = world.cluster.group(APPLICATION).members[0].client_id.clone();
    for word in 0..10 {
        (0..3).for_each(|_| say(&world, &format!("w{word}"), ""));
    }
    say(&world, "w0", "freeze");
    let meanwhile = world.clone();
    MEANWHILE.set(Some(Box::new(move || {
        let world = meanwhile;
        let (group, faults) = (|| world.cluster.group(APPLICATION), world.cluster.faults());
        faults.of_client(client).unreachable_until(world.clock.now().plus(PAUSE));
        world.clock.advance(SESSION);
        assert!(group().members.is_empty(), "its session is over");
        let mut other = vec![instance(&world, 2, settings)];
        for word in 0..10 {
            (0..4).for_each(|_| say(&world, &format!("w{word}"), ""));
        }
        let read = |world: &World| world.cluster.topic(&Topic::from("words")).unwrap().partitions[0].high;
        world.run_until(&mut other, "it has counted all", |_| {
            group().committed.values().any(|committed| committed.offset == read(&world))
        });
        OTHER.set(other);
    })));
    world.run_until(&mut instances, "it stood still", |_| OTHER.with_borrow(|other| !other.is_empty()));
    instances.extend(OTHER.take());
    world.run(&mut instances, 200);
    assert!(instances.iter().all(|instance| instance.state() == State::Running));
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 2);
    world.clock.advance(Duration::from_secs(30));
    world.run(&mut instances, 20);
    world
}

/// Whether each word is counted `twice` at most: what was sent and not committed is counted again.
fn check(world: &World, twice: bool) {
    for topic in ["counts", CHANGELOG] {
        let (last, low) = counts(world, topic);
        assert_eq!(low, 0, "{topic}: {last:?}");
        assert_eq!(last.len(), 10, "{topic}");
        for (word, count) in last {
            let (before, after) = (3 + i64::from(word == "w0"), 4);
            let most = if twice { 2 * before + after } else { before + after };
            assert!((before + after..=most).contains(&count), "{topic}: {count} of {word}");
        }
    }
}

#[test]
fn what_is_cached_is_not_written_by_who_has_lost_it() {
    check(&stand_still(&[]), false);
}

#[test]
fn what_waits_in_the_producer_is_dropped_and_counted() {
    let counters = Counters::default();
    let world = metrics::with_local_recorder(&counters, || stand_still(&[("statestore.cache.max.bytes", "0")]));
    check(&world, true);
    assert!(counters.value("headwater_abandoned_records_total") > 0);
}

#[test]
fn exactly_once_is_none_the_worse() {
    let settings = &[("processing.guarantee", "exactly_once_v2"), ("producer.transaction.timeout.ms", "40000")];
    check(&stand_still(settings), false);
}

#[test]
fn what_could_not_be_written_before_tasks_went_elsewhere_is_not_written_afterwards() {
    let world = world(4);
    let settings = [("statestore.cache.max.bytes", "0"), ("commit.interval.ms", "100")];
    let committed = || {
        let (group, words) = (world.cluster.group(APPLICATION), world.cluster.topic(&Topic::from("words")).unwrap());
        let ends: i64 = words.partitions.iter().map(|marks| marks.high.value()).sum();
        group.committed.values().map(|committed| committed.offset.value()).sum::<i64>() == ends
    };
    let say_all = |times| (0..times).for_each(|_| (0..10).for_each(|word| say(&world, &format!("w{word}"), "")));
    let mut instances = vec![instance(&world, 1, &settings)];
    say_all(3);
    world.run_until(&mut instances, "all is counted", |_| committed());
    let producer = world.cluster.group(APPLICATION).members[0].client_id.replace("-consumer", "-producer");
    world.cluster.faults().of_client(producer).unreachable_until(world.clock.now().plus(Duration::from_mins(1)));
    say_all(1);
    world.run(&mut instances, 5);
    instances.push(instance(&world, 2, &settings));
    world.run_until(&mut instances, "the second has tasks", |instances| instances[1].state() == State::Running);
    say_all(2);
    world.run(&mut instances[1..], 50);
    world.clock.advance(Duration::from_secs(40));
    world.run(&mut instances, 100);
    world.clock.advance(Duration::from_secs(30));
    world.run_until(&mut instances, "all is counted", |_| committed());
    for topic in ["counts", CHANGELOG] {
        let (last, low) = counts(&world, topic);
        assert_eq!(low, 0, "{topic}: {last:?}");
        assert!(last.len() == 10 && last.values().all(|count| *count >= 6), "{topic}: {last:?}");
    }
}
