//! How a table is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::DefaultSerde;
use headwater_store::{Logging, RowFormat, StoreKind, StoreSpec, StoreSupplier, StoreType};
use headwater_topology::TopologyError;

use super::serde_options;
use crate::serdes::Serdes;

/// How a table is kept (Java's `Materialized`): the store's name, serdes, who keeps it, cache and changelog.
///
/// A store with a name of the user's can be queried and keeps its state when operators before it come and go.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Materialized, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let kept = Materialized::named("visits-by-page")
///     .in_memory()
///     .with_caching_disabled()
///     .with_logging_enabled([("min.insync.replicas".to_owned(), "2".to_owned())].into());
/// builder.stream::<String, String>("visits").group_by_key().count_with(kept).to_stream().to("counts");
/// assert!(builder.build()?.describe().contains("(stores: [visits-by-page])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Materialized<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
    pub(crate) store_type: StoreType,
    pub(crate) caching: bool,
    pub(crate) logging: Logging,
    pub(crate) retention: Option<Duration>,
    /// Of a versioned table.
    pub(crate) history: Option<History>,
    pub(crate) row_format: Option<RowFormat>,
}

/// What a versioned table remembers.
#[derive(Clone, Copy)]
pub(crate) struct History {
    pub(crate) retention: Duration,
    segment_interval: Duration,
}

serde_options!(Materialized);

impl<K, V> Materialized<K, V> {
    /// As inherited and configured, with a generated name.
    pub fn inherited() -> Self {
        Materialized {
            serdes: Serdes::none(),
            name: None,
            store_type: StoreType::Configured,
            caching: true,
            logging: Logging::default(),
            retention: None,
            history: None,
            row_format: None,
        }
    }

    /// As inherited, and the values by their type.
    pub(crate) fn by_type_of_values() -> Self
    where
        V: DefaultSerde,
    {
        Materialized { serdes: Serdes::own_value(), ..Self::inherited() }
    }

    /// In the store `name`, which keeps all versions of each key's value for `history_retention` (Java's `Materialized.as` of
    /// `Stores.persistentVersionedKeyValueStore`, KIP-914).
    ///
    /// A record that comes late then changes the history and not the present: joins with other tables, `group_by` and aggregates
    /// hear of the latest version only, a stream that is joined with the table finds the row as it was at each record's time, and
    /// what is older than the history is dropped. There is no record cache. The table's changelog is compacted only after the
    /// history and a day.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let prices = Materialized::versioned("prices", Duration::from_hours(24));
    /// let prices = builder.table_with("prices", Consumed::<String, i64>::by_type(), prices);
    /// let sales = builder.stream::<String, i64>("sales");
    /// // Whenever a sale arrives: at the price that stood when it was made.
    /// sales.join_table(&prices, |_, pieces, price| pieces * price).to("turnover");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn versioned(name: impl Into<String>, history_retention: Duration) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        let segment_interval = StoreKind::default_history_segment_interval(history_retention);
        let inherited_or_own = Materialized { serdes: Serdes::inherited_or_own(), ..Self::inherited() };
        inherited_or_own.in_versioned_store(name, history_retention, segment_interval)
    }

    /// In the store `name`, as [`Materialized::versioned`], with the width of a segment, the unit in which old versions are
    /// forgotten: at least a millisecond.
    #[must_use]
    pub fn in_versioned_store(
        self,
        name: impl Into<String>,
        history_retention: Duration,
        segment_interval: Duration,
    ) -> Self {
        let history = History { retention: history_retention, segment_interval };
        Materialized { history: Some(history), ..self.with_name(name) }
    }

    /// In this process's memory, restored from the changelog after a start (`Materialized#withStoreType`).
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.store_type = StoreType::InMemory;
        self
    }

    /// In RocksDB, whatever `dsl.store.suppliers.class` says (`Materialized#withStoreType`).
    #[must_use]
    pub fn in_rocksdb(mut self) -> Self {
        self.store_type = StoreType::RocksDb;
        self
    }

    /// In a store of the user's own make.
    #[must_use]
    pub fn in_store_of(mut self, supplier: Arc<dyn StoreSupplier>) -> Self {
        self.store_type = StoreType::Custom(supplier);
        self
    }

    /// With rows of this format, whatever `dsl.store.format` says, as a table has it in Java that is given a supplier:
    /// [`RowFormat::Headers`] as `Stores.persistentTimestampedKeyValueStoreWithHeaders`, [`RowFormat::Timestamped`] as
    /// `Stores.persistentTimestampedKeyValueStore`, [`RowFormat::Plain`] as `Stores.persistentKeyValueStore`, which forgets when a
    /// row was written. Those of windows and sessions go the same way; a store in memory keeps no headers, a versioned one has a
    /// format of its own.
    ///
    /// ```
    /// use headwater::dsl::{Materialized, StreamsBuilder};
    /// use headwater::processor::TopologySettings;
    /// use headwater::store::RowFormat;
    /// let builder = StreamsBuilder::new();
    /// let kept = Materialized::named("visits-by-page").with_row_format(RowFormat::Timestamped);
    /// let _ = builder.stream::<String, String>("visits").group_by_key().count_with(kept);
    /// let topology = builder.build_with(&TopologySettings::new().with("dsl.store.format", "headers"))?;
    /// assert!(topology.stores().all(|(_, store)| store.spec.format == RowFormat::Timestamped));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn with_row_format(mut self, format: RowFormat) -> Self {
        self.row_format = Some(format);
        self
    }

    /// Every update is written and handed on at once.
    #[must_use]
    pub fn with_caching_disabled(mut self) -> Self {
        self.caching = false;
        self
    }

    /// Updates are kept in the record cache and handed on when they are flushed: the default.
    #[must_use]
    pub fn with_caching_enabled(mut self) -> Self {
        self.caching = true;
        self
    }

    /// Without a changelog: the state is gone with the machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = Logging::Disabled;
        self
    }

    /// With a changelog whose topic has these settings over the usual ones.
    #[must_use]
    pub fn with_logging_enabled(mut self, configs: BTreeMap<String, String>) -> Self {
        self.logging = Logging::Enabled(configs);
        self
    }

    /// A store of windows or sessions keeps them for so long after the latest one; at least for their size (or gap) and grace, which
    /// it does unless told otherwise (`Materialized#withRetention`).
    #[must_use]
    pub fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// That a table of windows or sessions is to keep versions is a mistake.
    pub(crate) fn without_versions(&self, store: &str) -> Result<(), TopologyError> {
        let words = || {
            format!(
                "store {store} keeps windows or sessions, which have no versions: do without Materialized::versioned"
            )
        };
        self.history.map_or(Ok(()), |_| Err(TopologyError::Argument(words())))
    }

    /// Its serdes.
    pub(crate) fn serdes(&self) -> Serdes<K, V> {
        self.serdes.clone()
    }

    /// The store of a table, with `format` for rows unless it keeps versions or was given another.
    pub(crate) fn key_value_spec(&self, name: &str, format: RowFormat) -> StoreSpec {
        if let Some(History { retention, segment_interval }) = self.history {
            let kind = StoreKind::Versioned { history_retention: retention, segment_interval };
            let (store_type, logging) = (self.store_type.clone(), self.logging.clone());
            return StoreSpec { store_type, logging, ..StoreSpec::new(name, kind) };
        }
        StoreSpec {
            format: self.row_format.unwrap_or(format),
            format_is_given: self.row_format.is_some(),
            store_type: self.store_type.clone(),
            logging: self.logging.clone(),
            caching: self.caching,
            ..StoreSpec::new(name, StoreKind::KeyValue)
        }
    }
}
