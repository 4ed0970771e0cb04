//! Several grouped streams that are aggregated together.

use std::fmt;
use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, Draft, ProcessError};
use headwater_window::{SessionWindows, Windowed};

use crate::operator::{Cogroup, Folding, GroupInput, Initial, Input, Merge, Shape};
use crate::{KGroupedStream, KTable, Materialized, WindowedBy};

/// Grouped streams that are aggregated together, each by a function of its own, into one table (Java's `CogroupedKStream`).
///
/// It keeps the state once, where streams that are aggregated one by one and joined keep it once for each.
///
/// ```
/// use headwater::dsl::StreamsBuilder;
/// let builder = StreamsBuilder::new();
/// let put_in = builder.stream::<String, i64>("put-in").group_by_key();
/// let taken = builder.stream::<String, String>("taken").group_by_key();
/// // The first closure says the aggregate's type: nothing before it does.
/// let stock = put_in.cogroup(|_, pieces, stock: i64| stock + pieces).cogroup(&taken, |_, _, stock| stock - 1);
/// stock.aggregate(|| 0).to_stream().to("stock");
/// assert!(builder.build()?.describe().contains("COGROUPKSTREAM-MERGE-0000000005"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct CogroupedKStream<K: 'static, A: 'static> {
    draft: Draft,
    inputs: Vec<Arc<dyn Input<K, A>>>,
}

impl<K: Clone + 'static, V: 'static> KGroupedStream<K, V> {
    /// Begins an aggregation of several streams: `add` changes an aggregate by a value of this one (`KGroupedStream#cogroup`).
    /// See [`CogroupedKStream`].
    #[must_use]
    pub fn cogroup<A: 'static>(&self, add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static) -> CogroupedKStream<K, A> {
        CogroupedKStream::empty(self.draft()).cogroup(self, add)
    }

    /// As [`KGroupedStream::cogroup`], with a function that may fail: the processing exception handler then decides, and the
    /// aggregate so far stands.
    #[must_use]
    pub fn try_cogroup<A: 'static, E: Into<BoxError>>(
        &self,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
    ) -> CogroupedKStream<K, A> {
        CogroupedKStream::empty(self.draft()).try_cogroup(self, add)
    }
}

impl<K: Clone + 'static, A: 'static> CogroupedKStream<K, A> {
    fn empty(draft: &Draft) -> Self {
        CogroupedKStream { draft: draft.clone(), inputs: Vec::new() }
    }

    /// One more stream, whose values change the aggregate by `add` (`CogroupedKStream#cogroup`). A grouping that is among them
    /// already keeps its place, with this function.
    #[must_use]
    pub fn cogroup<V: 'static>(
        &self,
        grouped: &KGroupedStream<K, V>,
        add: impl Fn(&K, &V, A) -> A + Send + Sync + 'static,
    ) -> Self {
        let add = Arc::new(add);
        let fold = move |initial: Initial<A>| {
            let add = Arc::clone(&add);
            Folding::aggregate(move || initial(), move |key, value: &V, so_far| add(key, value, so_far))
        };
        self.with(GroupInput::shared(grouped, Arc::new(fold)))
    }

    /// As [`CogroupedKStream::cogroup`], with a function that may fail: the processing exception handler then decides, and the
    /// aggregate so far stands.
    #[must_use]
    pub fn try_cogroup<V: 'static, E: Into<BoxError>>(
        &self,
        grouped: &KGroupedStream<K, V>,
        add: impl Fn(&K, &V, &A) -> Result<A, E> + Send + Sync + 'static,
    ) -> Self {
        let add = Arc::new(add);
        let fold = move |initial: Initial<A>| {
            let add = Arc::clone(&add);
            Folding::try_aggregate(move || initial(), move |key, value: &V, so_far| add(key, value, so_far))
        };
        self.with(GroupInput::shared(grouped, Arc::new(fold)))
    }

    pub(crate) fn draft(&self) -> &Draft {
        &self.draft
    }

    fn with(&self, input: Arc<dyn Input<K, A>>) -> Self {
        let mut all = self.clone();
        if !self.draft.takes(input.draft()) {
            return all;
        }
        match all.inputs.iter_mut().find(|other| std::ptr::addr_eq(other.grouping(), input.grouping())) {
            Some(same) => *same = input,
            None => all.inputs.push(input),
        }
        all
    }

    /// Groups each key's records by time as well (`CogroupedKStream#windowedBy`): by [`TimeWindows`], [`UnlimitedWindows`],
    /// [`SlidingWindows`] or [`SessionWindows`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use headwater::dsl::{Produced, StreamsBuilder};
    /// use headwater::window::TimeWindows;
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// let orders = builder.stream::<String, i64>("orders").group_by_key();
    /// let by_day = TimeWindows::of_size_with_no_grace(Duration::from_secs(24 * 3600));
    /// visits
    ///     // The first closure says the aggregate's type: nothing before it does.
    ///     .cogroup(|_, _, score: i64| score + 1)
    ///     .cogroup(&orders, |_, amount, score| score + 10 * amount)
    ///     .windowed_by(by_day)
    ///     .aggregate(|| 0)
    ///     .to_stream()
    ///     .to_with("scores", Produced::inherited());
    /// assert!(builder.build().is_ok());
    /// ```
    ///
    /// [`TimeWindows`]: headwater_window::TimeWindows
    /// [`UnlimitedWindows`]: headwater_window::UnlimitedWindows
    /// [`SlidingWindows`]: headwater_window::SlidingWindows
    /// [`SessionWindows`]: headwater_window::SessionWindows
    pub fn windowed_by<W: WindowedBy>(&self, windows: W) -> W::Cogrouped<K, A> {
        windows.window_cogrouped(self.clone())
    }

    /// The table of the aggregates, which begin as `initial` (`CogroupedKStream#aggregate`); see [`CogroupedKStream`].
    pub fn aggregate(&self, initial: impl Fn() -> A + Send + Sync + 'static) -> KTable<K, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(initial, Materialized::by_type_of_values())
    }

    /// As [`CogroupedKStream::aggregate`], with options. The keys have the serde of the first stream unless the options name one.
    ///
    /// ```
    /// use headwater::dsl::{Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// // The first closure says the aggregate's type: nothing before it does.
    /// let visits = builder.stream::<String, String>("visits").group_by_key().cogroup(|_, _, seen: i64| seen + 1);
    /// let seen = visits.aggregate_with(|| 0, Materialized::named("seen")).named("visitors");
    /// assert_eq!(&*seen.name(), "visitors-cogroup-merge");
    /// assert!(builder.build()?.describe().contains("visitors-cogroup-agg-0 (stores: [seen])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn aggregate_with(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<K, A> {
        self.cogroup_from(initial).by_key(&materialized)
    }

    fn cogroup_from(&self, initial: impl Fn() -> A + Send + Sync + 'static) -> Cogroup<'_, K, A> {
        Cogroup { draft: &self.draft, inputs: &self.inputs, initial: Arc::new(initial) }
    }
}

/// Grouped streams that are aggregated together by key and by windows of a fixed size (Java's `TimeWindowedCogroupedKStream`); see
/// [`CogroupedKStream::windowed_by`]. Every change is handed on, as [`EmitStrategy::OnWindowUpdate`] says.
///
/// [`EmitStrategy::OnWindowUpdate`]: crate::EmitStrategy::OnWindowUpdate
pub struct TimeWindowedCogroupedKStream<K: 'static, A: 'static> {
    cogrouped: CogroupedKStream<K, A>,
    shape: Shape,
}

impl<K: Clone + 'static, A: 'static> TimeWindowedCogroupedKStream<K, A> {
    pub(crate) fn new(cogrouped: CogroupedKStream<K, A>, shape: Shape) -> Self {
        TimeWindowedCogroupedKStream { cogrouped, shape }
    }

    /// The table of the aggregates, which begin as `initial` (`TimeWindowedCogroupedKStream#aggregate`); see
    /// [`CogroupedKStream::windowed_by`].
    pub fn aggregate(&self, initial: impl Fn() -> A + Send + Sync + 'static) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(initial, Materialized::by_type_of_values())
    }

    /// As [`TimeWindowedCogroupedKStream::aggregate`], with options.
    pub fn aggregate_with(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        self.cogrouped.cogroup_from(initial).by_windows(self.shape.clone(), &materialized)
    }
}

/// Grouped streams that are aggregated together by key and by windows of activity, in any of the streams (Java's
/// `SessionWindowedCogroupedKStream`).
///
/// ```
/// use std::time::Duration;
/// use headwater::dsl::{Produced, StreamsBuilder};
/// use headwater::window::SessionWindows;
/// let builder = StreamsBuilder::new();
/// let clicks = builder.stream::<String, String>("clicks").group_by_key();
/// let keys = builder.stream::<String, String>("keys").group_by_key();
/// clicks
///     // The first closure says the aggregate's type: nothing before it does.
///     .cogroup(|_, _, count: i64| count + 1)
///     .cogroup(&keys, |_, _, count| count + 1)
///     .windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60)))
///     .aggregate(|| 0, |_, one, other| one + other)
///     .to_stream()
///     .to_with("activity", Produced::inherited());
/// assert!(builder.build().is_ok());
/// ```
pub struct SessionWindowedCogroupedKStream<K: 'static, A: 'static> {
    cogrouped: CogroupedKStream<K, A>,
    windows: SessionWindows,
}

impl<K: Clone + 'static, A: 'static> SessionWindowedCogroupedKStream<K, A> {
    pub(crate) fn new(cogrouped: CogroupedKStream<K, A>, windows: SessionWindows) -> Self {
        SessionWindowedCogroupedKStream { cogrouped, windows }
    }

    /// The table of the aggregates, which begin as `initial`; `merge` makes one of the aggregates of two sessions
    /// (`SessionWindowedCogroupedKStream#aggregate`).
    pub fn aggregate(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, &A) -> A + Send + Sync + 'static,
    ) -> KTable<Windowed<K>, A>
    where
        A: DefaultSerde,
    {
        self.aggregate_with(initial, merge, Materialized::by_type_of_values())
    }

    /// As [`SessionWindowedCogroupedKStream::aggregate`], with options.
    pub fn aggregate_with(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, A, &A) -> A + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let cogroup = self.cogrouped.cogroup_from(initial);
        let first = Arc::clone(&cogroup.initial);
        let merge: Merge<K, A> = Arc::new(move |key, one, other| Ok(merge(key, one.unwrap_or_else(|| first()), other)));
        cogroup.by_sessions(self.windows, merge, &materialized)
    }

    /// As [`SessionWindowedCogroupedKStream::aggregate_with`], with a function that may fail: the processing exception handler then
    /// decides, and the sessions stand as they were.
    pub fn try_aggregate_with<E: Into<BoxError>>(
        &self,
        initial: impl Fn() -> A + Send + Sync + 'static,
        merge: impl Fn(&K, &A, &A) -> Result<A, E> + Send + Sync + 'static,
        materialized: Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let cogroup = self.cogrouped.cogroup_from(initial);
        let first = Arc::clone(&cogroup.initial);
        let merge: Merge<K, A> = Arc::new(move |key, one, other| {
            merge(key, &one.unwrap_or_else(|| first()), other).map_err(ProcessError::user)
        });
        cogroup.by_sessions(self.windows, merge, &materialized)
    }
}

macro_rules! handle {
    ($handle:ident { $($field:ident),* }) => {
        impl<K: 'static, A: 'static> Clone for $handle<K, A> {
            fn clone(&self) -> Self {
                $handle { $($field: self.$field.clone()),* }
            }
        }

        impl<K: 'static, A: 'static> fmt::Debug for $handle<K, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }
    };
}

handle!(CogroupedKStream { draft, inputs });
handle!(TimeWindowedCogroupedKStream { cogrouped, shape });
handle!(SessionWindowedCogroupedKStream { cogrouped, windows });
