//! How a stream is grouped.

use super::serde_options;
use crate::serdes::Serdes;

/// How a stream is grouped (Java's `Grouped`): serdes of the repartition topic, and its name.
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
