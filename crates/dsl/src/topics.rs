//! The topics of a source.

use std::fmt;

use headwater_topology::{TopologyError, naming};

/// Which topics a stream reads (Java's collection of names, or a `Pattern`).
///
/// ```
/// use headwater::dsl::{StreamsBuilder, Topics};
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>(["orders-eu", "orders-us"]).to("orders");
/// builder.stream::<String, String>(Topics::Matching("logs-.*".to_owned())).to("logs");
/// assert!(builder.build()?.describe().contains("Source: KSTREAM-SOURCE-0000000002 (topics: logs-.*)"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// These.
    Named(Vec<String>),
    /// All whose whole name matches this regular expression, those that come later included.
    Matching(String),
}

impl Topics {
    /// That a pattern is a regular expression.
    pub(crate) fn check(&self) -> Result<(), TopologyError> {
        match self {
            Topics::Named(_) => Ok(()),
            Topics::Matching(pattern) => naming::pattern(pattern).map(|_| ()),
        }
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Named(topics) => f.write_str(&topics.join(", ")),
            Topics::Matching(pattern) => f.write_str(pattern),
        }
    }
}

impl From<&str> for Topics {
    fn from(topic: &str) -> Self {
        Topics::Named(vec![topic.to_owned()])
    }
}

impl From<&String> for Topics {
    fn from(topic: &String) -> Self {
        Topics::from(topic.as_str())
    }
}

impl From<String> for Topics {
    fn from(topic: String) -> Self {
        Topics::Named(vec![topic])
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for Topics {
    fn from(topics: [T; N]) -> Self {
        Topics::Named(topics.into_iter().map(Into::into).collect())
    }
}

impl<T: Clone + Into<String>> From<&[T]> for Topics {
    fn from(topics: &[T]) -> Self {
        Topics::Named(topics.iter().cloned().map(Into::into).collect())
    }
}

impl<T: Clone + Into<String>, const N: usize> From<&[T; N]> for Topics {
    fn from(topics: &[T; N]) -> Self {
        Topics::from(topics.as_slice())
    }
}

impl<T: Clone + Into<String>> From<&Vec<T>> for Topics {
    fn from(topics: &Vec<T>) -> Self {
        Topics::from(topics.as_slice())
    }
}

impl<T: Into<String>> From<Vec<T>> for Topics {
    fn from(topics: Vec<T>) -> Self {
        Topics::Named(topics.into_iter().map(Into::into).collect())
    }
}
