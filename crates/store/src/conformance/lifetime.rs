//! Committing, closing and opening again.

use std::collections::BTreeMap;

use headwater_record::{Offset, Partition};

use super::Check;
use super::setting::{STORE, Setting, record};
use crate::bytes::{KeyRange, Order};
use crate::{RowFormat, StateStore, StoreError, StoreKind};

pub(super) const CHECKS: &[Check] = &[
    ("a store says what it is", names),
    ("a commit remembers its changelog offset", offsets),
    ("a store opens again at its last commit", reopens),
    ("restored records are committed like others", restored_is_committed),
    ("offsets of a global store's topic are committed with the content", offsets_of_partitions),
    ("a store of another format or kind is refused", type_changed),
    ("two stores of a task keep apart", apart),
];

fn offset(setting: &Setting<'_>, store: &dyn StateStore) -> Option<Offset> {
    setting.done("committed_offset", store.committed_offset())
}

fn names(setting: &Setting<'_>) {
    let store = setting.key_value(RowFormat::Plain);
    setting.same("a store has the name of its spec", store.name(), STORE);
    setting.same("a store lives as long as its make says", store.is_persistent(), setting.is_persistent());
    setting.same("a new store has no offset", offset(setting, store.as_ref()), None);
    setting.same("a new store holds nothing back", store.pending_bytes(), 0);
}

fn offsets(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    setting.put(store.as_mut(), "a", "1");
    setting.same("a put is no commit", offset(setting, store.as_ref()), None);
    setting.done("commit", store.commit(None));
    setting.same("a commit without offset gives none", offset(setting, store.as_ref()), None);
    setting.commit(store.as_mut(), 0);
    setting.same("offset 0 is an offset", offset(setting, store.as_ref()), Some(Offset::ZERO));
    setting.commit(store.as_mut(), 17);
    setting.done("commit", store.commit(None));
    let what = "a commit without offset keeps the one before";
    setting.same(what, offset(setting, store.as_ref()), Some(Offset::new(17)));
    setting.same("after a commit nothing is held back", store.pending_bytes(), 0);
}

fn reopens(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Timestamped);
    setting.put(store.as_mut(), "kept", "1");
    setting.put(store.as_mut(), "deleted", "1");
    setting.commit(store.as_mut(), 4);
    setting.put(store.as_mut(), "kept", "2");
    setting.delete(store.as_mut(), "deleted");
    setting.commit(store.as_mut(), 6);
    setting.put(store.as_mut(), "kept", "uncommitted");
    setting.put(store.as_mut(), "new", "uncommitted");
    drop(store);
    let store = setting.key_value(RowFormat::Timestamped);
    let found = setting.scan(store.as_ref(), KeyRange::ALL, Order::Forward, 10);
    if setting.is_persistent() {
        let kept = vec![("kept".to_owned(), "2".to_owned())];
        setting.same("the content is that of the last commit", found, kept);
        let what = "the offset is that of the last commit";
        setting.same(what, offset(setting, store.as_ref()), Some(Offset::new(6)));
    } else {
        setting.same("a store that is not persistent opens empty", found, Vec::new());
        setting.same("and without an offset", offset(setting, store.as_ref()), None);
    }
}

fn restored_is_committed(setting: &Setting<'_>) {
    let mut store = setting.key_value(RowFormat::Plain);
    setting.restore(store.as_mut(), &[record(b"a", Some("1"), 0, Vec::new())]);
    setting.same("restoring is no commit", offset(setting, store.as_ref()), None);
    setting.commit(store.as_mut(), 8);
    setting.restore(store.as_mut(), &[record(b"a", Some("2"), 0, Vec::new())]);
    drop(store);
    if setting.is_persistent() {
        let store = setting.key_value(RowFormat::Plain);
        let what = "what was restored after the last commit is gone";
        setting.same(what, setting.get(store.as_ref(), "a"), Some("1".into()));
        setting.same("its offset stands", offset(setting, store.as_ref()), Some(Offset::new(8)));
    }
}

fn offsets_of_partitions(setting: &Setting<'_>) {
    let commit = |store: &mut dyn StateStore, offsets: &[(Partition, i64)]| {
        let offsets = offsets.iter().map(|(partition, offset)| (*partition, Offset::new(*offset))).collect();
        setting.done("commit_offsets", store.commit_offsets(&offsets));
    };
    let mut store = setting.key_value(RowFormat::Plain);
    setting.put(store.as_mut(), "a", "1");
    commit(store.as_mut(), &[(0, 4), (2, 7)]);
    setting.same("after a commit nothing is held back", store.pending_bytes(), 0);
    setting.put(store.as_mut(), "a", "2");
    commit(store.as_mut(), &[(2, 9), (11, 0)]);
    setting.same("they are no changelog offset", offset(setting, store.as_ref()), None);
    setting.put(store.as_mut(), "a", "uncommitted");
    drop(store);
    let store = setting.key_value(RowFormat::Plain);
    let content = setting.get(store.as_ref(), "a");
    setting.same("the content is that of the last commit", content, setting.is_persistent().then(|| "2".into()));
    let offsets = setting.done("committed_offsets", store.committed_offsets());
    // A store may remember none of them.
    if !offsets.is_empty() {
        let expected = [(0, 4), (2, 9), (11, 0)].map(|(partition, offset)| (partition, Offset::new(offset)));
        setting.same("each partition has its last offset", offsets, BTreeMap::from(expected));
    }
}

fn type_changed(setting: &Setting<'_>) {
    if !setting.is_persistent() {
        return;
    }
    drop(setting.key_value(RowFormat::Plain));
    let refused = |what: &str, kind: StoreKind, format: RowFormat| match setting.try_open(kind, format) {
        Err(StoreError::TypeChanged { store, expected, found }) => {
            setting.same("the error names the store", store.as_str(), STORE);
            assert_ne!(expected, found, "the error says what differs");
        }
        other => setting.fail(&format!("{what} is refused as TypeChanged, but: {other:?}")),
    };
    for format in [RowFormat::Timestamped, RowFormat::Headers, RowFormat::HeadersOnly] {
        refused("another format", StoreKind::KeyValue, format);
    }
    let minute = std::time::Duration::from_mins(1);
    let window = StoreKind::Window {
        retention: minute,
        window_size: minute,
        segment_interval: minute,
        retain_duplicates: false,
        time_ordered: false,
        key_index: false,
    };
    match setting.try_open(window, RowFormat::Plain) {
        Err(StoreError::Unsupported { .. }) => {}
        Ok(store) => setting.fail(&format!("another kind is refused, but was opened: {store:?}")),
        Err(_) => refused("another kind", window, RowFormat::Plain),
    }
    drop(setting.key_value(RowFormat::Plain));
}

fn apart(setting: &Setting<'_>) {
    let (first, second) = (setting.part("first"), setting.part("second"));
    let mut one = first.key_value(RowFormat::Plain);
    let mut other = second.key_value(RowFormat::Plain);
    setting.put(one.as_mut(), "a", "1");
    setting.put(other.as_mut(), "a", "2");
    setting.commit(one.as_mut(), 1);
    setting.commit(other.as_mut(), 2);
    setting.same("one store", setting.get(one.as_ref(), "a"), Some("1".into()));
    setting.same("the other store", setting.get(other.as_ref(), "a"), Some("2".into()));
    setting.same("one offset", offset(setting, one.as_ref()), Some(Offset::new(1)));
    setting.same("the other offset", offset(setting, other.as_ref()), Some(Offset::new(2)));
}
