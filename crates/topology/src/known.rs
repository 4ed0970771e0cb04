//! What is said of a name that is not there: which was meant, perhaps, and which there are.

use crate::node::{NodeKind, SourceTopics};
use crate::{Draft, Topology};

/// How many names are listed.
const LISTED: usize = 20;

/// The one of `names` that is so near to `name` that it was meant, nearly certainly.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |text: &str| text.to_lowercase().replace(['_', '-'], ".");
    let plain = letters(name);
    let near = names.into_iter().map(|other| (strsim::osa_distance(&plain, &letters(other)), other)).min()?;
    // A third of the letters wrong is another word.
    (near.0 * 3 < name.len().max(near.1.len())).then_some(near.1)
}

/// The end of a message about `name`, which is none of `names`: `did you mean counts? There are counts, visits`.
pub fn known<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let list = match names.len() {
        0 => return "there is none".to_owned(),
        1..=LISTED => names.join(", "),
        all => format!("{} and {} more", names.get(..LISTED).unwrap_or_default().join(", "), all - LISTED),
    };
    let are = if names.len() == 1 { "is" } else { "are" };
    match nearest(name, names) {
        Some(near) => format!("did you mean {near}? There {are} {list}"),
        None => format!("there {are} {list}"),
    }
}

/// What opens a store of the kind that is called `kind`, if its methods end in `end`.
pub fn opened_by(kind: &str, end: &str) -> String {
    match kind {
        "suppression" => "its operator alone reads it".to_owned(),
        kind => format!("open it by `{}{end}`", kind.replace('-', "_")),
    }
}

impl Topology {
    /// What to tell somebody who asked for a store that is not here.
    pub fn no_store(&self, name: &str) -> String {
        let stores = self.stores().map(|(_, store)| store.spec.name.as_str());
        format!("there is no store {name} in the topology: {}", known(name, stores))
    }

    /// What to tell somebody who asked for a node that is not here.
    pub fn no_node(&self, name: &str) -> String {
        let nodes = self.nodes().map(|(_, node)| &*node.name);
        format!("there is no node {name} in the topology: {}", known(name, nodes))
    }

    /// The topics that it reads, but those that it writes for itself; a pattern stands between slashes.
    pub fn input_names(&self) -> Vec<String> {
        let topics = self.nodes().flat_map(|(_, node)| match &node.kind {
            NodeKind::Source { topics: SourceTopics::Named(topics), .. } => topics.clone(),
            NodeKind::Source { topics: SourceTopics::Pattern(pattern), .. } => vec![format!("/{pattern}/")],
            _ => Vec::new(),
        });
        topics.filter(|topic| !self.is_repartition_topic(topic)).collect()
    }

    /// The topics that its sinks always write to.
    pub fn output_names(&self) -> Vec<&str> {
        self.nodes().filter_map(|(_, node)| node.sink_topic()).collect()
    }
}

impl Draft {
    /// What to tell somebody who connects a store that was not added, in Java's words, and which were.
    pub fn no_store_yet(&self, name: &str) -> String {
        let stores = self.store_names();
        format!(
            "StateStore {name} is not added yet. Of those that are, {}",
            known(name, stores.iter().map(String::as_str))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{known, nearest};

    #[test]
    fn a_name_is_meant_when_most_of_it_is_right() {
        let names = ["visits", "visits-by-minute", "KSTREAM-FILTER-0000000001"];
        assert_eq!(nearest("visit", names), Some("visits"));
        assert_eq!(nearest("visits_by_minute", names), Some("visits-by-minute"));
        assert_eq!(nearest("kstream-filter-0000000001", names), Some("KSTREAM-FILTER-0000000001"));
        assert_eq!(nearest("orders", names), None);
    }

    #[test]
    fn all_names_are_told_unless_there_are_too_many() {
        assert_eq!(known("a", []), "there is none");
        assert_eq!(known("visit", ["visits"]), "did you mean visits? There is visits");
        assert_eq!(known("x", ["visits", "orders"]), "there are visits, orders");
        let many: Vec<String> = (0..25).map(|number| format!("node-{number}")).collect();
        let told = known("x", many.iter().map(String::as_str));
        assert!(told.ends_with("node-18, node-19 and 5 more"), "{told}");
    }
}
