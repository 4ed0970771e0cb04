//! The stores that a program describes itself, one of each name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use headwater::processor::state::StoreHandle;
use headwater::store::{
    Logging, OpenContext, RowFormat, Store, StoreError, StoreKind, StoreSpec, StoreSupplier, StoreType,
};

use super::drive;
use super::option::Known;
use super::serde;
use crate::scenario::{self, Scenario, Spec};
use crate::val::Val;

/// The stores that a scenario's statements describe.
#[derive(Default)]
pub(super) struct Stores {
    described: BTreeMap<String, (StoreSpec, Known)>,
    added: BTreeSet<String>,
}

impl Stores {
    /// All that a scenario describes; of several of one name, the first, as the oracle's builders are.
    pub(super) fn of(scenario: &Scenario) -> Result<Stores> {
        let mut stores = Stores::default();
        for statement in scenario.statements() {
            let connected = statement.object("processor").map(|processor| processor.objects("connected_stores"));
            for store in statement.object("store").into_iter().chain(connected.into_iter().flatten()) {
                let name = store.need("name")?.to_owned();
                if let Entry::Vacant(place) = stores.described.entry(name) {
                    place.insert((spec(store)?, Known::named(Some(store))?));
                }
            }
        }
        Ok(stores)
    }

    /// The store of this name, the first time that it is asked for.
    pub(super) fn take_new(&mut self, name: &str) -> Result<Option<StoreSpec>> {
        let (spec, _) = self.described.get(name).with_context(|| format!("no store `{name}`"))?;
        Ok(self.added.insert(name.to_owned()).then(|| spec.clone()))
    }

    /// A store's handle. One that nobody describes has no serdes, and is not there.
    pub(super) fn handle(&self, name: &str) -> StoreHandle<Val, Val> {
        let known = self.described.get(name).map(|(_, known)| known.clone()).unwrap_or_default();
        let (key, value) = (known.key.unwrap_or_else(serde::missing), known.value.unwrap_or_else(serde::missing));
        StoreHandle::with(name, key, value)
    }

    /// All of them, with the serdes of their rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&StoreSpec, &Known)> {
        self.described.values().map(|(spec, known)| (spec, known))
    }
}

/// A store as the library wants it described.
fn spec(store: Spec<'_>) -> Result<StoreSpec> {
    let (kind, format) = match store.need("kind")? {
        "kv" => (StoreKind::KeyValue, RowFormat::Plain),
        "timestamped_kv" => (StoreKind::KeyValue, RowFormat::Timestamped),
        "lru" => {
            let max_entries = usize::try_from(store.need_number("max_entries")?)?;
            (StoreKind::Lru { max_entries }, RowFormat::Plain)
        }
        other => bail!("no store of kind `{other}`"),
    };
    let logging = match store.logging() {
        scenario::Logging::NotGiven => Logging::default(),
        scenario::Logging::Disabled => Logging::Disabled,
        scenario::Logging::Enabled(settings) => {
            Logging::Enabled(settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
    };
    let store_type = if store.is("persistent") { StoreType::RocksDb } else { StoreType::InMemory };
    let spec = StoreSpec::new(store.need("name")?, kind);
    Ok(StoreSpec { format, store_type, logging, caching: store.is("caching"), ..spec })
}

/// Opens LRU stores for the library's own key-value tables.
#[derive(Debug)]
pub(super) struct LruStores {
    max_entries: usize,
    memory: Arc<dyn StoreSupplier>,
}

impl LruStores {
    /// Of so many entries.
    pub(super) fn new(max_entries: usize) -> Result<LruStores> {
        Ok(LruStores { max_entries, memory: drive::makers()?.in_memory })
    }
}

impl StoreSupplier for LruStores {
    fn is_persistent(&self) -> bool {
        false
    }

    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> std::result::Result<Store, StoreError> {
        let kind = StoreKind::Lru { max_entries: self.max_entries };
        self.memory.open(&StoreSpec { kind, ..spec.clone() }, context)
    }
}
