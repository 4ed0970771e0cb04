//! The patterns by which sources name their topics.

use std::collections::BTreeMap;

use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::{Topology, naming};
use regex::Regex;

use crate::{Error, ErrorKind};

/// The patterns of a topology's sources, compiled once. A pattern matches whole names, as in Java.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourcePatterns {
    compiled: BTreeMap<String, Regex>,
}

impl SourcePatterns {
    /// Those of the sources of `topology`.
    ///
    /// # Errors
    /// As [`SourcePatterns::compile`].
    pub(crate) fn of(topology: &Topology) -> Result<Self, Error> {
        let patterns = topology.nodes().filter_map(|(_, node)| match &node.kind {
            NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } => Some(pattern.as_str()),
            _ => None,
        });
        SourcePatterns::compile(patterns)
    }

    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`ErrorKind::Topology`] for one that is no regular expression.
    fn compile<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let compile = |pattern: &str| {
            let regex = naming::pattern(pattern)
                .map_err(|error| Error::new(ErrorKind::Topology, error.to_string()).with_source(error))?;
            Ok((pattern.to_owned(), regex))
        };
        let compiled = patterns.into_iter().map(compile).collect::<Result<_, Error>>()?;
        Ok(SourcePatterns { compiled })
    }

    /// Whether `pattern`, one of those compiled, matches the whole of `topic`.
    pub(crate) fn matches(&self, pattern: &str, topic: &str) -> bool {
        self.compiled.get(pattern).is_some_and(|regex| regex.is_match(topic))
    }

    /// Whether any pattern matches the whole of `topic`.
    pub(crate) fn match_any(&self, topic: &str) -> bool {
        self.compiled.values().any(|regex| regex.is_match(topic))
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::SourcePatterns;

    #[test]
    fn a_pattern_matches_whole_names() {
        let patterns = SourcePatterns::compile(["orders-.*", "a|b"]).unwrap();
        assert!(patterns.matches("orders-.*", "orders-eu"));
        assert!(!patterns.matches("orders-.*", "old-orders-eu"));
        assert!(patterns.matches("a|b", "b"));
        assert!(!patterns.matches("a|b", "ab"));
        assert!(SourcePatterns::compile(["("]).unwrap_err().to_string().contains("is no regular expression"));
    }
}
