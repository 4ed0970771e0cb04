//! `transform_values` on tables: another value for each key, deleted ones included.

use std::sync::Arc;

use headwater_topology::processor::ProcessorSupplier;
use headwater_topology::{BoxError, ProcessError};

use super::step::{TableStep, table_step};
use crate::derivation::Derivation;
use crate::transformer::transformers;
use crate::{KTable, Materialized, ProcessorStores, ValueTransformerWithKey};

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
    /// A transformer that needs stores or a context is what [`KTable::transform_values_using`] takes.
    #[must_use]
    pub fn transform_values<W: 'static>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Option<W> + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.try_transform_values(move |key, value| Ok::<_, BoxError>(transform(key, value)))
    }

    /// As [`KTable::transform_values`], kept in a store when the options name one.
    pub fn transform_values_with<W: 'static>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Option<W> + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.try_transform_values_with(move |key, value| Ok::<_, BoxError>(transform(key, value)), materialized)
    }

    /// As [`KTable::transform_values`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_transform_values<W: 'static, E: Into<BoxError>>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.transformed(function(transform), &[], None)
    }

    /// As [`KTable::transform_values_with`], with a function that may fail: the processing exception handler then decides.
    pub fn try_transform_values_with<W: 'static, E: Into<BoxError>>(
        &self,
        transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.transformed(function(transform), &[], Some(materialized))
    }

    /// As [`KTable::transform_values`], with a transformer that has a context, schedules and the stores named
    /// (`KTable#transformValues` with a supplier of transformers).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Says how often each row has changed.
    /// struct Changes(Rc<KeyValueState<String, i64>>);
    ///
    /// impl ValueTransformerWithKey<String, i64, i64> for Changes {
    ///     fn transform(
    ///         &mut self,
    ///         cx: &mut TransformContext<'_, '_>,
    ///         record: Record<'_, String, Option<i64>>,
    ///     ) -> Result<Option<i64>, ProcessError> {
    ///         let count = self.0.value(cx, record.key)?.unwrap_or(0) + 1;
    ///         self.0.put_at(cx, record.key, count, &record)?;
    ///         // A row that is deleted is deleted from the result, too.
    ///         Ok(record.value.as_ref().map(|_| count))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.add_state_store(StoreSpec::key_value("changes"));
    /// let changes = |stores: &mut StoreAccess<'_, '_>| Ok(Changes(stores.key_value(&StoreHandle::named("changes"))?));
    /// let counts = builder.table::<String, i64>("prices").transform_values_using(changes, &["changes"]);
    /// counts.to_stream().to("counts");
    ///
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// let prices = driver.input_topic::<String, Option<i64>>("prices");
    /// prices.pipe_all([("pens", Some(1)), ("ink", Some(5)), ("pens", Some(2)), ("ink", None)])?;
    /// let counts = driver.output_topic::<String, Option<i64>>("counts").read_values()?;
    /// assert_eq!(counts, [Some(1), Some(1), Some(2), None]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A table that is kept nowhere is made anew where it is looked up, as by a join: as in Java the node that does so has a
    /// transformer of its own, to which the stores named here are not connected, and the task does not start. Where old values
    /// are asked for (by a join, a grouping or a suppression), it is called for the old value, too. Neither happens to a table
    /// that is kept in a store, with [`KTable::transform_values_using_with`].
    #[must_use]
    pub fn transform_values_using<T, W>(
        &self,
        supplier: impl ProcessorSupplier<T>,
        stores: impl ProcessorStores,
    ) -> KTable<K, W>
    where
        T: ValueTransformerWithKey<K, V, W>,
        W: 'static,
    {
        self.transformed(transformers(supplier), stores, None)
    }

    /// As [`KTable::transform_values_using`], kept in a store when the options name one.
    pub fn transform_values_using_with<T, W>(
        &self,
        supplier: impl ProcessorSupplier<T>,
        stores: impl ProcessorStores,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W>
    where
        T: ValueTransformerWithKey<K, V, W>,
        W: 'static,
    {
        self.transformed(transformers(supplier), stores, Some(materialized))
    }

    fn transformed<W: 'static>(
        &self,
        derivation: Derivation<K, V, W>,
        stores: impl ProcessorStores,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let (prefix, serdes) = ("KTABLE-TRANSFORMVALUES-", self.serdes.key_only());
        let table =
            table_step(self, TableStep { prefix, materialized, serdes, derivation, swallow: false, burns: false });
        stores.connect_to(table.draft(), table.node());
        table
    }
}

/// A transformer that is a function.
fn function<K, V, W, E: Into<BoxError>>(
    transform: impl Fn(&K, Option<&V>) -> Result<Option<W>, E> + Send + Sync + 'static,
) -> Derivation<K, V, W> {
    Derivation::Function(Arc::new(move |key, value| transform(key, value).map_err(ProcessError::user)))
}
