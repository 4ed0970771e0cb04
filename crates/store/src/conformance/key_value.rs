//! One key at a time: putting, reading, deleting, and what a row keeps.

use super::Check;
use super::setting::{FORMATS, Setting, full_row, headers, record, value};
use crate::{Row, RowFormat};

pub(super) const CHECKS: &[Check] = &[
    ("a value is read as it was put", reads_what_was_put),
    ("an empty value is a value", empty_is_not_none),
    ("a deleted key is not found", deletes),
    ("several keys are read in the order asked", multi_get),
    ("a row keeps what its format has", formats),
    ("the number of entries is about right", approximate_len),
    ("restored records are read as if put", restores),
];

fn reads_what_was_put(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    setting.same("an unknown key has no row", setting.get(store.as_ref(), "a"), None);
    setting.put(store.as_mut(), "a", "1");
    setting.same("a key has the value put", setting.get(store.as_ref(), "a"), Some("1".into()));
    setting.put(store.as_mut(), "a", "a longer value");
    setting.same("the last put wins", setting.get(store.as_ref(), "a"), Some("a longer value".into()));
    setting.put(store.as_mut(), "a", "2");
    setting.same("a shorter value replaces a longer one", setting.get(store.as_ref(), "a"), Some("2".into()));
    setting.same("a longer key is another key", setting.get(store.as_ref(), "aa"), None);
    setting.put(store.as_mut(), "", "empty");
    setting.same("the empty key is a key", setting.get(store.as_ref(), ""), Some("empty".into()));
    setting.commit(store.as_mut(), 3);
    setting.same("a commit changes nothing read", setting.get(store.as_ref(), "a"), Some("2".into()));
    setting.put(store.as_mut(), "a", "3");
    setting.same("a put over a committed value wins", setting.get(store.as_ref(), "a"), Some("3".into()));
}

fn empty_is_not_none(setting: &Setting<'_>) {
    for format in FORMATS {
        let setting = setting.part(&format!("{format:?}"));
        let mut store = setting.key_value(format);
        setting.put(store.as_mut(), "a", "");
        setting.same("an empty value is found", setting.get(store.as_ref(), "a"), Some(String::new()));
        setting.commit(store.as_mut(), 0);
        setting.same("an empty value is found after a commit", setting.get(store.as_ref(), "a"), Some(String::new()));
    }
}

fn deletes(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    setting.delete(store.as_mut(), "never put");
    setting.same("deleting an unknown key is fine", setting.get(store.as_ref(), "never put"), None);
    setting.put(store.as_mut(), "a", "1");
    setting.delete(store.as_mut(), "a");
    setting.same("a key deleted before a commit is gone", setting.get(store.as_ref(), "a"), None);
    setting.put(store.as_mut(), "a", "2");
    setting.put(store.as_mut(), "b", "2");
    setting.commit(store.as_mut(), 1);
    setting.delete(store.as_mut(), "a");
    setting.same("a committed key that is deleted is gone", setting.get(store.as_ref(), "a"), None);
    setting.commit(store.as_mut(), 2);
    setting.same("it stays gone after the commit", setting.get(store.as_ref(), "a"), None);
    setting.same("another key stays", setting.get(store.as_ref(), "b"), Some("2".into()));
    setting.put(store.as_mut(), "a", "3");
    setting.same("it may be put again", setting.get(store.as_ref(), "a"), Some("3".into()));
}

fn multi_get(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    for key in ["a", "b", "c", "d"] {
        setting.put(store.as_mut(), key, &key.to_uppercase());
    }
    setting.commit(store.as_mut(), 3);
    setting.put(store.as_mut(), "b", "new");
    setting.delete(store.as_mut(), "c");
    let keys: [&[u8]; 6] = [b"d", b"b", b"x", b"c", b"a", b"d"];
    let rows = setting.done("multi_get", store.multi_get(&keys));
    let rows: Vec<Option<String>> = rows.iter().map(|row| row.as_ref().map(value)).collect();
    let some = |text: &str| Some(text.to_owned());
    setting.same(
        "several keys are read in the order asked, repeated, unknown and uncommitted ones included",
        rows,
        vec![some("D"), some("new"), None, None, some("A"), some("D")],
    );
    setting.same("no keys give no rows", setting.done("multi_get", store.multi_get(&[])).len(), 0);
}

fn formats(setting: &Setting<'_>) {
    let list = headers();
    for format in FORMATS {
        let setting = setting.part(&format!("{format:?}"));
        let mut store = setting.key_value(format);
        setting.done("put", store.put(b"k", Some(full_row("v", 7, &list))));
        let check = |when: &str, row: Option<crate::RowBuf>| {
            let Some(row) = row else { setting.fail(&format!("a row with {format:?} is found {when}")) };
            setting.same(&format!("{format:?} keeps the value {when}"), value(&row), "v".to_owned());
            let timestamp = if format.has_timestamp() { 7 } else { -1 };
            setting.same(&format!("the timestamp of {format:?} {when}"), row.timestamp().millis(), timestamp);
            let kept = if format.has_headers() { list.clone() } else { Vec::new() };
            setting.same(&format!("the headers of {format:?} {when}"), row.headers().to_vec(), kept);
        };
        check("before a commit", setting.done("get", store.get(b"k")));
        setting.commit(store.as_mut(), 0);
        check("after a commit", setting.done("get", store.get(b"k")));
        let mut rows = Vec::new();
        let _ =
            setting.done("scan", store.scan(crate::bytes::KeyRange::ALL, crate::bytes::Order::Forward, 9, &mut rows));
        check("in a scan", rows.pop().map(|entry| entry.row));
    }
}

fn approximate_len(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    setting.same("a new store is empty", store.approximate_len(), 0);
    let near = |when: &str, found: u64| {
        if !(50..=200).contains(&found) {
            setting.fail(&format!("a store of 100 entries says about that {when}, it says {found}"));
        }
    };
    for key in 0..100 {
        let key = format!("{key:03}");
        setting.done("put", store.put(key.as_bytes(), Some(Row::plain(b"v"))));
    }
    near("before a commit", store.approximate_len());
    setting.commit(store.as_mut(), 99);
    near("after a commit", store.approximate_len());
}

fn restores(setting: &Setting<'_>) {
    let list = headers();
    for format in FORMATS {
        let setting = setting.part(&format!("{format:?}"));
        let mut store = setting.key_value(format);
        let records = [
            record(b"a", Some("1"), 5, list.clone()),
            record(b"b", Some("2"), 6, Vec::new()),
            record(b"a", Some("3"), 7, list.clone()),
            record(b"b", None, 8, Vec::new()),
            record(b"c", Some(""), 9, Vec::new()),
        ];
        setting.restore(store.as_mut(), &records);
        setting.same("the last record of a key wins", setting.get(store.as_ref(), "a"), Some("3".into()));
        setting.same("a tombstone deletes", setting.get(store.as_ref(), "b"), None);
        setting.same("an empty value is no tombstone", setting.get(store.as_ref(), "c"), Some(String::new()));
        let Some(row) = setting.done("get", store.get(b"a")) else { setting.fail("a restored key is found") };
        let timestamp = if format.has_timestamp() { 7 } else { -1 };
        setting.same("a row's timestamp is the record's", row.timestamp().millis(), timestamp);
        let kept = if format.has_headers() { list.clone() } else { Vec::new() };
        setting.same("a row's headers are the record's", row.headers().to_vec(), kept);
        setting.same("restored rows are not logged again", store.take_evicted().len(), 0);
    }
}
