//! Reading stores from elsewhere, under a clock that is turned by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_runtime::query::{IsolationLevel, Queries, ReadOnlyKeyValueStore};
use headwater_runtime::{CloseOptions, Driven, Error, ErrorKind, State, StoreMakers};
use headwater_topology::state::StoreHandle;

use crate::disk_store::InMemory;
use crate::world::World;

/// The counts, as text.
type Counts = ReadOnlyKeyValueStore<String, String>;

fn counts(queries: &Queries) -> Counts {
    queries.key_value_store(&StoreHandle::<String, String>::named("counts")).unwrap()
}

fn all(store: &Counts) -> Result<BTreeMap<String, i64>, Error> {
    store.all()?.map(|entry| Ok(number(entry?))).collect()
}

pub(crate) fn number((word, count): (String, String)) -> (String, i64) {
    (word, count.parse().unwrap())
}

pub(crate) fn kind<T: std::fmt::Debug>(asked: Result<T, Error>) -> ErrorKind {
    asked.unwrap_err().kind()
}

/// What was committed: an answer that waits for no turn.
pub(crate) fn committed(instance: &Driven) -> Queries {
    instance.queries().with_isolation(IsolationLevel::ReadCommitted)
}

/// What `ask` finds on another thread, while this one takes turns.
pub(crate) fn meanwhile<T: Send>(instances: &mut [Driven], ask: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        while !asking.is_finished() {
            instances.iter_mut().for_each(Driven::turn);
        }
        asking.join().unwrap()
    })
}

/// Asks once, so that the store in memory makes views, and lets the commit come.
pub(crate) fn shown(world: &World, instances: &mut [Driven], queries: impl Fn(&Driven) -> Queries) {
    let _: Vec<_> = instances.iter().map(|instance| all(&counts(&queries(instance)))).collect();
    world.run(instances, 20);
}

#[test]
fn each_instance_answers_from_the_partitions_it_has() {
    let mut world = World::new();
    let mut instances =
        vec![world.builder(1).threads(2).drive().unwrap(), world.builder(2).threads(2).drive().unwrap()];
    world.feed(60);
    world.settle(&mut instances);
    let first = all(&counts(&committed(&instances[0])));
    assert_eq!(kind(first), ErrorKind::Unavailable, "a store in memory has its first view after a commit");
    shown(&world, &mut instances, committed);
    let parts: Vec<_> = instances.iter().map(|instance| all(&counts(&committed(instance))).unwrap()).collect();
    assert!(parts.iter().all(|part| !part.is_empty()));
    assert_eq!(parts.iter().map(BTreeMap::len).sum::<usize>(), world.expected.len(), "no key is in two");
    assert_eq!(parts.concat_all(), world.expected);
    for (word, count) in &world.expected {
        let found = instances.iter().filter_map(|instance| counts(&committed(instance)).get(word).unwrap());
        assert_eq!(found.collect::<Vec<_>>(), [count.to_string()], "{word}");
    }
    // Partition by partition, and in order of the keys within each.
    let store = |partition| counts(&committed(&instances[0]).with_partition(partition));
    let mut by_partition = BTreeMap::new();
    for partition in 0..4 {
        match store(partition).all() {
            Ok(entries) => by_partition.extend(entries.map(|entry| number(entry.unwrap()))),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    }
    assert_eq!(by_partition, parts[0]);
    let (whole, word) = (counts(&committed(&instances[0])), parts[0].keys().next().unwrap().clone());
    assert_eq!(whole.approximate_num_entries().unwrap(), parts[0].len() as u64);
    let within = |entries: Vec<Result<(String, String), Error>>| entries.into_iter().map(|entry| entry.unwrap().0);
    assert!(within(whole.range(word.clone()..).unwrap().collect()).all(|key| key >= word));
    assert!(within(whole.range(..word.clone()).unwrap().collect()).all(|key| key < word));
    assert_eq!(within(whole.prefix_scan(b"w1").unwrap().collect()).filter(|key| !key.starts_with("w1")).count(), 0);
    let mut turned: Vec<_> = within(whole.reverse_all().unwrap().collect()).collect();
    turned.sort();
    assert_eq!(turned, parts[0].keys().cloned().collect::<Vec<_>>());
}

trait ConcatAll {
    fn concat_all(&self) -> BTreeMap<String, i64>;
}

impl ConcatAll for Vec<BTreeMap<String, i64>> {
    fn concat_all(&self) -> BTreeMap<String, i64> {
        self.iter().flatten().map(|(word, count)| (word.clone(), *count)).collect()
    }
}

#[test]
fn what_is_read_is_what_was_committed_and_stays_so_while_one_reads() {
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let mut world = World::new();
        let builder = world.builder(1).set("processing.guarantee", guarantee).set("commit.interval.ms", "5000");
        let mut instances = vec![builder.drive().unwrap()];
        world.feed(60);
        world.settle(&mut instances);
        shown(&world, &mut instances, committed);
        let store = counts(&committed(&instances[0]));
        let before = world.expected.clone();
        assert_eq!(all(&store).unwrap(), before, "{guarantee}");
        let mut reading = store.all().unwrap();
        let first = reading.next().unwrap().unwrap();
        world.feed(60);
        // It is counted, and not committed.
        let uncommitted = |instances: &mut Vec<Driven>| {
            for _ in 0..200 {
                world.run(instances, 1);
                if all(&store).unwrap() != before {
                    return false;
                }
                if instances[0].local_threads()[0].tasks.values().any(|task| {
                    task.inputs.values().any(|input| input.position != input.committed && input.lag() == Some(0))
                }) {
                    return true;
                }
            }
            false
        };
        assert!(uncommitted(&mut instances), "{guarantee}: there was a moment at which something was not committed");
        world.settle(&mut instances);
        assert_eq!(all(&store).unwrap(), world.expected, "{guarantee}");
        let rest = reading.map(Result::unwrap);
        assert_eq!(
            std::iter::once(first).chain(rest).map(number).collect::<BTreeMap<_, _>>(),
            before,
            "{guarantee}: one moment"
        );
    }
}

#[test]
fn stores_go_with_their_tasks() {
    let mut world = World::new();
    let mut instances =
        vec![world.builder(1).threads(2).drive().unwrap(), world.builder(2).threads(2).drive().unwrap()];
    world.feed(60);
    world.settle(&mut instances);
    shown(&world, &mut instances, committed);
    let (queries, mut reading) = {
        let queries = committed(&instances[0]);
        let reading = counts(&queries).all().unwrap();
        (queries, reading)
    };
    let began: Vec<_> = reading.by_ref().take(1).collect();
    assert!(began.iter().all(Result::is_ok));
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert_eq!(kind(counts(&queries).get(&"w1".to_owned())), ErrorKind::Unavailable);
    // What was read at once is handed out; then it says that there is no more to be had, once.
    let last: Vec<_> = reading.filter(Result::is_err).map(kind).collect();
    assert!(last.is_empty() || last == [ErrorKind::Unavailable], "{last:?}");
    instances.remove(0);
    world.feed(20);
    world.settle(&mut instances);
    shown(&world, &mut instances, committed);
    assert_eq!(all(&counts(&committed(&instances[0]))).unwrap(), world.expected);
}

#[test]
fn standbys_are_read_when_asked_for() {
    let mut world = World::new();
    let with_standby = |id| world.builder(id).set("num.standby.replicas", "1").drive().unwrap();
    let mut instances = vec![with_standby(1), with_standby(2)];
    world.feed(60);
    world.settle(&mut instances);
    world.run(&mut instances, 100);
    shown(&world, &mut instances, |instance| committed(instance).with_stale());
    world.run(&mut instances, 20);
    for instance in &instances {
        assert_eq!(all(&counts(&committed(instance).with_stale())).unwrap(), world.expected);
        assert!(all(&counts(&committed(instance))).unwrap().len() < world.expected.len());
    }
}

#[test]
fn a_standby_that_went_elsewhere_is_nothing_to_wait_for() {
    let mut world = World::new();
    let with_standby = |world: &World, id| world.builder(id).set("num.standby.replicas", "1").drive().unwrap();
    let mut instances = vec![with_standby(&world, 1), with_standby(&world, 2)];
    world.feed(60);
    world.settle(&mut instances);
    instances.extend([with_standby(&world, 3), with_standby(&world, 4)]);
    world.feed(60);
    world.settle(&mut instances);
    world.run(&mut instances, 200);
    shown(&world, &mut instances, committed);
    let parts: Vec<_> = instances.iter().map(|instance| all(&counts(&committed(instance))).unwrap()).collect();
    assert_eq!(parts.concat_all(), world.expected);
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    let queries = committed(&instances[0]);
    let asked = counts(&queries).get(&"w1".to_owned());
    assert_eq!(
        asked.unwrap_err().to_string(),
        "store counts cannot be read here now: this instance has no task with it (the application is REBALANCING)"
    );
    world.feed(10);
    world.settle(&mut instances);
    let counts = StoreHandle::<String, i64>::named("counts");
    let error = queries.window_store(&counts).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Config, "store counts is no window store, but a key-value store: open it by `key_value_store`")
    );
    let error = queries.key_value_store(&StoreHandle::<String, i64>::named("count")).unwrap_err();
    assert_eq!(error.to_string(), "there is no store count in the topology: did you mean counts? There is counts");
}

#[test]
fn a_store_without_views_is_refused_with_what_it_needs() {
    let mut world = World::new();
    let stores = StoreMakers { in_memory: Arc::new(InMemory), persistent: None };
    let mut instances = vec![world.builder(1).stores(stores).drive().unwrap()];
    world.feed(10);
    world.settle(&mut instances);
    let error = counts(&committed(&instances[0])).get(&"w1".to_owned()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("StateStore::views"), "{error}");
}

#[test]
fn what_is_not_committed_is_read_and_stays_so_while_one_reads() {
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let mut world = World::new();
        let builder = world.builder(1).set("processing.guarantee", guarantee).set("commit.interval.ms", "5000");
        let mut instances = vec![builder.threads(2).drive().unwrap()];
        world.feed(60);
        world.settle(&mut instances);
        shown(&world, &mut instances, committed);
        let (store, before) = (counts(&instances[0].queries()), world.expected.clone());
        let mut reading = meanwhile(&mut instances, || store.all()).unwrap();
        let first = reading.next().unwrap().unwrap();
        world.feed(60);
        let mut turns = 0;
        while meanwhile(&mut instances, || all(&store)).unwrap() != world.expected {
            turns += 1;
            assert!(turns < 1_000, "{guarantee}: what was fed is never seen");
            world.run(&mut instances, 1);
        }
        // Under exactly-once, words come to be counted once those who made them have committed.
        assert_ne!(
            all(&counts(&committed(&instances[0]))).unwrap(),
            world.expected,
            "{guarantee}: it is not committed"
        );
        for (word, count) in &world.expected {
            let found = meanwhile(&mut instances, || store.get(word)).unwrap();
            assert_eq!(found, Some(count.to_string()), "{guarantee}: {word}");
        }
        let few = meanwhile(&mut instances, || store.range("w3".to_owned().."w6".to_owned())).unwrap();
        let few: Vec<_> = few.map(|entry| number(entry.unwrap())).collect();
        assert!(few.iter().all(|(word, count)| world.expected[word] == *count), "{guarantee}: {few:?}");
        assert_eq!(few.len(), 3, "{guarantee}: {few:?}");
        world.settle(&mut instances);
        let rest = reading.map(Result::unwrap);
        let read: BTreeMap<_, _> = std::iter::once(first).chain(rest).map(number).collect();
        assert_eq!(read, before, "{guarantee}: one moment of each partition");
    }
}

#[test]
fn what_was_not_committed_ends_with_its_task() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(60);
    world.settle(&mut instances);
    let store = counts(&instances[0].queries());
    let mut reading = meanwhile(&mut instances, || store.all()).unwrap();
    assert!(reading.next().unwrap().is_ok());
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    let last: Vec<_> = reading.filter(Result::is_err).map(kind).collect();
    assert_eq!(last, [ErrorKind::Unavailable]);
    assert_eq!(kind(meanwhile(&mut instances, || store.get(&"w1".to_owned()))), ErrorKind::Unavailable);
}

#[test]
fn standbys_are_read_beside_what_is_not_committed() {
    let mut world = World::new();
    let with_standby = |id| world.builder(id).set("num.standby.replicas", "1").drive().unwrap();
    let mut instances = vec![with_standby(1), with_standby(2)];
    world.feed(60);
    world.settle(&mut instances);
    world.run(&mut instances, 100);
    let stores = [0, 1].map(|instance: usize| counts(&instances[instance].queries().with_stale()));
    for store in stores {
        // A store in memory has its first view after a commit.
        let found = meanwhile(&mut instances, || all(&store));
        assert_eq!(found.unwrap(), world.expected);
    }
}

#[test]
fn the_setting_says_what_is_read() {
    for (level, is_seen) in [("READ_COMMITTED", true), ("READ_UNCOMMITTED", false)] {
        let mut world = World::new();
        let builder = world.builder(1).set("default.interactive.query.isolation.level", level);
        let mut instances = vec![builder.drive().unwrap()];
        world.feed(10);
        world.settle(&mut instances);
        shown(&world, &mut instances, committed);
        // Who takes the turns cannot wait for one, and needs not for what was committed.
        let asked = counts(&instances[0].queries()).get(&"w1".to_owned());
        match asked {
            Ok(found) => assert!(is_seen && found.is_some()),
            Err(error) => {
                assert!(!is_seen, "{error}");
                assert!(error.to_string().contains("ask from another thread, or read what was committed"), "{error}");
            }
        }
        let other = counts(&committed(&instances[0])).get(&"w1".to_owned());
        assert_eq!(other.unwrap(), Some(world.expected["w1"].to_string()), "a question that says it itself");
    }
}

#[test]
fn a_store_that_shows_commits_only_says_so() {
    let mut world = World::new();
    let stores = StoreMakers { in_memory: Arc::new(InMemory), persistent: None };
    let mut instances = vec![world.builder(1).stores(stores).drive().unwrap()];
    world.feed(10);
    world.settle(&mut instances);
    let store = counts(&instances[0].queries());
    let error = meanwhile(&mut instances, || store.get(&"w1".to_owned())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("StateStore::uncommitted"), "{error}");
}
