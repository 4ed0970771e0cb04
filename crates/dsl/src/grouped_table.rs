//! A table whose rows are grouped by another key.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, NodeId, Port, ProcessError, Stream};

use crate::changed::{Changed, ChangedSerde};
use crate::operator::{Fold, GivenBy, TableAggregateSpec, changed_repartition, missing_serde, table_aggregate};
use crate::serdes::Serdes;
use crate::windowed_stream::count_options;
use crate::{Grouped, KStream, KTable, Materialized};

/// A table grouped by another key, waiting to be aggregated (Java's `KGroupedTable`).
///
/// An aggregate follows the table: what a row was is subtracted, what it is now is added.
pub struct KGroupedTable<K: 'static, V: 'static> {
    port: Port<Stream<K, Changed<V>>>,
    serdes: Serdes<K, V>,
    name: Option<String>,
    // With a name, all aggregates share one repartition topic.
    shared: Arc<Mutex<Option<KStream<K, Changed<V>>>>>,
}

impl<K: 'static, V: 'static> Clone for KGroupedTable<K, V> {
    fn clone(&self) -> Self {
        KGroupedTable {
            port: self.port.clone(),
            serdes: self.serdes.clone(),
            name: self.name.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K: 'static, V: 'static> KGroupedTable<K, V> {
    pub(crate) fn new(port: Port<Stream<K, Changed<V>>>, grouped: Grouped<K, V>) -> Self {
        let Grouped { serdes, name } = grouped;
        KGroupedTable { port, serdes, name, shared: Arc::default() }
    }

    /// How many rows each group has (`KGroupedTable#count`). A group that lost its last row has 0.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let people = builder.table::<String, String>("city-of-person");
    /// // Whoever moves is subtracted from one city and added to another.
    /// people.group_by(|person, city| (city.clone(), person.clone())).count().to_stream().to("people-by-city");
    /// assert!(builder.build()?.describe().contains("KTABLE-AGGREGATE-0000000007"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn count(&self) -> KTable<K, i64> {
        self.count_as(|| 0_i64, |count, step| count.wrapping_add(step))
    }

    /// As [`KGroupedTable::count`], with options.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        self.count_as_with(|| 0_i64, |count, step| count.wrapping_add(step), count_options(materialized))
    }

    /// As [`KGroupedTable::count`], as a type of the user's: `zero` is the count of nothing, and `add` adds 1 or -1.
    pub fn count_as<N: DefaultSerde>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
    ) -> KTable<K, N> {
        self.count_as_with(zero, add, Materialized::inherited().with_value_serde(N::default_serde()))
    }

    /// As [`KGroupedTable::count_as`], with options.
    pub fn count_as_with<N: 'static>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        materialized: Materialized<K, N>,
    ) -> KTable<K, N> {
        let zero: Arc<dyn Fn() -> N + Send + Sync> = Arc::new(zero);
        let add: Arc<dyn Fn(&N, i64) -> N + Send + Sync> = Arc::new(add);
        let by = |step: i64| -> Fold<K, V, N> {
            let (zero, add) = (Arc::clone(&zero), Arc::clone(&add));
            Arc::new(move |_, _, so_far| {
                Ok(match so_far {
                    Some(so_far) => add(so_far, step),
                    None => add(&zero(), step),
                })
            })
        };
        self.fold("KTABLE-AGGREGATE-", materialized, by(1), by(-1))
    }

    /// Folds the rows of each group into one of the same type (`KGroupedTable#reduce`): `add` takes the result so far and a row
    /// that came, `subtract` the result so far and a row that left.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table::<String, i64>("wages")
    ///     .group_by(|person, wage| (person.chars().take(2).collect::<String>(), *wage))
    ///     .reduce(|sum, came| sum + came, |sum, left| sum - left)
    ///     .to_stream()
    ///     .to("wages-by-department");
    /// assert!(builder.build()?.describe().contains("KTABLE-REDUCE-0000000007"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn reduce(
        &self,
        add: impl Fn(V, &V) -> V + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> V + Send + Sync + 'static,
    ) -> KTable<K, V>
    where
        V: Clone,
    {
        self.reduce_with(add, subtract, Materialized::inherited())
    }

    /// As [`KGroupedTable::reduce`], with options.
    pub fn reduce_with(
        &self,
        add: impl Fn(V, &V) -> V + Send + Sync + 'static,
        subtract: impl Fn(V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V>
    where
        V: Clone,
    {
        fn taken<K, V: Clone + 'static>(fold: impl Fn(V, &V) -> V + Send + Sync + 'static) -> Fold<K, V, V> {
            Arc::new(move |_, value, so_far| {
                Ok(match so_far.take() {
                    Some(so_far) => fold(so_far, value),
                    None => value.clone(),
                })
            })
        }
        self.reduced(materialized, taken(add), taken(subtract))
    }

    /// As [`KGroupedTable::reduce_with`], with functions that may fail: the processing exception handler then decides, and the
    /// result so far stands.
    pub fn try_reduce_with<E: Into<BoxError>>(
        &self,
        add: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        subtract: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V>
    where
        V: Clone,
    {
        fn tried<K, V: Clone + 'static, E: Into<BoxError>>(
            fold: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        ) -> Fold<K, V, V> {
            Arc::new(move |_, value, so_far| match so_far {
                Some(so_far) => fold(so_far, value).map_err(ProcessError::user),
                None => Ok(value.clone()),
            })
        }
        self.reduced(materialized, tried(add), tried(subtract))
    }

    fn reduced(
        &self,
        mut materialized: Materialized<K, V>,
        add: Fold<K, V, V>,
        subtract: Fold<K, V, V>,
    ) -> KTable<K, V> {
        if materialized.serdes.value.is_none() {
            materialized.serdes.value.clone_from(&self.serdes.value);
        }
        self.fold("KTABLE-REDUCE-", materialized, add, subtract)
    }

    /// Folds the rows of each group into an aggregate of any type (`KGroupedTable#aggregate`), which begins as `initial`: `add`
    /// takes in a row that came, `subtract` takes out a row that left.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table::<String, i64>("wages")
    ///     .group_by(|person, wage| (person.chars().take(2).collect::<String>(), *wage))
    ///     .aggregate(|| 0, |_, wage, sum: i64| sum + wage, |_, wage, sum| sum - wage)
    ///     .to_stream()
    ///     .to("wages-by-department");
    /// assert!(builder.build()?.describe().contains("KTABLE-AGGREGATE-0000000007"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn aggregate<A: DefaultSerde>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        subtract: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
    ) -> KTable<K, A> {
        let materialized = Materialized::by_type_of_values();
        self.aggregate_with(initial, add, subtract, materialized)
    }

    /// As [`KGroupedTable::aggregate`], with options.
    pub fn aggregate_with<A: 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        subtract: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        let initial: Arc<dyn Fn() -> A + Send + Sync> = Arc::new(initial);
        let first = Arc::clone(&initial);
        let add: Fold<K, V, A> =
            Arc::new(move |key, value, so_far| Ok(add(key, value, so_far.take().unwrap_or_else(|| initial()))));
        let subtract: Fold<K, V, A> =
            Arc::new(move |key, value, so_far| Ok(subtract(key, value, so_far.take().unwrap_or_else(|| first()))));
        self.fold("KTABLE-AGGREGATE-", materialized, add, subtract)
    }

    /// As [`KGroupedTable::aggregate_with`], with functions that may fail: the processing exception handler then decides, and the
    /// aggregate so far stands.
    pub fn try_aggregate_with<A: 'static, E: Into<BoxError>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        subtract: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        fn tried<K, V, A: 'static, E: Into<BoxError>>(
            initial: Arc<dyn Fn() -> A + Send + Sync>,
            fold: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        ) -> Fold<K, V, A> {
            Arc::new(move |key, value, so_far| {
                let folded = match so_far {
                    Some(so_far) => fold(key, value, so_far),
                    None => fold(key, value, &initial()),
                };
                folded.map_err(ProcessError::user)
            })
        }
        let initial: Arc<dyn Fn() -> A + Send + Sync> = Arc::new(initial);
        let add = tried(Arc::clone(&initial), add);
        self.fold("KTABLE-AGGREGATE-", materialized, add, tried(initial, subtract))
    }

    fn fold<A: 'static>(
        &self,
        prefix: &str,
        materialized: Materialized<K, A>,
        add: Fold<K, V, A>,
        subtract: Fold<K, V, A>,
    ) -> KTable<K, A> {
        let store = match &materialized.name {
            Some(name) => self.port.draft().checked(name),
            None => self.port.draft().next_name("KTABLE-AGGREGATE-STATE-STORE-"),
        };
        let sink = self.port.draft().next_name("KSTREAM-SINK-");
        let source = self.port.draft().next_name("KSTREAM-SOURCE-");
        let name = self.port.draft().next_name(prefix);
        let serdes = materialized.serdes().or(&self.serdes.key_only());
        let (upstream, named_after) = self.repartitioned(&store, sink, source);
        let spec = TableAggregateSpec { name, store, materialized, serdes, add, subtract };
        KTable { named_after, ..table_aggregate(&upstream, spec) }
    }

    /// The changes by their new key, and what is named after an aggregate of them.
    fn repartitioned(
        &self,
        store: &str,
        sink: String,
        source: String,
    ) -> (KStream<K, Changed<V>>, Vec<(NodeId, Cow<'static, str>)>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = shared.as_ref() {
            shared.draft().add_again(shared.node());
            return (shared.clone(), Vec::new());
        }
        if !self.serdes.is_whole() {
            self.port.draft().mistake(missing_serde(&sink, &self.serdes, GivenBy::Grouped));
        }
        let serdes = Serdes::of(
            self.serdes.key.clone(),
            self.serdes.value.as_ref().map(|value| value.map(ChangedSerde::shared)),
        );
        let grouped = KStream { port: self.port.clone(), serdes, repartition: false };
        let topic = format!("{}-repartition", self.name.as_deref().unwrap_or(store));
        let (sink, stream) = changed_repartition(&grouped, topic, sink, source);
        let named_after = vec![(sink, "-sink".into()), (stream.node(), "-source".into())];
        if self.name.is_some() {
            *shared = Some(stream.clone());
        }
        (stream, named_after)
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KGroupedTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KGroupedTable({})", self.port.draft().node_name(self.port.node()))
    }
}
