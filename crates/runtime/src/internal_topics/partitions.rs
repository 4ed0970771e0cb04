//! How many partitions repartition topics get.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Partition, Topic};

use super::{InternalTopicsError, PartTopics};

/// The counts of all topics: those that exist, and those of repartition topics as far as they are known.
pub(super) struct Counts<'a> {
    /// Of the user's topics.
    pub(super) external: &'a BTreeMap<String, Partition>,
    /// Of repartition topics, by full name, with what the program fixes; filled by [`Counts::resolve`].
    pub(super) repartition: BTreeMap<String, Option<Partition>>,
    /// Those of them that the program fixes.
    pub(super) fixed: BTreeSet<String>,
}

impl Counts<'_> {
    /// The count of a topic, if it is known.
    pub(super) fn of(&self, topic: &str) -> Option<Partition> {
        self.repartition.get(topic).map_or_else(|| self.external.get(topic).copied(), |count| *count)
    }

    /// Gives each repartition topic without a fixed count as many partitions as the largest topic has that is read by a part
    /// that writes to it; in rounds, because repartition topics may feed each other.
    pub(super) fn resolve(&mut self, parts: &[PartTopics]) -> Result<(), InternalTopicsError> {
        loop {
            let open: Vec<String> =
                self.repartition.iter().filter(|(_, count)| count.is_none()).map(|(topic, _)| topic.clone()).collect();
            if open.is_empty() {
                return Ok(());
            }
            // Where topics feed each other in a circle, what is known of those upstream must do.
            if !self.resolve_round(&open, parts, true) && !self.resolve_round(&open, parts, false) {
                let topics = open.into_iter().map(Topic::from).collect();
                return Err(InternalTopicsError::Unresolvable { topics, patterns: Vec::new() });
            }
        }
    }

    /// Whether there was progress.
    fn resolve_round(&mut self, open: &[String], parts: &[PartTopics], all_known: bool) -> bool {
        let mut progress = false;
        for topic in open {
            let count = self.of_upstream(topic, parts, all_known);
            progress |= count.is_some();
            self.repartition.insert(topic.clone(), count);
        }
        progress
    }

    /// The largest count upstream of a topic. With `all_known` it is `None` as long as one is not resolved.
    fn of_upstream(&self, topic: &str, parts: &[PartTopics], all_known: bool) -> Option<Partition> {
        let writers = parts.iter().filter(|part| part.sinks.contains(topic));
        let upstream: BTreeSet<&String> = writers.flat_map(|part| &part.sources).collect();
        let counts: Vec<Option<Partition>> = upstream.into_iter().map(|source| self.of(source)).collect();
        if all_known && counts.contains(&None) {
            return None;
        }
        counts.into_iter().flatten().max()
    }

    /// Makes the topics of a group equally many, or says why they cannot be.
    pub(super) fn copartition(&mut self, group: &BTreeSet<String>) -> Result<(), InternalTopicsError> {
        let (internal, external): (Vec<&String>, Vec<&String>) =
            group.iter().partition(|topic| self.repartition.contains_key(*topic));
        let counts_of = |topics: &[&String], counts: &Self| -> BTreeMap<String, Partition> {
            topics.iter().filter_map(|topic| Some(((*topic).clone(), counts.of(topic)?))).collect()
        };
        let given = counts_of(&external, self);
        let required = match given.values().next() {
            Some(first) if given.values().all(|count| count == first) => *first,
            Some(_) => return Err(InternalTopicsError::NotCopartitioned(given)),
            None => {
                let fixed: Vec<&String> =
                    internal.iter().copied().filter(|topic| self.fixed.contains(*topic)).collect();
                let fixed = counts_of(&fixed, self);
                match fixed.values().next() {
                    Some(first) if fixed.values().all(|count| count == first) => *first,
                    Some(_) => return Err(InternalTopicsError::NotCopartitioned(fixed)),
                    None => counts_of(&internal, self).into_values().max().unwrap_or(0),
                }
            }
        };
        for topic in internal.into_iter().cloned().collect::<Vec<_>>() {
            if let Some(fixed) = self.of(&topic).filter(|count| self.fixed.contains(&topic) && *count != required) {
                return Err(InternalTopicsError::FixedPartitions { topic: Topic::from(topic), fixed, required });
            }
            self.repartition.insert(topic, Some(required));
        }
        Ok(())
    }
}
