//! What who goes through a store sees of what it writes meanwhile: the same in every make of store, with a cache and without.
#![cfg(test)]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::dsl::StreamsBuilder;
use headwater::processor::prelude::*;
use headwater::rocksdb::RocksDbStores;
use headwater::store::bytes::Order;
use headwater::store::{MemoryBudget, StoreKind};
use headwater::testing::TopologyTestDriver;
use headwater::window::Window;

/// More than are read at once.
const ENTRIES: i64 = 600;

type Seen = Arc<Mutex<Vec<(i64, String)>>>;

/// A driver of the program, with its stores in RocksDB where there is a directory for them.
fn driver(builder: &StreamsBuilder, directory: Option<&Path>) -> TopologyTestDriver {
    let driver = TopologyTestDriver::builder(builder.build().unwrap());
    let driver = match directory {
        Some(directory) => driver.persistent_stores(Arc::new(RocksDbStores::new(MemoryBudget::default())), directory),
        None => driver,
    };
    driver.build().unwrap()
}

/// Fills its store, goes through it, and changes what lies before it and behind it on the way.
struct Walker {
    store: Rc<KeyValueState<i64, String>>,
    order: Order,
    seen: Seen,
}

impl Processor<String, String, (), ()> for Walker {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        for key in (0..ENTRIES).map(|n| 10 * n) {
            self.store.put_at(cx, &key, "old".to_owned(), &record)?;
        }
        let first = if self.order == Order::Forward { 0 } else { 10 * (ENTRIES - 1) };
        self.store.all(cx.as_mut(), self.order, |cx, key, stamped| {
            self.seen.lock().expect("no panic").push((key, stamped.value));
            if key == first {
                for (key, value) in [
                    (20, None),             // deleted
                    (30, Some("new")),      // changed
                    (45, Some("added")),    // added, at hand
                    (4_995, Some("added")), // added, far away
                    (5_000, None),          // deleted, far away
                    (5_010, None),          // deleted and there again
                    (5_010, Some("again")),
                    (first, Some("reached")), // read already
                ] {
                    self.store.put(cx, &key, value.map(str::to_owned), Timestamp::from_millis(2), record.headers)?;
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

#[test]
fn who_goes_through_a_store_sees_what_was_there_as_it_is_when_it_is_reached() {
    for (order, on_disk, cached) in [Order::Forward, Order::Backward].into_iter().flat_map(|order| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(disk, cached)| (order, disk, cached))
    }) {
        let (builder, seen) = (StreamsBuilder::new(), Seen::default());
        let spec = StoreSpec::key_value("numbers");
        builder.add_state_store(if cached { spec.with_caching_enabled() } else { spec });
        let told = Arc::clone(&seen);
        let make = move |stores: &mut StoreAccess<'_, '_>| {
            let store = stores.key_value(&StoreHandle::named("numbers"))?;
            Ok(Walker { store, order, seen: Arc::clone(&told) })
        };
        builder.stream::<String, String>("in").process(make, &["numbers"]);
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(&builder, on_disk.then(|| directory.path()));
        driver.input_topic::<String, String>("in").pipe_at("go", "", 1).unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let value = |key: i64| match key {
            30 => "new",
            5_010 => "again",
            _ => "old",
        };
        let there = (0..ENTRIES).map(|n| 10 * n).filter(|key| ![20, 5_000].contains(key));
        let mut expected: Vec<(i64, String)> = there.map(|key| (key, value(key).to_owned())).collect();
        if order == Order::Backward {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{order:?}, on disk: {on_disk}, cached: {cached}");
    }
}

/// Counts minutes, then goes through them and changes some on the way.
struct Minutes {
    store: Rc<WindowState<String, i64>>,
    seen: Arc<Mutex<Vec<(i64, i64)>>>,
}

impl Processor<String, String, (), ()> for Minutes {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let minute = |n: i64| Timestamp::from_millis(n * 60_000);
        for n in 0..5 {
            self.store.put_at(cx, record.key, minute(n), n, &record)?;
        }
        self.store.all(cx.as_mut(), Order::Forward, |cx, key, stamped| {
            let n = key.window.start.millis() / 60_000;
            self.seen.lock().expect("no panic").push((n, stamped.value));
            if n == 0 {
                for (n, value) in [(1, None), (2, Some(20)), (5, Some(50))] {
                    self.store.put(cx, record.key, minute(n), value, record.timestamp, record.headers)?;
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

#[test]
fn who_goes_through_windows_sees_the_same() {
    for (on_disk, cached) in [(false, false), (false, true), (true, false), (true, true)] {
        let (builder, seen) = (StreamsBuilder::new(), Arc::<Mutex<Vec<_>>>::default());
        let spec = StoreSpec::window("minutes", Duration::from_hours(1), Duration::from_mins(1));
        builder.add_state_store(if cached { spec.with_caching_enabled() } else { spec });
        let told = Arc::clone(&seen);
        let make = move |stores: &mut StoreAccess<'_, '_>| {
            Ok(Minutes { store: stores.window(&StoreHandle::named("minutes"))?, seen: Arc::clone(&told) })
        };
        builder.stream::<String, String>("in").process(make, &["minutes"]);
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(&builder, on_disk.then(|| directory.path()));
        driver.input_topic::<String, String>("in").pipe_at("k", "", 300_000).unwrap();
        assert_eq!(*seen.lock().unwrap(), [(0, 0), (2, 20), (3, 3), (4, 4)], "on disk: {on_disk}, cached: {cached}");
    }
}

/// Keeps a session for each record, then goes through all of them.
struct Sessions {
    store: Rc<SessionState<String, String>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Processor<String, String, (), ()> for Sessions {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let (time, value) = (record.timestamp, Some(record.value.clone()));
        let session = Window::of_millis(time.millis(), time.millis());
        self.store.put(cx.as_mut(), record.key, session, value, time, record.headers)?;
        let mut seen = Vec::new();
        for order in [Order::Forward, Order::Backward] {
            self.store.all(cx.as_mut(), Keys::Between(None, None), order, |_, key, value| {
                seen.push(format!("{key}={value}"));
                Ok(ControlFlow::Continue(()))
            })?;
        }
        *self.seen.lock().expect("no panic") = seen;
        Ok(())
    }
}

#[test]
fn a_cached_store_of_sessions_by_time_tells_each_entry_once() {
    let segment = Duration::from_mins(1);
    for (on_disk, time_ordered) in [(false, false), (false, true), (true, false), (true, true)] {
        let (builder, seen) = (StreamsBuilder::new(), Arc::<Mutex<Vec<_>>>::default());
        let kind = StoreKind::Session { retention: Duration::from_hours(1), segment_interval: segment, time_ordered };
        builder.add_state_store(StoreSpec::new("sessions", kind).with_caching_enabled());
        let told = Arc::clone(&seen);
        let make = move |stores: &mut StoreAccess<'_, '_>| {
            let store = stores.session(&StoreHandle::named("sessions"))?;
            Ok(Sessions { store, seen: Arc::clone(&told) })
        };
        builder.stream::<String, String>("in").process(make, &["sessions"]);
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(&builder, on_disk.then(|| directory.path()));
        let input = driver.input_topic::<String, String>("in");
        // Of several segments, written, written again, and in the cache alone.
        for (key, value, time) in [
            ("a", "1", 1),
            ("b", "2", 61_000),
            ("a", "3", 122_000),
            ("b", "4", 61_000),
            ("a", "5", 1),
            ("c", "6", 62_000),
        ] {
            input.pipe_at(key, value, time).unwrap();
        }
        let mut expected = [
            "[a@1/1]=5".to_owned(),
            "[b@61000/61000]=4".to_owned(),
            "[c@62000/62000]=6".to_owned(),
            "[a@122000/122000]=3".to_owned(),
        ];
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen.len(), 2 * expected.len(), "on disk: {on_disk}, by time: {time_ordered}: {seen:?}");
        let mut backward = seen.split_off(expected.len());
        for entries in [&mut seen[..], &mut backward[..], &mut expected[..]] {
            entries.sort();
        }
        assert_eq!(
            (&seen, &backward[..]),
            (&expected.to_vec(), &expected[..]),
            "on disk: {on_disk}, by time: {time_ordered}"
        );
    }
}
