//! How a topic is written.

use std::sync::Arc;

use headwater_record::{Headers, Partition};
use headwater_topology::node::sink::ChoosePartitions;

use super::serde_options;
use crate::serdes::Serdes;

/// How a topic is written (Java's `Produced`): serdes, partitioner, the sink's name.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Produced, StreamsBuilder};
/// // What is urgent goes to partition 0, all else by its key.
/// let produced = Produced::inherited()
///     .with_name("orders-sink")
///     .with_partitioner(|_topic, _key, order: &String, _headers, _partitions| order.starts_with('!').then(|| vec![0]));
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").to_with("orders", produced);
/// assert!(builder.build()?.describe().contains("Sink: orders-sink (topic: orders)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Produced<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
    pub(crate) partitioner: Option<ChoosePartitions<K, V>>,
    pub(crate) chooser_text: Option<String>,
}

serde_options!(Produced);

impl<K, V> Produced<K, V> {
    /// As inherited and configured (Java's overload without `Produced`).
    pub fn inherited() -> Self {
        Produced { serdes: Serdes::none(), name: None, partitioner: None, chooser_text: None }
    }

    /// What describes the function that chooses topics ([`KStream::to_chosen_with`](crate::KStream::to_chosen_with)) where the
    /// topology is described.
    #[must_use]
    pub fn with_chooser_text(mut self, text: impl Into<String>) -> Self {
        self.chooser_text = Some(text.into());
        self
    }

    /// Chooses the partitions of each record: topic, key, value, headers and how many there are. `None` leaves it to the key's
    /// hash, an empty list drops the record and counts it, and each partition named gets a copy (`StreamPartitioner`, KIP-837).
    #[must_use]
    pub fn with_partitioner(
        mut self,
        choose: impl Fn(&str, &K, &V, &Headers, Partition) -> Option<Vec<Partition>> + Send + Sync + 'static,
    ) -> Self {
        self.partitioner = Some(Arc::new(choose));
        self
    }
}
