//! `filter` and `filter_not` on tables: keys whose value passes.

use std::sync::Arc;

use headwater_topology::{BoxError, ProcessError};

use super::step::{TableStep, table_step};
use crate::derivation::{Derivation, Derive};
use crate::{KTable, Materialized};

impl<K: 'static, V: Clone + 'static> KTable<K, V> {
    /// Keeps the keys for whose value `keep` says so; the others are deleted from the result (`KTable#filter`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.table::<String, i64>("stock").filter(|_, pieces| *pieces < 10).to_stream().to("reorder");
    /// assert!(builder.build()?.describe().contains("KTABLE-FILTER-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.try_filter(move |key, value| Ok::<_, BoxError>(keep(key, value)))
    }

    /// As [`KTable::filter`], kept in a store when the options name one.
    #[must_use]
    pub fn filter_with(
        &self,
        keep: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.try_filter_with(move |key, value| Ok::<_, BoxError>(keep(key, value)), materialized)
    }

    /// As [`KTable::filter`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_filter<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.filtered(keep, None)
    }

    /// As [`KTable::filter_with`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_filter_with<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.filtered(keep, Some(materialized))
    }

    /// Leaves out the keys for whose value `leave_out` says so (`KTable#filterNot`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.table::<String, i64>("stock").filter_not(|_, pieces| *pieces == 0).to_stream().to("for-sale");
    /// assert!(builder.build()?.describe().contains("KTABLE-FILTER-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn filter_not(&self, leave_out: impl Fn(&K, &V) -> bool + Send + Sync + 'static) -> Self {
        self.filter(move |key, value| !leave_out(key, value))
    }

    /// As [`KTable::filter_not`], kept in a store when the options name one.
    #[must_use]
    pub fn filter_not_with(
        &self,
        leave_out: impl Fn(&K, &V) -> bool + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.filter_with(move |key, value| !leave_out(key, value), materialized)
    }

    /// As [`KTable::filter_not`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_filter_not<E: Into<BoxError>>(
        &self,
        leave_out: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
    ) -> Self {
        self.try_filter(move |key, value| leave_out(key, value).map(|leave_out| !leave_out))
    }

    /// As [`KTable::filter_not_with`], with a function that may fail: the processing exception handler then decides.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    /// let builder = StreamsBuilder::new();
    /// let stock = builder.table::<String, String>("stock");
    /// let sold_out = |_: &String, pieces: &String| pieces.parse::<u32>().map(|pieces| pieces == 0);
    /// stock.try_filter_not_with(sold_out, Materialized::named("for-sale")).to_stream().to("for-sale");
    ///
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// let stock = driver.input_topic::<String, String>("stock");
    /// stock.pipe_all([("pens", "3"), ("ink", "0")])?;
    /// assert!(stock.pipe("glue", "many").is_err(), "that is no number");
    /// let for_sale = driver.output_topic::<String, Option<String>>("for-sale").read_key_values()?;
    /// assert_eq!(for_sale, [("pens".to_owned(), Some("3".to_owned()))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn try_filter_not_with<E: Into<BoxError>>(
        &self,
        leave_out: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
        materialized: Materialized<K, V>,
    ) -> Self {
        self.try_filter_with(move |key, value| leave_out(key, value).map(|leave_out| !leave_out), materialized)
    }

    fn filtered<E: Into<BoxError>>(
        &self,
        keep: impl Fn(&K, &V) -> Result<bool, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, V>>,
    ) -> Self {
        let derive: Derive<K, V, V> = Arc::new(move |key, value| match value {
            Some(there) if keep(key, there).map_err(ProcessError::user)? => Ok(Some(there.clone())),
            _ => Ok(None),
        });
        let derivation = Derivation::Function(derive);
        let (prefix, serdes) = ("KTABLE-FILTER-", self.serdes.clone());
        table_step(self, TableStep { prefix, materialized, serdes, derivation, swallow: true, burns: true })
    }
}
