//! What the stores of a run hold, in the format's words.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use headwater::record::SharedSerde;
use headwater::store::bytes::{Entry, KeyRange, KeyValueBytes, Order, Scan};
use headwater::store::{RowFormat, Store as Bytes, StoreError, StoreKind, StoreSpec};
use headwater::testing::TopologyTestDriver;
use serde_json::Value;

use super::option::Known;
use crate::outcome::Store;
use crate::val::Val;

const AT_ONCE: usize = 1024;

/// How to read a store.
struct Kept {
    key: SharedSerde<Val>,
    value: SharedSerde<Val>,
    format: RowFormat,
}

/// How to read each store, by its name.
#[derive(Default)]
pub(super) struct Keeping(BTreeMap<String, Kept>);

impl Keeping {
    /// A store and the serdes of its rows. One without serdes cannot be read, and cannot be filled. What a suppression keeps back
    /// is seen in its changelog only.
    pub(super) fn add(&mut self, spec: &StoreSpec, known: &Known) {
        if spec.kind == StoreKind::Suppress {
            return;
        }
        if let (Some(key), Some(value)) = (known.key.clone(), known.value.clone()) {
            self.0.insert(spec.name.clone(), Kept { key, value, format: spec.format });
        }
    }

    /// The contents of all stores.
    pub(super) fn read(&self, driver: &TopologyTestDriver) -> Result<BTreeMap<String, Store>> {
        let contents = |(name, kept): (&String, &Kept)| {
            let store = driver.with_store(name, |store| kept.contents(name, store))?;
            Ok((name.clone(), store.with_context(|| name.clone())?))
        };
        self.0.iter().map(contents).collect()
    }
}

impl Kept {
    fn contents(&self, name: &str, store: &Bytes) -> Result<Store> {
        let (kind, entries) = match store {
            Bytes::KeyValue(store) => ("kv", self.key_values(name, store.as_ref())?),
            _ => anyhow::bail!("a store of a kind that no operator of this library makes yet"),
        };
        let timestamped = self.format.has_timestamp() && !entries.is_empty();
        Ok(Store { kind: kind.to_owned(), timestamped, entries })
    }

    fn key_values(&self, name: &str, store: &dyn KeyValueBytes) -> Result<Vec<Vec<Value>>> {
        let mut entries: Vec<Entry> = Vec::new();
        scan_all(store, &mut entries)?;
        let shown = |entry: &Entry| {
            let key = self.key.deserialize(name, Some(&entry.key))?.typed();
            let mut shown = vec![key, self.value.deserialize(name, Some(entry.row.value()))?.typed()];
            if self.format.has_timestamp() {
                shown.push(Value::from(entry.row.timestamp().millis()));
            }
            Ok(shown)
        };
        entries.iter().map(shown).collect()
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
