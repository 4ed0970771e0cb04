//! `reuse.ktable.source.topics`: the topic that a table is read from serves as the changelog of its store.

use crate::graph::Graph;

pub(super) fn apply(graph: &mut Graph) {
    for store in graph.stores.iter_mut().filter(|store| !store.global) {
        if store.source_topic.is_some() {
            store.source_changelog.clone_from(&store.source_topic);
        }
    }
}
