//! Scans of key-value stores: every bound, both orders, in batches of every size.

use std::ops::Bound;

use super::Check;
use super::setting::Setting;
use crate::RowFormat;
use crate::bytes::{KeyRange, KeyValueBytes, Order, Scan};

pub(super) const CHECKS: &[Check] = &[
    ("a scan reads the keys within its bounds in order", bounds),
    ("keys are ordered as unsigned bytes", unsigned),
    ("a scan sees what is not committed", uncommitted),
    ("writing between two batches of a scan is seen", writing_between),
    ("a range that ends before it begins is empty", backwards_range),
    ("the keys that begin with a prefix are a range", prefixes),
    ("deleting what a scan has read takes nothing from what is left", deleting_between),
];

/// The keys, of which `committed` gives some to the disk first.
const KEYS: [&str; 7] = ["", "a", "ab", "b", "c", "d", "dd"];

/// Half committed, half not; some keys deleted on the way.
fn filled(setting: &Setting<'_>) -> Box<dyn KeyValueBytes> {
    let mut store = setting.key_value(RowFormat::Plain);
    for key in ["a", "b", "d", "gone-1", "aa-gone"] {
        setting.put(store.as_mut(), key, "old");
    }
    setting.commit(store.as_mut(), 5);
    for key in KEYS.iter().filter(|key| **key != "d") {
        setting.put(store.as_mut(), key, &format!("<{key}>"));
    }
    setting.put(store.as_mut(), "c-gone", "never");
    for key in ["gone-1", "aa-gone", "c-gone"] {
        setting.delete(store.as_mut(), key);
    }
    store
}

fn expected(range: KeyRange<'_>, order: Order) -> Vec<(String, String)> {
    let within = |key: &&&str| {
        let key = key.as_bytes();
        let after = match range.from {
            Bound::Unbounded => true,
            Bound::Included(from) => key >= from,
            Bound::Excluded(from) => key > from,
        };
        let before = match range.to {
            Bound::Unbounded => true,
            Bound::Included(to) => key <= to,
            Bound::Excluded(to) => key < to,
        };
        after && before
    };
    let value = |key: &str| if key == "d" { "old".to_owned() } else { format!("<{key}>") };
    let mut keys: Vec<_> = KEYS.iter().filter(within).map(|key| ((*key).to_owned(), value(key))).collect();
    if order == Order::Backward {
        keys.reverse();
    }
    keys
}

fn bounds(setting: &Setting<'_>) {
    let mut store = filled(setting);
    let mut ends = vec![Bound::Unbounded];
    for key in ["", "a", "aa", "b", "d", "dd", "x"] {
        ends.extend([Bound::Included(key.as_bytes()), Bound::Excluded(key.as_bytes())]);
    }
    for committed in [false, true] {
        if committed {
            setting.commit(store.as_mut(), 20);
        }
        for order in [Order::Forward, Order::Backward] {
            for range in ends.iter().flat_map(|from| ends.iter().map(|to| KeyRange { from: *from, to: *to })) {
                for limit in [1, 2, 3, 100] {
                    let found = setting.scan(store.as_ref(), range, order, limit);
                    let what = format!("{order:?} {range:?}, {limit} at a time, committed: {committed}");
                    setting.same(&what, found, expected(range, order));
                }
            }
        }
    }
}

fn unsigned(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    let keys: [&[u8]; 5] = [&[0x7f], &[0x80], &[0xff, 0xff], &[0x00], &[0xff]];
    for (index, key) in keys.iter().enumerate() {
        setting.done("put", store.put(key, Some(crate::Row::plain(b"v"))));
        if index == 2 {
            setting.commit(store.as_mut(), 2);
        }
    }
    let mut entries = Vec::new();
    let _ = setting.done("scan", store.scan(KeyRange::ALL, Order::Forward, 100, &mut entries));
    let found: Vec<Vec<u8>> = entries.into_iter().map(|entry| entry.key).collect();
    let sorted = vec![vec![0x00], vec![0x7f], vec![0x80], vec![0xff], vec![0xff, 0xff]];
    setting.same("keys come in the order of unsigned bytes", found, sorted);
}

fn uncommitted(setting: &Setting<'_>) {
    let store = filled(setting);
    for order in [Order::Forward, Order::Backward] {
        let found = setting.scan(store.as_ref(), KeyRange::ALL, order, 2);
        let what = "new values replace committed ones, deleted keys are left out";
        setting.same(what, found, expected(KeyRange::ALL, order));
    }
    let mut into = Vec::new();
    let _ = setting.done("scan", store.scan(KeyRange::ALL, Order::Forward, 1, &mut into));
    let _ = setting.done("scan", store.scan(KeyRange::ALL, Order::Forward, 1, &mut into));
    setting.same("a scan appends to what is there", into.len(), 2);
}

fn writing_between(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    for key in ["a", "b", "c", "d"] {
        setting.put(store.as_mut(), key, "1");
    }
    setting.commit(store.as_mut(), 3);
    let mut entries = Vec::new();
    let _ = setting.done("scan", store.scan(KeyRange::ALL, Order::Forward, 2, &mut entries));
    setting.delete(store.as_mut(), "b");
    setting.delete(store.as_mut(), "c");
    setting.put(store.as_mut(), "bb", "2");
    setting.commit(store.as_mut(), 6);
    let rest = KeyRange::ALL.after(b"b", Order::Forward);
    let found = setting.scan(store.as_ref(), rest, Order::Forward, 1);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let what = "a scan goes on from its last key, though that key is gone, and sees what was written meanwhile";
    setting.same(what, found, vec![pair("bb", "2"), pair("d", "1")]);
}

fn backwards_range(setting: &Setting<'_>) {
    let store = filled(setting);
    for order in [Order::Forward, Order::Backward] {
        let range = KeyRange::inclusive(Some(b"c"), Some(b"a"));
        setting.same("from c to a there is nothing", setting.scan(store.as_ref(), range, order, 10), Vec::new());
        let none = KeyRange { from: Bound::Excluded(b"b"), to: Bound::Excluded(b"b") };
        setting.same("between b and b there is nothing", setting.scan(store.as_ref(), none, order, 10), Vec::new());
    }
}

/// Keys as the subscriptions of a foreign-key join have them, and bytes at the edges.
fn prefixes(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Timestamped);
    let keys: [&[u8]; 11] = [
        &[],
        &[0, 0, 0, 1, b'k'],
        &[0, 0, 0, 1, b'k', 0],
        &[0, 0, 0, 1, b'k', 0xff, 0xff],
        &[0, 0, 0, 1, b'l'],
        &[0, 0, 0, 2, b'k', b'k'],
        &[1, 0xfe, 7],
        &[1, 0xff],
        &[1, 0xff, 0xff, 0],
        &[2],
        &[0xff, 0xff, 3],
    ];
    for (index, key) in keys.iter().enumerate() {
        setting.done("put", store.put(key, Some(crate::Row::plain(b"v"))));
        if index == 5 {
            setting.commit(store.as_mut(), 5);
        }
    }
    // A prefix, and the least key after all that begin with it.
    let ranges: [(&[u8], Option<&[u8]>); 6] = [
        (&[0, 0, 0, 1, b'k'], Some(&[0, 0, 0, 1, b'l'])),
        (&[0, 0, 0, 1], Some(&[0, 0, 0, 2])),
        (&[1, 0xff], Some(&[2])),
        (&[0xff, 0xff], None),
        (&[3], Some(&[4])),
        (&[], None),
    ];
    for (prefix, end) in ranges {
        let range = KeyRange { from: Bound::Included(prefix), to: end.map_or(Bound::Unbounded, Bound::Excluded) };
        let mut begin: Vec<Vec<u8>> =
            keys.iter().filter(|key| key.starts_with(prefix)).map(|key| key.to_vec()).collect();
        for order in [Order::Forward, Order::Backward] {
            for limit in [1, 2, 100] {
                let found = setting.entries(store.as_ref(), range, order, limit);
                let found: Vec<Vec<u8>> = found.into_iter().map(|entry| entry.key).collect();
                let what = format!("{order:?}, what begins with {prefix:?}, {limit} at a time");
                setting.same(&what, &found, &begin);
            }
            begin.reverse();
        }
    }
}

fn deleting_between(setting: &Setting<'_>) {
    for order in [Order::Forward, Order::Backward] {
        let setting = setting.part(&format!("{order:?}"));
        let mut store = filled(&setting);
        let mut expected = expected(KeyRange::ALL, order);
        let mut last: Option<String> = None;
        loop {
            let rest = last.as_deref().map_or(KeyRange::ALL, |last| KeyRange::ALL.after(last.as_bytes(), order));
            let mut batch = Vec::new();
            let scan = setting.done("scan", store.scan(rest, order, 1, &mut batch));
            let Some(entry) = batch.pop() else { break };
            let (key, _) = expected.remove(0);
            setting.same("the next key that was there", super::setting::text(&entry.key), key.clone());
            setting.delete(store.as_mut(), &key);
            if expected.len() == 3 {
                setting.commit(store.as_mut(), 30);
            }
            last = Some(key);
            if scan == Scan::Done {
                break;
            }
        }
        setting.same("all keys were read", expected.len(), 0);
        let left = setting.scan(store.as_ref(), KeyRange::ALL, order, 10);
        setting.same("and all are deleted", left.len(), 0);
    }
}
