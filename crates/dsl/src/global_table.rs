//! Tables that every instance has all of.

use std::fmt;

use headwater_topology::state::StoreHandle;
use headwater_topology::{Draft, StoreId};

/// A table of which every instance has all partitions (Java's `GlobalKTable`): streams are joined with it by any key, without
/// repartitioning.
pub struct GlobalKTable<K, V> {
    /// `None` when a serde was missing, which is a mistake of its own.
    pub(crate) draft: Draft,
    pub(crate) kept: Option<(StoreId, StoreHandle<K, V>)>,
}

impl<K, V> GlobalKTable<K, V> {
    /// The store that keeps the table (`GlobalKTable#queryableStoreName`); `None` when it could not be written for want of a serde.
    ///
    /// ```
    /// use headwater::dsl::{Consumed, Materialized, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let shops =
    ///     builder.global_table_with("shops", Consumed::<i64, String>::by_type(), Materialized::named("city-of-shop"));
    /// assert_eq!(shops.store().map(|store| store.name()), Some("city-of-shop"));
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn store(&self) -> Option<&StoreHandle<K, V>> {
        self.kept.as_ref().map(|(_, store)| store)
    }
}

impl<K, V> Clone for GlobalKTable<K, V> {
    fn clone(&self) -> Self {
        GlobalKTable { draft: self.draft.clone(), kept: self.kept.clone() }
    }
}

impl<K, V> fmt::Debug for GlobalKTable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalKTable({})", self.store().map_or("", |store| store.name()))
    }
}
