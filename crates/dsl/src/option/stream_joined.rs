//! How two streams are joined.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_record::{DefaultSerde, SharedSerde};
use headwater_store::{Logging, StoreSpec, StoreSupplier, StoreType};

use crate::serdes::Serdes;

/// How two streams are joined (Java's `StreamJoined`): serdes, names, and how what waits for partners is kept.
///
/// The name is that of the join's nodes and repartition topics; the stores have one of their own, which also names their changelogs.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use std::time::Duration;
///
/// use headwater::dsl::{StreamJoined, StreamsBuilder};
/// use headwater::window::JoinWindows;
/// let builder = StreamsBuilder::new();
/// let (views, clicks) = (builder.stream::<String, String>("views"), builder.stream::<String, String>("clicks"));
/// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
/// let options = StreamJoined::named("clicked").with_store_name("seen").in_memory();
/// views.join_with(&clicks, |_, view, click| format!("{view}, {click}"), within, options).to("clicked");
/// let text = builder.build()?.describe();
/// assert!(text.contains("Processor: clicked-this-join (stores: [seen-other-join-store])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct StreamJoined<K, V, V2> {
    pub(crate) serdes: Serdes<K, V>,
    /// Those of the other stream, whose keys are this one's.
    pub(crate) other_serdes: Serdes<K, V2>,
    pub(crate) name: Option<String>,
    pub(crate) store_name: Option<String>,
    pub(crate) store_type: StoreType,
    pub(crate) this_store: Option<StoreSpec>,
    pub(crate) other_store: Option<StoreSpec>,
    pub(crate) logging: Logging,
}

impl<K, V, V2> StreamJoined<K, V, V2> {
    /// As inherited and configured, with generated names.
    pub fn inherited() -> Self {
        StreamJoined {
            serdes: Serdes::none(),
            other_serdes: Serdes::none(),
            name: None,
            store_name: None,
            store_type: StoreType::Configured,
            this_store: None,
            other_store: None,
            logging: Logging::default(),
        }
    }

    /// With these serdes: of keys, of this stream's values, and of the other's.
    pub fn with(key: SharedSerde<K>, value: SharedSerde<V>, other_value: SharedSerde<V2>) -> Self {
        let other_serdes = Serdes::of(None, Some(other_value.into()));
        StreamJoined { serdes: Serdes::given(key, value), other_serdes, ..Self::inherited() }
    }

    /// With the types' own serdes, whatever was inherited.
    pub fn by_type() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
        V2: DefaultSerde,
    {
        Self::with(K::default_serde(), V::default_serde(), V2::default_serde())
    }

    /// With this name for nodes and repartition topics, and with the serdes that are inherited, or else the types' own (Java's
    /// `StreamJoined.as` names the stores: that is [`StreamJoined::with_store_name`]).
    ///
    /// For types without serdes of their own there is `inherited().with_name(name)`.
    pub fn named(name: impl Into<String>) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
        V2: DefaultSerde,
    {
        Self::inherited_or_own().with_name(name)
    }

    /// As inherited, and what is not, by the types.
    pub(crate) fn inherited_or_own() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
        V2: DefaultSerde,
    {
        let (serdes, other_serdes) = (Serdes::inherited_or_own(), Serdes::inherited_or_own());
        StreamJoined { serdes, other_serdes, ..Self::inherited() }
    }

    /// With this serde for keys.
    #[must_use]
    pub fn with_key_serde(mut self, key: SharedSerde<K>) -> Self {
        self.serdes.key = Some(key.into());
        self
    }

    /// With this serde for values of this stream.
    #[must_use]
    pub fn with_value_serde(mut self, value: SharedSerde<V>) -> Self {
        self.serdes.value = Some(value.into());
        self
    }

    /// With this serde for values of the other stream.
    #[must_use]
    pub fn with_other_value_serde(mut self, value: SharedSerde<V2>) -> Self {
        self.other_serdes.value = Some(value.into());
        self
    }

    /// With these serdes where none is given and none is inherited, as Java takes `default.key.serde` and `default.value.serde`.
    #[doc(hidden)]
    #[must_use]
    pub fn or_configured(mut self, key: SharedSerde<K>, value: SharedSerde<V>, other_value: SharedSerde<V2>) -> Self {
        self.other_serdes = self.other_serdes.or_own(Arc::clone(&key), other_value);
        self.serdes = self.serdes.or_own(key, value);
        self
    }

    /// With this name for nodes and repartition topics.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With names of stores and changelogs that begin so.
    #[must_use]
    pub fn with_store_name(mut self, name: impl Into<String>) -> Self {
        self.store_name = Some(name.into());
        self
    }

    /// All stores in this process's memory, restored from their changelogs after a start (`StreamJoined#withDslStoreSuppliers`).
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.store_type = StoreType::InMemory;
        self
    }

    /// All stores in RocksDB, whatever `dsl.store.suppliers.class` says (`StreamJoined#withDslStoreSuppliers`).
    #[must_use]
    pub fn in_rocksdb(mut self) -> Self {
        self.store_type = StoreType::RocksDb;
        self
    }

    /// All stores of the user's own make.
    #[must_use]
    pub fn in_stores_of(mut self, supplier: Arc<dyn StoreSupplier>) -> Self {
        self.store_type = StoreType::Custom(supplier);
        self
    }

    /// Records of this stream wait in a store described so: a window store that retains duplicates, of the size and retention that the
    /// windows have (`StreamJoined#withThisStoreSupplier`). Its description says whether it is logged. Who keeps it also keeps what a
    /// left or outer join has not joined yet, unless all stores are of one make by these options.
    #[must_use]
    pub fn with_this_store(mut self, store: StoreSpec) -> Self {
        self.this_store = Some(store);
        self
    }

    /// As [`StreamJoined::with_this_store`], for records of the other stream (`StreamJoined#withOtherStoreSupplier`).
    #[must_use]
    pub fn with_other_store(mut self, store: StoreSpec) -> Self {
        self.other_store = Some(store);
        self
    }

    /// Without changelogs: the state is gone with the machine.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = Logging::Disabled;
        self
    }

    /// With changelogs whose topics have these settings over the usual ones, but for what must be deleted by time.
    #[must_use]
    pub fn with_logging_enabled(mut self, configs: BTreeMap<String, String>) -> Self {
        self.logging = Logging::Enabled(configs);
        self
    }
}

impl<K, V, V2> fmt::Debug for StreamJoined<K, V, V2> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamJoined")
            .field("name", &self.name)
            .field("store_name", &self.store_name)
            .finish_non_exhaustive()
    }
}
