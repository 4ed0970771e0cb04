//! Which global stores there are, and from where each partition of their topics is read. Pure.

use std::collections::{BTreeMap, HashMap};

use headwater_record::{Offset, Partition, Topic, TopicPartition};
use headwater_topology::node::NodeSpec;
use headwater_topology::{StoreId, Topology};

use crate::changelog::{LogBounds, RestoreRange, restore_range};

/// A global store and what fills it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalPart {
    /// The store.
    pub store: StoreId,
    /// Its name.
    pub name: String,
    /// The topic it is filled from.
    pub topic: Topic,
    /// Whether it is a table, which is filled by its bytes; others are filled by a processor of the user.
    pub is_table: bool,
}

impl GlobalPart {
    /// Those of `topology`, in the order of its parts.
    pub fn all(topology: &Topology) -> Vec<GlobalPart> {
        let mut parts = Vec::new();
        for part in topology.subtopologies().iter().filter(|part| part.global) {
            let topics = part.nodes.iter().filter_map(|node| topology.node(*node)).flat_map(NodeSpec::source_topics);
            for (topic, id) in topics.zip(&part.stores) {
                let Some(store) = topology.store(*id).filter(|store| store.global) else { continue };
                parts.push(GlobalPart {
                    store: *id,
                    name: store.spec.name.clone(),
                    topic: Topic::from(topic.as_str()),
                    is_table: !store.own,
                });
            }
        }
        parts
    }
}

/// What is wrong with the global stores of `topology`: each is read from one topic.
pub(crate) fn check(topology: &Topology) -> Result<(), String> {
    for part in topology.subtopologies().iter().filter(|part| part.global) {
        let nodes = part.nodes.iter().filter_map(|node| topology.node(*node));
        let topics: Vec<&String> = nodes.flat_map(NodeSpec::source_topics).collect();
        if topics.len() != 1 || part.stores.len() != 1 {
            let name = |store: &StoreId| topology.store(*store).map(|node| node.spec.name.as_str()).unwrap_or_default();
            let names: Vec<&str> = part.stores.iter().map(name).collect();
            return Err(format!(
                "sub-topology {} fills {} from {topics:?}: a global store is filled from one topic that is named, and has it for itself",
                part.id,
                names.join(" and ")
            ));
        }
    }
    Ok(())
}

/// What the durable content of a store goes by: the last offset of each partition; -1 where it contains nothing.
pub(super) type Marks = BTreeMap<Partition, Offset>;

/// From where to where each partition is read, so that the stores are complete. `stores` are topics with the marks of the store
/// that is filled from it.
///
/// # Errors
/// Why what the stores contain is of no use, in words: all must be filled anew.
pub(super) fn ranges(
    stores: &[(&Topic, Marks)],
    bounds: &HashMap<TopicPartition, LogBounds>,
) -> Result<BTreeMap<TopicPartition, RestoreRange>, String> {
    for (topic, marks) in stores {
        let of_topic = |partition: &Partition| TopicPartition::new((*topic).clone(), *partition);
        if let Some(partition) = marks.keys().map(of_topic).find(|partition| !bounds.contains_key(partition)) {
            return Err(format!("there is no {partition} any more"));
        }
    }
    let range = |(partition, log): (&TopicPartition, &LogBounds)| {
        let store = stores.iter().find(|(topic, _)| **topic == partition.topic);
        let mark = store.and_then(|(_, marks)| marks.get(&partition.partition).copied());
        let range = restore_range(mark, *log).map_err(|truncated| format!("{partition}: {truncated}"))?;
        Ok((partition.clone(), range))
    };
    bounds.iter().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges_of(marks: &[(i32, i64)], logs: &[(i64, i64)]) -> Result<Vec<(i64, i64)>, String> {
        let topic = Topic::from("shops");
        let marks = marks.iter().map(|(partition, offset)| (*partition, Offset::new(*offset))).collect();
        let log = |(partition, (earliest, end)): (usize, &(i64, i64))| {
            let bounds = LogBounds { earliest: Offset::new(*earliest), end: Offset::new(*end), limit: None };
            (TopicPartition::new("shops", partition as i32), bounds)
        };
        let bounds = logs.iter().enumerate().map(log).collect();
        let ranges = ranges(&[(&topic, marks)], &bounds)?;
        Ok(ranges.values().map(|range| (range.from.value(), range.to.value())).collect())
    }

    #[test]
    fn each_partition_goes_on_after_its_mark_and_a_new_one_begins_at_its_beginning() {
        assert_eq!(ranges_of(&[], &[(0, 3), (2, 4)]), Ok(vec![(0, 3), (2, 4)]));
        assert_eq!(ranges_of(&[(0, 1), (1, -1)], &[(0, 3), (0, 4), (0, 5)]), Ok(vec![(2, 3), (0, 4), (0, 5)]));
    }

    #[test]
    fn a_store_that_its_topic_does_not_reach_is_filled_anew() {
        assert!(ranges_of(&[(0, 8)], &[(0, 3)]).unwrap_err().contains("shops-0"), "another log");
        assert!(ranges_of(&[(0, 1)], &[(5, 9)]).is_err(), "records in between are lost");
        assert!(ranges_of(&[(0, -1)], &[(5, 9)]).is_err(), "a delete may be lost");
        assert!(ranges_of(&[(0, 1), (3, 1)], &[(0, 9)]).unwrap_err().contains("shops-3"), "a partition is gone");
    }
}
