//! `map_values` on tables: another value for each key.

use std::sync::Arc;

use headwater_topology::{BoxError, ProcessError};

use super::step::{TableStep, table_step};
use crate::derivation::{Derivation, Derive};
use crate::{KTable, Materialized};

impl<K: 'static, V: 'static> KTable<K, V> {
    /// Makes another value for each key (`KTable#mapValues`). It is not called for deleted keys: they stay deleted.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// builder.table::<String, String>("names").map_values(|_, name| name.len() as i64).to_stream().to("lengths");
    /// assert!(builder.build()?.describe().contains("KTABLE-MAPVALUES-0000000003"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn map_values<W: 'static>(&self, map: impl Fn(&K, &V) -> W + Send + Sync + 'static) -> KTable<K, W> {
        self.try_map_values(move |key, value| Ok::<_, BoxError>(map(key, value)))
    }

    /// As [`KTable::map_values`], kept in a store when the options name one.
    pub fn map_values_with<W: 'static>(
        &self,
        map: impl Fn(&K, &V) -> W + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.try_map_values_with(move |key, value| Ok::<_, BoxError>(map(key, value)), materialized)
    }

    /// As [`KTable::map_values`], with a function that may fail: the processing exception handler then decides.
    #[must_use]
    pub fn try_map_values<W: 'static, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<W, E> + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.mapped(map, None)
    }

    /// As [`KTable::map_values_with`], with a function that may fail: the processing exception handler then decides.
    pub fn try_map_values_with<W: 'static, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<W, E> + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.mapped(map, Some(materialized))
    }

    fn mapped<W: 'static, E: Into<BoxError>>(
        &self,
        map: impl Fn(&K, &V) -> Result<W, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let derive: Derive<K, V, W> =
            Arc::new(move |key, value| value.map(|value| map(key, value)).transpose().map_err(ProcessError::user));
        let derivation = Derivation::Function(derive);
        let (prefix, serdes) = ("KTABLE-MAPVALUES-", self.serdes.key_only());
        table_step(self, TableStep { prefix, materialized, serdes, derivation, swallow: false, burns: true })
    }
}
