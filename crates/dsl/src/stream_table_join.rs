//! Joins of streams with tables: the words.

use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, ProcessError};

use crate::operator::{TableJoinSpec, stream_table_join};
use crate::{Joined, KStream, KTable};

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Joins each record with the row of its key, as it is when the record comes; a record without one is left out
    /// (`KStream#join` with a `KTable`). Of a versioned table it is the row as it was at the record's time.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let cities = builder.table::<String, String>("cities");
    /// let visits = builder.stream::<String, String>("visits");
    /// visits.join_table(&cities, |_, page, city| format!("{page} from {city}")).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-JOIN-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join_table<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> W + Send + Sync + 'static,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.join_table_with(table, join, Joined::inherited_or_own())
    }

    /// As [`KStream::join_table`], with options; see [`Joined`] for an example.
    #[must_use]
    pub fn join_table_with<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> W + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, W> {
        self.try_join_table_with(table, move |key, value, row| Ok::<_, BoxError>(join(key, value, row)), joined)
    }

    /// As [`KStream::join_table`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_join_table<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.try_join_table_with(table, join, Joined::inherited_or_own())
    }

    /// As [`KStream::join_table_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_join_table_with<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, &VT) -> Result<W, E> + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, W> {
        let join = Arc::new(move |key: &K, value: &V, row: Option<&VT>| match row {
            Some(row) => join(key, value, row).map_err(ProcessError::user),
            None => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        stream_table_join(self, table, TableJoinSpec { join, left: false, options: joined })
    }

    /// Joins each record with the row of its key, or with nothing where there is none (`KStream#leftJoin` with a `KTable`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let cities = builder.table::<String, String>("cities");
    /// let visits = builder.stream::<String, String>("visits");
    /// let place = |_: &String, page: &String, city: Option<&String>| match city {
    ///     Some(city) => format!("{page} from {city}"),
    ///     None => page.clone(),
    /// };
    /// visits.left_join_table(&cities, place).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn left_join_table<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> W + Send + Sync + 'static,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.left_join_table_with(table, join, Joined::inherited_or_own())
    }

    /// As [`KStream::left_join_table`], with options.
    #[must_use]
    pub fn left_join_table_with<VT: 'static, W: 'static>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> W + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, W> {
        self.try_left_join_table_with(table, move |key, value, row| Ok::<_, BoxError>(join(key, value, row)), joined)
    }

    /// As [`KStream::left_join_table`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_left_join_table<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.try_left_join_table_with(table, join, Joined::inherited_or_own())
    }

    /// As [`KStream::left_join_table_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_left_join_table_with<VT: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &KTable<K, VT>,
        join: impl Fn(&K, &V, Option<&VT>) -> Result<W, E> + Send + Sync + 'static,
        joined: Joined<K, V>,
    ) -> KStream<K, W> {
        let join =
            Arc::new(move |key: &K, value: &V, row: Option<&VT>| join(key, value, row).map_err(ProcessError::user));
        stream_table_join(self, table, TableJoinSpec { join, left: true, options: joined })
    }
}
