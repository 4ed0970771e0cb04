//! What waits, in which order, and what it weighs.

use std::collections::BTreeSet;
use std::rc::Rc;

use hashbrown::HashMap;
use headwater_record::{Encoded, Serde, SharedSerde, Timestamp};
use headwater_store::RecordContext;
use headwater_store::suppress::BufferedBytes;

use super::stamp::Stamp;
use crate::{ProcessError, java_order};

/// A value that waits, or none, with its stamp.
#[derive(Clone)]
pub(super) struct Kept<V> {
    pub(super) part: Part<V>,
    pub(super) stamp: Stamp,
}

/// A value, or none.
#[derive(Clone)]
pub(super) enum Part<V> {
    /// As it is; its serde can tell how long it is.
    Typed(Option<V>),
    /// As bytes: those of a changelog, or of a value whose length only they tell.
    Bytes(Box<[u8]>),
}

/// What a key had when it was buffered first.
#[derive(Clone)]
pub(super) enum Prior<V> {
    /// The same as before its last change.
    AsOld,
    Other(Kept<V>),
}

/// The change of a key that waits.
#[derive(Clone)]
pub(super) struct Held<V> {
    pub(super) time: Timestamp,
    pub(super) context: RecordContext,
    pub(super) prior: Prior<V>,
    pub(super) old: Kept<V>,
    pub(super) new: Kept<V>,
    /// What it weighs; counted by the buffer.
    bytes: usize,
}

impl<V> Held<V> {
    /// A change of a key that does not wait yet.
    pub(super) fn new(time: Timestamp, context: RecordContext, old: Kept<V>, new: Kept<V>) -> Self {
        Held { time, context, prior: Prior::AsOld, old, new, bytes: 0 }
    }

    /// What the key had when it was buffered first.
    pub(super) fn prior(&self) -> &Kept<V> {
        match &self.prior {
            Prior::AsOld => &self.old,
            Prior::Other(kept) => kept,
        }
    }
}

/// How values become parts, and parts bytes.
pub(super) struct PartBytes<'a, V> {
    pub(super) serde: &'a SharedSerde<V>,
    pub(super) topic: &'a str,
    /// Whether values have stamps.
    pub(super) stamped: bool,
}

impl<V: Clone> PartBytes<'_, V> {
    /// A value to be kept, with the stamp that it has where stamps are kept.
    pub(super) fn kept(&self, value: Option<&V>, stamp: impl FnOnce() -> Stamp) -> Result<Kept<V>, ProcessError> {
        Ok(self.stamp(self.part(value)?, stamp))
    }

    fn stamp(&self, part: Part<V>, stamp: impl FnOnce() -> Stamp) -> Kept<V> {
        let is_stamped = self.stamped && !matches!(part, Part::Typed(None));
        Kept { part, stamp: if is_stamped { stamp() } else { Stamp::default() } }
    }

    /// What was read from the changelog. Values that another format left without stamp have the time of their last change.
    fn restored(&self, entry: BufferedBytes) -> Held<V> {
        let BufferedBytes { time, context, prior, old, new, prior_stamp, old_stamp } = entry;
        let part = |bytes: Option<Box<[u8]>>| bytes.map_or(Part::Typed(None), Part::Bytes);
        let stamp = |written: Option<Box<[u8]>>| {
            written.map_or_else(|| Stamp::without_headers(context.timestamp), Stamp::of_bytes)
        };
        let is_old = prior == old && (prior_stamp.is_none() || !self.stamped);
        let old = self.stamp(part(old), || stamp(old_stamp));
        let prior = if is_old { Prior::AsOld } else { Prior::Other(self.stamp(part(prior), || stamp(prior_stamp))) };
        let new = self.stamp(part(new), || Stamp::new(context.timestamp, &context.headers));
        Held { time, context, prior, old, new, bytes: 0 }
    }

    fn part(&self, value: Option<&V>) -> Result<Part<V>, ProcessError> {
        let Some(value) = value.filter(|value| !self.serde.is_null(value)) else { return Ok(Part::Typed(None)) };
        if self.serde.encoded_len(value).is_some() {
            return Ok(Part::Typed(Some(value.clone())));
        }
        let mut bytes = Vec::new();
        Ok(match self.serde.serialize(self.topic, value, &mut bytes)? {
            Encoded::Bytes => Part::Bytes(bytes.into()),
            Encoded::Null => Part::Typed(None),
        })
    }

    /// The bytes of a part, which may lie in `scratch`; `None` for no value.
    pub(super) fn bytes<'b>(
        &self,
        part: &'b Part<V>,
        scratch: &'b mut Vec<u8>,
    ) -> Result<Option<&'b [u8]>, ProcessError> {
        match part {
            Part::Typed(None) => Ok(None),
            Part::Typed(Some(value)) => Ok(self.serde.serialize(self.topic, value, scratch)?.of(scratch)),
            Part::Bytes(bytes) => Ok(Some(bytes)),
        }
    }

    /// How many bytes a part has; `None` for no value.
    fn length(&self, part: &Part<V>) -> Option<usize> {
        match part {
            Part::Typed(value) => self.serde.encoded_len(value.as_ref()?),
            Part::Bytes(bytes) => Some(bytes.len()),
        }
    }

    fn are_equal(&self, one: &Kept<V>, other: &Kept<V>) -> Result<bool, ProcessError> {
        if one.stamp != other.stamp || self.length(&one.part) != self.length(&other.part) {
            return Ok(false);
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        Ok(self.bytes(&one.part, &mut left)? == self.bytes(&other.part, &mut right)?)
    }

    /// What a change weighs: Java's `computeRecordSize`. A prior value that is the old one is counted once.
    fn weight(&self, key: &[u8], held: &Held<V>) -> usize {
        const TIME: usize = 8;
        let prior = match &held.prior {
            Prior::AsOld => None,
            Prior::Other(kept) => Some(kept),
        };
        let kept = prior.into_iter().chain([&held.old, &held.new]);
        let bytes = kept.map(|kept| kept.stamp.len() + self.length(&kept.part).unwrap_or_default());
        TIME + key.len() + bytes.sum::<usize>() + held.context.weight()
    }
}

/// The changes that wait, at most one for each key.
pub(super) struct Buffer<V> {
    // Shared, so that a change can be looked at while it is handed on.
    held: HashMap<Rc<[u8]>, Rc<Held<V>>>,
    order: BTreeSet<(Timestamp, Rc<[u8]>)>,
    bytes: usize,
    /// Keys whose change the changelog does not have yet, numbered in the order in which they came; `None` without changelog.
    changed: Option<HashMap<Rc<[u8]>, usize>>,
    /// The most keys there ever were in `changed`, which decides in which order they are logged.
    most_changed: usize,
}

impl<V: Clone> Buffer<V> {
    pub(super) fn new(logged: bool) -> Self {
        Buffer {
            held: HashMap::new(),
            order: BTreeSet::new(),
            bytes: 0,
            changed: logged.then(HashMap::new),
            most_changed: 0,
        }
    }

    /// Adds what was read from the changelog.
    pub(super) fn restore(&mut self, serde: &PartBytes<'_, V>, key: Box<[u8]>, entry: BufferedBytes) {
        self.insert(serde, key.into(), serde.restored(entry));
    }

    /// Adds what waits under `key`, or changes it; its place in the queue stays the one it has.
    pub(super) fn put(&mut self, serde: &PartBytes<'_, V>, key: &[u8], change: Held<V>) -> Result<(), ProcessError> {
        if let Some((key, held)) = self.held.get_key_value_mut(key) {
            let as_old = serde.are_equal(held.prior(), &change.old)?;
            let held = Rc::make_mut(held);
            let before = std::mem::replace(&mut held.old, change.old);
            match held.prior {
                _ if as_old => held.prior = Prior::AsOld,
                Prior::AsOld => held.prior = Prior::Other(before),
                Prior::Other(_) => {}
            }
            held.new = change.new;
            held.context = change.context;
            self.bytes -= held.bytes;
            held.bytes = serde.weight(key, held);
            self.bytes += held.bytes;
            mark(&mut self.changed, key);
        } else {
            let key = Rc::from(key);
            mark(&mut self.changed, &key);
            self.insert(serde, key, change);
        }
        Ok(())
    }

    fn insert(&mut self, serde: &PartBytes<'_, V>, key: Rc<[u8]>, mut held: Held<V>) {
        held.bytes = serde.weight(&key, &held);
        self.bytes += held.bytes;
        self.order.insert((held.time, Rc::clone(&key)));
        self.held.insert(key, Rc::new(held));
    }

    /// Forgets the change that waits under `key`.
    pub(super) fn remove(&mut self, key: &Rc<[u8]>) {
        if let Some(held) = self.held.remove(key) {
            mark(&mut self.changed, key);
            self.order.remove(&(held.time, Rc::clone(key)));
            self.bytes -= held.bytes;
        }
    }

    /// The keys that the changelog does not have as they are now, in the order in which Java logs them. They count as logged.
    pub(super) fn take_changed(&mut self) -> Vec<Rc<[u8]>> {
        let mut changed: Vec<(Rc<[u8]>, usize)> = self.changed.iter_mut().flat_map(HashMap::drain).collect();
        changed.sort_unstable_by_key(|(_, number)| *number);
        self.most_changed = self.most_changed.max(changed.len());
        let keys = changed.into_iter().map(|(key, _)| key).collect();
        java_order::byte_set(keys, self.most_changed)
    }

    pub(super) fn held(&self, key: &[u8]) -> Option<Rc<Held<V>>> {
        self.held.get(key).cloned()
    }

    /// The key and the change that come first.
    pub(super) fn first(&self) -> Option<(Rc<[u8]>, Rc<Held<V>>)> {
        let (_, key) = self.order.first()?;
        Some((Rc::clone(key), self.held(key)?))
    }

    pub(super) fn first_time(&self) -> Option<Timestamp> {
        self.order.first().map(|(time, _)| *time)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The changelog does not have what became of `key`.
fn mark(changed: &mut Option<HashMap<Rc<[u8]>, usize>>, key: &Rc<[u8]>) {
    if let Some(changed) = changed {
        let number = changed.len();
        changed.entry(Rc::clone(key)).or_insert(number);
    }
}
