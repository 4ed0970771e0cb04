//! What can be wrong with topics.

use std::collections::BTreeMap;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Partition, Topic};

/// Why the topics of an application are not as it needs them.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InternalTopicsError {
    /// Topics that the topology reads do not exist.
    #[error("source topics do not exist: {}; create them before the application is started", names(.0))]
    MissingSources(Vec<Topic>),
    /// Topics whose partitions are joined pairwise have different numbers of them.
    #[error(
        "Invalid topology: Following topics do not have the same number of partitions: [{}]; they are joined or merged by key, so recreate them with equally many, or put repartition() before the join",
        counts(.0)
    )]
    NotCopartitioned(BTreeMap<String, Partition>),
    /// The program fixes the partitions of a repartition topic otherwise than the topics it is joined with have them.
    #[error(
        "Invalid topology: Number of partitions [{fixed}] of repartition topic [{topic}] doesn't match number of partitions [{required}] of the source topic."
    )]
    FixedPartitions {
        /// Which repartition topic.
        topic: Topic,
        /// What the program says.
        fixed: Partition,
        /// What the others have.
        required: Partition,
    },
    /// Repartition topics feed each other in a circle, or a part of the topology reads nothing.
    #[error(
        "failed to compute number of partitions for all repartition topics: {}; make sure that all input topics exist and that every pattern matches at least one topic when the application starts{}",
        names(.topics), unmatched(.patterns)
    )]
    Unresolvable {
        /// The repartition topics.
        topics: Vec<Topic>,
        /// Patterns that match no topic.
        patterns: Vec<String>,
    },
    /// An internal topic exists with another number of partitions.
    #[error(
        "Existing internal topic {topic} has invalid partitions: expected: {expected}; actual: {found}. The number of partitions of a source topic was changed, or the topology was: reset the application (delete its internal topics and committed offsets) before it is started again"
    )]
    PartitionsChanged {
        /// Which topic.
        topic: Topic,
        /// How many it must have.
        expected: Partition,
        /// How many it has.
        found: Partition,
    },
    /// A topic was just made and cannot be seen yet.
    #[error("internal topic {0} was created and cannot be seen yet")]
    NotVisibleYet(Topic),
    /// The cluster refused to make an internal topic.
    #[error("could not create internal topic {topic}: {error}")]
    Create {
        /// Which topic.
        topic: Topic,
        /// Why.
        error: ClientError,
    },
    /// The cluster did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

headwater_record::debug_as_text!(InternalTopicsError);

impl InternalTopicsError {
    /// Whether the same may succeed a little later.
    pub fn is_retriable(&self) -> bool {
        match self {
            InternalTopicsError::NotVisibleYet(_) => true,
            InternalTopicsError::Create { error, .. } | InternalTopicsError::Client(error) => {
                error.class() == ErrorClass::Retriable
            }
            _ => false,
        }
    }
}

fn names(topics: &[Topic]) -> String {
    topics.iter().map(Topic::as_str).collect::<Vec<_>>().join(", ")
}

fn unmatched(patterns: &[String]) -> String {
    if patterns.is_empty() { String::new() } else { format!(": no topic matches {}", patterns.join(", ")) }
}

fn counts(topics: &BTreeMap<String, Partition>) -> String {
    topics.iter().map(|(topic, count)| format!("{topic}={count}")).collect::<Vec<_>>().join(", ")
}
