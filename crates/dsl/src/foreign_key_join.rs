//! Joins of tables by a foreign key.

use std::sync::Arc;

use headwater_record::DefaultSerde;
use headwater_topology::{BoxError, ProcessError};

use crate::operator::foreign_key::{Join, Rows};
use crate::operator::{Extract, ForeignKeyJoin, foreign_key_join};
use crate::{KTable, Materialized, TableJoined};

impl<K: 'static, V: 'static> KTable<K, V> {
    /// The rows whose foreign key leads to a row of `other`, each joined with it (`KTable#join` with a foreign-key extractor,
    /// KIP-213).
    ///
    /// `foreign_key` makes of a row the key of another table's row, or `None` where it has none: such a row is left out and
    /// counted as dropped. Many rows may have the same foreign key. A row of the result changes with either side. The tables
    /// need not have equally many partitions: what is asked and answered goes through two internal topics.
    ///
    /// As in Java, a row that stops joining and changes again before the answer is back can leave its last result behind, until it
    /// joins again or is deleted: the answer is to a row that is no more, and to the new one there is none, for it seems never to
    /// have joined. A left join has an answer to every change.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// // An order is the name of its customer.
    /// let orders = builder.table::<i64, String>("orders");
    /// let cities = builder.table::<String, String>("cities");
    /// let shipments = orders.join_on(&cities, |_, customer| customer.clone(), |customer, city| format!("{customer}, {city}"));
    /// shipments.to_stream().to("shipments");
    /// assert!(builder.build()?.describe().contains("KTABLE-FK-JOIN-OUTPUT-0000000018"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join_on<K2: DefaultSerde, V2: DefaultSerde, W: Clone + 'static, F: Into<Option<K2>>>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, &V2) -> W + Send + Sync + 'static,
    ) -> KTable<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.join_on_with(other, foreign_key, join, TableJoined::inherited_or_own(), Materialized::inherited())
    }

    /// As [`KTable::join_on`], with options; see [`TableJoined`] for an example.
    #[must_use]
    pub fn join_on_with<K2: 'static, V2: 'static, W: Clone + 'static, F: Into<Option<K2>>>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, &V2) -> W + Send + Sync + 'static,
        joined: TableJoined<K, V, K2, V2>,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        let foreign_key = move |key: &K, value: &V| Ok::<_, BoxError>(foreign_key(key, value));
        let join = move |left: &V, right: &V2| Ok::<_, BoxError>(join(left, right));
        self.try_join_on_with(other, foreign_key, join, joined, materialized)
    }

    /// As [`KTable::join_on_with`], with functions that may fail: the processing exception handler then decides.
    ///
    /// ```
    /// use headwater::dsl::{Materialized, StreamsBuilder, TableJoined};
    /// let builder = StreamsBuilder::new();
    /// let (orders, customers) = (builder.table::<i64, String>("orders"), builder.table::<i64, String>("customers"));
    /// let joined = orders.try_join_on_with(
    ///     &customers,
    ///     |_, order| order.parse::<i64>(),
    ///     |order, customer| Ok::<_, std::num::ParseIntError>(format!("{order} of {customer}")),
    ///     TableJoined::inherited(),
    ///     Materialized::inherited(),
    /// );
    /// joined.to_stream().to("out");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn try_join_on_with<K2: 'static, V2: 'static, W: Clone + 'static, F, E1, E2>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> Result<F, E1> + Send + Sync + 'static,
        join: impl Fn(&V, &V2) -> Result<W, E2> + Send + Sync + 'static,
        joined: TableJoined<K, V, K2, V2>,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W>
    where
        F: Into<Option<K2>>,
        E1: Into<BoxError>,
        E2: Into<BoxError>,
    {
        let join: Join<V, V2, W> = Arc::new(move |left, right| match right {
            Some(right) => join(left, right).map_err(ProcessError::user),
            None => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        let how = ForeignKeyJoin { rows: Rows::Inner, extract: extractor(foreign_key), join };
        self.joined_on(other, how, joined, materialized)
    }

    /// All rows of this table, each with the row of `other` that its foreign key leads to, if there is one (`KTable#leftJoin`
    /// with a foreign-key extractor). See [`KTable::join_on`]; a row without a foreign key is joined with nothing.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let orders = builder.table::<i64, String>("orders");
    /// let cities = builder.table::<String, String>("cities");
    /// let shipments = orders.left_join_on(
    ///     &cities,
    ///     // Who fetches an order is not named in it.
    ///     |_, customer| (!customer.is_empty()).then(|| customer.clone()),
    ///     |customer, city| city.map_or("to be fetched".to_owned(), |city| format!("{customer}, {city}")),
    /// );
    /// shipments.to_stream().to("shipments");
    /// assert!(builder.build()?.describe().contains("KTABLE-FK-JOIN-OUTPUT-0000000018"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn left_join_on<K2: DefaultSerde, V2: DefaultSerde, W: Clone + 'static, F: Into<Option<K2>>>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, Option<&V2>) -> W + Send + Sync + 'static,
    ) -> KTable<K, W>
    where
        K: DefaultSerde,
        V: DefaultSerde,
    {
        self.left_join_on_with(other, foreign_key, join, TableJoined::inherited_or_own(), Materialized::inherited())
    }

    /// As [`KTable::left_join_on`], with options.
    #[must_use]
    pub fn left_join_on_with<K2: 'static, V2: 'static, W: Clone + 'static, F: Into<Option<K2>>>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> F + Send + Sync + 'static,
        join: impl Fn(&V, Option<&V2>) -> W + Send + Sync + 'static,
        joined: TableJoined<K, V, K2, V2>,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        let foreign_key = move |key: &K, value: &V| Ok::<_, BoxError>(foreign_key(key, value));
        let join = move |left: &V, right: Option<&V2>| Ok::<_, BoxError>(join(left, right));
        self.try_left_join_on_with(other, foreign_key, join, joined, materialized)
    }

    /// As [`KTable::left_join_on_with`], with functions that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_left_join_on_with<K2: 'static, V2: 'static, W: Clone + 'static, F, E1, E2>(
        &self,
        other: &KTable<K2, V2>,
        foreign_key: impl Fn(&K, &V) -> Result<F, E1> + Send + Sync + 'static,
        join: impl Fn(&V, Option<&V2>) -> Result<W, E2> + Send + Sync + 'static,
        joined: TableJoined<K, V, K2, V2>,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W>
    where
        F: Into<Option<K2>>,
        E1: Into<BoxError>,
        E2: Into<BoxError>,
    {
        let join: Join<V, V2, W> = Arc::new(move |left, right| join(left, right).map_err(ProcessError::user));
        let how = ForeignKeyJoin { rows: Rows::Left, extract: extractor(foreign_key), join };
        self.joined_on(other, how, joined, materialized)
    }

    fn joined_on<K2: 'static, V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K2, V2>,
        how: ForeignKeyJoin<K, V, K2, V2, W>,
        joined: TableJoined<K, V, K2, V2>,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        let made = if self.draft().takes(other.draft()) {
            foreign_key_join(self, other, how, joined, materialized)
        } else {
            None
        };
        made.unwrap_or_else(|| self.refused())
    }
}

fn extractor<K: 'static, V: 'static, K2: 'static, F: Into<Option<K2>>, E: Into<BoxError>>(
    foreign_key: impl Fn(&K, &V) -> Result<F, E> + Send + Sync + 'static,
) -> Extract<K, V, K2> {
    Arc::new(move |key, value| foreign_key(key, value).map(Into::into).map_err(ProcessError::user))
}
