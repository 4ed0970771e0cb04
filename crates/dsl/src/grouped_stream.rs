//! A stream whose records are grouped by their key.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, Draft};

use crate::operator::{AggregateSpec, Folding, GivenBy, NamedAfter, Repartition, aggregate, repartition_source};
use crate::serdes::{Known, Serdes};
use crate::windowed_stream::count_options;
use crate::{KStream, KTable, Materialized, WindowedBy};

pub(crate) const AGGREGATE: &str = "KSTREAM-AGGREGATE-";
pub(crate) const REDUCE: &str = "KSTREAM-REDUCE-";
pub(crate) const AGGREGATE_STORE: &str = "KSTREAM-AGGREGATE-STATE-STORE-";

/// A stream grouped by key, waiting to be aggregated (Java's `KGroupedStream`).
pub struct KGroupedStream<K: 'static, V: 'static> {
    stream: KStream<K, V>,
    name: Option<String>,
    // With a name, all aggregates share one repartition topic.
    shared: Arc<Mutex<Option<KStream<K, V>>>>,
}

/// Where an aggregation has its place.
pub(crate) struct Placed<K: 'static, V: 'static, A> {
    /// The stream with its records by key.
    pub(crate) upstream: KStream<K, V>,
    /// The node's name.
    pub(crate) name: String,
    /// The store's name.
    pub(crate) store: String,
    /// Serdes of the store.
    pub(crate) serdes: Serdes<K, A>,
}

impl<K: 'static, V: 'static> Clone for KGroupedStream<K, V> {
    fn clone(&self) -> Self {
        KGroupedStream { stream: self.stream.clone(), name: self.name.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<K: 'static, V: 'static> KGroupedStream<K, V> {
    pub(crate) fn new(stream: KStream<K, V>, name: Option<String>) -> Self {
        if let Some(name) = &name {
            stream.draft().checked(name);
        }
        KGroupedStream { stream, name, shared: Arc::default() }
    }

    /// How many records each key has had (`KGroupedStream#count`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, String>("visits").group_by_key().count().to_stream().to("visits-by-page");
    /// assert!(builder.build()?.describe().contains("stores: [KSTREAM-AGGREGATE-STATE-STORE-0000000001]"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn count(&self) -> KTable<K, i64> {
        self.count_as(|| 0_i64, |count, step| count.wrapping_add(step))
    }

    /// As [`KGroupedStream::count`], with options.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<K, i64> {
        self.count_as_with(|| 0_i64, |count, step| count.wrapping_add(step), count_options(materialized))
    }

    /// As [`KGroupedStream::count`], as a type of the user's: `zero` is the count of nothing, and `add` adds to a count.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// visits.count_as(|| 0_u32, |count, step| count.wrapping_add(step as u32)).to_stream().to("visits-by-page");
    /// assert!(builder.build()?.describe().contains("KSTREAM-AGGREGATE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn count_as<N: DefaultSerde>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
    ) -> KTable<K, N> {
        let options = Materialized::inherited().with_value_serde(N::default_serde());
        self.fold(AGGREGATE, options, Folding::count(zero, add))
    }

    /// As [`KGroupedStream::count_as`], with options.
    pub fn count_as_with<N: 'static>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        materialized: Materialized<K, N>,
    ) -> KTable<K, N> {
        if materialized.name.is_none() {
            // Java's overload uses up a number that names nothing.
            self.stream.draft().next_name(AGGREGATE_STORE);
        }
        self.fold(AGGREGATE, materialized, Folding::count(zero, add))
    }

    /// Folds the values of each key into one of the same type (`KGroupedStream#reduce`): the first value as it is, then what
    /// `reduce` makes of the result so far and the next value.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("bids").group_by_key().reduce(|best, bid| best.max(*bid)).to_stream().to("best");
    /// assert!(builder.build()?.describe().contains("KSTREAM-REDUCE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn reduce(&self, reduce: impl Fn(V, &V) -> V + Send + Sync + 'static) -> KTable<K, V>
    where
        V: Clone,
    {
        self.reduce_with(reduce, Materialized::inherited())
    }

    /// As [`KGroupedStream::reduce`], with options.
    pub fn reduce_with(
        &self,
        reduce: impl Fn(V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V>
    where
        V: Clone,
    {
        self.reduced(materialized, Folding::reduce(reduce))
    }

    /// As [`KGroupedStream::reduce_with`], with a function that may fail: the processing exception handler then decides, and the
    /// result so far stands. So the function is lent it, where [`KGroupedStream::reduce`] gives it away.
    pub fn try_reduce_with<E: Into<BoxError>>(
        &self,
        reduce: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<K, V>
    where
        V: Clone,
    {
        self.reduced(materialized, Folding::try_reduce(reduce))
    }

    fn reduced(&self, mut materialized: Materialized<K, V>, folding: Folding<K, V, V>) -> KTable<K, V> {
        if materialized.serdes.value.is_none() {
            materialized.serdes.value.clone_from(&self.stream.serdes.value);
        }
        self.fold(REDUCE, materialized, folding)
    }

    /// Folds the values of each key into an aggregate of any type (`KGroupedStream#aggregate`), which begins as `initial`.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<String, i64>("sales")
    ///     .group_by_key()
    ///     .aggregate(|| 0.0, |_, amount, sum| sum + *amount as f64)
    ///     .to_stream()
    ///     .to("turnover");
    /// assert!(builder.build()?.describe().contains("KSTREAM-AGGREGATE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn aggregate<A: DefaultSerde>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
    ) -> KTable<K, A> {
        self.aggregate_with(initial, add, Materialized::by_type_of_values())
    }

    /// As [`KGroupedStream::aggregate`], with options.
    pub fn aggregate_with<A: 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        self.fold(AGGREGATE, materialized, Folding::aggregate(initial, add))
    }

    /// As [`KGroupedStream::aggregate_with`], with a function that may fail: the processing exception handler then decides, and
    /// the aggregate so far stands. So the function is lent it, where [`KGroupedStream::aggregate`] gives it away.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// let builder = StreamsBuilder::new();
    /// let amounts = builder.stream::<String, String>("amounts").group_by_key();
    /// let add = |_: &String, amount: &String, sum: &i64| amount.parse::<i64>().map(|amount| sum + amount);
    /// amounts.try_aggregate_with(|| 0, add, Materialized::named("sums")).to_stream().to("sums");
    /// # builder.build()?;
    /// # Ok::<(), TopologyErrors>(())
    /// ```
    pub fn try_aggregate_with<A: 'static, E: Into<BoxError>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        self.fold(AGGREGATE, materialized, Folding::try_aggregate(initial, add))
    }

    fn fold<A: 'static>(
        &self,
        prefix: &str,
        materialized: Materialized<K, A>,
        folding: Folding<K, V, A>,
    ) -> KTable<K, A> {
        let Placed { upstream, name, store, serdes } = self.place(prefix, &materialized);
        aggregate(&upstream, AggregateSpec { name, store, materialized, serdes, folding })
    }

    /// The names of an aggregation, and what it is made of.
    pub(crate) fn place<A: 'static>(&self, prefix: &str, materialized: &Materialized<K, A>) -> Placed<K, V, A> {
        let draft = self.stream.draft();
        let store = match &materialized.name {
            Some(name) => draft.checked(name),
            None => draft.next_name(&format!("{prefix}STATE-STORE-")),
        };
        let name = draft.next_name(prefix);
        let serdes = materialized.serdes.alone().or(&self.stream.serdes.key_only());
        let upstream = self.by_key(NamedAfter { name: &store, is_given: materialized.name.is_some() });
        Placed { upstream, name, store, serdes }
    }

    /// Groups each key's records by time as well (`KGroupedStream#windowedBy`): by [`TimeWindows`], [`UnlimitedWindows`],
    /// [`SlidingWindows`] or [`SessionWindows`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<String, String>("visits")
    ///     .group_by_key()
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
    ///     .count()
    ///     .to_stream()
    ///     .to_with("visits-by-page-and-minute", Produced::inherited());
    /// assert!(builder.build()?.describe().contains("KSTREAM-AGGREGATE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    ///
    /// [`TimeWindows`]: headwater_window::TimeWindows
    /// [`UnlimitedWindows`]: headwater_window::UnlimitedWindows
    /// [`SlidingWindows`]: headwater_window::SlidingWindows
    /// [`SessionWindows`]: headwater_window::SessionWindows
    pub fn windowed_by<W: WindowedBy>(&self, windows: W) -> W::Stream<K, V> {
        windows.window(self.clone())
    }

    pub(crate) fn draft(&self) -> &Draft {
        self.stream.draft()
    }

    pub(crate) fn key_serde(&self) -> Option<Known<K>> {
        self.stream.serdes.key.clone()
    }

    /// The topics that the stream comes from, before a repartition of its own.
    pub(crate) fn topics(&self) -> BTreeSet<String> {
        self.draft().topics_above(self.stream.node())
    }

    pub(crate) fn value_serde(&self) -> Option<Known<V>> {
        self.stream.serdes.value.clone()
    }

    /// The stream with its records by key: through a repartition topic where the key was changed.
    fn by_key(&self, store: NamedAfter<'_>) -> KStream<K, V> {
        let kept = if self.name.is_some() { Some(&*self.shared) } else { None };
        let by_key = self.by_key_kept(store, kept);
        if kept.is_some() && self.stream.repartition {
            self.draft().add_again(by_key.node());
        }
        by_key
    }

    /// As [`KGroupedStream::by_key`]; what was made once is taken from where it was kept.
    pub(crate) fn by_key_kept(
        &self,
        store: NamedAfter<'_>,
        kept: Option<&Mutex<Option<KStream<K, V>>>>,
    ) -> KStream<K, V> {
        if !self.stream.repartition {
            return self.stream.clone();
        }
        let after = self.name.as_deref().map_or(store, |name| NamedAfter { name, is_given: true });
        let mut kept = kept.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(made) = kept.as_ref().and_then(|kept| kept.as_ref()) {
            // The names of a topic of its own are used up all the same.
            after.ask(self.stream.draft());
            for prefix in ["KSTREAM-SINK-", "KSTREAM-FILTER-", "KSTREAM-SOURCE-"] {
                self.stream.draft().next_name(prefix);
            }
            return made.clone();
        }
        let serdes = self.stream.serdes.clone();
        let given_by = GivenBy::Grouped;
        let repartition = Repartition { after, serdes, partitions: None, partitioner: None, given_by };
        let source = repartition_source(&self.stream, repartition);
        if let Some(kept) = &mut kept {
            **kept = Some(source.clone());
        }
        source
    }

    /// An address that clones of this grouping have, and no other grouping.
    pub(crate) fn address(&self) -> *const () {
        Arc::as_ptr(&self.shared).cast()
    }
}

impl<K: 'static, V: 'static> fmt::Debug for KGroupedStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KGroupedStream({:?})", self.stream)
    }
}
