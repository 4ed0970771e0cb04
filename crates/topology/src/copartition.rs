//! Which topics must have equally many partitions, of all that operators ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::Graph;
use crate::java_order;
use crate::node::{NodeKind, SourceTopics};

/// The groups that `graph` asks for, as Java puts them together: one joins the first group that any of its topics is in, in the
/// order of a hash set, and takes all its topics there. Those that other groups had stay in these too.
pub(crate) fn groups(graph: &Graph) -> Vec<BTreeSet<String>> {
    let mut readers = BTreeMap::new();
    for node in &graph.nodes {
        let NodeKind::Source { topics: SourceTopics::Named(topics), .. } = &node.kind else { continue };
        readers.extend(topics.iter().map(|topic| (topic.as_str(), &*node.name)));
    }
    collapse(&graph.copartition, &readers)
}

/// `readers` has the source of each topic: Java asks for sources, in a hash set too.
fn collapse(asked: &[BTreeSet<String>], readers: &BTreeMap<&str, &str>) -> Vec<BTreeSet<String>> {
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    let mut group_of: BTreeMap<&str, usize> = BTreeMap::new();
    for topics in asked {
        let read = topics.iter().map(|topic| {
            let reader = readers.get(topic.as_str()).copied().unwrap_or(topic.as_str());
            (reader.to_owned(), (topic.clone(), ()))
        });
        let in_order = java_order::hash_map(java_order::hash_map(read).into_iter().map(|(_, topic)| topic));
        let known = in_order.iter().find_map(|(topic, ())| group_of.get(topic.as_str()).copied());
        let at = known.unwrap_or(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.extend(topics.iter().cloned()),
            None => groups.push(topics.clone()),
        }
        group_of.extend(topics.iter().map(|topic| (topic.as_str(), at)));
    }
    let kept: BTreeSet<usize> = group_of.into_values().collect();
    let kept: BTreeSet<BTreeSet<String>> = kept.into_iter().filter_map(|at| groups.get(at).cloned()).collect();
    kept.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collapsed(asked: &[&[&str]]) -> Vec<Vec<String>> {
        let set = |topics: &&[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect();
        let asked: Vec<BTreeSet<String>> = asked.iter().map(set).collect();
        collapse(&asked, &BTreeMap::new()).into_iter().map(|group| group.into_iter().collect()).collect()
    }

    #[test]
    fn groups_that_share_a_topic_are_one() {
        assert_eq!(collapsed(&[&["a", "b"], &["c", "d"], &["b", "e"]]), [vec!["a", "b", "e"], vec!["c", "d"]]);
        assert!(collapsed(&[&[]]).is_empty());
    }

    #[test]
    fn a_group_that_shares_topics_with_two_joins_one_of_them() {
        // As recorded from Java 4.4.0, where the result of a foreign-key join of `t0` with `t2` is joined with `t2`.
        let (asks, answers) = (
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000009-topic",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000017-topic",
        );
        let both = [answers, "t0", "t2"];
        assert_eq!(
            collapsed(&[&[asks, "t2"], &[answers, "t0"], &both, &both]),
            [vec![asks, "t2"], vec![answers, "t0", "t2"]]
        );
    }

    #[test]
    fn topics_of_one_bucket_are_in_the_order_of_their_sources() {
        // As recorded from Java 4.4.0, where the result of one foreign-key join is the right side of another.
        let [first, second] =
            ["0000000013", "0000000029"].map(|n| format!("app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-{n}-topic"));
        let (first, second) = (first.as_str(), second.as_str());
        let readers = [
            (first, "KTABLE-SOURCE-0000000015"),
            (second, "KTABLE-SOURCE-0000000031"),
            ("t0", "KSTREAM-SOURCE-0000000001"),
            ("t1", "KSTREAM-SOURCE-0000000003"),
        ];
        let asked = [&["t0", second][..], &[first, "t1", "asks"], &[first, second, "t0", "t1"]];
        let asked = asked.map(|topics| topics.iter().map(|topic| (*topic).to_owned()).collect());
        let of = |topics: &[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(
            collapse(&asked, &BTreeMap::from(readers)),
            [of(&[first, second, "t0", "t1"]), of(&["asks", first, "t1"])]
        );
    }
}
