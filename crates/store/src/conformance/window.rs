//! Window stores: putting, reading by key and time, forgetting, duplicates.

mod random;

use std::time::Duration;

use headwater_record::{Offset, Timestamp};

use super::Check;
use super::setting::{FORMATS, Setting, full_row, headers, record, text, value};
use crate::bytes::{KeySelection, Order, Put, Scan, WindowBytes, WindowEntry, WindowQuery};
use crate::{Row, RowFormat, StoreKind};

pub(super) const CHECKS: &[Check] = &[
    ("a window is read by key and start", one_window),
    ("windows of a key come by start", one_key),
    ("windows of all keys are found, small batches lose none", all_keys),
    ("windows are forgotten after the retention", forgets),
    ("duplicates are kept apart", duplicates),
    ("duplicates come in the order they were put", duplicates_in_order),
    ("duplicates are forgotten like other windows", duplicates_are_forgotten),
    ("duplicates are not replaced after a restart", duplicates_reopen),
    ("a window store opens again at its last commit", reopens),
    ("windows are restored from changelog keys", restores),
    ("a row in a window keeps what its format has", formats),
    ("random writes and reads answer as a model does", random::answers_as_the_model),
];

/// Windows of 10 ms; `retention_ms` in segments of half of it.
fn kind(retention_ms: u64, retain_duplicates: bool, (time_ordered, key_index): (bool, bool)) -> StoreKind {
    StoreKind::Window {
        retention: Duration::from_millis(retention_ms),
        window_size: Duration::from_millis(10),
        segment_interval: Duration::from_millis(retention_ms / 2),
        retain_duplicates,
        time_ordered,
        key_index,
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(setting: &Setting<'_>, store: &mut dyn WindowBytes, key: &str, start: i64, value: Option<&str>) -> Put {
    let row = value.map(|value| Row::plain(value.as_bytes()));
    setting.done("put", store.put(key.as_bytes(), at(start), row))
}

fn stored(setting: &Setting<'_>, store: &mut dyn WindowBytes, key: &str, start: i64, value: &str) {
    let put = put(setting, store, key, start, Some(value));
    setting.same("a put within the retention is stored", put, Put::Stored);
}

fn fetch(setting: &Setting<'_>, store: &dyn WindowBytes, key: &str, start: i64) -> Option<String> {
    setting.done("fetch", store.fetch(key.as_bytes(), at(start))).as_ref().map(value)
}

/// Scans to the end in batches of `limit`; entries as `key@start=value`.
fn scan(
    setting: &Setting<'_>,
    store: &dyn WindowBytes,
    (keys, from, to): (KeySelection<'_>, i64, i64),
    order: Order,
    limit: usize,
) -> Vec<String> {
    let query = WindowQuery { keys, from: at(from), to: at(to) };
    let mut entries: Vec<WindowEntry> = Vec::new();
    loop {
        let before = entries.len();
        let after = entries.last().cloned();
        let scan = setting.done("scan", store.scan(query, order, after.as_ref(), limit, &mut entries));
        let read = entries.len() - before;
        if read > limit {
            setting.fail(&format!("a scan reads at most {limit} windows, it read {read}"));
        }
        match scan {
            Scan::Done => break,
            Scan::More if read == 0 => setting.fail("a scan that says there may be more has read something"),
            Scan::More => {}
        }
    }
    entries.iter().map(|entry| format!("{}@{}={}", text(&entry.key), entry.start, value(&entry.row))).collect()
}

const ALL_TIMES: (i64, i64) = (0, i64::MAX);

fn one_window(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = setting.part(if time_ordered { "by-time" } else { "by-key" });
        let mut store = setting.window(kind(1000, false, (time_ordered, false)), RowFormat::Plain);
        setting.same("the time of a new store is -1", store.observed_time(), Timestamp::UNKNOWN);
        stored(&setting, store.as_mut(), "a", 20, "1");
        stored(&setting, store.as_mut(), "a", 10, "2");
        stored(&setting, store.as_mut(), "b", 20, "");
        setting.same("the store's time is the latest start", store.observed_time(), at(20));
        for committed in [false, true] {
            if committed {
                setting.commit(store.as_mut(), 3);
            }
            let found = |key, start| fetch(&setting, store.as_ref(), key, start);
            setting.same("a window is found by key and start", found("a", 20), Some("1".into()));
            setting.same("another start is another window", found("a", 10), Some("2".into()));
            setting.same("an empty value is a value", found("b", 20), Some(String::new()));
            setting.same("no window starts there", found("a", 15), None);
            setting.same("another key has no window there", found("b", 10), None);
        }
        stored(&setting, store.as_mut(), "a", 20, "3");
        setting.same("the last put wins", fetch(&setting, store.as_ref(), "a", 20), Some("3".into()));
        let deleted = put(&setting, store.as_mut(), "a", 20, None);
        setting.same("a put of none is in time as well", deleted, Put::Stored);
        setting.same("a put of none deletes", fetch(&setting, store.as_ref(), "a", 20), None);
    }
}

/// As in the scenario `processor/window-commands`, over several segments, partly committed.
fn filled(setting: &Setting<'_>, time_ordered: bool) -> Box<dyn WindowBytes> {
    let mut store = setting.window(kind(100, false, (time_ordered, false)), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", 0, "1");
    stored(setting, store.as_mut(), "a", 60, "2");
    setting.commit(store.as_mut(), 1);
    stored(setting, store.as_mut(), "b", 5, "3");
    stored(setting, store.as_mut(), "a", 3, "4");
    stored(setting, store.as_mut(), "aa", 4, "5");
    stored(setting, store.as_mut(), "b", 61, "6");
    store
}

fn one_key(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = setting.part(if time_ordered { "by-time" } else { "by-key" });
        let store = filled(&setting, time_ordered);
        let key = KeySelection::One(b"a");
        for limit in [1, 2, 100] {
            let found = |from, to, order| scan(&setting, store.as_ref(), (key, from, to), order, limit);
            let of = |windows: &[&str]| windows.iter().map(|window| (*window).to_owned()).collect::<Vec<_>>();
            let all = of(&["a@0=1", "a@3=4", "a@60=2"]);
            let (from, to) = ALL_TIMES;
            setting.same("windows of a key come by start", found(from, to, Order::Forward), all.clone());
            let backward: Vec<String> = all.iter().rev().cloned().collect();
            setting.same("backward by start descending", found(from, to, Order::Backward), backward);
            setting.same("both ends of the time belong to it", found(3, 60, Order::Forward), of(&["a@3=4", "a@60=2"]));
            setting.same("one moment", found(3, 3, Order::Forward), of(&["a@3=4"]));
            setting.same("between two windows is none", found(4, 59, Order::Backward), Vec::new());
            setting.same("from after to is none", found(60, 3, Order::Forward), Vec::new());
        }
    }
}

fn all_keys(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = setting.part(if time_ordered { "by-time" } else { "by-key" });
        let store = filled(&setting, time_ordered);
        let ask = |keys, from, to, order, limit| scan(&setting, store.as_ref(), (keys, from, to), order, limit);
        for (keys, from, to, count) in [
            (KeySelection::ALL, 0, i64::MAX, 6),
            (KeySelection::ALL, 3, 60, 4),
            (KeySelection::Between(Some(b"a"), Some(b"a")), 0, 60, 3),
            (KeySelection::Between(Some(b"aa"), None), 0, 60, 2),
            (KeySelection::Between(None, Some(b"aa")), 0, 60, 4),
            (KeySelection::Between(Some(b"b"), Some(b"a")), 0, 60, 0),
        ] {
            let forward = ask(keys, from, to, Order::Forward, 100);
            setting.same(&format!("how many windows {keys:?} has from {from} to {to}"), forward.len(), count);
            if time_ordered {
                let start = |entry: &String| entry.split(['@', '=']).nth(1).and_then(|start| start.parse::<i64>().ok());
                let sorted = forward.is_sorted_by_key(start);
                setting.same("a time-ordered store reads by start", sorted, true);
            }
            let mut backward = ask(keys, from, to, Order::Backward, 100);
            backward.reverse();
            setting.same("backward is forward the other way round", &backward, &forward);
            for limit in [1, 2, 3] {
                let batches = ask(keys, from, to, Order::Forward, limit);
                setting.same("forward in small batches", &batches, &forward);
                let mut batches = ask(keys, from, to, Order::Backward, limit);
                batches.reverse();
                setting.same("backward in small batches", &batches, &forward);
            }
        }
    }
}

fn forgets(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = setting.part(if time_ordered { "by-time" } else { "by-key" });
        let mut store = setting.window(kind(100, false, (time_ordered, false)), RowFormat::Plain);
        stored(&setting, store.as_mut(), "a", 0, "1");
        stored(&setting, store.as_mut(), "a", 1, "2");
        setting.commit(store.as_mut(), 1);
        // On disk, a time-ordered store still reads windows that are exactly as old as the retention.
        let latest = if setting.is_persistent() && time_ordered { 101 } else { 100 };
        stored(&setting, store.as_mut(), "b", latest, "3");
        setting.same("a window older than the retention is not read", fetch(&setting, store.as_ref(), "a", 0), None);
        let what = "a window that is a millisecond younger is read";
        setting.same(what, fetch(&setting, store.as_ref(), "a", 1), Some("2".into()));
        let all = (KeySelection::ALL, 0, i64::MAX);
        let found = scan(&setting, store.as_ref(), all, Order::Forward, 100);
        setting.same("nor is it in a scan", found, vec!["a@1=2".to_owned(), format!("b@{latest}=3")]);
        stored(&setting, store.as_mut(), "b", 1000, "4");
        setting.commit(store.as_mut(), 3);
        setting.same("a put far too old is refused", put(&setting, store.as_mut(), "a", 1, Some("5")), Put::Expired);
        setting.same("the store's time does not go back", store.observed_time(), at(1000));
        let found = scan(&setting, store.as_ref(), all, Order::Backward, 1);
        setting.same("only what is young enough is left", found, vec!["b@1000=4".to_owned()]);
    }
}

fn duplicates(setting: &Setting<'_>) {
    let mut store = setting.window(kind(1000, true, (false, false)), RowFormat::Plain);
    for (key, start, value) in [("a", 0, "1"), ("a", 0, "2"), ("a", 5, "3"), ("b", 0, "4")] {
        stored(setting, store.as_mut(), key, start, value);
    }
    let _ = put(setting, store.as_mut(), "a", 0, None);
    for limit in [1, 100] {
        let found = scan(setting, store.as_ref(), (KeySelection::One(b"a"), 0, 9), Order::Forward, limit);
        let expected = ["a@0=1", "a@0=2", "a@5=3"].map(String::from).to_vec();
        setting.same("values of one window are kept apart, none deletes none", found, expected.clone());
        let found = scan(setting, store.as_ref(), (KeySelection::One(b"a"), 0, 9), Order::Backward, limit);
        let expected: Vec<String> = expected.into_iter().rev().collect();
        setting.same("backward the last one comes first", found, expected);
    }
    let (from, to) = ALL_TIMES;
    let all = scan(setting, store.as_ref(), (KeySelection::ALL, from, to), Order::Forward, 2);
    setting.same("all keys have all values", all.len(), 4);
}

fn duplicates_in_order(setting: &Setting<'_>) {
    let mut store = setting.window(kind(100, true, (false, false)), RowFormat::Plain);
    for (key, start, value) in [("a", 60, "1"), ("a", 3, "2"), ("ab", 3, "3"), ("a", 60, "4")] {
        stored(setting, store.as_mut(), key, start, value);
    }
    setting.commit(store.as_mut(), 4);
    for (key, start, value) in [("a", 3, "5"), ("a", 60, "6"), ("a", 60, "6")] {
        stored(setting, store.as_mut(), key, start, value);
    }
    setting.same("none changes nothing", put(setting, store.as_mut(), "a", 3, None), Put::Stored);
    let of = |windows: &[&str]| windows.iter().map(|window| (*window).to_owned()).collect::<Vec<_>>();
    let (one, few) = (KeySelection::One(b"a"), KeySelection::Between(Some(b"a"), Some(b"a")));
    let (early, other) = (of(&["a@3=2", "a@3=5"]), of(&["ab@3=3"]));
    let late = of(&["a@60=1", "a@60=4", "a@60=6", "a@60=6"]);
    let key = [&early[..], &late].concat();
    let all = [&early[..], &other, &late].concat();
    for committed in [false, true] {
        if committed {
            setting.commit(store.as_mut(), 8);
        }
        for limit in [1, 2, 3, 100] {
            for (keys, from, to, expected) in [
                (one, 0, i64::MAX, &key[..]),
                (one, 3, 3, &early),
                (one, 4, 60, &late),
                (one, 4, 59, &[]),
                (few, 0, i64::MAX, &key),
                (KeySelection::ALL, 0, i64::MAX, &all),
                (KeySelection::Between(Some(b"aa"), None), 0, 60, &other),
            ] {
                let what = format!("{keys:?} from {from} to {to}, {limit} at a time, committed: {committed}");
                let found = scan(setting, store.as_ref(), (keys, from, to), Order::Forward, limit);
                setting.same(&what, found, expected.to_vec());
                let mut found = scan(setting, store.as_ref(), (keys, from, to), Order::Backward, limit);
                found.reverse();
                setting.same(&format!("{what}, backward"), found, expected.to_vec());
            }
        }
    }
}

fn duplicates_are_forgotten(setting: &Setting<'_>) {
    let mut store = setting.window(kind(100, true, (false, false)), RowFormat::Plain);
    for (key, start, value) in [("a", 0, "1"), ("a", 0, "2"), ("a", 1, "3"), ("a", 1, "4")] {
        stored(setting, store.as_mut(), key, start, value);
    }
    setting.commit(store.as_mut(), 3);
    stored(setting, store.as_mut(), "b", 100, "5");
    let all = |store: &dyn WindowBytes| scan(setting, store, (KeySelection::ALL, 0, i64::MAX), Order::Forward, 2);
    let young = ["a@1=3", "a@1=4", "b@100=5"].map(String::from).to_vec();
    setting.same("what is older than the retention is not read", all(store.as_ref()), young);
    stored(setting, store.as_mut(), "b", 1000, "6");
    setting.commit(store.as_mut(), 5);
    setting.same("a put far too old is refused", put(setting, store.as_mut(), "a", 1, Some("7")), Put::Expired);
    setting.same("only what is young enough is left", all(store.as_ref()), vec!["b@1000=6".to_owned()]);
}

fn duplicates_reopen(setting: &Setting<'_>) {
    if !setting.is_persistent() {
        return;
    }
    let mut store = setting.window(kind(100, true, (false, false)), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", 0, "1");
    stored(setting, store.as_mut(), "a", 0, "2");
    setting.commit(store.as_mut(), 1);
    stored(setting, store.as_mut(), "a", 0, "uncommitted");
    drop(store);
    let mut store = setting.window(kind(100, true, (false, false)), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", 0, "3");
    let found = scan(setting, store.as_ref(), (KeySelection::One(b"a"), 0, 9), Order::Forward, 9);
    let expected = ["a@0=1", "a@0=2", "a@0=3"].map(String::from).to_vec();
    setting.same("a put after a restart is added to what was committed", found, expected);
}

fn reopens(setting: &Setting<'_>) {
    if !setting.is_persistent() {
        return;
    }
    let mut store = setting.window(kind(100, false, (false, false)), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", 10, "1");
    setting.commit(store.as_mut(), 7);
    stored(setting, store.as_mut(), "a", 20, "uncommitted");
    drop(store);
    let mut store = setting.window(kind(100, false, (false, false)), RowFormat::Plain);
    let all = (KeySelection::ALL, 0, i64::MAX);
    let found = scan(setting, store.as_ref(), all, Order::Forward, 100);
    setting.same("the content is that of the last commit", found, vec!["a@10=1".to_owned()]);
    let offset = setting.done("committed_offset", store.committed_offset());
    setting.same("the offset is that of the last commit", offset, Some(Offset::new(7)));
    setting.same("the time is that of the last commit", store.observed_time(), at(10));
    stored(setting, store.as_mut(), "a", 500, "2");
    setting.commit(store.as_mut(), 8);
    let found = scan(setting, store.as_ref(), all, Order::Forward, 100);
    setting.same("what was there before is forgotten as usual", found, vec!["a@500=2".to_owned()]);
}

fn restores(setting: &Setting<'_>) {
    let key = |key: &[u8], start: i64, sequence: i32| {
        let mut bytes = key.to_vec();
        headwater_window::key_format::put_window_store_suffix(at(start), sequence, &mut bytes);
        bytes
    };
    let mut store = setting.window(kind(100, false, (false, false)), RowFormat::Timestamped);
    let records = [
        record(&key(b"a", 1, 0), Some("old"), 1, Vec::new()),
        record(&key(b"a", 200, 0), Some("1"), 205, Vec::new()),
        record(&key(b"b", 210, 0), Some("2"), 211, Vec::new()),
        record(&key(b"a", 200, 0), None, 212, Vec::new()),
        record(&key(b"a", 210, 0), Some("3"), 213, Vec::new()),
    ];
    setting.restore(store.as_mut(), &records);
    let all = (KeySelection::ALL, 0, i64::MAX);
    let found = scan(setting, store.as_ref(), all, Order::Forward, 100);
    setting.same("what is young enough is there", found, vec!["a@210=3".to_owned(), "b@210=2".to_owned()]);
    setting.same("the store's time is restored", store.observed_time(), at(210));
    let row = setting.done("fetch", store.fetch(b"b", at(210)));
    setting.same("a row's time is the record's", row.map(|row| row.timestamp().millis()), Some(211));
    let wrong = record(b"short", Some("1"), 0, Vec::new());
    let refused = store.restore(&mut [wrong.view()].into_iter());
    setting.same("a key without a window is refused", refused.is_err(), true);

    let setting = setting.part("duplicates");
    let mut store = setting.window(kind(100, true, (false, false)), RowFormat::Plain);
    let records = [
        record(&key(b"a", 0, 1), Some("1"), 0, Vec::new()),
        record(&key(b"a", 0, 2), Some("2"), 0, Vec::new()),
        record(&key(b"a", 0, 2), None, 0, Vec::new()),
    ];
    setting.restore(store.as_mut(), &records);
    stored(&setting, store.as_mut(), "a", 0, "3");
    let found = scan(&setting, store.as_ref(), all, Order::Forward, 100);
    setting.same(
        "a null beside duplicates is restored as it was put, and a put afterwards replaces no duplicate",
        found,
        ["a@0=1", "a@0=2", "a@0=3"].map(String::from).to_vec(),
    );
}

fn formats(setting: &Setting<'_>) {
    let list = headers();
    for format in FORMATS {
        let setting = setting.part(&format!("{format:?}"));
        let mut store = setting.window(kind(100, false, (false, false)), format);
        let put = setting.done("put", store.put(b"k", at(0), Some(full_row("v", 7, &list))));
        setting.same("it is stored", put, Put::Stored);
        setting.commit(store.as_mut(), 0);
        let Some(row) = setting.done("fetch", store.fetch(b"k", at(0))) else { setting.fail("the row is found") };
        setting.same("the value is kept", value(&row), "v".to_owned());
        let timestamp = if format.has_timestamp() { 7 } else { -1 };
        setting.same("the timestamp is kept where the format has one", row.timestamp().millis(), timestamp);
        let kept = if format.has_headers() { list.clone() } else { Vec::new() };
        setting.same("the headers are kept where the format has them", row.headers().to_vec(), kept);
    }
}
