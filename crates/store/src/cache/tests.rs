//! The record cache against a model that is slow and plain.

use std::cell::Cell;
use std::hash::BuildHasher;
use std::rc::Rc;

use bytes::Bytes;
use hashbrown::DefaultHashBuilder;
use headwater_record::{Header, Headers, Timestamp, Topic};
use proptest::prelude::*;

use super::{Budget, Found, RecordCache, entry_bytes};
use crate::RecordContext;

thread_local! {
    static HASHED: Cell<usize> = const { Cell::new(0) };
}

/// Counts the keys that were looked for.
#[derive(Default)]
pub(super) struct CountingHasher(DefaultHashBuilder);

impl BuildHasher for CountingHasher {
    type Hasher = <DefaultHashBuilder as BuildHasher>::Hasher;
    fn build_hasher(&self) -> Self::Hasher {
        HASHED.set(HASHED.get() + 1);
        self.0.build_hasher()
    }
}

/// Entries with the one used last at the front, and the dirty keys with the one updated first at the front.
#[derive(Default)]
struct Model {
    recent: Vec<(u8, u32, usize)>,
    dirty: Vec<u8>,
}

impl Model {
    fn used(&self) -> usize {
        self.recent.iter().map(|(.., bytes)| bytes).sum()
    }

    fn find(&mut self, key: u8) -> Option<u32> {
        let at = self.recent.iter().position(|(other, ..)| *other == key)?;
        let entry = self.recent.remove(at);
        self.recent.insert(0, entry);
        Some(entry.1)
    }

    fn put(&mut self, key: u8, value: u32, bytes: usize, dirty: bool) {
        self.recent.retain(|(other, ..)| *other != key);
        self.recent.insert(0, (key, value, bytes));
        if dirty {
            self.dirty.retain(|other| *other != key);
            self.dirty.push(key);
        }
    }

    fn remove(&mut self, key: u8) -> bool {
        self.recent.retain(|(other, ..)| *other != key);
        let dirty = self.dirty.contains(&key);
        self.dirty.retain(|other| *other != key);
        dirty
    }

    fn evict(&mut self) -> Option<(u8, u32, bool)> {
        let (key, value, _) = *self.recent.last()?;
        Some((key, value, self.remove(key)))
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Put { key: u8, value: u32, bytes: usize, dirty: bool },
    Find(u8),
    Replace { key: u8, value: u32, bytes: usize },
    Write { key: u8, value: u32, bytes: usize },
    Abandon(u8),
    Remove(u8),
    Evict,
    Flush,
    Range(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0_u8..12;
    let step = prop_oneof![
        4 => (key.clone(), any::<u32>(), 1_usize..50, any::<bool>())
            .prop_map(|(key, value, bytes, dirty)| Step::Put { key, value, bytes, dirty }),
        2 => key.clone().prop_map(Step::Find),
        2 => (key.clone(), any::<u32>(), 1_usize..50).prop_map(|(key, value, bytes)| Step::Replace { key, value, bytes }),
        2 => (key.clone(), any::<u32>(), 1_usize..50).prop_map(|(key, value, bytes)| Step::Write { key, value, bytes }),
        1 => key.clone().prop_map(Step::Abandon),
        1 => key.clone().prop_map(Step::Remove),
        1 => (key.clone(), key).prop_map(|(from, to)| Step::Range(from, to)),
        1 => Just(Step::Evict),
        1 => Just(Step::Flush),
    ];
    proptest::collection::vec(step, 0..120)
}

fn apply(cache: &mut RecordCache<u32>, model: &mut Model, step: Step) -> Result<(), TestCaseError> {
    match step {
        Step::Put { key, value, bytes, dirty } => {
            // As in Java, an entry that waits to be flushed is not covered by a clean one.
            let dirty = dirty || model.dirty.contains(&key);
            cache.put(&[key], value, bytes, dirty);
            model.put(key, value, bytes, dirty);
        }
        Step::Find(key) => {
            let found = cache.find_used(&[key]).and_then(|place| cache.at(place).copied());
            prop_assert_eq!(found, model.find(key));
        }
        Step::Replace { key, value, bytes } => {
            if let Some(place) = cache.find_used(&[key]) {
                prop_assert!(cache.lend(place).is_some());
                prop_assert!(cache.find_used(&[key]).is_none(), "what is lent is not seen");
                cache.replace(place, value, bytes, true);
                cache.give_back(place, 0);
                model.put(key, value, bytes, true);
            }
        }
        Step::Write { key, value, bytes } => {
            let (place, found) = cache.find_or_reserve(&[key]);
            let expected = model.find(key);
            prop_assert_eq!(found, if expected.is_some() { Found::Entry } else { Found::Reserved });
            prop_assert_eq!(cache.at_mut(place).map(|payload| std::mem::replace(payload, value)), expected);
            match found {
                Found::Entry => cache.changed(place, bytes),
                _ => cache.replace(place, value, bytes, true),
            }
            prop_assert!(cache.at(place).is_none(), "the place is that of the entry as it was");
            model.put(key, value, bytes, true);
        }
        Step::Abandon(key) => {
            let (place, found) = cache.find_or_reserve(&[key]);
            if found == Found::Reserved {
                prop_assert_eq!(cache.find_or_reserve(&[key]), (place, Found::Lent));
                cache.remove_at(place);
            }
            prop_assert_eq!(cache.at(place).copied(), model.find(key));
        }
        Step::Remove(key) => {
            if let Some(place) = cache.find_used(&[key]) {
                cache.remove_at(place);
                prop_assert!(cache.at(place).is_none());
            }
            model.remove(key);
        }
        Step::Evict => {
            let evicted = cache.evict().map(|entry| (entry.key[0], entry.payload.unwrap(), entry.dirty));
            prop_assert_eq!(evicted, model.evict());
        }
        Step::Flush => {
            let places = cache.take_dirty();
            let keys: Vec<u8> = places.iter().map(|place| cache.key_at(*place).unwrap()[0]).collect();
            prop_assert_eq!(keys, std::mem::take(&mut model.dirty));
        }
        Step::Range(from, to) => {
            let places: Vec<_> = cache.range(&[from], &[to]).collect();
            let found: Vec<u8> = places.iter().map(|place| cache.key_at(*place).unwrap()[0]).collect();
            let mut expected: Vec<u8> = model.recent.iter().map(|(key, ..)| *key).collect();
            expected.retain(|key| (from..=to).contains(key));
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_keeps_evicts_and_flushes_as_the_model_does(steps in steps()) {
        let budget = Rc::new(Budget::new(1 << 20));
        let mut cache = RecordCache::new(Rc::clone(&budget));
        let mut model = Model::default();
        for step in steps {
            apply(&mut cache, &mut model, step)?;
            prop_assert_eq!(budget.used(), model.used());
            prop_assert_eq!(cache.len(), model.recent.len());
        }
        let mut kept: Vec<(u8, u32)> = cache.iter().map(|(key, value)| (key[0], *value)).collect();
        kept.sort_unstable();
        let mut expected: Vec<(u8, u32)> = model.recent.iter().map(|(key, value, _)| (*key, *value)).collect();
        expected.sort_unstable();
        prop_assert_eq!(kept, expected);
        drop(cache);
        prop_assert_eq!(budget.used(), 0);
    }
}

#[test]
fn an_entry_weighs_what_it_weighs_in_java() {
    let headers = Headers::from_iter([Header { name: "ü𝄞".into(), value: Some(Bytes::from_static(b"xyz")) }]);
    let context = RecordContext { topic: Some(Topic::from("input")), headers, ..RecordContext::none() };
    // Key, node, dirty flag, value, then timestamp, offset and partition, topic, header name and value.
    assert_eq!(entry_bytes(3, 8, Some(&context)), 3 + 24 + 1 + 8 + (8 + 8 + 4 + 5 + 3 + 3));
    assert_eq!(entry_bytes(3, 8, None), 3 + 24 + 1 + 8 + 20);
    assert_eq!(context.timestamp, Timestamp::UNKNOWN);
}

#[test]
fn caches_of_a_thread_share_one_budget() {
    let budget = Rc::new(Budget::new(100));
    let (mut one, mut other) = (RecordCache::new(Rc::clone(&budget)), RecordCache::new(Rc::clone(&budget)));
    one.put(b"a", 1, 60, true);
    other.put(b"a", 2, 40, true);
    assert!(!budget.is_exceeded());
    other.put(b"a", 2, 41, true);
    assert!(budget.is_exceeded());
    drop(one);
    assert_eq!(budget.used(), 41);
}

#[test]
fn a_place_does_not_reach_the_entry_that_came_after() {
    let mut cache = RecordCache::new(Rc::new(Budget::new(100)));
    let place = cache.put(b"a", 1, 10, false);
    let lent = cache.lend(place).unwrap();
    cache.put(b"a", 2, 10, true);
    cache.give_back(place, lent);
    let now = cache.find_used(b"a").unwrap();
    assert_eq!(cache.at(now), Some(&2));
    assert!(cache.is_dirty(now));
    assert!(!cache.is_dirty(place));
}

#[test]
fn a_write_looks_for_its_key_once_whether_it_is_there_or_not() {
    let mut cache = RecordCache::new(Rc::new(Budget::new(1 << 20)));
    for round in 1..=2 {
        for key in 0_u32..1_000 {
            let before = HASHED.get();
            match cache.find_or_reserve(&key.to_be_bytes()) {
                (place, Found::Entry) => cache.changed(place, 10),
                (place, _) => cache.replace(place, key, 10, true),
            }
            assert_eq!(HASHED.get() - before, 1, "round {round}, key {key}");
        }
    }
    assert_eq!(cache.len(), 1_000);
    assert_eq!(cache.budget().used(), 10_000);
}
