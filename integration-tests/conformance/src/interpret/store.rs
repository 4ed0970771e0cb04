//! The stores that a program describes itself, one of each name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use headwater::processor::state::StoreHandle;
use headwater::store::{
    Logging, OpenContext, RowFormat, Store, StoreError, StoreKind, StoreSpec, StoreSupplier, StoreType,
};
use headwater::testing::MemoryStores;

use super::drive;
use super::key::Key;
use super::option::Known;
use super::serde::Format;
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
        handle(name, known)
    }

    /// All of them, with the serdes of their rows.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&StoreSpec, &Known)> {
        self.described.values().map(|(spec, known)| (spec, known))
    }
}

/// A store's handle, with serdes that refuse everything where there are none.
pub(super) fn handle(name: &str, known: Known) -> StoreHandle<Val, Val> {
    let serde = |format: Option<Format>| Val::serde(&format.unwrap_or(Format::Missing));
    StoreHandle::with(name, serde(known.key), serde(known.value))
}

/// The field's milliseconds.
pub(super) fn duration(spec: Spec<'_>, field: &str) -> Result<Duration> {
    let millis = u64::try_from(spec.need_number(field)?).with_context(|| format!("`{field}` is negative in {spec}"))?;
    Ok(Duration::from_millis(millis))
}

/// How long a versioned store keeps its history, and the width of its segments.
pub(super) fn history(store: Spec<'_>) -> Result<(Duration, Duration)> {
    let retention = duration(store, "history_retention_ms")?;
    let segment_interval = if store.has("segment_interval_ms") {
        duration(store, "segment_interval_ms")?
    } else {
        StoreKind::default_history_segment_interval(retention)
    };
    Ok((retention, segment_interval))
}

/// A kind of store, and how its rows lie.
fn kind(store: Spec<'_>) -> Result<(StoreKind, RowFormat)> {
    Ok(match store.need("kind")? {
        "kv" => (StoreKind::KeyValue, RowFormat::Plain),
        "timestamped_kv" => (StoreKind::KeyValue, RowFormat::Timestamped),
        "lru" => {
            let max_entries = usize::try_from(store.need_number("max_entries")?)?;
            (StoreKind::Lru { max_entries }, RowFormat::Plain)
        }
        kind @ ("window" | "timestamped_window") => {
            let retention = duration(store, "retention_ms")?;
            let kind_of_store = StoreKind::Window {
                retention,
                window_size: duration(store, "window_size_ms")?,
                segment_interval: StoreKind::default_segment_interval(retention),
                retain_duplicates: store.is("retain_duplicates"),
                time_ordered: false,
                key_index: false,
            };
            let format = if kind == "window" { RowFormat::Plain } else { RowFormat::Timestamped };
            (kind_of_store, format)
        }
        "session" => {
            let retention = duration(store, "retention_ms")?;
            let segment_interval = StoreKind::default_segment_interval(retention);
            (StoreKind::Session { retention, segment_interval, time_ordered: false }, RowFormat::Plain)
        }
        "versioned" => {
            let (history_retention, segment_interval) = history(store)?;
            (StoreKind::Versioned { history_retention, segment_interval }, RowFormat::Plain)
        }
        other => bail!("no store of kind `{other}`"),
    })
}

/// How the rows of a table lie that is given this supplier: in memory Java keeps their times, whatever it is called.
pub(super) fn supplied_format(supplier: Spec<'_>) -> Result<RowFormat> {
    Ok(match kind(supplier)? {
        (StoreKind::Session { .. }, format) => format,
        (_, RowFormat::Plain) if !supplier.is("persistent") => RowFormat::Timestamped,
        (_, format) => format,
    })
}

/// A store as the library wants it described.
pub(super) fn spec(store: Spec<'_>) -> Result<StoreSpec> {
    let (kind, format) = kind(store)?;
    let logging = match store.logging() {
        scenario::Logging::NotGiven => Logging::default(),
        scenario::Logging::Disabled => Logging::Disabled,
        scenario::Logging::Enabled(settings) => {
            Logging::Enabled(settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        }
    };
    // All versioned stores of Java are persistent.
    let on_disk = store.is("persistent") || matches!(kind, StoreKind::Versioned { .. });
    let store_type = if on_disk { StoreType::RocksDb } else { StoreType::InMemory };
    let spec = StoreSpec::new(store.need("name")?, kind);
    Ok(StoreSpec { format, store_type, logging, caching: store.is("caching"), ..spec })
}

/// Opens stores of a kind that the program says, whatever the operator asks for: Java's suppliers.
#[derive(Debug)]
pub(super) struct Supplied {
    kind: StoreKind,
    memory: Arc<dyn StoreSupplier>,
    /// Where the supplier is persistent, and this build has such stores.
    disk: Option<Arc<dyn StoreSupplier>>,
}

impl Supplied {
    /// As a supplier says.
    pub(super) fn of(supplier: Spec<'_>) -> Result<Supplied> {
        let (kind, _) = kind(supplier)?;
        let makers = drive::makers()?;
        let persistent = supplier.is("persistent");
        let memory: Arc<dyn StoreSupplier> =
            if persistent { Arc::new(MemoryStores::in_place_of_disk()) } else { makers.in_memory };
        Ok(Supplied { kind, memory, disk: makers.persistent.filter(|_| persistent) })
    }
}

impl StoreSupplier for Supplied {
    fn is_persistent(&self) -> bool {
        self.disk.is_some()
    }

    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> std::result::Result<Store, StoreError> {
        // Without a state directory all stores of the run are in memory.
        let disk = self.disk.as_ref().filter(|_| context.task_directory.is_some());
        disk.unwrap_or(&self.memory).open(&StoreSpec { kind: self.kind, ..spec.clone() }, context)
    }
}
