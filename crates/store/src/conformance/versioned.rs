//! Versioned stores: putting in and out of order, reading as of a time, tombstones, forgetting.

mod random;

use std::time::Duration;

use headwater_record::{Offset, Timestamp};

use super::Check;
use super::setting::{FORMATS, Setting, record, text, value};
use crate::bytes::{Order, Scan, Version, VersionQuery, VersionedBytes, VersionedPut};
use crate::{RowFormat, StoreKind};

pub(super) const CHECKS: &[Check] = &[
    ("a version is read as of the times it is valid", as_of),
    ("a version put late ends when the next one begins", inserts),
    ("tombstones end versions and are versions themselves", tombstones),
    ("a tombstone over the only version leaves no trace", tombstone_over_the_only_version),
    ("deleting says what was valid", deletes),
    ("a put older than the history is refused", refuses),
    ("further back than the history only the latest version is read", beyond_history),
    ("versions of a key come in order, small batches lose none", scans),
    ("versions that ended in later segments are not found by earlier times", scans_by_segment),
    ("history is forgotten by segments", forgets),
    ("keys and empty values are kept apart", keys_apart),
    ("a versioned store opens again at its last commit", reopens),
    ("versions are restored from changelog records", restores),
    ("rows of another format are refused", formats),
    ("whatever is put, reads answer as the model does", random::answers_as_the_model),
];

fn kind(history_ms: u64, segment_ms: u64) -> StoreKind {
    StoreKind::Versioned {
        history_retention: Duration::from_millis(history_ms),
        segment_interval: Duration::from_millis(segment_ms),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(setting: &Setting<'_>, store: &mut dyn VersionedBytes, key: &str, value: Option<&str>, time: i64) -> i64 {
    let put = store.put(key.as_bytes(), value.map(str::as_bytes), at(time));
    setting.done("put", put).return_code()
}

/// Puts the values at their times; what comes of it is another check's business.
fn fill(setting: &Setting<'_>, store: &mut dyn VersionedBytes, versions: &[(&str, Option<&str>, i64)]) {
    for (key, value, time) in versions {
        put(setting, store, key, *value, *time);
    }
}

/// As `value@from..to`, without `to` for the latest.
fn show(version: &Version) -> String {
    let to = version.valid_to.map_or_else(String::new, |to| to.to_string());
    format!("{}@{}..{to}", value(&version.row), version.valid_from())
}

fn get(setting: &Setting<'_>, store: &dyn VersionedBytes, key: &str) -> String {
    let found = setting.done("get", store.get(key.as_bytes()));
    found.as_ref().map_or_else(|| "none".to_owned(), show)
}

fn get_as_of(setting: &Setting<'_>, store: &dyn VersionedBytes, key: &str, time: i64) -> String {
    let found = setting.done("get_as_of", store.get_as_of(key.as_bytes(), at(time)));
    found.as_ref().map_or_else(|| "none".to_owned(), show)
}

/// Scans to the end in batches of `limit`.
fn scan(
    setting: &Setting<'_>,
    store: &dyn VersionedBytes,
    (key, from, to): (&str, i64, i64),
    order: Order,
    limit: usize,
) -> Vec<String> {
    let query = VersionQuery { key: key.as_bytes(), from: at(from), to: at(to) };
    let mut versions: Vec<Version> = Vec::new();
    loop {
        let before = versions.len();
        let after = versions.last().cloned();
        let scan = setting.done("scan", store.scan(query, order, after.as_ref(), limit, &mut versions));
        let read = versions.len() - before;
        if read > limit {
            setting.fail(&format!("a scan reads at most {limit} versions, it read {read}"));
        }
        match scan {
            Scan::Done => break,
            Scan::More if read == 0 => setting.fail("a scan that says there may be more has read something"),
            Scan::More => {}
        }
    }
    versions.iter().map(show).collect()
}

fn all(setting: &Setting<'_>, store: &dyn VersionedBytes, key: &str) -> Vec<String> {
    scan(setting, store, (key, 0, i64::MAX), Order::Forward, 100)
}

fn as_of(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    setting.same("the time of a new store is -1", store.observed_time(), Timestamp::UNKNOWN);
    setting.same("the first version is the latest", put(setting, store.as_mut(), "a", Some("1"), 20), -1);
    setting.same("a later one is the latest", put(setting, store.as_mut(), "a", Some("2"), 50), -1);
    setting.same("the store's time is the latest timestamp", store.observed_time(), at(50));
    for committed in [false, true] {
        if committed {
            setting.commit(store.as_mut(), 1);
        }
        setting.same("the latest version", get(setting, store.as_ref(), "a"), "2@50..".to_owned());
        let of = |time| get_as_of(setting, store.as_ref(), "a", time);
        setting.same("before the first version there is none", of(19), "none".to_owned());
        setting.same("a version is valid from its timestamp on", of(20), "1@20..50".to_owned());
        setting.same("until the next one", of(49), "1@20..50".to_owned());
        setting.same("which is valid from its own", of(50), "2@50..".to_owned());
        setting.same("the latest is valid for ever", of(i64::MAX), "2@50..".to_owned());
    }
    setting.same("the same timestamp again", put(setting, store.as_mut(), "a", Some("3"), 50), -1);
    setting.same("replaces the version", get(setting, store.as_ref(), "a"), "3@50..".to_owned());
    setting.same("an earlier one too", put(setting, store.as_mut(), "a", Some("4"), 20), 50);
    setting.same("is replaced", get_as_of(setting, store.as_ref(), "a", 30), "4@20..50".to_owned());
}

fn inserts(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 20), ("a", Some("4"), 500)]);
    setting.commit(store.as_mut(), 1);
    setting.same("between two versions", put(setting, store.as_mut(), "a", Some("3"), 100), 500);
    setting.same("between those", put(setting, store.as_mut(), "a", Some("2"), 99), 100);
    setting.same("before all", put(setting, store.as_mut(), "a", Some("0"), 3), 20);
    let expected = ["0@3..20", "1@20..99", "2@99..100", "3@100..500", "4@500.."].map(String::from).to_vec();
    setting.same("each ends where the next begins", all(setting, store.as_ref(), "a"), expected.clone());
    setting.commit(store.as_mut(), 4);
    setting.same("also after a commit", all(setting, store.as_ref(), "a"), expected);
    setting.same("the store's time does not go back", store.observed_time(), at(500));
}

fn tombstones(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 20)]);
    setting.same("a tombstone is the latest", put(setting, store.as_mut(), "a", None, 60), -1);
    setting.commit(store.as_mut(), 1);
    setting.same("nothing is valid any more", get(setting, store.as_ref(), "a"), "none".to_owned());
    setting.same("what was valid before", get_as_of(setting, store.as_ref(), "a", 59), "1@20..60".to_owned());
    setting.same("nor later", get_as_of(setting, store.as_ref(), "a", 60), "none".to_owned());
    setting.same("a second one", put(setting, store.as_mut(), "a", None, 300), -1);
    setting.same("a version between them ends at it", put(setting, store.as_mut(), "a", Some("2"), 200), 300);
    setting.same("and begins where it says", get_as_of(setting, store.as_ref(), "a", 199), "none".to_owned());
    setting.same("one before the first ends there", put(setting, store.as_mut(), "a", Some("3"), 59), 60);
    setting.same("a late tombstone ends at the next version", put(setting, store.as_mut(), "a", None, 30), 59);
    let expected = ["1@20..30", "3@59..60", "2@200..300"].map(String::from).to_vec();
    setting.same("tombstones are left out of a scan", all(setting, store.as_ref(), "a"), expected);
    setting.same("after a tombstone", put(setting, store.as_mut(), "a", Some("4"), 400), -1);
    setting.same("there may be a version again", get(setting, store.as_ref(), "a"), "4@400..".to_owned());
    setting.same("between both there is none", get_as_of(setting, store.as_ref(), "a", 350), "none".to_owned());
    setting.same("a tombstone for an unknown key", put(setting, store.as_mut(), "b", None, 400), -1);
    setting.same("is known to an earlier version", put(setting, store.as_mut(), "b", Some("1"), 390), 400);
    setting.same("which it ends", get(setting, store.as_ref(), "b"), "none".to_owned());
}

/// An odd corner of Java's: where nothing ended at the version's timestamp, nothing remembers it.
fn tombstone_over_the_only_version(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 60)]);
    setting.same("a tombstone of the version's time", put(setting, store.as_mut(), "a", None, 60), -1);
    setting.same("ends it", get(setting, store.as_ref(), "a"), "none".to_owned());
    setting.same("an earlier version is the latest", put(setting, store.as_mut(), "a", Some("0"), 50), -1);
    setting.same("and found", get(setting, store.as_ref(), "a"), "0@50..".to_owned());
    fill(setting, store.as_mut(), &[("a", Some("1"), 60), ("a", None, 60)]);
    setting.same("a version ended there: it is remembered", put(setting, store.as_mut(), "a", Some("2"), 55), 60);
    setting.same("so that nothing is valid", get(setting, store.as_ref(), "a"), "none".to_owned());
}

fn deletes(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(100, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 20), ("a", Some("2"), 50)]);
    let delete = |store: &mut dyn VersionedBytes, time| {
        let deleted = setting.done("delete", store.delete(b"a", at(time)));
        (deleted.before.as_ref().map(show), deleted.put)
    };
    let found = delete(store.as_mut(), 30);
    setting.same("a late delete", found, (Some("1@20..50".to_owned()), VersionedPut::ValidTo(at(50))));
    setting.same("shortens", get_as_of(setting, store.as_ref(), "a", 40), "none".to_owned());
    let found = delete(store.as_mut(), 60);
    setting.same("a delete of the latest", found, (Some("2@50..".to_owned()), VersionedPut::Latest));
    setting.same("a delete of nothing", delete(store.as_mut(), 70), (None, VersionedPut::Latest));
    fill(setting, store.as_mut(), &[("b", Some("1"), 500)]);
    setting.same("a delete older than the history", delete(store.as_mut(), 399), (None, VersionedPut::Expired));
}

fn refuses(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(100, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 500)]);
    setting.same("as old as the history", put(setting, store.as_mut(), "b", Some("1"), 400), -1);
    setting.same("a millisecond older", put(setting, store.as_mut(), "b", Some("2"), 399), i64::MIN);
    setting.same("a tombstone too", put(setting, store.as_mut(), "b", None, 399), i64::MIN);
    setting.same("changes nothing", all(setting, store.as_ref(), "b"), vec!["1@400..".to_owned()]);
    let setting = setting.part("none");
    let mut store = setting.versioned(kind(0, 10));
    fill(&setting, store.as_mut(), &[("a", Some("1"), 500), ("a", Some("2"), 500)]);
    setting.same("without history", put(&setting, store.as_mut(), "a", Some("3"), 499), i64::MIN);
    setting.same("only the latest is there", get_as_of(&setting, store.as_ref(), "a", 500), "2@500..".to_owned());
}

fn beyond_history(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(100, 1000));
    fill(setting, store.as_mut(), &[("a", Some("1"), 10), ("a", Some("2"), 20), ("b", Some("3"), 10)]);
    fill(setting, store.as_mut(), &[("c", Some("4"), 125)]);
    setting.commit(store.as_mut(), 4);
    let of = |key, time| get_as_of(setting, store.as_ref(), key, time);
    setting.same("further back than the history nothing is read", of("a", 19), "none".to_owned());
    setting.same("but the latest, which never expires", of("a", 20), "2@20..".to_owned());
    setting.same("when it was valid then", of("b", 11), "3@10..".to_owned());
    setting.same("and not before", of("b", 9), "none".to_owned());
    let found = scan(setting, store.as_ref(), ("a", 0, 24), Order::Forward, 9);
    setting.same("a scan that far back", found, vec!["2@20..".to_owned()]);
    let found = scan(setting, store.as_ref(), ("a", 0, 25), Order::Forward, 9);
    setting.same("a scan shows what is not forgotten yet", found, ["1@10..20", "2@20.."].map(String::from).to_vec());
}

fn scans(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    let versions = [(20, Some("1")), (25, Some("2")), (40, None), (41, Some("3")), (100, Some("4")), (300, Some("5"))];
    for (index, (time, value)) in versions.into_iter().enumerate() {
        fill(setting, store.as_mut(), &[("a", value, time), ("aa", Some("x"), time), ("", Some("y"), time)]);
        if index == 2 {
            setting.commit(store.as_mut(), 2);
        }
    }
    let shown = ["1@20..25", "2@25..40", "3@41..100", "4@100..300", "5@300.."].map(String::from);
    for (from, to, expected) in [
        (0, i64::MAX, 0..5),
        (0, 309, 0..5),
        (24, 309, 0..5),
        (25, 309, 1..5),
        (40, 309, 2..5),
        (100, 309, 3..5),
        (400, 500, 4..5),
        (0, 299, 0..3),
        (0, 19, 0..0),
    ] {
        let expected = shown.get(expected).unwrap_or_default().to_vec();
        for limit in [1, 2, 3, 100] {
            let found = scan(setting, store.as_ref(), ("a", from, to), Order::Forward, limit);
            setting.same(&format!("forward from {from} to {to}, {limit} at a time"), found, expected.clone());
            let mut found = scan(setting, store.as_ref(), ("a", from, to), Order::Backward, limit);
            found.reverse();
            setting.same(&format!("backward from {from} to {to}, {limit} at a time"), found, expected.clone());
        }
    }
    setting.same("an unknown key has no versions", all(setting, store.as_ref(), "b"), Vec::new());
}

/// An odd corner of Java's `RocksDBVersionedStore#get(key, from, to, order)`.
fn scans_by_segment(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 100));
    fill(setting, store.as_mut(), &[("a", Some("1"), 20), ("a", Some("2"), 250)]);
    for (to, expected) in [(199, 0), (200, 1), (249, 1), (250, 2)] {
        let found = scan(setting, store.as_ref(), ("a", 0, to), Order::Forward, 9);
        setting.same(&format!("how many versions are found up to {to}"), found.len(), expected);
    }
    setting.same("a read as of that time finds it", get_as_of(setting, store.as_ref(), "a", 199), "1@20..250".into());
}

fn forgets(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(100, 50));
    fill(setting, store.as_mut(), &[("a", Some("1"), 10), ("a", Some("2"), 49), ("a", Some("3"), 50)]);
    fill(setting, store.as_mut(), &[("b", Some("1"), 10), ("b", None, 20)]);
    setting.commit(store.as_mut(), 5);
    fill(setting, store.as_mut(), &[("c", Some("1"), 149)]);
    let shown = ["1@10..49", "2@49..50", "3@50.."].map(String::from);
    setting.same("what ended in a segment stays with it", all(setting, store.as_ref(), "a"), shown.to_vec());
    fill(setting, store.as_mut(), &[("c", Some("2"), 150)]);
    for committed in [false, true] {
        if committed {
            setting.commit(store.as_mut(), 7);
        }
        let found = all(setting, store.as_ref(), "a");
        setting.same("and goes with it", found, shown.get(1..).unwrap_or_default().to_vec());
        setting.same("what was deleted is gone for good", all(setting, store.as_ref(), "b"), Vec::new());
        setting.same("as of then there is nothing", get_as_of(setting, store.as_ref(), "b", 50), "none".to_owned());
    }
    fill(setting, store.as_mut(), &[("c", Some("3"), 10_000)]);
    setting.commit(store.as_mut(), 8);
    setting.same("the latest is never forgotten", all(setting, store.as_ref(), "a"), vec!["3@50..".to_owned()]);
}

fn keys_apart(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(1000, 10));
    let keys = ["", "a", "a\0", "a\0\0\0\0\0\0\0\u{1}", "aa", "b"];
    for time in [1, 2, 300] {
        for key in keys {
            fill(setting, store.as_mut(), &[(key, Some(&format!("{key}{time}")), time)]);
        }
        setting.commit(store.as_mut(), time);
    }
    for key in keys {
        let expected = vec![format!("{key}1@1..2"), format!("{key}2@2..300"), format!("{key}300@300..")];
        setting.same(&format!("the versions of {key:?} alone"), all(setting, store.as_ref(), key), expected);
    }
    fill(setting, store.as_mut(), &[("e", Some(""), 10), ("e", Some(""), 20)]);
    setting.same("an empty value is a value", get(setting, store.as_ref(), "e"), "@20..".to_owned());
    setting.same("an earlier one too", get_as_of(setting, store.as_ref(), "e", 19), "@10..20".to_owned());
}

fn reopens(setting: &Setting<'_>) {
    if !setting.is_persistent() {
        return;
    }
    let mut store = setting.versioned(kind(100, 10));
    fill(setting, store.as_mut(), &[("a", Some("1"), 10), ("a", Some("2"), 60)]);
    setting.commit(store.as_mut(), 7);
    fill(setting, store.as_mut(), &[("a", Some("3"), 300), ("a", Some("4"), 30)]);
    drop(store);
    let mut store = setting.versioned(kind(100, 10));
    let content = ["1@10..60", "2@60.."].map(String::from).to_vec();
    setting.same("the content is that of the last commit", all(setting, store.as_ref(), "a"), content);
    let offset = setting.done("committed_offset", store.committed_offset());
    setting.same("the offset is that of the last commit", offset, Some(Offset::new(7)));
    setting.same("the time is that of the last commit", store.observed_time(), at(60));
    setting.same("a late version is put", put(setting, store.as_mut(), "a", Some("5"), 30), 60);
    setting.same("history goes on", get_as_of(setting, store.as_ref(), "a", 20), "1@10..30".to_owned());
    fill(setting, store.as_mut(), &[("b", Some("1"), 500)]);
    setting.commit(store.as_mut(), 9);
    setting.same("and is forgotten as usual", all(setting, store.as_ref(), "a"), vec!["2@60..".to_owned()]);
}

fn restores(setting: &Setting<'_>) {
    let mut store = setting.versioned(kind(100, 10));
    let records = [
        record(b"a", Some("1"), 100, Vec::new()),
        record(b"a", Some("3"), 200, Vec::new()),
        record(b"a", Some("2"), 150, Vec::new()),
        record(b"b", None, 150, Vec::new()),
        record(b"a", Some("too old"), 99, Vec::new()),
        record(b"b", Some("0"), 140, Vec::new()),
    ];
    let (first, second) = records.split_at(3);
    setting.restore(store.as_mut(), first);
    setting.restore(store.as_mut(), second);
    let expected = ["1@100..150", "2@150..200", "3@200.."].map(String::from).to_vec();
    setting.same("versions have their records' timestamps", all(setting, store.as_ref(), "a"), expected);
    setting.same("tombstones end", get_as_of(setting, store.as_ref(), "b", 149), "0@140..150".to_owned());
    setting.same("the store's time is restored", store.observed_time(), at(200));
    let mut wrong = record(b"", Some("1"), 0, Vec::new());
    wrong.key = None;
    let refused = store.restore(&mut [wrong.view()].into_iter());
    setting.same("a record without key is refused", refused.is_err(), true);
    let text_of = |version: Option<Version>| version.map(|version| text(version.row.value()));
    setting.same("and changes nothing", text_of(setting.done("get", store.get(b"a"))), Some("3".to_owned()));
}

fn formats(setting: &Setting<'_>) {
    for format in FORMATS.into_iter().filter(|format| *format != RowFormat::Plain) {
        let opened = setting.part(&format!("{format:?}")).try_open(kind(100, 10), format);
        setting.same("a version has a timestamp and nothing else, whatever the format", opened.is_err(), true);
    }
}
