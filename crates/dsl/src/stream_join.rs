//! Joins of streams with streams.

use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, ProcessError};
use headwater_window::JoinWindows;

use crate::operator::{Join, Rows, StreamJoinSpec, stream_join};
use crate::{KStream, StreamJoined};

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Joins the records of both streams that have the same key and lie in each other's windows (`KStream#join` with a `KStream`).
    /// A result has the later of both timestamps, and the headers of the record that came last.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::window::JoinWindows;
    /// let builder = StreamsBuilder::new();
    /// let (views, clicks) = (builder.stream::<String, String>("views"), builder.stream::<String, String>("clicks"));
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// views.join(&clicks, |_, view, click| format!("{view}, {click}"), within).to("clicked");
    /// assert!(builder.build()?.describe().contains("KSTREAM-JOINTHIS-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join<V2: DefaultSerde, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, &V2) -> W + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.join_with(other, join, windows, StreamJoined::inherited_or_own())
    }

    /// As [`KStream::join`], with options; see [`StreamJoined`] for an example.
    #[must_use]
    pub fn join_with<V2: 'static, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, &V2) -> W + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join = move |key: &K, left: &V, right: &V2| Ok::<_, BoxError>(join(key, left, right));
        self.try_join_with(other, join, windows, options)
    }

    /// As [`KStream::join_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_join_with<V2: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, &V2) -> Result<W, E> + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join: Join<K, V, V2, W> = Arc::new(move |key, left, right| match (left, right) {
            (Some(left), Some(right)) => join(key, left, right).map_err(ProcessError::user),
            _ => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        stream_join(self, other, StreamJoinSpec { rows: Rows::Inner, windows, join, options })
    }

    /// As [`KStream::join`]; a record of this stream that found no partner is joined with nothing when its window has closed
    /// (`KStream#leftJoin` with a `KStream`).
    ///
    /// Whether a window has closed is asked when a record comes whose timestamp is the greatest so far, at most once a second by the
    /// wall clock (on the test driver, with every such record): without a later record nothing closes. Such results have the timestamp of their own record and the headers of the one that came. A record that comes when
    /// its window has passed already is joined with nothing at once. So is one whose key is null.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::window::JoinWindows;
    /// let builder = StreamsBuilder::new();
    /// let (views, clicks) = (builder.stream::<String, String>("views"), builder.stream::<String, String>("clicks"));
    /// let within = JoinWindows::of_time_difference_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// views.left_join(&clicks, |_, _, click| click.is_some(), within).filter(|_, clicked| !clicked).to("missed");
    /// assert!(builder.build()?.describe().contains("KSTREAM-OUTERSHARED-0000000004-store"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn left_join<V2: DefaultSerde, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, Option<&V2>) -> W + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.left_join_with(other, join, windows, StreamJoined::inherited_or_own())
    }

    /// As [`KStream::left_join`], with options; see [`StreamJoined`] for an example.
    #[must_use]
    pub fn left_join_with<V2: 'static, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, Option<&V2>) -> W + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join = move |key: &K, left: &V, right: Option<&V2>| Ok::<_, BoxError>(join(key, left, right));
        self.try_left_join_with(other, join, windows, options)
    }

    /// As [`KStream::left_join_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_left_join_with<V2: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, &V, Option<&V2>) -> Result<W, E> + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join: Join<K, V, V2, W> = Arc::new(move |key, left, right| match left {
            Some(left) => join(key, left, right).map_err(ProcessError::user),
            None => Err(ProcessError::user("a left join was asked to join nothing")),
        });
        stream_join(self, other, StreamJoinSpec { rows: Rows::Left, windows, join, options })
    }

    /// As [`KStream::left_join`], for records of both streams (`KStream#outerJoin`). At least one of the two values is there.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::StreamsBuilder;
    /// use headwater::window::JoinWindows;
    /// let builder = StreamsBuilder::new();
    /// let (sent, received) = (builder.stream::<String, i64>("sent"), builder.stream::<String, i64>("received"));
    /// let within = JoinWindows::of_time_difference_with_no_grace(Duration::from_secs(60));
    /// let lost = |_: &String, sent: Option<&i64>, received: Option<&i64>| sent.unwrap_or(&0) - received.unwrap_or(&0);
    /// sent.outer_join(&received, lost, within).to("lost");
    /// assert!(builder.build()?.describe().contains("KSTREAM-OUTERTHIS-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn outer_join<V2: DefaultSerde, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> W + Send + Sync + 'static,
        windows: JoinWindows,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.outer_join_with(other, join, windows, StreamJoined::inherited_or_own())
    }

    /// As [`KStream::outer_join`], with options; see [`StreamJoined`] for an example.
    #[must_use]
    pub fn outer_join_with<V2: 'static, W: 'static>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> W + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join = move |key: &K, left: Option<&V>, right: Option<&V2>| Ok::<_, BoxError>(join(key, left, right));
        self.try_outer_join_with(other, join, windows, options)
    }

    /// As [`KStream::outer_join_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_outer_join_with<V2: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        other: &KStream<K, V2>,
        join: impl Fn(&K, Option<&V>, Option<&V2>) -> Result<W, E> + Send + Sync + 'static,
        windows: JoinWindows,
        options: StreamJoined<K, V, V2>,
    ) -> KStream<K, W> {
        let join: Join<K, V, V2, W> =
            Arc::new(move |key, left, right| join(key, left, right).map_err(ProcessError::user));
        stream_join(self, other, StreamJoinSpec { rows: Rows::Outer, windows, join, options })
    }
}
