//! How a stream is written and read back by its key.

use std::sync::Arc;

use headwater_record::{Headers, Partition};
use headwater_topology::node::sink::ChoosePartitions;

use super::serde_options;
use crate::serdes::Serdes;

/// How a repartition topic is made (Java's `Repartitioned`): serdes, name, number of partitions, partitioner.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Repartitioned, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let by_word = builder.values::<String>("words").select_key(|_, word| word.clone());
/// by_word.repartition_with(Repartitioned::named("by-word").with_partitions(12)).to("out");
/// assert_eq!(builder.build()?.fixed_partitions("by-word-repartition"), Some(12));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Repartitioned<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
    pub(crate) partitions: Option<Partition>,
    pub(crate) partitioner: Option<ChoosePartitions<K, V>>,
}

serde_options!(Repartitioned);

impl<K, V> Repartitioned<K, V> {
    /// As inherited (Java's overload without `Repartitioned`).
    pub fn inherited() -> Self {
        Repartitioned { serdes: Serdes::none(), name: None, partitions: None, partitioner: None }
    }

    /// With so many partitions, instead of as many as the topics upstream have.
    #[must_use]
    pub fn with_partitions(mut self, partitions: Partition) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Chooses the partitions of each record; see [`Produced::with_partitioner`](crate::Produced::with_partitioner).
    #[must_use]
    pub fn with_partitioner(
        mut self,
        choose: impl Fn(&str, &K, &V, &Headers, Partition) -> Option<Vec<Partition>> + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Arc::new(choose));
        self
    }
}
