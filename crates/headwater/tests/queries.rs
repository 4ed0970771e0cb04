//! Stores of every kind, read from other threads while their tasks write, move and commit; in memory and in RocksDB.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "a test beside applications with threads waits for them")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::processor::prelude::*;
use headwater::record::{Headers, Topic};
use headwater::runtime::query::{Queries, VersionedRecord};
use headwater::runtime::{CloseOptions, Error, ErrorKind, SystemClock};

/// Only ends a test that hangs.
const PATIENCE: Duration = Duration::from_mins(2);
const PARTITIONS: i32 = 4;
const KEYS: i64 = 20;

/// A booking takes from one account what it gives to another, in one store: together they have nothing, at every moment.
struct Book {
    accounts: Rc<KeyValueState<String, i64>>,
}

impl Processor<String, i64, String, i64> for Book {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, i64>,
        record: Record<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let amount = *record.value;
        for (account, change) in [(record.key.clone(), amount), (format!("{}'s bank", record.key), -amount)] {
            let has = self.accounts.get(cx.task(), &account)?.map_or(0, |has| has.value);
            self.accounts.put(cx.task(), &account, Some(has + change), record.timestamp, record.headers)?;
        }
        cx.forward(record)
    }
}

fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64>("numbers");
    let grouped = numbers.group_by_key();
    grouped.count_with(Materialized::named("counts"));
    let second = TimeWindows::of_size_with_no_grace(Duration::from_secs(1));
    grouped.windowed_by(second).count_with(Materialized::named("windows").with_retention(Duration::from_hours(1)));
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_millis(50));
    grouped.windowed_by(sessions).count_with(Materialized::named("sessions").with_retention(Duration::from_hours(1)));
    builder.add_state_store(StoreSpec::key_value("accounts"));
    numbers.process(|stores| Ok(Book { accounts: stores.key_value(&StoreHandle::named("accounts"))? }), &["accounts"]);
    let prices = Materialized::versioned("prices", Duration::from_hours(1));
    builder.table_with("prices", Consumed::<String, i64>::by_type(), prices);
    builder.global_table_with("shops", Consumed::<String, String>::by_type(), Materialized::named("shops"));
    builder.build().unwrap()
}

struct World {
    cluster: Cluster,
    settings: &'static [(&'static str, &'static str)],
}

impl World {
    fn new(settings: &'static [(&'static str, &'static str)]) -> Self {
        let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(SystemClock), config);
        for topic in ["numbers", "prices", "shops"] {
            cluster.create_topic(topic, PARTITIONS).unwrap();
        }
        World { cluster, settings }
    }

    fn start(&self, directory: &Path) -> KafkaStreams {
        let builder = KafkaStreams::builder(topology()).application_id("asked").on(&self.cluster).state_dir(directory);
        let builder = self.settings.iter().fold(builder, |builder, (name, value)| builder.set(*name, *value));
        builder.set("commit.interval.ms", "50").set("poll.ms", "10").threads(2).start().unwrap()
    }

    /// The number `n` is its key's, and says how many that has had before.
    fn feed(&self, n: i64) {
        let (key, value) = (format!("k{}", n % KEYS), (n / KEYS).to_be_bytes());
        self.put("numbers", &key, &value, n * 10);
    }

    fn put(&self, topic: &str, key: &str, value: &[u8], time: i64) {
        let (topic, time) = (Topic::from(topic), Timestamp::from_millis(time));
        self.cluster.produce(&topic, Some(key.as_bytes()), Some(value), time, &Headers::new()).unwrap();
    }
}

fn counts(queries: &Queries) -> Result<BTreeMap<String, i64>, Error> {
    queries.key_value_store(&StoreHandle::<String, i64>::named("counts"))?.all()?.collect()
}

/// What is asked until it is there.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>, Error>) -> T {
    let ends = std::time::Instant::now() + PATIENCE;
    loop {
        let last = match ask() {
            Ok(Some(found)) => return found,
            Ok(None) => "it is not so".to_owned(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                error.to_string()
            }
        };
        assert!(std::time::Instant::now() < ends, "it never came to this: {what}; {last}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks until `done`: no count is ever less than before, and no view shows half a booking.
fn watch(queries: &Queries, done: &AtomicBool) -> usize {
    let handle = StoreHandle::<String, i64>::named("accounts");
    let (mut seen, mut answers) = (BTreeMap::<String, i64>::new(), 0);
    while !done.load(Ordering::Relaxed) {
        for partition in 0..PARTITIONS {
            let queries = queries.clone().with_partition(partition);
            let asked = || queries.key_value_store(&handle)?.all()?.collect::<Result<BTreeMap<_, _>, _>>();
            match asked() {
                Ok(accounts) => {
                    assert_eq!(accounts.values().sum::<i64>(), 0, "half a booking: {accounts:?}");
                    answers += usize::from(!accounts.is_empty());
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        }
        match counts(queries) {
            Ok(now) => {
                for (key, count) in now {
                    let before = seen.insert(key.clone(), count).unwrap_or_default();
                    assert!(before <= count, "{key} was {before} and is {count}");
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    answers
}

fn read_everything(settings: &'static [(&'static str, &'static str)]) {
    let world = World::new(settings);
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (first, done) = (world.start(directories[0].path()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&first.queries(), &done));
        (0..500).for_each(|n| world.feed(n));
        // Tasks go to another and come back.
        let second = world.start(directories[1].path());
        wait_for("the other has some", || Ok((!counts(&second.queries())?.is_empty()).then_some(())));
        (500..1_000).for_each(|n| world.feed(n));
        let both = || {
            Ok::<_, Error>(
                counts(&first.queries())?.values().sum::<i64>() + counts(&second.queries())?.values().sum::<i64>(),
            )
        };
        wait_for("all are counted", || Ok((both()? == 1_000).then_some(())));
        assert!(counts(&second.queries()).is_ok_and(|counts| !counts.is_empty()), "the other answers too");
        second.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
        assert_eq!(counts(&second.queries()).unwrap_err().kind(), ErrorKind::Unavailable);
        (1_000..1_200).for_each(|n| world.feed(n));
        for n in 0..10_i64 {
            world.put("prices", "pen", &n.to_be_bytes(), n * 100);
        }
        world.put("shops", "s1", b"Rome", 1);
        world.put("shops", "s2", b"Oslo", 1);
        wait_for("all are counted", || Ok((counts(&first.queries())?.values().sum::<i64>() == 1_200).then_some(())));
        done.store(true, Ordering::Relaxed);
        assert!(watcher.join().unwrap() > 0, "it was read while it was written");
    });
    look_at_everything(&first.queries());
    go_on(&first.queries());
    first.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
}

/// Every kind of store against what was fed.
fn look_at_everything(queries: &Queries) {
    let each = 1_200 / KEYS;
    assert_eq!(counts(queries).unwrap(), (0..KEYS).map(|key| (format!("k{key}"), each)).collect());
    let one = queries.key_value_store(&StoreHandle::<String, i64>::named("counts")).unwrap();
    let stamped = one.get_with_timestamp(&"k3".to_owned()).unwrap().unwrap();
    assert_eq!((stamped.value, stamped.timestamp), (each, Timestamp::from_millis((1_200 - KEYS + 3) * 10)));
    assert_eq!(one.get(&"k99".to_owned()).unwrap(), None);

    let windows = queries.window_store(&StoreHandle::<String, i64>::named("windows")).unwrap();
    let key = "k7".to_owned();
    let expected: Vec<(i64, i64)> = (0..12).map(|second| (second * 1_000, 5)).collect();
    let show = |entry: Result<(Windowed<String>, i64), Error>| {
        let (windowed, count) = entry.unwrap();
        assert_eq!(windowed.window.end.since(windowed.window.start), Duration::from_secs(1));
        (windowed.window.start.millis(), count)
    };
    assert_eq!(windows.fetch_windows(&key, 0, 20_000).unwrap().map(show).collect::<Vec<_>>(), expected);
    let mut backward: Vec<_> = windows.backward_fetch_windows(&key, 0, 20_000).unwrap().map(show).collect();
    backward.reverse();
    assert_eq!(backward, expected);
    assert_eq!(windows.fetch(&key, 3_000).unwrap(), Some(5));
    assert_eq!(windows.fetch(&key, 3_001).unwrap(), None);
    assert_eq!(windows.all().unwrap().map(Result::unwrap).map(|(_, count)| count).sum::<i64>(), 1_200);
    assert_eq!(windows.fetch_all(1_000, 2_999).unwrap().count(), 2 * KEYS as usize);
    let keys = windows.fetch_keys("k1".to_owned().."k10".to_owned(), 0, 999).unwrap();
    assert_eq!(keys.map(|entry| entry.unwrap().0.key).collect::<Vec<_>>(), ["k1"], "k10 is left out");

    let sessions = queries.session_store(&StoreHandle::<String, i64>::named("sessions")).unwrap();
    // A number every 200 ms: each is a session of its own.
    let found: Vec<_> = sessions.fetch(&key).unwrap().map(Result::unwrap).collect();
    assert_eq!(found.len(), each as usize);
    assert!(found.iter().all(|(session, count)| *count == 1 && session.window.start == session.window.end));
    assert_eq!(sessions.fetch_session(&key, 70, 70).unwrap(), Some(1));
    assert_eq!(sessions.find_sessions(&key, 100, 500).unwrap().count(), 2);
    assert_eq!(sessions.fetch_keys(..).unwrap().count(), 1_200);

    let prices = queries.versioned_store(&StoreHandle::<String, i64>::named("prices")).unwrap();
    let pen = "pen".to_owned();
    let latest = wait_for("all prices are there", || Ok(prices.get(&pen)?.filter(|price| price.value == 9)));
    assert_eq!(latest, VersionedRecord { value: 9, timestamp: Timestamp::from_millis(900), valid_to: None });
    let then = prices.get_as_of(&pen, 450).unwrap().unwrap();
    assert_eq!((then.value, then.valid_to), (4, Some(Timestamp::from_millis(500))));
    let versions: Vec<_> = prices.versions(&pen, 250, 450).unwrap().map(|version| version.unwrap().value).collect();
    assert_eq!(versions, [2, 3, 4]);

    let shops = queries.key_value_store(&StoreHandle::<String, String>::named("shops")).unwrap();
    let rome = wait_for("the shops are there", || {
        let found = shops.get(&"s1".to_owned())?;
        Ok(found.filter(|_| shops.all().is_ok_and(|shops| shops.count() == 2)))
    });
    assert_eq!(rome, "Rome");
}

/// A question goes on where another ended, whatever the order of the store.
fn go_on(queries: &Queries) {
    let all = (0, Timestamp::MAX);
    let (mut windows_seen, mut sessions_seen) = (0, 0);
    for partition in 0..PARTITIONS {
        let queries = queries.clone().with_partition(partition);
        let windows = queries.window_store(&StoreHandle::<String, i64>::named("windows")).unwrap();
        let whole: Vec<_> = windows.fetch_keys(.., all.0, all.1).unwrap().map(Result::unwrap).collect();
        let sessions = queries.session_store(&StoreHandle::<String, i64>::named("sessions")).unwrap();
        let found: Vec<_> = sessions.fetch_keys(..).unwrap().map(Result::unwrap).collect();
        for at in (0..whole.len()).step_by(7) {
            let rest = windows.fetch_keys_after(.., all.0, all.1, &whole[at].0).unwrap();
            assert_eq!(rest.map(Result::unwrap).collect::<Vec<_>>(), whole[at + 1..]);
        }
        for at in (0..found.len()).step_by(11) {
            let rest = sessions.find_sessions_after(.., all.0, all.1, Some(&found[at].0)).unwrap();
            assert_eq!(rest.map(Result::unwrap).collect::<Vec<_>>(), found[at + 1..]);
        }
        (windows_seen, sessions_seen) = (windows_seen + whole.len(), sessions_seen + found.len());
    }
    assert_eq!((windows_seen, sessions_seen), (12 * KEYS as usize, 1_200));
}

#[test]
fn stores_in_memory_are_read() {
    read_everything(&[("dsl.store.suppliers.class", "in_memory")]);
}

#[test]
fn stores_in_memory_are_read_under_exactly_once() {
    read_everything(&[("dsl.store.suppliers.class", "in_memory"), ("processing.guarantee", "exactly_once_v2")]);
}

#[test]
fn stores_in_rocksdb_are_read() {
    read_everything(&[]);
}

#[test]
fn stores_in_rocksdb_are_read_under_exactly_once() {
    read_everything(&[("processing.guarantee", "exactly_once_v2")]);
}
