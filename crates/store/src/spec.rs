//! Which store is wanted, as plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{RowFormat, StoreSupplier};

/// What a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreKind {
    /// A value per key.
    KeyValue,
    /// The `max_entries` keys that were used last; others are dropped, with a tombstone in the changelog (`Stores#lruMap`).
    Lru {
        /// How many.
        max_entries: usize,
    },
    /// A value per key and window start.
    Window {
        /// Entries whose window start lies further behind the store's time than this are gone.
        retention: Duration,
        /// Length of a window.
        window_size: Duration,
        /// Width of a segment, the unit in which a persistent store forgets.
        segment_interval: Duration,
        /// Whether several values may share a key and window start (joins).
        retain_duplicates: bool,
        /// Whether entries are also ordered by time first, for emitting when a window closes.
        time_ordered: bool,
        /// Whether those of one key are looked for over a stretch of time in a store that is ordered by time, as sliding windows do with
        /// every record (the index of Java's `RocksDBTimeOrderedWindowStore`).
        key_index: bool,
    },
    /// A value per key and session.
    Session {
        /// Entries whose session end lies further behind the store's time than this are gone.
        retention: Duration,
        /// Width of a segment.
        segment_interval: Duration,
        /// Whether entries are also ordered by time first, for emitting when a session closes.
        time_ordered: bool,
    },
    /// Versions of a value per key (KIP-889).
    Versioned {
        /// How far back reads as of a time reach.
        history_retention: Duration,
        /// Width of a segment.
        segment_interval: Duration,
    },
    /// Changes of a table that wait to be handed on (KIP-328).
    Suppress,
}

impl StoreKind {
    /// The segment interval that Java's `Stores` takes for window and session stores: half the retention, at least a minute.
    pub fn default_segment_interval(retention: Duration) -> Duration {
        (retention / 2).max(Duration::from_mins(1))
    }

    /// The segment interval that Java's `Stores#persistentVersionedKeyValueStore` takes unless it is told one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::store::StoreKind;
    /// let interval = StoreKind::default_history_segment_interval;
    /// assert_eq!(interval(Duration::from_secs(3)), Duration::from_secs(2));
    /// assert_eq!(interval(Duration::from_mins(5)), Duration::from_mins(1));
    /// assert_eq!(interval(Duration::from_hours(24)), Duration::from_hours(1));
    /// ```
    pub fn default_history_segment_interval(history_retention: Duration) -> Duration {
        let (parts, least) = match history_retention.as_millis() {
            0..=60_000 => (3, Duration::from_secs(2)),
            60_001..=300_000 => (5, Duration::from_secs(20)),
            300_001..=3_600_000 => (12, Duration::from_mins(1)),
            _ => (24, Duration::from_mins(5)),
        };
        let millis = history_retention.as_millis() / parts;
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).max(least)
    }

    /// Width of a segment, the unit in which a persistent store forgets; `None` for stores that do not forget by time.
    pub fn segment_interval(&self) -> Option<Duration> {
        match self {
            StoreKind::Window { segment_interval, .. }
            | StoreKind::Session { segment_interval, .. }
            | StoreKind::Versioned { segment_interval, .. } => Some(*segment_interval),
            StoreKind::KeyValue | StoreKind::Lru { .. } | StoreKind::Suppress => None,
        }
    }

    /// What such a store is called: `key-value`, `window`, `session`, `versioned` or `suppression`.
    pub fn name(&self) -> &'static str {
        match self {
            StoreKind::KeyValue | StoreKind::Lru { .. } => "key-value",
            StoreKind::Window { .. } => "window",
            StoreKind::Session { .. } => "session",
            StoreKind::Versioned { .. } => "versioned",
            StoreKind::Suppress => "suppression",
        }
    }

    /// Length of a window; `None` for stores of other things.
    pub fn window_size(&self) -> Option<Duration> {
        match self {
            StoreKind::Window { window_size, .. } => Some(*window_size),
            _ => None,
        }
    }

    /// Whether several values may share a key and window start.
    pub fn retains_duplicates(&self) -> bool {
        matches!(self, StoreKind::Window { retain_duplicates: true, .. })
    }

    /// Whether entries lie by their time first.
    pub fn is_time_ordered(&self) -> bool {
        matches!(self, StoreKind::Window { time_ordered: true, .. } | StoreKind::Session { time_ordered: true, .. })
    }

    /// How long entries are kept; `None` for stores that keep them for good.
    pub fn retention(&self) -> Option<Duration> {
        match self {
            StoreKind::Window { retention, .. } | StoreKind::Session { retention, .. } => Some(*retention),
            _ => None,
        }
    }
}

/// Who keeps the entries.
#[derive(Clone, Default)]
pub enum StoreType {
    /// As `dsl.store.suppliers.class` says: RocksDB unless set otherwise.
    #[default]
    Configured,
    /// This process's memory, restored from the changelog after a start.
    InMemory,
    /// RocksDB, in the state directory.
    RocksDb,
    /// The user's own.
    Custom(Arc<dyn StoreSupplier>),
}

/// Of the user's own, one is the same only as itself.
impl PartialEq for StoreType {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (StoreType::Custom(one), StoreType::Custom(other)) => {
                std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
            }
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Debug for StoreType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreType::Configured => "Configured",
            StoreType::InMemory => "InMemory",
            StoreType::RocksDb => "RocksDb",
            StoreType::Custom(_) => "Custom",
        })
    }
}

/// Whether writes go to a changelog topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logging {
    /// They do; the topic is made with these settings over the usual ones.
    Enabled(BTreeMap<String, String>),
    /// They do not: the state is gone with the machine.
    Disabled,
}

impl Default for Logging {
    fn default() -> Self {
        Logging::Enabled(BTreeMap::new())
    }
}

/// Which records of a changelog have the headers of the record that caused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoggedHeaders {
    /// Tombstones of stores whose rows have headers.
    #[default]
    OfTombstones,
    /// All, whether rows have them or not, as in stores that only an operator itself reads.
    Always,
}

/// A store that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreSpec {
    /// Its name, unique in the topology.
    pub name: String,
    /// What it is asked for.
    pub kind: StoreKind,
    /// How its rows lie.
    pub format: RowFormat,
    /// Whether `dsl.store.format` leaves that alone.
    pub format_is_given: bool,
    /// Who keeps them.
    pub store_type: StoreType,
    /// Whether writes are logged.
    pub logging: Logging,
    /// Which of these have headers.
    pub logged_headers: LoggedHeaders,
    /// Whether writes pass a record cache.
    pub caching: bool,
}

impl StoreSpec {
    /// A logged store without cache. Its rows are plain, except that a suppression's changes have the time of their record.
    pub fn new(name: impl Into<String>, kind: StoreKind) -> Self {
        let format = if kind == StoreKind::Suppress { RowFormat::Timestamped } else { RowFormat::Plain };
        StoreSpec {
            name: name.into(),
            kind,
            format,
            format_is_given: false,
            store_type: StoreType::Configured,
            logging: Logging::default(),
            logged_headers: LoggedHeaders::default(),
            caching: false,
        }
    }

    /// A key-value store as [`StoreSpec::new`] makes it (`Stores#keyValueStoreBuilder`).
    ///
    /// ```
    /// use headwater::store::{StoreKind, StoreSpec};
    /// assert_eq!(StoreSpec::key_value("seen").kind, StoreKind::KeyValue);
    /// ```
    pub fn key_value(name: impl Into<String>) -> Self {
        Self::new(name, StoreKind::KeyValue)
    }

    /// A window store whose windows are `window_size` long and are kept for `retention`, one value for each key and start
    /// (`Stores#windowStoreBuilder`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::store::{StoreKind, StoreSpec};
    /// let hour = Duration::from_secs(3600);
    /// let spec = StoreSpec::window("visits", 24 * hour, hour);
    /// assert!(matches!(spec.kind, StoreKind::Window { segment_interval, .. } if segment_interval == 12 * hour));
    /// ```
    pub fn window(name: impl Into<String>, retention: Duration, window_size: Duration) -> Self {
        let kind = StoreKind::Window {
            retention,
            window_size,
            segment_interval: StoreKind::default_segment_interval(retention),
            retain_duplicates: false,
            time_ordered: false,
            key_index: false,
        };
        Self::new(name, kind)
    }

    /// A session store that keeps sessions for `retention` after their end (`Stores#sessionStoreBuilder`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::store::{StoreKind, StoreSpec};
    /// let spec = StoreSpec::session("visits", Duration::from_secs(3600));
    /// assert!(matches!(spec.kind, StoreKind::Session { time_ordered: false, .. }));
    /// ```
    pub fn session(name: impl Into<String>, retention: Duration) -> Self {
        let segment_interval = StoreKind::default_segment_interval(retention);
        Self::new(name, StoreKind::Session { retention, segment_interval, time_ordered: false })
    }

    /// A versioned store that keeps what was said of a key for `history_retention` (`Stores#versionedKeyValueStoreBuilder`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::store::{StoreKind, StoreSpec};
    /// let day = Duration::from_hours(24);
    /// let spec = StoreSpec::versioned("prices", day);
    /// assert!(matches!(spec.kind, StoreKind::Versioned { history_retention, .. } if history_retention == day));
    /// ```
    pub fn versioned(name: impl Into<String>, history_retention: Duration) -> Self {
        let segment_interval = StoreKind::default_history_segment_interval(history_retention);
        Self::new(name, StoreKind::Versioned { history_retention, segment_interval })
    }

    /// In this process's memory, restored from the changelog after a start, whatever `dsl.store.suppliers.class` says.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.store_type = StoreType::InMemory;
        self
    }

    /// With headers beside each value, and the time of its write but in a session store, on disk and in the changelog
    /// (`Stores#timestampedKeyValueStoreWithHeadersBuilder` and its like, KIP-1271).
    ///
    /// What was written with a value is read by `headers` of the typed store. Versioned stores keep none.
    ///
    /// ```
    /// use headwater::store::{RowFormat, StoreSpec};
    /// assert_eq!(StoreSpec::key_value("orders").with_headers().format, RowFormat::Headers);
    /// ```
    #[must_use]
    pub fn with_headers(mut self) -> Self {
        self.format = match self.kind {
            StoreKind::Session { .. } => RowFormat::HeadersOnly,
            StoreKind::Versioned { .. } | StoreKind::Suppress => return self,
            _ => RowFormat::Headers,
        };
        self.logged_headers = LoggedHeaders::Always;
        self
    }

    /// With its writes in the record cache first (`StoreBuilder#withCachingEnabled`).
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Without a changelog: the state is gone with the machine (`StoreBuilder#withLoggingDisabled`).
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = Logging::Disabled;
        self
    }
}
