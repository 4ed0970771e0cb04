//! `transform_values` on tables: another value for each key, deleted ones included.

use std::sync::Arc;

use headwater_topology::{BoxError, ProcessError};

use super::step::{Derive, TableStep, table_step};
use crate::{KTable, Materialized};

impl<K: 'static, V: 'static> KTable<K, V> {
    /// Makes another value for each key, and is asked about deleted keys too (`KTable#transformValues` with a transformer that
    /// keeps nothing).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder
    ///     .table::<String, i64>("stock")
    ///     .transform_values(|_, pieces| Some(pieces.copied().unwrap_or(0)))
    ///     .to_stream()
    ///     .to("stock-or-zero");
    /// assert!(builder.build()?.describe().contains("KTABLE-TRANSFORMVALUES-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    ///
    /// A transformer that needs stores or a context, as Java's `transformValues(supplier, stores)` takes, is a processor of the table's
    /// changes, whose results are a table again:
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Says how often each row has changed.
    /// struct Changes(Rc<KeyValueState<String, i64>>);
    ///
    /// impl FixedKeyProcessor<String, Option<String>, Option<i64>> for Changes {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, '_, '_, String, Option<i64>>,
    ///         record: FixedKeyRecord<'_, String, Option<String>>,
    ///     ) -> Result<(), ProcessError> {
    ///         let count = self.0.value(cx, record.key())?.unwrap_or(0) + 1;
    ///         self.0.put_at(cx, record.key(), count, &record)?;
    ///         // A row that is deleted is deleted from the result, too.
    ///         cx.forward(record.with_value(&record.value().as_ref().map(|_| count)))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_state_store(StoreSpec::key_value("changes"));
    /// let prices = builder.table::<String, String>("prices").to_stream();
    /// let changes = prices.process_values(|stores| Ok(Changes(stores.key_value(&StoreHandle::named("changes"))?)), &["changes"]);
    /// let counts: KTable<String, i64> = changes.to_table();
    /// counts.to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// driver.input_topic::<String, String>("prices").pipe_all([("pens", "1"), ("ink", "5"), ("pens", "2")])?;
    /// let counts = driver.output_topic::<String, Option<i64>>("counts").read_values()?;
    /// assert_eq!(counts, [Some(1), Some(1), Some(2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn transform_values<W: 'static>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Option<W> + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.transformed(move |key, value| Ok::<_, BoxError>(transform(key, value)), None)
    }

    /// As [`KTable::transform_values`], kept in a store when the options name one.
    pub fn transform_values_with<W: 'static>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Option<W> + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.transformed(move |key, value| Ok::<_, BoxError>(transform(key, value)), Some(materialized))
    }

    /// As [`KTable::transform_values`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_transform_values<W: 'static, E: Into<BoxError>>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.transformed(transform, None)
    }

    /// As [`KTable::transform_values_with`], with a function that may fail: the processing exception handler then decides.
    pub fn try_transform_values_with<W: 'static, E: Into<BoxError>>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.transformed(transform, Some(materialized))
    }

    fn transformed<W: 'static, E: Into<BoxError>>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let derive: Derive<K, V, W> = Arc::new(move |key, value| transform(key, value).map_err(ProcessError::user));
        let (prefix, serdes) = ("KTABLE-TRANSFORMVALUES-", self.serdes.key_only());
        table_step(self, TableStep { prefix, materialized, serdes, derive, swallow: false, burns: false })
    }
}
