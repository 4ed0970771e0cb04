//! A stream whose records are grouped by their key and by activity.

use std::fmt;
use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, ProcessError};
use headwater_window::{SessionWindows, Windowed};

use crate::grouped_stream::{AGGREGATE, AGGREGATE_STORE, REDUCE};
use crate::operator::{Folding, Merge, SessionSpec, session_aggregate};
use crate::windowed_stream::count_options;
use crate::{EmitStrategy, KGroupedStream, KTable, Materialized};

/// A stream grouped by key and by windows of activity, waiting to be aggregated (Java's `SessionWindowedKStream`).
///
/// A record that is near several sessions makes one of them: what they were is removed, and their aggregates are merged.
///
/// As in Java, the record cache can tell at the very end of the grace. A store remembers a session until stream time is as late as its end, the gap and
/// the grace together, and a record that comes then is still taken: it makes a session of its own, unless the record cache still has the
/// other one. Where that matters, keep sessions longer, with
/// [`Materialized::with_retention`](crate::Materialized::with_retention): then they are merged either way.
pub struct SessionWindowedKStream<K: 'static, V: 'static> {
    grouped: KGroupedStream<K, V>,
    windows: SessionWindows,
    emit: EmitStrategy,
}

impl<K: 'static, V: 'static> SessionWindowedKStream<K, V> {
    pub(crate) fn new(grouped: KGroupedStream<K, V>, windows: SessionWindows) -> Self {
        SessionWindowedKStream { grouped, windows, emit: EmitStrategy::default() }
    }
}

impl<K: Clone + 'static, V: 'static> SessionWindowedKStream<K, V> {
    /// Says when results are handed on (`SessionWindowedKStream#emitStrategy`).
    ///
    /// With [`EmitStrategy::OnWindowClose`] a session is told if its store still has it when it closes. By default that is retained for
    /// gap and grace only: as in Java, one on disk may not be told when the next record, of any key, comes later than that, and in
    /// memory none is. [`Materialized::with_retention`](crate::Materialized::with_retention) keeps sessions for longer;
    /// [`suppress`](crate::KTable::suppress) loses none. More is in `docs/guarantees.md`, "Windows that are told when they close".
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{EmitStrategy, Materialized, Produced, StreamsBuilder};
    /// use headwater::window::SessionWindows;
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1800));
    /// let clicks = builder.stream::<String, String>("clicks").group_by_key().windowed_by(visits);
    /// // One record for each visit, when somebody clicks more than half an hour after its last click, and within a day.
    /// let kept = Materialized::named("visits").with_retention(Duration::from_secs(24 * 60 * 60));
    /// let counts = clicks.emit_strategy(EmitStrategy::OnWindowClose).count_with(kept);
    /// counts.to_stream().to_with("visits", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    #[must_use]
    pub fn emit_strategy(self, emit: EmitStrategy) -> Self {
        SessionWindowedKStream { emit, ..self }
    }

    /// How many records each session of each key has had (`SessionWindowedKStream#count`).
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::SessionWindows;
    /// let builder = StreamsBuilder::new();
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(1800));
    /// let clicks = builder.stream::<String, String>("clicks");
    /// clicks.group_by_key().windowed_by(visits).count().to_stream().to_with("visits", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn count(&self) -> KTable<Windowed<K>, i64> {
        self.count_as(|| 0_i64, |count, step| count.wrapping_add(step), |count| *count)
    }

    /// As [`SessionWindowedKStream::count`], with options.
    pub fn count_with(&self, materialized: Materialized<K, i64>) -> KTable<Windowed<K>, i64> {
        self.count_as_with(
            || 0_i64,
            |count, step| count.wrapping_add(step),
            |count| *count,
            count_options(materialized),
        )
    }

    /// As [`SessionWindowedKStream::count`], as a type of the user's: `zero` is the count of nothing, `add` adds to a count, and
    /// `number` says what a count is.
    pub fn count_as<N: DefaultSerde>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        number: impl Fn(&N) -> i64 + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, N> {
        self.counted(zero, add, number, Materialized::inherited().with_value_serde(N::default_serde()))
    }

    /// As [`SessionWindowedKStream::count_as`], with options.
    pub fn count_as_with<N: 'static>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        number: impl Fn(&N) -> i64 + Send + Sync + 'static,
        materialized: Materialized<K, N>,
    ) -> KTable<Windowed<K>, N> {
        if materialized.name.is_none() {
            // Java's overload uses up a number that names nothing.
            self.grouped.draft().next_name(AGGREGATE_STORE);
        }
        self.counted(zero, add, number, materialized)
    }

    fn counted<N: 'static>(
        &self,
        zero: impl Fn() -> N + Send + Sync + 'static,
        add: impl Fn(&N, i64) -> N + Send + Sync + 'static,
        number: impl Fn(&N) -> i64 + Send + Sync + 'static,
        materialized: Materialized<K, N>,
    ) -> KTable<Windowed<K>, N> {
        let add = Arc::new(add);
        let zero = Arc::new(zero);
        let (sum, nothing) = (Arc::clone(&add), Arc::clone(&zero));
        let merge: Merge<K, N> =
            Arc::new(move |_, one, other| Ok(sum(&one.unwrap_or_else(|| nothing()), number(other))));
        let folding = Folding::count(move || zero(), move |count: &N, step| add(count, step));
        self.fold(AGGREGATE, materialized, folding, merge)
    }

    /// Folds the values of each session into one of the same type (`SessionWindowedKStream#reduce`); sessions are merged by the
    /// same function.
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::SessionWindows;
    /// let builder = StreamsBuilder::new();
    /// let minutes = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60));
    /// let readings = builder.stream::<String, i64>("readings").group_by_key().windowed_by(minutes);
    /// readings.reduce(|most, reading| most.max(*reading)).to_stream().to_with("most", Produced::inherited());
    /// assert!(builder.build()?.describe().contains("KSTREAM-REDUCE-0000000002"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn reduce(&self, reduce: impl Fn(V, &V) -> V + Send + Sync + 'static) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        self.reduce_with(reduce, Materialized::inherited())
    }

    /// As [`SessionWindowedKStream::reduce`], with options.
    pub fn reduce_with(
        &self,
        reduce: impl Fn(V, &V) -> V + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        let reduce = Arc::new(reduce);
        let merger = Arc::clone(&reduce);
        let merge: Merge<K, V> = Arc::new(move |_, one, other| {
            Ok(match one {
                Some(one) => merger(one, other),
                None => other.clone(),
            })
        });
        let folding = Folding::reduce(move |so_far, value: &V| reduce(so_far, value));
        self.fold(REDUCE, self.value_inherited(materialized), folding, merge)
    }

    /// As [`SessionWindowedKStream::reduce_with`], with a function that may fail: the processing exception handler then decides,
    /// and the sessions stand as they were.
    pub fn try_reduce_with<E: Into<BoxError>>(
        &self,
        reduce: impl Fn(&V, &V) -> Result<V, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> KTable<Windowed<K>, V>
    where
        V: Clone,
    {
        let reduce = Arc::new(reduce);
        let merger = Arc::clone(&reduce);
        let merge: Merge<K, V> = Arc::new(move |_, one, other| match one {
            Some(one) => merger(&one, other).map_err(ProcessError::user),
            None => Ok(other.clone()),
        });
        let folding = Folding::try_reduce(move |so_far: &V, value: &V| reduce(so_far, value));
        self.fold(REDUCE, self.value_inherited(materialized), folding, merge)
    }

    fn value_inherited(&self, mut materialized: Materialized<K, V>) -> Materialized<K, V> {
        materialized.serdes.value = materialized.serdes.value.or_else(|| self.grouped.value_serde());
        materialized
    }

    /// Folds the values of each session into an aggregate of any type (`SessionWindowedKStream#aggregate`), which begins as
    /// `initial`; `merge` makes one of the aggregates of two sessions.
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::SessionWindows;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .stream::<String, i64>("sales")
    ///     .group_by_key()
    ///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60)))
    ///     .aggregate(|| 0.0, |_, amount, sum| sum + *amount as f64, |_, one, other| one + other)
    ///     .to_stream()
    ///     .to_with("turnover", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn aggregate<A: DefaultSerde + 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, &A) -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A> {
        self.aggregate_with(initial, add, merge, Materialized::by_type_of_values())
    }

    /// As [`SessionWindowedKStream::aggregate`], with options.
    pub fn aggregate_with<A: 'static>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, &A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let folding = Folding::aggregate(initial, add);
        let first = folding.initial.clone();
        let merge: Merge<K, A> = Arc::new(move |key, one, other| {
            let one = one.or_else(|| first.as_ref().map(|first| first()));
            one.map(|one| merge(key, one, other)).ok_or_else(nothing_to_merge)
        });
        self.fold(AGGREGATE, materialized, folding, merge)
    }

    /// As [`SessionWindowedKStream::aggregate_with`], with functions that may fail: the processing exception handler then decides,
    /// and the sessions stand as they were.
    pub fn try_aggregate_with<A: 'static, E: Into<BoxError>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
        merge: impl Fn(&K, &A, &A) -> Result<A, E> + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let folding = Folding::try_aggregate(initial, add);
        let first = folding.initial.clone();
        let merge: Merge<K, A> = Arc::new(move |key, one, other| {
            let one = one.or_else(|| first.as_ref().map(|first| first())).ok_or_else(nothing_to_merge)?;
            merge(key, &one, other).map_err(ProcessError::user)
        });
        self.fold(AGGREGATE, materialized, folding, merge)
    }

    fn fold<A: 'static>(
        &self,
        prefix: &str,
        materialized: Materialized<K, A>,
        folding: Folding<K, V, A>,
        merge: Merge<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let placed = self.grouped.place(prefix, &materialized);
        session_aggregate(placed, SessionSpec { windows: self.windows, emit: self.emit, materialized, folding, merge })
    }
}

/// An aggregation has a first aggregate.
fn nothing_to_merge() -> ProcessError {
    ProcessError::user("there is no aggregate to merge a session with")
}

impl<K: 'static, V: 'static> Clone for SessionWindowedKStream<K, V> {
    fn clone(&self) -> Self {
        SessionWindowedKStream { grouped: self.grouped.clone(), windows: self.windows, emit: self.emit }
    }
}

impl<K: 'static, V: 'static> fmt::Debug for SessionWindowedKStream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionWindowedKStream")
            .field("windows", &self.windows)
            .field("emit", &self.emit)
            .finish_non_exhaustive()
    }
}
