//! A table: the last value of every key.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use headwater_record::Record;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::StoreHandle;
use headwater_topology::{Draft, Inlet, NodeId, Outlet, Port, ProcessError, Stream, Table, TaskContext, Update};
use headwater_window::Windowed;

use crate::KStream;
use crate::old_values::OldValues;
use crate::queryable::Queryable;
use crate::serdes::Serdes;
use crate::view::Views;

/// The last value of every key, and how it changes (Java's `KTable`).
pub struct KTable<K: 'static, V: 'static> {
    pub(crate) port: Port<Table<K, V>>,
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) store: Queryable<K, V>,
    /// Whether somebody downstream wants old values, and from where it has them.
    pub(crate) old_values: OldValues,
    /// Nodes that are named after this one, with what is added to the name. It is itself among them where something is added to
    /// its own.
    pub(crate) named_after: Vec<(NodeId, Cow<'static, str>)>,
    /// How its values are looked up.
    pub(crate) views: Views<K, V>,
}

struct ToStream<K: 'static, V: 'static>(Outlet<Stream<K, Option<V>>>);

impl<K: 'static, V: 'static> Inlet<Table<K, V>> for ToStream<K, V> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, V>) -> Result<(), ProcessError> {
        let record = Record::new(update.key, update.change.new, update.timestamp, update.headers);
        self.0.push(cx, record)
    }
}

impl<K: 'static, V: 'static> KTable<K, V> {
    pub(crate) fn draft(&self) -> &Draft {
        self.port.draft()
    }

    pub(crate) fn node(&self) -> NodeId {
        self.port.node()
    }

    /// Names the node that this handle stands for, instead of the generated name (Java's `Named`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let empty = builder.table::<String, i64>("stock").filter(|_, pieces| *pieces == 0).named("sold-out");
    /// empty.to_stream().to("reorder");
    /// assert!(builder.build()?.describe().contains("Processor: sold-out"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        if self.named_after.iter().all(|(node, _)| *node != self.node()) {
            self.draft().rename(self.node(), name);
        }
        for (node, suffix) in &self.named_after {
            self.draft().rename(*node, &format!("{name}{suffix}"));
        }
        self
    }

    /// The name of the node that this handle stands for.
    pub fn name(&self) -> Arc<str> {
        self.draft().node_name(self.node())
    }

    /// The table's changes as a stream (`KTable#toStream`); `None` says that the key was deleted.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("visits").group_by_key().count().to_stream().to("visits-by-page");
    /// assert!(builder.build()?.describe().contains("KTABLE-TOSTREAM-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn to_stream(&self) -> KStream<K, Option<V>> {
        let name = self.draft().next_name("KTABLE-TOSTREAM-");
        let node = self.draft().add_node(NodeSpec::processor(name, [self.node()]));
        self.port.listen(node, Arc::new(move |wiring| Ok(Box::new(ToStream(wiring.outlet(node)?)))));
        let serdes = self.serdes.optional();
        KStream { port: Port::new(self.draft(), node), serdes, repartition: false }
    }

    /// The name of the store that keeps the table, of whatever kind, when the user named one (`KTable#queryableStoreName`).
    pub fn queryable_store_name(&self) -> Option<&str> {
        self.store.name()
    }

    /// The key-value store that keeps the table, when the user named one. A table that was aggregated by windows is kept in another
    /// kind of store: [`KTable::queryable_window_store`].
    ///
    /// ```
    /// use headwater::dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// let named = visits.count_with(Materialized::named("visits-by-page"));
    /// assert_eq!(named.queryable_store().map(|store| store.name()), Some("visits-by-page"));
    /// assert!(visits.count().queryable_store().is_none());
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn queryable_store(&self) -> Option<&StoreHandle<K, V>> {
        self.store.by_key()
    }
}

impl<K: 'static, V: 'static> KTable<Windowed<K>, V> {
    /// The window or session store that the table was aggregated in, when the user named one. Its keys are those of the table without
    /// their windows.
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Materialized, StreamsBuilder};
    /// use headwater::testing::TopologyTestDriver;
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let visits = builder.stream::<String, String>("visits").group_by_key().windowed_by(minutes);
    /// let counts = visits.count_with(Materialized::named("visits-by-minute"));
    ///
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// driver.input_topic::<String, String>("visits").pipe_at("home", "", 5)?;
    /// let store = counts.queryable_window_store().ok_or("it has a name")?;
    /// assert_eq!(driver.window_store(store)?.get(&"home".to_owned(), 0)?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queryable_window_store(&self) -> Option<&StoreHandle<K, V>> {
        self.store.by_window()
    }
}

impl<K: 'static, V: 'static> Clone for KTable<K, V> {
    fn clone(&self) -> Self {
        KTable {
            port: self.port.clone(),
            serdes: self.serdes.clone(),
            store: self.store.clone(),
            old_values: self.old_values.clone(),
            named_after: self.named_after.clone(),
            views: self.views.clone(),
        }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KTable({})", self.draft().node_name(self.node()))
    }
}
