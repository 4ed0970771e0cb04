//! How a stream is grouped.

use super::serde_options;
use crate::serdes::Serdes;

/// How a stream or table is grouped (Java's `Grouped`): serdes of the repartition topic, and its name.
///
/// What it begins with is compared [in one place](crate#names-and-serdes).
///
/// ```
/// use headwater::dsl::{Grouped, StreamsBuilder};
/// let builder = StreamsBuilder::new();
/// let by_length = Grouped::named("by-length");
/// let words = builder.values::<String>("words").group_by_with(|_, word| word.len() as i64, by_length);
/// words.count().to_stream().to("counts");
/// assert!(builder.build()?.describe().contains("Sink: by-length-repartition-sink (topic: by-length-repartition)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Grouped<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    pub(crate) name: Option<String>,
}

serde_options!(Grouped);

impl<K, V> Grouped<K, V> {
    /// As inherited (Java's overload without `Grouped`).
    pub fn inherited() -> Self {
        Grouped { serdes: Serdes::none(), name: None }
    }
}
