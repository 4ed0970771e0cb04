//! The sources of a topology: streams of the same topics read through one of them.

use std::any::{TypeId, type_name};

use headwater_record::short_name;
use headwater_topology::node::OffsetReset;
use headwater_topology::{NodeId, Stream, TopologyError};

use crate::Topics;

/// A source of streams, as it was first written.
struct First {
    topics: Topics,
    reset: Option<OffsetReset>,
    node: NodeId,
    types: TypeId,
    /// The types, as they are written.
    read_as: String,
}

/// The sources of streams, in order (Java's `InternalStreamsBuilder#mergeDuplicateSourceNodes`). Those of tables are not among
/// them.
#[derive(Default)]
pub(crate) struct Sources(Vec<First>);

impl Sources {
    /// The source that reads exactly these topics already. Its topics may not be read in another way, or together with others: the
    /// source that reads them comes with the mistake.
    pub(crate) fn merge<K: 'static, V: 'static>(
        &self,
        topics: &Topics,
        reset: Option<OffsetReset>,
    ) -> Result<Option<NodeId>, (NodeId, TopologyError)> {
        let topics = sorted(topics.clone());
        let same_or_overlapping = |first: &&First| first.topics == topics || overlaps(&first.topics, &topics);
        let Some(first) = self.0.iter().find(same_or_overlapping) else { return Ok(None) };
        let words = if first.topics != topics {
            "Two source nodes are subscribed to overlapping but not equal input topics".to_owned()
        } else if first.reset != reset {
            "Can't configure different offset reset policies on the same input topic(s)".to_owned()
        } else if first.types != TypeId::of::<Stream<K, V>>() {
            format!(
                "{topics} is read as {} and as {}: read it once, and make the other stream of that one, with `map` for instance",
                first.read_as,
                read_as::<K, V>(),
            )
        } else {
            return Ok(Some(first.node));
        };
        Err((first.node, TopologyError::Invalid(words)))
    }

    /// Adds a source.
    pub(crate) fn add<K: 'static, V: 'static>(&mut self, topics: Topics, reset: Option<OffsetReset>, node: NodeId) {
        let (types, read_as) = (TypeId::of::<Stream<K, V>>(), read_as::<K, V>());
        self.0.push(First { topics: sorted(topics), reset, node, types, read_as });
    }
}

fn read_as<K, V>() -> String {
    format!("`{}, {}`", short_name(type_name::<K>()), short_name(type_name::<V>()))
}

fn sorted(topics: Topics) -> Topics {
    match topics {
        Topics::Named(mut topics) => {
            topics.sort_unstable();
            Topics::Named(topics)
        }
        pattern @ Topics::Matching(_) => pattern,
    }
}

fn overlaps(one: &Topics, other: &Topics) -> bool {
    match (one, other) {
        (Topics::Named(one), Topics::Named(other)) => one.iter().any(|topic| other.contains(topic)),
        _ => false,
    }
}
