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
use headwater::runtime::query::IsolationLevel::{ReadCommitted, ReadUncommitted};
use headwater::runtime::query::*;
use headwater::runtime::{CloseOptions, Error, ErrorKind, SystemClock};
use headwater::store::RowFormat;

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
    // With headers beside their values, where stores keep them.
    grouped.count_with(Materialized::named("marked").with_row_format(RowFormat::Headers));
    let hour = TimeWindows::of_size_with_no_grace(Duration::from_hours(1));
    let marked_windows = Materialized::named("marked-windows").with_row_format(RowFormat::Headers);
    grouped.windowed_by(hour).count_with(marked_windows.with_retention(Duration::from_hours(2)));
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
        let builder = builder.set("commit.interval.ms", "50").set("poll.ms", "10").threads(2);
        self.settings.iter().fold(builder, |builder, (name, value)| builder.set(*name, *value)).start().unwrap()
    }

    /// The number `n` is its key's, and says how many that has had before.
    fn feed(&self, n: i64) {
        let (key, value) = (format!("k{}", n % KEYS), (n / KEYS).to_be_bytes());
        self.put("numbers", &key, &value, n * 10);
    }

    fn put(&self, topic: &str, key: &str, value: &[u8], time: i64) {
        let (topic, time) = (Topic::from(topic), Timestamp::from_millis(time));
        let headers = Headers::new();
        headers.add("key", Some(key.as_bytes()));
        self.cluster.produce(&topic, Some(key.as_bytes()), Some(value), time, &headers).unwrap();
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

type Settings = &'static [(&'static str, &'static str)];

const IN_MEMORY: Settings = &[("dsl.store.suppliers.class", "in_memory")];
const IN_MEMORY_EXACTLY_ONCE: Settings =
    &[("dsl.store.suppliers.class", "in_memory"), ("processing.guarantee", "exactly_once_v2")];
const IN_ROCKSDB: Settings = &[];
const IN_ROCKSDB_EXACTLY_ONCE: Settings = &[("processing.guarantee", "exactly_once_v2")];

fn read_everything(settings: Settings, isolation: IsolationLevel) {
    let world = World::new(settings);
    let queries_of = |streams: &KafkaStreams| streams.queries().with_isolation(isolation);
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (first, done) = (world.start(directories[0].path()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&queries_of(&first), &done));
        (0..500).for_each(|n| world.feed(n));
        // Tasks go to another and come back.
        let second = world.start(directories[1].path());
        wait_for("the other has some", || Ok((!counts(&queries_of(&second))?.is_empty()).then_some(())));
        (500..1_000).for_each(|n| world.feed(n));
        let both = || {
            Ok::<_, Error>(
                counts(&queries_of(&first))?.values().sum::<i64>()
                    + counts(&queries_of(&second))?.values().sum::<i64>(),
            )
        };
        wait_for("all are counted", || Ok((both()? == 1_000).then_some(())));
        assert!(counts(&queries_of(&second)).is_ok_and(|counts| !counts.is_empty()), "the other answers too");
        second.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
        assert_eq!(counts(&queries_of(&second)).unwrap_err().kind(), ErrorKind::Unavailable);
        (1_000..1_200).for_each(|n| world.feed(n));
        for n in 0..10_i64 {
            world.put("prices", "pen", &n.to_be_bytes(), n * 100);
        }
        world.put("shops", "s1", b"Rome", 1);
        world.put("shops", "s2", b"Oslo", 1);
        wait_for("all are counted", || Ok((counts(&queries_of(&first))?.values().sum::<i64>() == 1_200).then_some(())));
        done.store(true, Ordering::Relaxed);
        assert!(watcher.join().unwrap() > 0, "it was read while it was written");
    });
    look_at_everything(&queries_of(&first));
    go_on(&queries_of(&first));
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
    ask_everything(queries);
}

/// What the partition that has it answers.
fn one<Q: Query<String, i64, Result = Option<R>>, R>(queries: &Queries, store: &str, query: Q) -> Option<R> {
    let request =
        StateQueryRequest::in_store(&StoreHandle::<String, i64>::named(store)).with_query(query).require_active();
    queries.query(&request).unwrap().only_partition_result().unwrap()
}

/// What all partitions answer.
fn many<Q: Query<String, i64, Result = StoreIterator<R>>, R>(queries: &Queries, store: &str, query: Q) -> Vec<R> {
    let request =
        StateQueryRequest::in_store(&StoreHandle::<String, i64>::named(store)).with_query(query).require_active();
    let answers = queries.query(&request).unwrap();
    answers.partition_results.into_values().flat_map(|answer| answer.result.unwrap()).map(Result::unwrap).collect()
}

/// Every query of every kind of store.
fn ask_everything(queries: &Queries) {
    let (each, last) = (1_200 / KEYS, Timestamp::from_millis((1_200 - KEYS + 3) * 10));
    let key = || "k3".to_owned();
    assert_eq!(one(queries, "counts", KeyQuery::with_key(key())), Some(each));
    let stamped = one(queries, "counts", TimestampedKeyQuery::with_key(key())).unwrap();
    assert_eq!((stamped.value, stamped.timestamp), (each, last));
    let range = || "k1".to_owned().."k2".to_owned();
    let mut found = many(queries, "counts", RangeQuery::with_range(range()));
    found.sort();
    assert_eq!(found, (0..KEYS).filter(|n| *n == 1 || *n >= 10).map(|n| (format!("k{n}"), each)).collect::<Vec<_>>());
    let stamped = TimestampedRangeQuery::with_range(range()).with_descending_keys();
    let mut turned: Vec<_> = many(queries, "counts", stamped);
    turned.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(turned.iter().map(|(key, stamped)| (key.clone(), stamped.value)).collect::<Vec<_>>(), found);

    let windows = WindowKeyQuery::with_key_and_window_start_range(key(), 0, 2_999);
    let windows = many(queries, "windows", windows);
    let starts = windows.iter().map(|(windowed, count)| (windowed.window.start.millis(), *count));
    assert_eq!(starts.collect::<Vec<_>>(), [(0, 5), (1_000, 5), (2_000, 5)]);
    let windows = WindowRangeQuery::with_window_start_range(1_000, 2_999);
    assert_eq!(many(queries, "windows", windows).len(), 2 * KEYS as usize);
    let sessions = WindowRangeQuery::with_key(key());
    assert_eq!(many(queries, "sessions", sessions).len(), each as usize);

    let pen = || "pen".to_owned();
    assert_eq!(one(queries, "prices", VersionedKeyQuery::with_key(pen())).unwrap().value, 9);
    let then = VersionedKeyQuery::with_key(pen()).as_of(450);
    assert_eq!(one(queries, "prices", then).unwrap().value, 4);
    let versions = MultiVersionedKeyQuery::with_key(pen()).from_time(250).to_time(450);
    let values = |versions: MultiVersionedKeyQuery<String>| {
        many(queries, "prices", versions).into_iter().map(|version| version.value).collect::<Vec<_>>()
    };
    assert_eq!(values(versions.clone()), [4, 3, 2]);
    assert_eq!(values(versions.with_ascending_timestamps()), [2, 3, 4]);

    let marked = one(queries, "marked", TimestampedKeyWithHeadersQuery::with_key(key())).unwrap();
    assert_eq!((marked.value, marked.timestamp), (each, last));
    let all = TimestampedRangeWithHeadersQuery::with_range(..);
    let all = many(queries, "marked", all);
    let of_windows = TimestampedWindowKeyWithHeadersQuery::with_key_and_window_start_range(key(), 0, 1);
    let of_windows = many(queries, "marked-windows", of_windows);
    let of_all = TimestampedWindowRangeWithHeadersQuery::with_window_start_range(0, 1);
    let of_all = many(queries, "marked-windows", of_all);
    assert_eq!((all.len(), of_windows.len(), of_all.len()), (KEYS as usize, 1, KEYS as usize));
    // Stores in memory keep no headers, as Java's.
    let key_in = |headers: &Headers| headers.last("key").and_then(|header| header.value.map(|value| value.to_vec()));
    if let Some(found) = key_in(&marked.headers) {
        assert_eq!(found, b"k3");
        assert!(all.iter().all(|(key, record)| key_in(&record.headers).as_deref() == Some(key.as_bytes())));
        let of_windows = of_windows.iter().chain(&of_all);
        let mut keys = of_windows.map(|(key, record)| (key.key.as_bytes(), key_in(&record.headers)));
        assert!(keys.all(|(key, found)| found.as_deref() == Some(key)));
    }
    let shops = StateQueryRequest::in_store(&StoreHandle::<String, String>::named("shops"));
    let rome = queries.query(&shops.with_query(KeyQuery::with_key("s1".to_owned()))).unwrap();
    assert_eq!(rome.global_result.unwrap().result.unwrap().as_deref(), Some("Rome"));
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
    read_everything(IN_MEMORY, ReadCommitted);
}

#[test]
fn stores_in_memory_are_read_under_exactly_once() {
    read_everything(IN_MEMORY_EXACTLY_ONCE, ReadCommitted);
}

#[test]
fn stores_in_rocksdb_are_read() {
    read_everything(IN_ROCKSDB, ReadCommitted);
}

#[test]
fn stores_in_rocksdb_are_read_under_exactly_once() {
    read_everything(IN_ROCKSDB_EXACTLY_ONCE, ReadCommitted);
}

#[test]
fn stores_in_memory_are_read_uncommitted() {
    read_everything(IN_MEMORY, ReadUncommitted);
}

#[test]
fn stores_in_memory_are_read_uncommitted_under_exactly_once() {
    read_everything(IN_MEMORY_EXACTLY_ONCE, ReadUncommitted);
}

#[test]
fn stores_in_rocksdb_are_read_uncommitted() {
    read_everything(IN_ROCKSDB, ReadUncommitted);
}

#[test]
fn stores_in_rocksdb_are_read_uncommitted_under_exactly_once() {
    read_everything(IN_ROCKSDB_EXACTLY_ONCE, ReadUncommitted);
}

/// Nothing is ever committed, and threads that have nothing to do wait for records as long as they may: they are woken to answer.
fn read_what_was_never_committed(settings: Settings) {
    let world = World::new(settings);
    let directory = tempfile::tempdir().unwrap();
    let streams = world.start(directory.path());
    (0..1_200).for_each(|n| world.feed(n));
    (0..10_i64).for_each(|n| world.put("prices", "pen", &n.to_be_bytes(), n * 100));
    world.put("shops", "s1", b"Rome", 1);
    world.put("shops", "s2", b"Oslo", 1);
    let queries = streams.queries();
    wait_for("all are counted", || Ok((counts(&queries)?.values().sum::<i64>() == 1_200).then_some(())));
    look_at_everything(&queries);
    let cached = one(&queries, "counts", KeyQuery::with_key("k1".to_owned()).skip_cache());
    let has_cache = !settings.contains(&("statestore.cache.max.bytes", "0"));
    assert_eq!(cached.is_none(), has_cache, "what lies in the cache only: {cached:?}");
    let committed = counts(&queries.with_isolation(ReadCommitted));
    let in_memory = settings.contains(&IN_MEMORY[0]);
    assert!(in_memory || committed.as_ref().is_ok_and(BTreeMap::is_empty), "it was committed: {committed:?}");
    streams.close(CloseOptions::default().timeout(PATIENCE)).unwrap();
}

macro_rules! never_committed {
    ($($name:ident: $($setting:expr),*;)*) => {$(
        #[test]
        fn $name() {
            read_what_was_never_committed(&[
                $($setting,)*
                ("commit.interval.ms", "900000"),
                ("producer.transaction.timeout.ms", "900000"),
                ("statestore.uncommitted.max.bytes", "-1"),
                ("poll.ms", "10000"),
                ("session.timeout.ms", "30000"),
                ("heartbeat.interval.ms", "8000"),
                ("num.stream.threads", "1"),
            ]);
        }
    )*};
}

never_committed! {
    rows_in_memory_that_nothing_committed_are_read: ("dsl.store.suppliers.class", "in_memory");
    rows_in_rocksdb_that_nothing_committed_are_read: ("dsl.store.suppliers.class", "rocksDB");
    rows_in_rocksdb_of_an_open_transaction_are_read: ("processing.guarantee", "exactly_once_v2");
    rows_without_a_cache_that_nothing_committed_are_read: ("statestore.cache.max.bytes", "0");
    rows_of_an_open_transaction_without_a_cache_are_read: ("processing.guarantee", "exactly_once_v2"), ("statestore.cache.max.bytes", "0");
}

/// Stands still at a record until it is let go.
struct Stuck(Arc<std::sync::Barrier>);

impl Processor<String, i64, String, i64> for Stuck {
    fn process(
        &mut self,
        _: &mut ProcessorContext<'_, '_, String, i64>,
        record: Record<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        match record.key.as_str() {
            "stuck" => {
                self.0.wait();
                self.0.wait();
            }
            "dead" => return Err(ProcessError::user("it ends here")),
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn a_thread_that_is_busy_or_dead_is_not_waited_for() {
    let cluster =
        Cluster::with(Arc::new(SystemClock), ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() });
    cluster.create_topic("numbers", 1).unwrap();
    let barrier = Arc::new(std::sync::Barrier::new(2));
    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64>("numbers");
    numbers.group_by_key().count_with(Materialized::named("counts").in_memory());
    let of_processor = Arc::clone(&barrier);
    numbers.process(move |_| Ok(Stuck(Arc::clone(&of_processor))), &[]);
    let streams = KafkaStreams::builder(builder.build().unwrap()).application_id("stuck").on(&cluster).start().unwrap();
    let put = |key: &str| {
        let number = 1_i64.to_be_bytes();
        cluster
            .produce(&Topic::from("numbers"), Some(key.as_bytes()), Some(&number), Timestamp::ZERO, &Headers::new())
            .unwrap();
    };
    put("a");
    wait_for("it is counted", || Ok(counts(&streams.queries())?.get("a").copied()));
    put("stuck");
    barrier.wait();
    let error = counts(&streams.queries()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("its thread has not answered: it is busy with a record"), "{error}");
    // It dies while somebody waits for its answer.
    put("dead");
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| counts(&streams.queries()));
        barrier.wait();
        asking.join().unwrap()
    });
    // It may have answered between the two records.
    assert!(asked.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Unavailable), "{asked:?}");
    wait_for("it has ended", || Ok((streams.state() == headwater::runtime::State::Error).then_some(())));
    let error = counts(&streams.queries()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
