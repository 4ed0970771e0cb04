//! Joins of streams with global tables: the words.

use std::sync::Arc;

use headwater_topology::{BoxError, ProcessError};

use crate::operator::{GlobalJoinSpec, global_join};
use crate::{GlobalKTable, KStream};

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Joins each record with the row that `select` names a key of; a record without one is left out (`KStream#join` with a
    /// `GlobalKTable`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<String, String>("shops");
    /// let sales = builder.stream::<String, String>("sales");
    /// sales.join_global(&shops, |_, shop| shop.clone(), |_, shop, city| format!("{shop} in {city}")).to("places");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join_global<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &V, &VG) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        self.join_global_by_both_keys(table, select, move |key, _, value, row| join(key, value, row))
    }

    /// As [`KStream::join_global`], with a function that sees the record's key and that of the row (Java's
    /// `ValueJoinerWithStreamAndMappedKey`, Kafka 4.4).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<i64, String>("shops");
    /// let sales = builder.stream::<String, i64>("shop-of-sale");
    /// let place = |sale: &String, shop: &i64, _: &i64, city: &String| format!("{sale} in shop {shop}, {city}");
    /// sales.join_global_by_both_keys(&shops, |_, shop| *shop, place).named("places").to("places");
    /// assert!(builder.build()?.describe().contains("Processor: places"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join_global_by_both_keys<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &KG, &V, &VG) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select = move |key: &K, value: &V| Ok::<_, BoxError>(select(key, value));
        self.try_join_global_by_both_keys(table, select, move |key, mapped, value, row| {
            Ok(join(key, mapped, value, row))
        })
    }

    /// Joins each record with the row that `select` names a key of, or with nothing where there is none (`KStream#leftJoin` with
    /// a `GlobalKTable`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<String, String>("shops");
    /// let sales = builder.stream::<String, String>("sales");
    /// let city = |_: &String, _: &String, city: Option<&String>| city.cloned().unwrap_or_default();
    /// sales.left_join_global(&shops, |_, shop| shop.clone(), city).to("cities");
    /// assert!(builder.build()?.describe().contains("KSTREAM-LEFTJOIN-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn left_join_global<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VG>) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        self.left_join_global_by_both_keys(table, select, move |key, _, value, row| join(key, value, row))
    }

    /// As [`KStream::left_join_global`], with a function that sees the record's key and that of the row, which may be null.
    #[must_use]
    pub fn left_join_global_by_both_keys<KG: 'static, VG: 'static, W: 'static>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> KG + Send + Sync + 'static,
        join: impl Fn(&K, &KG, &V, Option<&VG>) -> W + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let select = move |key: &K, value: &V| Ok::<_, BoxError>(select(key, value));
        self.try_left_join_global_by_both_keys(table, select, move |key, mapped, value, row| {
            Ok(join(key, mapped, value, row))
        })
    }

    /// As [`KStream::join_global`], with functions that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_join_global<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, &VG) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        self.try_join_global_by_both_keys(table, select, move |key, _, value, row| join(key, value, row))
    }

    /// As [`KStream::join_global_by_both_keys`], with functions that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_join_global_by_both_keys<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &KG, &V, &VG) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let spec = GlobalJoinSpec {
            select: Arc::new(move |key, value| select(key, value).map_err(ProcessError::user)),
            join: Arc::new(move |key, mapped, value, row| match row {
                Some(row) => join(key, mapped, value, row).map_err(ProcessError::user),
                None => Err(ProcessError::user("an inner join was asked to join with nothing")),
            }),
            left: false,
        };
        global_join(self, table, spec)
    }

    /// As [`KStream::left_join_global`], with functions that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_left_join_global<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &V, Option<&VG>) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        self.try_left_join_global_by_both_keys(table, select, move |key, _, value, row| join(key, value, row))
    }

    /// As [`KStream::left_join_global_by_both_keys`], with functions that may fail: the processing exception handler then
    /// decides.
    #[must_use]
    pub fn try_left_join_global_by_both_keys<KG: 'static, VG: 'static, W: 'static, E: Into<BoxError>>(
        &self,
        table: &GlobalKTable<KG, VG>,
        select: impl Fn(&K, &V) -> Result<KG, E> + Send + Sync + 'static,
        join: impl Fn(&K, &KG, &V, Option<&VG>) -> Result<W, E> + Send + Sync + 'static,
    ) -> KStream<K, W> {
        let spec = GlobalJoinSpec {
            select: Arc::new(move |key, value| select(key, value).map_err(ProcessError::user)),
            join: Arc::new(move |key, mapped, value, row| join(key, mapped, value, row).map_err(ProcessError::user)),
            left: true,
        };
        global_join(self, table, spec)
    }
}
