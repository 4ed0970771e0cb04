//! What can be known to be wrong with an application before anything runs.

use std::collections::BTreeSet;

use headwater_topology::Topology;
use headwater_topology::node::NodeKind;

use crate::config::words;
use crate::{Error, ErrorKind, StreamsConfig};

/// The most characters that the name of a topic may have (`Topic.MAX_NAME_LENGTH`).
const LONGEST_NAME: usize = 249;

/// What can be known to be wrong with a topology before anything runs.
pub(super) fn check(topology: &Topology, config: &StreamsConfig) -> Result<(), Error> {
    let wrong = |message: &str| Err(Error::new(ErrorKind::Topology, message));
    crate::global::check(topology).map_err(|fault| Error::new(ErrorKind::Topology, fault))?;
    check_topics(topology, config)?;
    check_naming(topology, config)?;
    let is_source = |kind: &NodeKind| matches!(kind, NodeKind::Source { .. });
    if !topology.nodes().any(|(_, node)| is_source(&node.kind)) {
        return wrong(
            "Topology has no stream threads and no global threads, must subscribe to at least one source topic or global table.",
        );
    }
    let key = "topology.optimization";
    let built = topology.settings().value(key).unwrap_or("none");
    if let Some(given) = config.given(key).filter(|_| words(built) != config.optimisations()) {
        return Err(Error::config(format!(
            "{key}: {given} differs from what the topology was built with, {built}; give it to `build_with` too"
        )));
    }
    Ok(())
}

/// What is asked of names was asked when the topology was built, or not at all.
fn check_naming(topology: &Topology, config: &StreamsConfig) -> Result<(), Error> {
    let key = "ensure.explicit.internal.resource.naming";
    let is_asked = |value: Option<&str>| value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if is_asked(config.given(key)) && !is_asked(topology.settings().value(key)) {
        return Err(Error::config(format!(
            "{key}: names are checked when the topology is built, and this one was built without; give it to `build_with` too"
        )));
    }
    Ok(())
}

/// Topics whose names no broker takes: the application's own with its `application.id`, and those that it reads and writes.
fn check_topics(topology: &Topology, config: &StreamsConfig) -> Result<(), Error> {
    let topology = topology.for_application(config.application_id());
    let own = topology.stores().filter(|(_, store)| !store.global && store.source_changelog.is_none());
    let mut internal: BTreeSet<String> = own.filter_map(|(id, _)| topology.changelog_topic(id)).collect();
    let nodes = topology.nodes().map(|(_, node)| node);
    for topic in nodes.flat_map(|node| node.source_topics().iter().map(String::as_str).chain(node.sink_topic())) {
        if topology.is_repartition_topic(topic) {
            internal.insert(topic.to_owned());
        } else if let Some(fault) = fault_of(topic) {
            return Err(Error::new(ErrorKind::Topology, format!("Topic name is invalid: {topic:?} {fault}")));
        }
    }
    // The longest first: what helps it helps them all.
    let longest = internal.into_iter().max_by_key(String::len);
    let Some((topic, fault)) = longest.and_then(|topic| fault_of(&topic).map(|fault| (topic, fault))) else {
        return Ok(());
    };
    Err(Error::config(format!(
        "application.id: {:?} begins the names of internal topics, and {topic:?} {fault}: choose another application.id, or shorter names of stores and repartitions",
        config.application_id()
    )))
}

/// Why a broker takes no topic of this name (`Topic.validate`).
fn fault_of(topic: &str) -> Option<String> {
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if matches!(topic, "" | "." | "..") {
        Some("is no name".to_owned())
    } else if topic.len() > LONGEST_NAME {
        Some(format!("has {} characters of at most {LONGEST_NAME}", topic.len()))
    } else if !topic.chars().all(is_legal) {
        Some("contains characters other than ASCII letters, digits, '.', '_' and '-'".to_owned())
    } else {
        None
    }
}
