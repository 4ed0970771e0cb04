//! Views: what other threads read.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Offset, Timestamp};

use super::Check;
use super::setting::{Setting, text, value};
use crate::bytes::{KeyRange, KeySelection, Order, SessionQuery, VersionQuery, WindowQuery};
use crate::{Asked, Row, RowFormat, StateStore, Store, StoreError, StoreKind, View};

pub(super) const KEY_VALUE: &[Check] = &[
    ("a view shows what was committed, and ends with its store", committed),
    ("a view of what was not committed stays as it was", uncommitted),
    ("a view shows what a record cache has", amended),
];
pub(super) const WINDOW: &[Check] = &[("a view of windows stays as it was", windows)];
pub(super) const SESSION: &[Check] = &[("a view of sessions stays as it was", sessions)];
pub(super) const VERSIONED: &[Check] = &[("a view of versions stays as it was", versions)];

/// The view of the last commit; some makes have it only after a commit since they were asked for the first. `None`: this make has no
/// views.
fn view<S: StateStore + ?Sized>(setting: &Setting<'_>, store: &mut S) -> Option<Arc<View>> {
    let views = store.views()?;
    if let Some(view) = setting.done("committed", views.committed()) {
        return Some(view);
    }
    setting.done("commit", store.commit(None));
    let view = setting.done("committed", views.committed());
    setting.same("a store that was asked for views has one after its next commit", view.is_some(), true);
    view
}

fn rows(setting: &Setting<'_>, view: &View) -> Vec<(String, String)> {
    let rows = view.read(|store| match store {
        Store::KeyValue(store) => Ok(setting.scan(store.as_ref(), KeyRange::ALL, Order::Forward, 2)),
        other => setting.fail(&format!("the view of a key-value store is one, but was {other:?}")),
    });
    setting.done("read", rows)
}

fn row(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn committed(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Timestamped);
    let Some(views) = store.views() else { return };
    let _ = view(setting, store.as_mut());
    setting.put(store.as_mut(), "a", "1");
    setting.put(store.as_mut(), "gone", "1");
    setting.commit(store.as_mut(), 1);
    let Some(first) = view(setting, store.as_mut()) else { return };
    setting.put(store.as_mut(), "a", "2");
    setting.put(store.as_mut(), "b", "1");
    setting.delete(store.as_mut(), "gone");
    let before = vec![row("a", "1"), row("gone", "1")];
    let now = view(setting, store.as_mut()).unwrap_or_else(|| setting.fail("a view stays until the next commit"));
    setting.same("what is not committed is in no view", rows(setting, &now), before.clone());
    setting.commit(store.as_mut(), 4);
    let second = view(setting, store.as_mut()).unwrap_or_else(|| setting.fail("there is a view after each commit"));
    setting.same("what was committed is in the next view", rows(setting, &second), vec![row("a", "2"), row("b", "1")]);
    setting.same("a view stays as it was", rows(setting, &first), before);
    let offsets = (first.changelog_offset(), second.changelog_offset());
    setting.same("a view says what it contains", offsets, (Some(Offset::new(1)), Some(Offset::new(4))));
    let get = second.read(|store| match store {
        Store::KeyValue(store) => Ok((store.get(b"a")?.as_ref().map(value), store.get(b"gone")?.is_none())),
        other => setting.fail(&format!("the view of a key-value store is one, but was {other:?}")),
    });
    setting.same("a view is read by key", setting.done("get", get), (Some("2".to_owned()), true));
    drop(store);
    for ended in [first.read(|_| Ok(())), views.committed().map(drop)] {
        setting.same("views end with their store", matches!(ended, Err(StoreError::Closed { .. })), true);
    }
}

/// As the others, of keys without times.
fn uncommitted(setting: &Setting<'_>) {
    let store = Store::KeyValue(setting.key_value(RowFormat::Timestamped));
    let step = |store: &mut Store, n: u32| {
        let Store::KeyValue(store) = store else { setting.fail("it is a store of its kind") };
        let text = n.to_string();
        let row = (!n.is_multiple_of(6)).then_some(Row::timestamped(text.as_bytes(), at(i64::from(n))));
        setting.done("put", store.put(&key(n), row));
    };
    let show = |store: &Store, asked: &Asked<'_>| {
        let Store::KeyValue(store) = store else { setting.fail("a view is a store of its kind") };
        let of_one = setting.done("get", store.get(b"c")).map(|row| value(&row));
        (
            setting.scan(store.as_ref(), asked.keys, Order::Forward, 2),
            setting.scan(store.as_ref(), asked.keys, Order::Backward, 3),
            of_one,
        )
    };
    stay(setting, store, &parts(), step, show);
}

/// What is written into a view before it is given out is seen in it, and nowhere else.
fn amended(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Timestamped);
    if view(setting, store.as_mut()).is_none() {
        return;
    }
    setting.put(store.as_mut(), "a", "1");
    setting.put(store.as_mut(), "gone", "1");
    let given = store.uncommitted(&Asked::ALL, &mut |copy| {
        let Store::KeyValue(copy) = copy else { setting.fail("a view is a store of its kind") };
        setting.put(copy.as_mut(), "a", "2");
        setting.put(copy.as_mut(), "b", "2");
        setting.delete(copy.as_mut(), "gone");
    });
    let given = setting.done("uncommitted", given).unwrap_or_else(|| setting.fail("there is a view"));
    setting.same("it shows what was written into it", rows(setting, &given), vec![row("a", "2"), row("b", "2")]);
    let held = setting.scan(store.as_ref(), KeyRange::ALL, Order::Forward, 2);
    setting.same("the store does not", held, vec![row("a", "1"), row("gone", "1")]);
}

/// A view of what the store has now.
fn now(setting: &Setting<'_>, store: &mut Store, asked: &Asked<'_>) -> Arc<View> {
    let view = setting.done("uncommitted", store.state_mut().uncommitted(asked, &mut |_| ()));
    view.unwrap_or_else(|| setting.fail("a store that has views of commits has one of what it holds now"))
}

/// Has `step` write more and more, and looks at all views when all is written: that of a commit, and those of what was not committed, must
/// show what `show` saw of the store. Those are asked for everything, and for each part in `asked` that they are to show.
fn stay<T: PartialEq + Debug>(
    setting: &Setting<'_>,
    mut store: Store,
    asked: &[Asked<'_>],
    mut step: impl FnMut(&mut Store, u32),
    show: impl Fn(&Store, &Asked<'_>) -> T,
) {
    if view(setting, store.state_mut()).is_none() {
        return;
    }
    let mut seen = Vec::new();
    for commit in 0..20_u32 {
        for n in 0..15 {
            step(&mut store, commit * 15 + n);
            if n % 5 == 3 {
                for asked in asked.iter().chain([&Asked::ALL]) {
                    let view = now(setting, &mut store, asked);
                    seen.push((show(&store, asked), view, asked));
                }
            }
        }
        setting.done("commit", store.state_mut().commit(Some(Offset::new(i64::from(commit)))));
        if let Some(view) = view(setting, store.state_mut()) {
            seen.push((show(&store, &Asked::ALL), view, &Asked::ALL));
        }
    }
    for (expected, view, asked) in &seen {
        let found = setting.done("read", view.read(|store| Ok(show(store, asked))));
        setting.same("a view shows the store as it was", &found, expected);
    }
    drop(store);
    for (_, view, _) in seen {
        let ended = matches!(view.read(|_| Ok(())), Err(StoreError::Closed { .. }));
        setting.same("views end with their store", ended, true);
    }
}

/// Of some keys, at all times and some.
fn parts() -> Vec<Asked<'static>> {
    let keys = [KeyRange::inclusive(Some(b"c"), Some(b"c")), KeyRange::inclusive(Some(b"b"), Some(b"d"))];
    let times = [(0, i64::MAX), (40, 90), (151, 151), (160, 270)];
    let part = |keys| times.map(|(from, to)| Asked { keys, from: at(from), to: at(to) });
    keys.into_iter().flat_map(part).collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn key(n: u32) -> [u8; 1] {
    [b'a' + (n * 7 % 5) as u8]
}

fn windows(setting: &Setting<'_>) {
    let (retention, window_size, segment_interval) =
        (Duration::from_millis(100), Duration::from_millis(10), Duration::from_millis(50));
    for (retain_duplicates, time_ordered) in [(false, false), (true, false), (false, true)] {
        let setting = setting.part(&format!("{retain_duplicates}-{time_ordered}"));
        let kind = StoreKind::Window {
            retention,
            window_size,
            segment_interval,
            retain_duplicates,
            time_ordered,
            key_index: false,
        };
        let store = Store::Window(setting.window(kind, RowFormat::Timestamped));
        let step = |store: &mut Store, n: u32| {
            let Store::Window(store) = store else { setting.fail("it is a store of its kind") };
            let (start, text) = (i64::from(n) - i64::from(n * 13 % 40), n.to_string());
            let row = (!n.is_multiple_of(6)).then_some(Row::timestamped(text.as_bytes(), at(start)));
            let _ = setting.done("put", store.put(&key(n), at(start), row));
        };
        let show = |store: &Store, asked: &Asked<'_>| {
            let Store::Window(store) = store else { setting.fail("a view is a store of its kind") };
            let scan = |keys| {
                let (query, mut entries) = (WindowQuery { keys, from: asked.from, to: asked.to }, Vec::new());
                let _ = setting.done("scan", store.scan(query, Order::Forward, None, 1_000, &mut entries));
                let show = |entry: &crate::bytes::WindowEntry| (text(&entry.key), entry.start, value(&entry.row));
                entries.iter().map(show).collect::<Vec<_>>()
            };
            let one = setting.done("fetch", store.fetch(b"c", asked.from)).map(|row| value(&row));
            (scan(asked.selection()), scan(KeySelection::One(b"c")), one, store.observed_time())
        };
        stay(&setting, store, &parts(), step, show);
    }
}

fn sessions(setting: &Setting<'_>) {
    for time_ordered in [false, true] {
        let setting = setting.part(&time_ordered.to_string());
        let (retention, segment_interval) = (Duration::from_millis(100), Duration::from_millis(50));
        let kind = StoreKind::Session { retention, segment_interval, time_ordered };
        let store = Store::Session(setting.session(kind, RowFormat::Plain));
        let step = |store: &mut Store, n: u32| {
            let Store::Session(store) = store else { setting.fail("it is a store of its kind") };
            let (end, text) = (i64::from(n) - i64::from(n * 13 % 40), n.to_string());
            let row = (!n.is_multiple_of(6)).then_some(Row::plain(text.as_bytes()));
            let start = at(end - i64::from(n % 3));
            let _ = setting.done("put", store.put(&key(n), start, at(end), row));
        };
        let show = |store: &Store, asked: &Asked<'_>| {
            let Store::Session(store) = store else { setting.fail("a view is a store of its kind") };
            let scan = |keys| {
                let (earliest_end, latest_end) = (asked.from, asked.to);
                let query = SessionQuery { keys, earliest_end, latest_end, latest_start: Timestamp::MAX };
                let mut entries = Vec::new();
                let _ = setting.done("scan", store.scan(query, Order::Forward, None, 1_000, &mut entries));
                let show =
                    |entry: &crate::bytes::SessionEntry| (text(&entry.key), entry.start, entry.end, value(&entry.row));
                entries.iter().map(show).collect::<Vec<_>>()
            };
            // Several keys up to a time are looked for by their times, which is of no use for a part of them.
            let several = asked.keys.only().is_none() && asked.to < Timestamp::MAX;
            (if several { Vec::new() } else { scan(asked.selection()) }, scan(KeySelection::One(b"c")))
        };
        stay(&setting, store, &parts(), step, show);
    }
}

fn versions(setting: &Setting<'_>) {
    let kind = StoreKind::Versioned {
        history_retention: Duration::from_millis(100),
        segment_interval: Duration::from_millis(30),
    };
    let store = Store::Versioned(setting.versioned(kind));
    let step = |store: &mut Store, n: u32| {
        let Store::Versioned(store) = store else { setting.fail("it is a store of its kind") };
        let (time, text) = (i64::from(n) - i64::from(n * 13 % 40), n.to_string());
        let put = store.put(&key(n), (!n.is_multiple_of(6)).then_some(text.as_bytes()), at(time));
        let _ = setting.done("put", put);
    };
    let show = |store: &Store, asked: &Asked<'_>| {
        let Store::Versioned(store) = store else { setting.fail("a view is a store of its kind") };
        let of = |key: &[u8]| {
            let mut found = Vec::new();
            let query = VersionQuery { key, from: at(0), to: Timestamp::MAX };
            let _ = setting.done("scan", store.scan(query, Order::Forward, None, 1_000, &mut found));
            let latest = setting.done("get", store.get(key));
            let show = |version: &crate::bytes::Version| (value(&version.row), version.valid_from(), version.valid_to);
            found.iter().chain(&latest).map(show).collect::<Vec<_>>()
        };
        ["a", "b", "c", "d", "e"]
            .map(|key| if asked.keys.contains(key.as_bytes()) { of(key.as_bytes()) } else { Vec::new() })
    };
    stay(setting, store, &parts(), step, show);
}
