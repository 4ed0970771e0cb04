//! Stores of windows and sessions, whose rows are forgotten on the way.

use std::time::Duration;

use headwater_record::Timestamp;
use headwater_store::bytes::{KeySelection, Order, Scan, SessionQuery, WindowQuery};
use headwater_store::{RowBuf, Store, StoreKind, StoreSpec};
use headwater_window::Window;
use headwater_window::key_format::{put_session, put_window_store_suffix};
use tempfile::TempDir;

use crate::{Dice, Logged, MANY, apply, commit, open};

/// All that a store of windows or sessions has.
fn spans(store: &Store) -> Vec<(Vec<u8>, i64, i64, i64)> {
    let keys = KeySelection::Between(None, None);
    let (first, last) = (Timestamp::ZERO, Timestamp::MAX);
    let writer = |row: &RowBuf| i64::from_be_bytes(*row.value().first_chunk().unwrap());
    match store {
        Store::Window(store) => {
            let mut found = Vec::new();
            let query = WindowQuery { keys, from: first, to: last };
            assert_eq!(store.scan(query, Order::Forward, None, usize::MAX, &mut found).unwrap(), Scan::Done);
            let entry = |e: headwater_store::bytes::WindowEntry| {
                (e.key, e.start.millis(), i64::from(e.sequence), writer(&e.row))
            };
            found.into_iter().map(entry).collect()
        }
        Store::Session(store) => {
            let mut found = Vec::new();
            let query = SessionQuery { keys, earliest_end: first, latest_end: last, latest_start: last };
            assert_eq!(store.scan(query, Order::Forward, None, usize::MAX, &mut found).unwrap(), Scan::Done);
            found.into_iter().map(|e| (e.key, e.start.millis(), e.end.millis(), writer(&e.row))).collect()
        }
        other => panic!("not a store of time: {other:?}"),
    }
}

/// Restores one store by much, one by little, and one by much that ends once between rows and offset; compares them.
fn is_as_by_little(kind: StoreKind, log: &[Logged]) {
    let spec = StoreSpec::new("s", kind);
    let end = log.len() as i64;
    let places = [TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap()];
    let [by_much, by_little, ended] = places.each_ref().map(|place| {
        let mut store = open(place.path(), &spec);
        let commits = if place.path() == places[1].path() { MANY / 9 } else { 2 * MANY };
        for from in (0..end).step_by(usize::try_from(commits).unwrap()) {
            apply(&mut store, log, from..from + commits);
            if place.path() == places[2].path() && from > 0 && from + commits < end {
                store.state_mut().commit(None).unwrap();
                drop(store);
                store = open(place.path(), &spec);
                let next = store.state().committed_offset().unwrap().map_or(0, |offset| offset.next().value());
                assert_eq!(next, from);
                apply(&mut store, log, next..from + commits);
            }
            commit(&mut store, from + commits - 1);
        }
        drop(store);
        spans(&open(place.path(), &spec))
    });
    assert!(by_little.len() > 1_000, "{}", by_little.len());
    assert_eq!(by_much, by_little);
    assert_eq!(ended, by_little);
}

/// Records of times that go on slowly, some late, of `key` and time.
fn timed(key: impl Fn(&[u8], i64, &mut Dice) -> Vec<u8>) -> Vec<Logged> {
    let mut dice = Dice(11);
    let record = |offset: i64| {
        let time = offset * 2 / 5 + dice.below(500) as i64;
        let key = key(&dice.below(40).to_be_bytes()[5..], time, &mut dice);
        Logged { key, value: (dice.below(8) > 0).then(|| Logged::value(offset)) }
    };
    (0..6 * MANY).map(record).collect()
}

const RETENTION: Duration = Duration::from_secs(2);
const SEGMENT: Duration = Duration::from_millis(700);

#[test]
fn windows_that_are_restored_in_bulk_are_those_that_are_kept() {
    for (retain_duplicates, time_ordered) in [(false, false), (true, false), (false, true), (true, true)] {
        let kind = StoreKind::Window {
            retention: RETENTION,
            segment_interval: SEGMENT,
            window_size: Duration::from_millis(100),
            retain_duplicates,
            time_ordered,
            key_index: false,
        };
        let log = timed(|key, time, dice| {
            let mut key = key.to_vec();
            let sequence = if retain_duplicates { dice.below(3) as i32 } else { 0 };
            put_window_store_suffix(Timestamp::from_millis(time), sequence, &mut key);
            key
        });
        is_as_by_little(kind, &log);
    }
}

#[test]
fn sessions_that_are_restored_in_bulk_are_those_that_are_kept() {
    for time_ordered in [false, true] {
        let kind = StoreKind::Session { retention: RETENTION, segment_interval: SEGMENT, time_ordered };
        let log = timed(|key, time, dice| {
            let mut key = key.to_vec();
            let session = Window::of_millis((time - dice.below(100) as i64).max(0), time);
            put_session(session.start, session.end, &mut key);
            key
        });
        is_as_by_little(kind, &log);
    }
}
