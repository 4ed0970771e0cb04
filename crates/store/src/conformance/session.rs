//! Session stores: putting, finding by key and time, forgetting.

mod random;

use std::time::Duration;

use headwater_record::{Offset, Timestamp};

use super::Check;
use super::setting::{Setting, record, text, value};
use crate::bytes::{KeySelection, Order, Put, Scan, SessionBytes, SessionEntry, SessionQuery};
use crate::{Row, RowFormat, StoreKind};

pub(super) const CHECKS: &[Check] = &[
    ("a session is read by key, start and end", one_session),
    ("sessions of a key that a record reaches are found", finds),
    ("sessions of all keys are found, small batches lose none", all_keys),
    ("sessions are forgotten after the retention", forgets),
    ("a session store opens again at its last commit", reopens),
    ("sessions are restored from changelog keys", restores),
    ("random writes and reads answer as a model does", random::answers_as_the_model),
];

fn kind(retention_ms: u64, time_ordered: bool) -> StoreKind {
    StoreKind::Session {
        retention: Duration::from_millis(retention_ms),
        segment_interval: Duration::from_millis(retention_ms / 2),
        time_ordered,
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(
    setting: &Setting<'_>,
    store: &mut dyn SessionBytes,
    key: &str,
    (start, end): (i64, i64),
    value: Option<&str>,
) -> Put {
    let row = value.map(|value| Row::plain(value.as_bytes()));
    setting.done("put", store.put(key.as_bytes(), at(start), at(end), row))
}

fn stored(setting: &Setting<'_>, store: &mut dyn SessionBytes, key: &str, session: (i64, i64), value: &str) {
    let put = put(setting, store, key, session, Some(value));
    setting.same("a put within the retention is stored", put, Put::Stored);
}

fn fetch(setting: &Setting<'_>, store: &dyn SessionBytes, key: &str, (start, end): (i64, i64)) -> Option<String> {
    setting.done("fetch", store.fetch(key.as_bytes(), at(start), at(end))).as_ref().map(value)
}

fn query(keys: KeySelection<'_>, earliest_end: i64, latest_end: i64, latest_start: i64) -> SessionQuery<'_> {
    SessionQuery { keys, earliest_end: at(earliest_end), latest_end: at(latest_end), latest_start: at(latest_start) }
}

fn all() -> SessionQuery<'static> {
    query(KeySelection::ALL, 0, i64::MAX, i64::MAX)
}

/// Scans to the end in batches of `limit`; entries as `key@start/end=value`.
fn scan(
    setting: &Setting<'_>,
    store: &dyn SessionBytes,
    query: SessionQuery<'_>,
    order: Order,
    limit: usize,
) -> Vec<String> {
    let mut entries: Vec<SessionEntry> = Vec::new();
    loop {
        let before = entries.len();
        let after = entries.last().cloned();
        let scan = setting.done("scan", store.scan(query, order, after.as_ref(), limit, &mut entries));
        let read = entries.len() - before;
        if read > limit {
            setting.fail(&format!("a scan reads at most {limit} sessions, it read {read}"));
        }
        match scan {
            Scan::Done => break,
            Scan::More if read == 0 => setting.fail("a scan that says there may be more has read something"),
            Scan::More => {}
        }
    }
    let show =
        |entry: &SessionEntry| format!("{}@{}/{}={}", text(&entry.key), entry.start, entry.end, value(&entry.row));
    entries.iter().map(show).collect()
}

/// As in the scenario `processor/session-commands`, over several segments, partly committed.
fn filled(setting: &Setting<'_>, time_ordered: bool) -> Box<dyn SessionBytes> {
    let mut store = setting.session(kind(100, time_ordered), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", (0, 5), "1");
    stored(setting, store.as_mut(), "a", (10, 70), "2");
    setting.commit(store.as_mut(), 1);
    stored(setting, store.as_mut(), "b", (3, 8), "3");
    stored(setting, store.as_mut(), "a", (4, 5), "4");
    stored(setting, store.as_mut(), "aa", (4, 6), "5");
    store
}

fn part<'a>(setting: &Setting<'a>, time_ordered: bool) -> Setting<'a> {
    setting.part(if time_ordered { "by-time" } else { "by-key" })
}

fn one_session(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = part(setting, time_ordered);
        let mut store = filled(&setting, time_ordered);
        setting.same("the store's time is the latest end", store.observed_time(), at(70));
        for committed in [false, true] {
            if committed {
                setting.commit(store.as_mut(), 5);
            }
            let found = |key, session| fetch(&setting, store.as_ref(), key, session);
            setting.same("a session is found by its start and end", found("a", (0, 5)), Some("1".into()));
            setting.same("another start is another session", found("a", (4, 5)), Some("4".into()));
            setting.same("no session ends there", found("a", (0, 6)), None);
            setting.same("another key has no such session", found("b", (0, 5)), None);
        }
        stored(&setting, store.as_mut(), "a", (0, 5), "new");
        setting.same("the last put wins", fetch(&setting, store.as_ref(), "a", (0, 5)), Some("new".into()));
        let removed = put(&setting, store.as_mut(), "a", (0, 5), None);
        setting.same("removing is in time as well", removed, Put::Stored);
        setting.same("a put of none removes", fetch(&setting, store.as_ref(), "a", (0, 5)), None);
        setting.same("others stay", fetch(&setting, store.as_ref(), "a", (4, 5)), Some("4".into()));
    }
}

fn finds(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = part(setting, time_ordered);
        let store = filled(&setting, time_ordered);
        let key = KeySelection::One(b"a");
        for limit in [1, 100] {
            let found = |earliest_end, latest_end, latest_start| {
                let query = query(key, earliest_end, latest_end, latest_start);
                // Sessions with the same end come by start, upwards or downwards as the make has it.
                let mut found = scan(&setting, store.as_ref(), query, Order::Forward, limit);
                let mut backward = scan(&setting, store.as_ref(), query, Order::Backward, limit);
                backward.reverse();
                setting.same("backward is forward the other way round", &backward, &found);
                found.sort();
                found
            };
            let of = |sessions: &[&str]| sessions.iter().map(|session| (*session).to_owned()).collect::<Vec<_>>();
            let max = i64::MAX;
            setting.same("all of a key", found(0, max, max), of(&["a@0/5=1", "a@10/70=2", "a@4/5=4"]));
            setting.same("those that end late enough", found(6, max, max), of(&["a@10/70=2"]));
            setting.same("those that start early enough", found(0, max, 9), of(&["a@0/5=1", "a@4/5=4"]));
            setting.same("both bounds belong to it", found(5, max, 4), of(&["a@0/5=1", "a@4/5=4"]));
            setting.same("those that end early enough", found(0, 69, max), of(&["a@0/5=1", "a@4/5=4"]));
            setting.same("none", found(71, max, max), Vec::new());
        }
    }
}

fn all_keys(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = part(setting, time_ordered);
        let store = filled(&setting, time_ordered);
        let max = i64::MAX;
        for (query, count) in [
            (all(), 5),
            (query(KeySelection::Between(Some(b"a"), Some(b"a")), 0, max, max), 3),
            (query(KeySelection::Between(Some(b"aa"), None), 0, max, max), 2),
            (query(KeySelection::Between(None, Some(b"aa")), 0, max, 9), 3),
            (query(KeySelection::Between(Some(b"b"), Some(b"a")), 0, max, max), 0),
        ] {
            let forward = scan(&setting, store.as_ref(), query, Order::Forward, 100);
            setting.same(&format!("how many sessions {query:?} has"), forward.len(), count);
            if time_ordered {
                let end = |entry: &String| entry.split(['/', '=']).nth(1).and_then(|end| end.parse::<i64>().ok());
                setting.same("a time-ordered store reads by end", forward.is_sorted_by_key(end), true);
            }
            let mut backward = scan(&setting, store.as_ref(), query, Order::Backward, 100);
            backward.reverse();
            setting.same("backward is forward the other way round", &backward, &forward);
            for limit in [1, 2, 3] {
                let batches = scan(&setting, store.as_ref(), query, Order::Forward, limit);
                setting.same("forward in small batches", &batches, &forward);
                let mut batches = scan(&setting, store.as_ref(), query, Order::Backward, limit);
                batches.reverse();
                setting.same("backward in small batches", &batches, &forward);
            }
        }
    }
}

fn forgets(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = part(setting, time_ordered);
        let mut store = setting.session(kind(100, time_ordered), RowFormat::Plain);
        stored(&setting, store.as_mut(), "a", (0, 0), "1");
        stored(&setting, store.as_mut(), "a", (0, 1), "2");
        setting.commit(store.as_mut(), 1);
        stored(&setting, store.as_mut(), "b", (90, 100), "3");
        let found = scan(&setting, store.as_ref(), all(), Order::Forward, 100);
        let left = vec!["a@0/1=2".to_owned(), "b@90/100=3".to_owned()];
        setting.same("a session that ended before the retention is not found", found, left);
        setting.same("nor is it read", fetch(&setting, store.as_ref(), "a", (0, 0)), None);
        stored(&setting, store.as_mut(), "b", (1000, 1000), "4");
        setting.commit(store.as_mut(), 3);
        let late = put(&setting, store.as_mut(), "a", (0, 1), Some("5"));
        setting.same("a put far too old is refused", late, Put::Expired);
        let found = scan(&setting, store.as_ref(), all(), Order::Backward, 1);
        setting.same("only what is young enough is left", found, vec!["b@1000/1000=4".to_owned()]);
    }
}

fn reopens(setting: &Setting<'_>) {
    if !setting.is_persistent() {
        return;
    }
    let mut store = setting.session(kind(100, false), RowFormat::Plain);
    stored(setting, store.as_mut(), "a", (0, 10), "1");
    setting.commit(store.as_mut(), 7);
    stored(setting, store.as_mut(), "a", (20, 20), "uncommitted");
    drop(store);
    let store = setting.session(kind(100, false), RowFormat::Plain);
    let found = scan(setting, store.as_ref(), all(), Order::Forward, 100);
    setting.same("the content is that of the last commit", found, vec!["a@0/10=1".to_owned()]);
    let offset = setting.done("committed_offset", store.committed_offset());
    setting.same("the offset is that of the last commit", offset, Some(Offset::new(7)));
    setting.same("the time is that of the last commit", store.observed_time(), at(10));
}

fn restores(setting: &Setting<'_>) {
    let key = |key: &[u8], start: i64, end: i64| {
        let mut bytes = key.to_vec();
        headwater_window::key_format::put_session(at(start), at(end), &mut bytes);
        bytes
    };
    let mut store = setting.session(kind(100, false), RowFormat::Plain);
    let records = [
        record(&key(b"a", 0, 1), Some("old"), 1, Vec::new()),
        record(&key(b"a", 200, 205), Some("1"), 205, Vec::new()),
        record(&key(b"a", 200, 205), None, 206, Vec::new()),
        record(&key(b"a", 200, 206), Some("2"), 206, Vec::new()),
    ];
    setting.restore(store.as_mut(), &records);
    let found = scan(setting, store.as_ref(), all(), Order::Forward, 100);
    setting.same("what is young enough and not removed is there", found, vec!["a@200/206=2".to_owned()]);
    setting.same("the store's time is restored", store.observed_time(), at(206));
    let wrong = record(b"short", Some("1"), 0, Vec::new());
    let refused = store.restore(&mut [wrong.view()].into_iter());
    setting.same("a key without a session is refused", refused.is_err(), true);
}
