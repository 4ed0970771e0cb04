//! A stream whose records are grouped by their key and by time.

use std::fmt;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, TopologyError};
use headwater_window::{SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Windowed, Windows};

use crate::grouped_stream::{AGGREGATE, AGGREGATE_STORE, REDUCE};
use crate::operator::{Folding, Shape, WindowSpec, window_aggregate};
use crate::{
    CogroupedKStream, EmitStrategy, KGroupedStream, KTable, Materialized, SessionWindowedCogroupedKStream,
    SessionWindowedKStream, TimeWindowedCogroupedKStream,
};

/// Windows that a grouped stream can be aggregated by; see [`KGroupedStream::windowed_by`].
pub trait WindowedBy: sealed::Sealed {
    /// What the grouped stream becomes.
    type Stream<K: 'static, V: 'static>;
    #[doc(hidden)]
    fn window<K: 'static, V: 'static>(self, grouped: KGroupedStream<K, V>) -> Self::Stream<K, V>;
    /// What streams that are aggregated together become.
    type Cogrouped<K: Clone + 'static, A: 'static>;
    #[doc(hidden)]
    fn window_cogrouped<K: Clone + 'static, A: 'static>(self, all: CogroupedKStream<K, A>) -> Self::Cogrouped<K, A>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for headwater_window::TimeWindows {}
    impl Sealed for headwater_window::Windows {}
    impl Sealed for headwater_window::UnlimitedWindows {}
    impl Sealed for headwater_window::SlidingWindows {}
    impl Sealed for headwater_window::SessionWindows {}
}

macro_rules! windowed_by {
    ($windows:ident, $shape:ident) => {
        impl WindowedBy for $windows {
            type Stream<K: 'static, V: 'static> = TimeWindowedKStream<K, V>;
            fn window<K: 'static, V: 'static>(self, grouped: KGroupedStream<K, V>) -> TimeWindowedKStream<K, V> {
                if let Err(mistake) = self.validate() {
                    grouped.draft().mistake(TopologyError::Argument(mistake.to_string()));
                }
                TimeWindowedKStream { grouped, shape: Shape::$shape(self), emit: EmitStrategy::default() }
            }
            type Cogrouped<K: Clone + 'static, A: 'static> = TimeWindowedCogroupedKStream<K, A>;
            fn window_cogrouped<K: Clone + 'static, A: 'static>(
                self,
                all: CogroupedKStream<K, A>,
            ) -> TimeWindowedCogroupedKStream<K, A> {
                if let Err(mistake) = self.validate() {
                    all.draft().mistake(TopologyError::Argument(mistake.to_string()));
                }
                TimeWindowedCogroupedKStream::new(all, Shape::$shape(self))
            }
        }
    };
}

windowed_by!(TimeWindows, Time);
windowed_by!(Windows, Own);
windowed_by!(UnlimitedWindows, Unlimited);
windowed_by!(SlidingWindows, Sliding);

impl WindowedBy for SessionWindows {
    type Stream<K: 'static, V: 'static> = SessionWindowedKStream<K, V>;
    fn window<K: 'static, V: 'static>(self, grouped: KGroupedStream<K, V>) -> SessionWindowedKStream<K, V> {
        if let Err(mistake) = self.validate() {
            grouped.draft().mistake(TopologyError::Argument(mistake.to_string()));
        }
        SessionWindowedKStream::new(grouped, self)
    }
    type Cogrouped<K: Clone + 'static, A: 'static> = SessionWindowedCogroupedKStream<K, A>;
    fn window_cogrouped<K: Clone + 'static, A: 'static>(
        self,
        all: CogroupedKStream<K, A>,
    ) -> SessionWindowedCogroupedKStream<K, A> {
        if let Err(mistake) = self.validate() {
            all.draft().mistake(TopologyError::Argument(mistake.to_string()));
        }
        SessionWindowedCogroupedKStream::new(all, self)
    }
}

/// A stream grouped by key and by windows of a fixed size, waiting to be aggregated (Java's `TimeWindowedKStream`).
///
/// Each aggregation takes a record into every window that it falls into, unless the window is closed: then the record is dropped
/// for that window, and counted. The results are keyed by [`Windowed`] keys.
pub struct TimeWindowedKStream<K: 'static, V: 'static> {
    grouped: KGroupedStream<K, V>,
    shape: Shape,
    emit: EmitStrategy,
}

impl<K: Clone + 'static, V: 'static> TimeWindowedKStream<K, V> {
    /// Says when results are handed on (`TimeWindowedKStream#emitStrategy`). With
    /// [`EmitStrategy::OnWindowClose`], sliding windows, and others with caching disabled, are not told when the next record leaps past
    /// the store's retention: `docs/guarantees.md`, "Windows that are told when they close".
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{EmitStrategy, Produced, StreamsBuilder};
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<String, String>("visits")
    ///     .group_by_key()
    ///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
    ///     .emit_strategy(EmitStrategy::OnWindowClose)
    ///     .count()
    ///     .to_stream()
    ///     .to_with("visits-by-page-and-minute", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    #[must_use]
    pub fn emit_strategy(self, emit: EmitStrategy) -> Self {
        if emit.is_final() && matches!(self.shape, Shape::Unlimited(_)) {
            let words = "ON_WINDOW_CLOSE emit strategy cannot be used for UnlimitedWindows";
            self.grouped.draft().mistake(TopologyError::Argument(words.to_owned()));
        }
        TimeWindowedKStream { emit, ..self }
    }

    /// How many records each key has had in each window (`TimeWindowedKStream#count`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// let ten_minutes = TimeWindows::of_size_and_grace(Duration::from_secs(600), Duration::from_secs(10));
    /// let visits = builder.stream::<String, String>("visits").group_by_key().windowed_by(ten_minutes).count();
    /// visits.to_stream().to_with("visits-by-page", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn count(&self) -> KTable<Windowed<K>, i64> {
        self.count_as(|| 0_i64, |count, step| count.wrapping_add(step))
    }

    /// As [`TimeWindowedKStream::count`], with options.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        self.count_as_with(|| 0_i64, |count, step| count.wrapping_add(step), count_options(materialized))
    }

    /// As [`TimeWindowedKStream::count`], as a type of the user's; see [`KGroupedStream::count_as`].
    pub fn count_as<N: DefaultSerde>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, N> {
        let options = Materialized::inherited().with_value_serde(N::default_serde());
        self.fold(AGGREGATE, options, Folding::count(zero, add))
    }

    /// As [`TimeWindowedKStream::count_as`], with options.
    pub fn count_as_with<N: 'static>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        materialized: Materialized<K, N>,
    ) -> KTable<Windowed<K>, N> {
        if materialized.name.is_none() && !matches!(self.shape, Shape::Sliding(_)) {
            // Java's overload uses up a number that names nothing.
            self.grouped.draft().next_name(AGGREGATE_STORE);
        }
        self.fold(AGGREGATE, materialized, Folding::count(zero, add))
    }

    /// Folds the values of each key and window into one of the same type (`TimeWindowedKStream#reduce`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// let hours = TimeWindows::of_size_with_no_grace(Duration::from_secs(3600));
    /// let bids = builder.stream::<String, i64>("bids").group_by_key().windowed_by(hours);
    /// bids.reduce(|best, bid| best.max(*bid)).to_stream().to_with("best-by-hour", Produced::inherited());
    /// assert!(builder.build()?.describe().contains("KSTREAM-REDUCE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn reduce(&self, reduce: impl Fn(V, &V) -> V + Send + Sync + 'static) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        self.reduce_with(reduce, Materialized::inherited())
    }

    /// As [`TimeWindowedKStream::reduce`], with options.
    pub fn reduce_with(
        &self,
        reduce: impl Fn(V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        self.fold(REDUCE, self.value_inherited(materialized), Folding::reduce(reduce))
    }

    /// As [`TimeWindowedKStream::reduce_with`], with a function that may fail: the processing exception handler then decides, and
    /// the result so far stands.
    pub fn try_reduce_with<E: Into<BoxError>>(
        &self,
        reduce: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        self.fold(REDUCE, self.value_inherited(materialized), Folding::try_reduce(reduce))
    }

    fn value_inherited(&self, mut materialized: Materialized<K, V>) -> Materialized<K, V> {
        materialized.serdes.value = materialized.serdes.value.or_else(|| self.grouped.value_serde());
        materialized
    }

    /// Folds the values of each key and window into an aggregate of any type (`TimeWindowedKStream#aggregate`), which begins as
    /// `initial`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::SlidingWindows;
    /// let builder = StreamsBuilder::new();
    /// let near = SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(10));
    /// builder
    ///     .stream::<String, i64>("sales")
    ///     .group_by_key()
    ///     .windowed_by(near)
    ///     .aggregate(|| 0.0, |_, amount, sum| sum + *amount as f64)
    ///     .to_stream()
    ///     .to_with("turnover", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn aggregate<A: DefaultSerde + 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.aggregate_with(initial, add, Materialized::by_type_of_values())
    }

    /// As [`TimeWindowedKStream::aggregate`], with options.
    pub fn aggregate_with<A: 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        self.fold(AGGREGATE, materialized, Folding::aggregate(initial, add))
    }

    /// As [`TimeWindowedKStream::aggregate_with`], with a function that may fail: the processing exception handler then decides,
    /// and the aggregate so far stands.
    pub fn try_aggregate_with<A: 'static, E: Into<BoxError>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        self.fold(AGGREGATE, materialized, Folding::try_aggregate(initial, add))
    }

    fn fold<A: 'static>(
        &self,
        prefix: &str,
        materialized: Materialized<K, A>,
        folding: Folding<K, V, A>,
    ) -> KTable<Windowed<K>, A> {
        let placed = self.grouped.place(prefix, &materialized);
        window_aggregate(placed, WindowSpec { shape: self.shape.clone(), emit: self.emit, materialized, folding })
    }
}

/// A count has its own serde unless told otherwise.
pub(crate) fn count_options<K>(mut materialized: Materialized<K, i64>) -> Materialized<K, i64> {
    materialized.serdes.value.get_or_insert_with(|| i64::default_serde().into());
    materialized
}

impl<K: 'static, V: 'static> Clone for TimeWindowedKStream<K, V> {
    fn clone(&self) -> Self {
        TimeWindowedKStream { grouped: self.grouped.clone(), shape: self.shape.clone(), emit: self.emit }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for TimeWindowedKStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeWindowedKStream")
            .field("windows", &self.shape)
            .field("emit", &self.emit)
            .finish_non_exhaustive()
    }
}
