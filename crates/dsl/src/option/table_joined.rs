//! How tables are joined by a foreign key.

use std::fmt;
use std::sync::Arc;

use headwater_record::{DefaultSerde, Partition, SharedSerde};

use crate::operator::ChoosePartition;
use crate::serdes::Serdes;

/// How tables are joined by a foreign key (Java's `TableJoined`, KIP-775): the name of the join's parts, and partitioners.
///
/// `K` and `V` are key and value of the table that is joined, `K2` and `V2` those of the one that its foreign keys lead to.
///
/// The name is that of all nodes, of the store of subscriptions and of the two topics between the tables. With one, they keep
/// their state when operators before them come and go.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Materialized, StreamsBuilder, TableJoined};
/// let builder = StreamsBuilder::new();
/// let orders = builder.table::<i64, String>("orders");
/// let customers = builder.table::<String, String>("customers");
/// let shipped = orders.join_on_with(
///     &customers,
///     |_, order| order.split(':').next().map(str::to_owned),
///     |order, customer| format!("{order} to {customer}"),
///     TableJoined::named("shipping"),
///     Materialized::named("shipped"),
/// );
/// shipped.to_stream().to("shipments");
/// assert!(builder.build()?.describe().contains("topics: [shipping-subscription-registration-topic]"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct TableJoined<K, V, K2, V2> {
    pub(crate) name: Option<String>,
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) other_serdes: Serdes<K2, V2>,
    pub(crate) partitioner: Option<ChoosePartition<K>>,
    pub(crate) other_partitioner: Option<ChoosePartition<Option<K2>>>,
}

impl<K, V, K2, V2> TableJoined<K, V, K2, V2> {
    /// As inherited, with generated names (Java's overload without `TableJoined`).
    pub fn inherited() -> Self {
        TableJoined {
            name: None,
            serdes: Serdes::none(),
            other_serdes: Serdes::none(),
            partitioner: None,
            other_partitioner: None,
        }
    }

    /// With this name (Java's `TableJoined.as`), and with the serdes that both tables have, or else the types' own.
    ///
    /// For types without serdes of their own there is `inherited().with_name(name)`.
    pub fn named(name: impl Into<String>) -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
        K2: DefaultSerde,
        V2: DefaultSerde,
    {
        Self::inherited_or_own().with_name(name)
    }

    /// As inherited, and what is not, by the types.
    pub(crate) fn inherited_or_own() -> Self
    where
        K: DefaultSerde,
        V: DefaultSerde,
        K2: DefaultSerde,
        V2: DefaultSerde,
    {
        let (serdes, other_serdes) = (Serdes::inherited_or_own(), Serdes::inherited_or_own());
        TableJoined { serdes, other_serdes, ..Self::inherited() }
    }

    /// With this name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With this serde for keys of the table that is joined.
    #[must_use]
    pub fn with_key_serde(mut self, key: SharedSerde<K>) -> Self {
        self.serdes.key = Some(key.into());
        self
    }

    /// With this serde for values of the table that is joined, by whose bytes a row is known to be the same still.
    #[must_use]
    pub fn with_value_serde(mut self, value: SharedSerde<V>) -> Self {
        self.serdes.value = Some(value.into());
        self
    }

    /// With this serde for foreign keys.
    #[must_use]
    pub fn with_other_key_serde(mut self, key: SharedSerde<K2>) -> Self {
        self.other_serdes.key = Some(key.into());
        self
    }

    /// With this serde for values of the table that foreign keys lead to.
    #[must_use]
    pub fn with_other_value_serde(mut self, value: SharedSerde<V2>) -> Self {
        self.other_serdes.value = Some(value.into());
        self
    }

    /// Where rows of the table that is joined lie: topic, key and how many partitions there are. It must say what was said when
    /// the table's topic was written. `None` leaves it to the key's hash; else exactly one partition must be named
    /// (`TableJoined#withPartitioner`).
    #[must_use]
    pub fn with_partitioner(
        mut self,
        choose: impl Fn(&str, &K, Partition) -> Option<Vec<Partition>> + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Arc::new(choose));
        self
    }

    /// Where rows of the table that foreign keys lead to lie, as [`TableJoined::with_partitioner`]. A left join asks about rows
    /// without a foreign key too, with `None` (`TableJoined#withOtherPartitioner`).
    #[must_use]
    pub fn with_other_partitioner(
        mut self,
        choose: impl Fn(&str, Option<&K2>, Partition) -> Option<Vec<Partition>> + Send + Sync + 'static,
    ) -> Self {
        self.other_partitioner =
            Some(Arc::new(move |topic, key: &Option<K2>, partitions| choose(topic, key.as_ref(), partitions)));
        self
    }
}

impl<K, V, K2, V2> fmt::Debug for TableJoined<K, V, K2, V2> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableJoined").field("name", &self.name).finish_non_exhaustive()
    }
}
