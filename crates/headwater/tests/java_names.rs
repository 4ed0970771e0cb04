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
