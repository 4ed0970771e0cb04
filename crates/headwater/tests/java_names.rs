//! The names that `docs/coming-from-java.md` gives are those of the code.
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::Path;

/// All sources below `folder`.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            // Methods of traits are as public as the trait.
            into.push(fs::read_to_string(&path).expect("a source").replace("\n    fn ", "\n    pub fn "));
        }
    }
}

/// Whether `code` has `words`, and no longer name that begins with them.
fn has(code: &str, words: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    code.match_indices(words).any(|(at, found)| ends(&code[at + found.len()..]))
}

/// A type is declared somewhere, a method in a file that speaks of its type.
fn is_there(name: &str, sources: &[String]) -> bool {
    let (of, method) = name.split_once("::").map_or((name, None), |(of, method)| (of, Some(method)));
    let is_type =
        |code: &String| ["struct", "enum", "trait", "type"].iter().any(|kind| has(code, &format!("pub {kind} {of}")));
    let has_method = |method| sources.iter().any(|code| has(code, of) && has(code, &format!("pub fn {method}")));
    sources.iter().any(is_type) && method.is_none_or(has_method)
}

/// The methods of Kafka Streams 4.4 by which streams, tables and topologies are written down, as `javap` lists them.
const JAVA: [(&str, &str); 13] = [
    ("StreamsBuilder", "addGlobalStore addStateStore build globalTable stream table"),
    (
        "KStream",
        "filter filterNot flatMap flatMapValues foreach groupBy groupByKey join leftJoin map mapValues merge outerJoin peek print \
         process processValues repartition selectKey split to toTable",
    ),
    ("BranchedKStream", "branch defaultBranch noDefaultBranch"),
    ("KGroupedStream", "aggregate cogroup count reduce windowedBy"),
    ("KGroupedTable", "aggregate count reduce"),
    ("TimeWindowedKStream", "aggregate count emitStrategy reduce"),
    ("SessionWindowedKStream", "aggregate count emitStrategy reduce"),
    ("CogroupedKStream", "aggregate cogroup windowedBy"),
    ("TimeWindowedCogroupedKStream", "aggregate"),
    ("SessionWindowedCogroupedKStream", "aggregate"),
    (
        "KTable",
        "filter filterNot groupBy join leftJoin mapValues outerJoin queryableStoreName suppress toStream transformValues",
    ),
    (
        "Topology",
        "addGlobalStore addProcessor addReadOnlyStateStore addSink addSource addStateStore connectProcessorAndStateStores describe",
    ),
    ("KeyValueStore", "all delete get prefixScan put putAll putIfAbsent range"),
];

#[test]
fn every_method_by_which_java_writes_topologies_has_its_row() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coming-from-java.md");
    let page = fs::read_to_string(page).expect("the page");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ").map(|(java, _)| java));
    let mut told: Vec<(&str, &str)> = Vec::new();
    for cell in cells {
        // `#method` is one of the class that was named before it.
        let mut class = "";
        for name in cell.split('`').skip(1).step_by(2).filter_map(|name| name.split_once('#')) {
            class = if name.0.is_empty() { class } else { name.0 };
            told.push((class, name.1.split('(').next().unwrap_or_default()));
        }
    }
    let all = JAVA.iter().flat_map(|(class, methods)| methods.split_whitespace().map(move |method| (*class, method)));
    let missing: Vec<_> = all.filter(|method| !told.contains(method)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_name_beside_one_of_java_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut code = Vec::new();
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        sources(&entry.expect("an entry").path().join("src"), &mut code);
    }
    let page = fs::read_to_string(root.join("docs/coming-from-java.md")).expect("the page");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ").map(|(_, ours)| ours));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let names: Vec<&str> = names.filter(|name| !["String", "i64"].contains(name)).collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !is_there(name, &code)).collect();
    assert!(names.len() > 100, "the page has lost its tables: {}", names.len());
    assert!(missing.is_empty(), "not in the code: {missing:?}");
}
