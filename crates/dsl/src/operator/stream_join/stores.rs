//! The stores of a join of streams: one for the records of each side, and one for what has no partner yet.

use headwater_store::{Logging, RowFormat, StoreKind, StoreSpec, StoreType};
use headwater_topology::{Draft, StoreId, TopologyError};
use headwater_window::JoinWindows;

use super::{Rows, StoreNames};
use crate::StreamJoined;
use crate::operator::row_format;
use crate::operator::window_aggregate::millis;

/// The stores of a join.
pub(super) struct Stores {
    pub(super) this: StoreId,
    pub(super) other: StoreId,
    /// Of records of both sides that have no partner yet.
    pub(super) unjoined: Option<StoreId>,
}

/// The stores that are wanted.
pub(super) struct Wanted<'a, K, V, V2> {
    pub(super) rows: Rows,
    pub(super) windows: JoinWindows,
    pub(super) named: StoreNames,
    pub(super) options: &'a StreamJoined<K, V, V2>,
}

impl<K, V, V2> Wanted<'_, K, V, V2> {
    /// Adds them.
    pub(super) fn stores(&self, draft: &Draft) -> Stores {
        let (this, other) = (self.options.this_store.as_ref(), self.options.other_store.as_ref());
        if this.zip(other).is_some_and(|(this, other)| this.name == other.name) {
            let words = "Both StoreSuppliers have the same name.  StoreSuppliers must provide unique names";
            draft.mistake(TopologyError::Store(words.to_owned()));
        }
        let this = self.window_store(draft, this, &self.named.this);
        let other = self.window_store(draft, other, &self.named.other);
        let unjoined = self.rows.left_alone().then(|| self.add(draft, self.unjoined()));
        Stores { this, other, unjoined }
    }

    fn add(&self, draft: &Draft, spec: StoreSpec) -> StoreId {
        let id = draft.add_store(spec);
        draft.change_store(id, |store| store.unnamed = self.options.store_name.is_none());
        id
    }

    fn window_store(&self, draft: &Draft, given: Option<&StoreSpec>, base: &str) -> StoreId {
        let spec = match given {
            Some(given) => {
                if let Some(words) = self.refuses(given) {
                    draft.mistake(TopologyError::Store(words));
                }
                given.clone()
            }
            None => StoreSpec {
                store_type: self.options.store_type.clone(),
                logging: logged_by_time(&self.options.logging),
                ..StoreSpec::new(format!("{base}-store"), self.kind())
            },
        };
        // Values have their record's time, as Java's `TimestampedWindowStoreWithHeaders` has it.
        let format = if spec.format.has_headers() { spec.format } else { row_format(draft) };
        self.add(draft, StoreSpec { format, ..spec })
    }

    fn kind(&self) -> StoreKind {
        let retention = self.windows.retention();
        StoreKind::Window {
            retention,
            window_size: self.windows.size(),
            segment_interval: StoreKind::default_segment_interval(retention),
            retain_duplicates: true,
            time_ordered: false,
            key_index: false,
        }
    }

    /// Why a store that was given cannot be that of a side.
    fn refuses(&self, given: &StoreSpec) -> Option<String> {
        let StoreKind::Window { retention, window_size, segment_interval, retain_duplicates, .. } = given.kind else {
            return Some(format!("store {} must be a window store to keep the records of a join", given.name));
        };
        if !retain_duplicates {
            let words = "The StoreSupplier must set retainDuplicates=true, found retainDuplicates=false";
            return Some(words.to_owned());
        }
        let fits = retention == self.windows.retention() && window_size == self.windows.size();
        (!fits).then(|| {
            let class = if matches!(given.store_type, StoreType::InMemory) { "InMemory" } else { "RocksDb" };
            let interval = format!(", segmentInterval={}", millis(segment_interval));
            let segments = if class == "RocksDb" { interval } else { String::new() };
            format!(
                "Window settings mismatch. WindowBytesStoreSupplier settings {class}WindowBytesStoreSupplier{{name='{}', retentionPeriod={}{segments}, windowSize={}, retainDuplicates=true}} must match JoinWindows settings {} for the window size and retention period",
                given.name,
                millis(retention),
                millis(window_size),
                self.windows
            )
        })
    }

    fn unjoined(&self) -> StoreSpec {
        let given = self.options.this_store.as_ref();
        let base = match given {
            Some(given) => format!("{}{}", given.name, self.rows.shared_suffix()),
            None => self.named.shared.clone(),
        };
        let store_type = match (&self.options.store_type, given.map(|given| &given.store_type)) {
            (StoreType::Configured, Some(StoreType::InMemory)) => StoreType::InMemory,
            (StoreType::Configured, Some(StoreType::RocksDb)) => StoreType::RocksDb,
            (chosen, _) => chosen.clone(),
        };
        StoreSpec {
            store_type,
            logging: self.options.logging.clone(),
            format: RowFormat::Plain,
            ..StoreSpec::new(format!("{base}-store"), StoreKind::KeyValue)
        }
    }
}

/// Duplicates must not be compacted away: their changelogs are deleted by time, whatever the options say.
fn logged_by_time(logging: &Logging) -> Logging {
    match logging {
        Logging::Enabled(configs) => {
            let mut configs = configs.clone();
            configs.insert("cleanup.policy".to_owned(), "delete".to_owned());
            Logging::Enabled(configs)
        }
        Logging::Disabled => Logging::Disabled,
    }
}
