//! Which topics must have equally many partitions, of all that operators ask for.

use std::collections::{BTreeMap, BTreeSet};

use crate::java_order;

/// The groups, as Java puts them together: one joins the first group that any of its topics is in, in the order of a hash set,
/// and takes all its topics there. Those that other groups had stay in these too.
pub(crate) fn collapse(asked: &[BTreeSet<String>]) -> Vec<BTreeSet<String>> {
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    let mut group_of: BTreeMap<&str, usize> = BTreeMap::new();
    for topics in asked {
        let in_order = java_order::hash_map(topics.iter().map(|topic| (topic.clone(), ())));
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
        collapse(&asked).into_iter().map(|group| group.into_iter().collect()).collect()
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
}
