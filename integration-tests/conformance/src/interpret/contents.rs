//! What the stores of a run hold, in the format's words.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use headwater::processor::Topology;
use headwater::processor::state::StoreHandle;
use headwater::record::Timestamp;
use headwater::store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater::store::{RowFormat, Store as Bytes, StoreError, StoreKind, StoreSpec, StoreType};
use headwater::testing::{TopologyTestDriver, VersionedRecord};
use headwater::window::{Window, Windowed};
use serde_json::Value;

use super::option::Known;
use super::{Stores, store};
use crate::outcome::Store;
use crate::scenario::Scenario;
use crate::val::Val;

const AT_ONCE: usize = 1024;

/// How to read a store.
struct Kept {
    handle: StoreHandle<Val, Val>,
    spec: StoreSpec,
}

/// How to read each store, by its name.
pub(super) struct Keeping {
    kept: BTreeMap<String, Kept>,
    stores: Stores,
    /// Whether stores that nobody chose are in memory for Java.
    in_memory: bool,
}

impl Keeping {
    /// Nothing yet, of a run with such stores.
    pub(super) fn new(scenario: &Scenario, stores: Stores) -> Keeping {
        let in_memory = scenario.setting("dsl.store.suppliers.class") == Some("in_memory");
        Keeping { kept: BTreeMap::new(), stores, in_memory }
    }

    /// A store and the serdes of its rows. One without serdes cannot be read, and cannot be filled. What a suppression keeps back
    /// is seen in its changelog only.
    pub(super) fn add(&mut self, spec: &StoreSpec, known: &Known) {
        if spec.kind == StoreKind::Suppress {
            return;
        }
        if known.key.is_some() && known.value.is_some() {
            let handle = store::handle(&spec.name, known.clone());
            self.kept.insert(spec.name.clone(), Kept { handle, spec: spec.clone() });
        }
    }

    /// A store of one side of a join of streams: on disk Java keeps no times with its rows unless it keeps headers too.
    pub(super) fn add_joined(&mut self, spec: &StoreSpec, known: &Known) {
        let without_times = self.is_on_disk(spec) && !spec.format.has_headers();
        let format = if without_times { RowFormat::Plain } else { spec.format };
        self.add(&StoreSpec { format, ..spec.clone() }, known);
    }

    /// Whether the recorded store was on disk.
    fn is_on_disk(&self, spec: &StoreSpec) -> bool {
        match &spec.store_type {
            StoreType::RocksDb => true,
            StoreType::Configured => !self.in_memory,
            StoreType::Custom(supplier) => supplier.is_persistent(),
            StoreType::InMemory => false,
        }
    }

    /// The changelogs of those stores that have a row for each key, or key and window.
    pub(super) fn tables(&self, topology: &Topology) -> BTreeSet<String> {
        let has_rows = |kept: &&Kept| {
            !matches!(kept.spec.kind, StoreKind::Lru { .. } | StoreKind::Window { retain_duplicates: true, .. })
        };
        let kept = self.kept.values().filter(has_rows);
        let ids = kept.filter_map(|kept| topology.store_named(&kept.spec.name));
        ids.filter_map(|id| topology.changelog_topic(id)).collect()
    }

    /// The contents of all stores.
    pub(super) fn read(&self, driver: &TopologyTestDriver) -> Result<BTreeMap<String, Store>> {
        let mut stores = BTreeMap::new();
        for (name, kept) in &self.kept {
            // Where the recorded store was on disk and this one is not, its entries are put in that order.
            let sorted = self.is_on_disk(&kept.spec) && self.stores == Stores::Memory;
            if let Some(store) = kept.contents(driver, sorted).with_context(|| name.clone())? {
                stores.insert(name.clone(), store);
            }
        }
        Ok(stores)
    }
}

impl Kept {
    /// What the store holds; `None` for a store that Java cannot list.
    fn contents(&self, driver: &TopologyTestDriver, sorted: bool) -> Result<Option<Store>> {
        let (kind, entries) = match self.spec.kind {
            StoreKind::KeyValue | StoreKind::Lru { .. } => {
                ("kv", driver.with_store(self.handle.name(), |store| self.key_values(store))??)
            }
            StoreKind::Window { window_size, .. } => {
                let entries = self.windows(driver, sorted)?;
                // Java's listing fails at the first window without length.
                if window_size.is_zero() && !entries.is_empty() {
                    return Ok(None);
                }
                ("window", entries)
            }
            StoreKind::Session { .. } => ("session", self.sessions(driver, sorted)?),
            StoreKind::Versioned { .. } => ("versioned", self.versions(driver)?),
            _ => anyhow::bail!("a store of a kind that no operator of this library makes yet"),
        };
        let timestamped = self.is_timed() && !entries.is_empty();
        Ok(Some(Store { kind: kind.to_owned(), timestamped, entries }))
    }

    /// Whether an entry has a time: that of a table has one for Java even where it is not kept.
    fn is_timed(&self) -> bool {
        let is_session = matches!(self.spec.kind, StoreKind::Session { .. });
        self.spec.format.has_timestamp() || (self.spec.format_is_given && !is_session)
    }

    /// An entry, with its time where the store keeps times.
    fn entry(&self, fields: impl IntoIterator<Item = Value>, timestamp: Timestamp) -> Vec<Value> {
        let timestamp = self.is_timed().then(|| Value::from(timestamp.millis()));
        fields.into_iter().chain(timestamp).collect()
    }

    fn key_values(&self, store: &Bytes) -> Result<Vec<Vec<Value>>> {
        let Bytes::KeyValue(store) = store else { anyhow::bail!("this is no key-value store") };
        let mut entries: Vec<Entry> = Vec::new();
        scan_all(store.as_ref(), &mut entries)?;
        let shown = |entry: &Entry| {
            let key = self.handle.key_serde().deserialize(self.handle.name(), Some(&entry.key))?;
            let value = self.handle.value_serde().deserialize(self.handle.name(), Some(entry.row.value()))?;
            Ok(self.entry([key.typed(), value.typed()], entry.row.timestamp()))
        };
        entries.iter().map(shown).collect()
    }

    /// Versions of the keys that scenarios with such stores use: a digit or a letter.
    fn versions(&self, driver: &TopologyTestDriver) -> Result<Vec<Vec<Value>>> {
        let store = driver.versioned_store(&self.handle)?;
        let mut entries = Vec::new();
        for key in ('0'..='9').chain('a'..='z').map(|key| Val::text(key.to_string())) {
            for VersionedRecord { value, timestamp, valid_to } in store.versions(&key)? {
                let valid_to = valid_to.map_or(Value::Null, |time| time.millis().into());
                entries.push(vec![key.typed(), value.typed(), timestamp.millis().into(), valid_to]);
            }
        }
        Ok(entries)
    }

    fn windows(&self, driver: &TopologyTestDriver, sorted: bool) -> Result<Vec<Vec<Value>>> {
        let mut entries = driver.window_store(&self.handle)?.entries()?;
        if sorted {
            let by_time = self.spec.kind.is_time_ordered();
            self.sort_as_on_disk(&mut entries, by_time, |window| (window.start, [window.start].to_vec()))?;
        }
        let shown = entries.iter().map(|(Windowed { key, window }, found)| {
            let fields = [key.typed(), window.start.millis().into(), found.value.typed()];
            self.entry(fields, found.timestamp)
        });
        Ok(shown.collect())
    }

    fn sessions(&self, driver: &TopologyTestDriver, sorted: bool) -> Result<Vec<Vec<Value>>> {
        let mut entries = driver.session_store(&self.handle)?.entries()?;
        if sorted {
            // A time-ordered store has them by key too, when all of them are asked for.
            self.sort_as_on_disk(&mut entries, false, |window| (window.end, [window.end, window.start].to_vec()))?;
        }
        let shown = entries.iter().map(|(Windowed { key, window }, value)| {
            vec![key.typed(), window.start.millis().into(), window.end.millis().into(), value.typed()]
        });
        Ok(shown.collect())
    }

    /// Puts entries in the order of a persistent store: by segment, then by their bytes. `times` is what says the segment, and
    /// what is written beside the key.
    fn sort_as_on_disk<F>(
        &self,
        entries: &mut Vec<(Windowed<Val>, F)>,
        by_time: bool,
        times: impl Fn(Window) -> (Timestamp, Vec<Timestamp>),
    ) -> Result<()> {
        let segment_ms = self.spec.kind.segment_interval().context("a store without segments")?.as_millis();
        let mut placed = Vec::new();
        for entry in entries.drain(..) {
            let (time, written) = times(entry.0.window);
            let times = written.iter().flat_map(|time| time.millis().to_be_bytes());
            let mut key = Vec::new();
            self.handle.key_serde().serialize(self.handle.name(), &entry.0.key, &mut key)?;
            let bytes: Vec<u8> =
                if by_time { times.chain(key).collect() } else { key.into_iter().chain(times).collect() };
            placed.push(((i128::from(time.millis()) / segment_ms as i128, bytes), entry));
        }
        placed.sort_by(|one, other| one.0.cmp(&other.0));
        // Cached entries are found twice where the orders of cache and store do not agree.
        placed.dedup_by(|one, other| self.spec.caching && one.0 == other.0);
        entries.extend(placed.into_iter().map(|(_, entry)| entry));
        Ok(())
    }
}

fn scan_all(store: &dyn KeyValueBytes, into: &mut Vec<Entry>) -> Result<(), StoreError> {
    let mut last: Option<Vec<u8>> = None;
    loop {
        let range = last.as_deref().map_or(KeyRange::ALL, |last| KeyRange::ALL.after(last, Order::Forward));
        if store.scan(range, Order::Forward, AT_ONCE, into)? == Scan::Done {
            return Ok(());
        }
        last = into.last().map(|entry| entry.key.clone());
    }
}
