//! Descriptions that Java printed: a topology built from what they say is described by the same text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics};
use headwater_topology::{Draft, NodeId, StoreId, Topology, TopologySettings};

/// A node as its lines in a description tell.
struct Told {
    name: String,
    kind: NodeKind,
    stores: Vec<String>,
    parents: Vec<String>,
    global: bool,
}

fn names(list: &str) -> Vec<String> {
    list.split(", ").filter(|name| !name.is_empty() && *name != "none").map(str::to_owned).collect()
}

fn node(line: &str, global: bool) -> Option<Told> {
    let (kind, rest) = line.trim_start().split_once(": ")?;
    let (name, rest) = rest.split_once(" (")?;
    let rest = rest.strip_suffix(')')?;
    let mut told =
        Told { name: name.to_owned(), kind: NodeKind::Processor, stores: Vec::new(), parents: Vec::new(), global };
    let (word, value) = rest.split_once(": ")?;
    let inner = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    match (kind, word) {
        ("Source", _) => {
            let topics =
                inner.map_or_else(|| SourceTopics::Pattern(value.to_owned()), |list| SourceTopics::Named(names(list)));
            told.kind = NodeKind::Source { topics, reset: None };
        }
        ("Processor", _) => told.stores = names(inner?),
        ("Sink", "topic") => told.kind = NodeKind::Sink { topic: SinkTopic::Named(value.to_owned()) },
        ("Sink", _) => told.kind = NodeKind::Sink { topic: SinkTopic::Extracted { text: value.to_owned() } },
        _ => return None,
    }
    Some(told)
}

fn read(text: &[String]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut global = false;
    for line in text {
        if line.contains("Sub-topology: ") {
            global = line.contains("for global store");
        } else if let Some(parents) = line.trim_start().strip_prefix("<-- ") {
            told.last_mut().expect("a node comes before its parents").parents = names(parents);
        } else if let Some(node) = node(line, global) {
            told.push(node);
        }
    }
    told
}

/// The number of a generated name: nodes are added in that order.
fn number(name: &str) -> Option<u32> {
    name.split('-').find(|part| part.len() == 10 && part.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

/// Parents come first; beyond that the numbers decide.
fn build(mut told: Vec<Told>) -> Option<Topology> {
    if told.iter().any(|node| number(&node.name).is_none()) {
        return None;
    }
    told.sort_by_key(|node| number(&node.name));
    let draft = Draft::new();
    let mut added: BTreeMap<String, NodeId> = BTreeMap::new();
    let mut stores: BTreeMap<String, StoreId> = BTreeMap::new();
    while !told.is_empty() {
        let next = told.iter().position(|node| node.parents.iter().all(|parent| added.contains_key(parent)))?;
        let node = told.remove(next);
        let used = node.stores.iter().map(|name| {
            *stores.entry(name.clone()).or_insert_with(|| {
                let store = draft.add_store(StoreSpec::new(name, StoreKind::KeyValue));
                draft.change_store(store, |spec| spec.global = node.global);
                store
            })
        });
        let stores = used.collect();
        let parents = node.parents.iter().filter_map(|parent| added.get(parent).copied()).collect();
        let mut spec = NodeSpec::processor(node.name.as_str(), Vec::<NodeId>::new());
        (spec.kind, spec.parents, spec.stores) = (node.kind, parents, stores);
        let id = draft.add_node(spec);
        added.insert(node.name, id);
    }
    draft.freeze(&TopologySettings::new()).ok()
}

fn scenarios(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            scenarios(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            into.push(path);
        }
    }
}

#[test]
fn a_topology_built_from_javas_description_has_that_description() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integration-tests/conformance/scenarios");
    let mut files = Vec::new();
    scenarios(&folder, &mut files);
    let mut compared = 0;
    let mut different = Vec::new();
    for file in files {
        let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let Some(lines) = json["expected"]["describe"].as_array() else { continue };
        let text: Vec<String> = lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect();
        let Some(topology) = build(read(&text)) else { continue };
        compared += 1;
        let described: Vec<String> = topology.describe().split('\n').map(str::to_owned).collect();
        if described != text {
            different.push(file.file_name().unwrap().to_owned());
        }
    }
    assert!(different.is_empty(), "{} of {compared} are described otherwise: {different:?}", different.len());
    assert!(compared > 400, "only {compared} descriptions were compared");
}
