//! Each rule finds what it forbids, and leaves alone what it does not.

use super::*;

fn rules() -> Rules {
    toml::from_str(include_str!("../../tidy.toml")).expect("tidy.toml is well formed")
}

/// The messages about one file, with a module doc before its text.
fn about(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, format!("//! A file for a test.\n{text}"));
    let found = findings(&rules(), &Ratchet::default(), &[source]);
    found.iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
}

#[track_caller]
fn finds(path: &str, text: &str, expected: &str) {
    let found = about(path, text);
    assert!(found.len() == 1 && found[0].contains(expected), "wanted `{expected}`, found {found:?}");
}

#[track_caller]
fn finds_nothing(path: &str, text: &str) {
    assert_eq!(about(path, text), Vec::<String>::new());
}

const FILE: &str = "crates/store/src/layer.rs";

#[test]
fn a_file_without_a_module_doc_is_found() {
    for (path, text) in
        [(FILE, "use std::fmt;\n"), (FILE, ""), (FILE, "//!\n//! Late.\n"), ("benches/a.rs", "// No.\n")]
    {
        let found = findings(&rules(), &Ratchet::default(), &[Source::new(path, text.to_owned())]);
        assert_eq!(found.len(), 1, "{text:?}");
    }
    let elsewhere = Source::new("docs/snippet.rs", "fn main() {}\n".to_owned());
    assert_eq!(findings(&rules(), &Ratchet::default(), &[elsewhere]), []);
}

#[test]
fn a_file_over_the_limit_is_found() {
    finds_nothing(FILE, &"\n".repeat(499));
    finds(FILE, &"\n".repeat(500), "501 lines, 500 are allowed");
}

#[test]
fn the_ratchet_only_shrinks() {
    let ratchet = Ratchet::parse(&format!("[lines]\n\"{FILE}\" = 600\n")).expect("well formed");
    let of = |lines: usize| {
        let found = ratchet.check(500, &[Source::new(FILE, "\n".repeat(lines))]);
        found.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("|")
    };
    assert_eq!(of(600), "");
    assert_eq!(of(580), "");
    assert!(of(601).contains("it only shrinks"));
    assert!(of(579).contains("lower its entry"));
    assert!(of(500).contains("take it off"));
    assert!(ratchet.check(500, &[])[0].message.contains("no such file"));
}

#[test]
fn names_that_say_nothing_are_found() {
    for name in ["StoreImpl", "InternalStore", "AbstractNode", "NodeBase", "TopicUtils", "Helper", "StateManager"] {
        finds(FILE, &format!("pub struct {name};\n"), name);
        finds(FILE, &format!("pub(crate) enum {name}<K> {{}}\n"), name);
        finds(FILE, &format!("pub trait {name}: Send {{}}\n"), name);
    }
    finds_nothing(FILE, "struct InternalTopics; enum InternalTopicError {}\n");
    finds(FILE, "struct InternalTopicManager;\n", "no `Manager`");
    finds_nothing(FILE, "struct Database; enum Basement {} trait Implement {} impl Store for Task {}\n");
}

#[test]
fn unfinished_code_is_found_where_it_is_code() {
    finds(FILE, "fn f() { todo!() }\n", "todo!");
    finds(FILE, "fn f() { unimplemented!(\"later\") }\n", "unimplemented!");
    finds(FILE, "#[ignore]\n", "#[ignore");
    finds(FILE, "#[ignore = \"slow\"]\n", "#[ignore");
    finds_nothing(FILE, "// todo!() is not allowed\nconst A: &str = \"todo!()\";\n");
}

#[test]
fn crates_forbid_unsafe_code() {
    finds("crates/store/src/lib.rs", "mod a;\n", "#![forbid(unsafe_code)]");
    finds_nothing("crates/store/src/lib.rs", "#![forbid(unsafe_code)]\n");
    finds("crates/store/src/lib.rs", "// #![forbid(unsafe_code)]\n", "#![forbid(unsafe_code)]");
}

#[test]
fn paths_of_one_machine_are_found_in_any_file() {
    for folder in ["root", "work", "home/someone", "Users/someone"] {
        finds("README.md", &format!("see /{folder}/notes\n"), "one machine");
        finds("deploy/a.toml", &format!("path = \"/{folder}/x\"\n"), "one machine");
    }
    finds_nothing("README.md", "`target/work/x`, ~/work/x, {root}/work/, the /home/ folder, /tmp/kafka-streams\n");
}

#[test]
fn hosts_of_registries_are_found() {
    for host in rules().registry_hosts {
        finds("README.md", &format!("https://{host}/x\n"), "registries");
        finds_nothing("Cargo.lock", &format!("https://{host}/x\n"));
    }
}

#[test]
fn heavy_packages_in_the_first_command_are_found() {
    let banned = rules().not_in_first_command;
    let light = "headwater v0.1.0 (/somewhere)\nbytes v1.10.0\nheadwater-record v0.1.0\nbytes v1.10.0 (*)\n";
    assert_eq!(first_command::heavy(light, &banned), []);
    for name in ["rocksdb", "librocksdb-sys", "bindgen", "criterion", "testcontainers"] {
        let found = first_command::heavy(&format!("{light}{name} v1.0.0\n{name} v1.0.0 (*)\n"), &banned);
        assert_eq!(found.len(), 1, "{name}");
    }
}

#[test]
fn the_first_command_is_read_from_the_readme() {
    let readme = "# headwater\n\n```sh\ncargo run --release -p headwater --no-default-features --example word_count -- -p x\n```\n";
    let words = first_command::selection(readme).expect("a command");
    assert_eq!(words, ["-p", "headwater", "--no-default-features"]);
    assert_eq!(first_command::selection("cargo run --example word_count\n"), None);
    assert_eq!(first_command::selection(""), None);
}

#[test]
fn a_setting_whose_effect_no_test_shows_is_found() {
    let of = |table: &str, test: &str| {
        let sources = [
            Source::new("crates/runtime/src/config/options/state.rs", format!("//! A table for a test.\n{table}")),
            Source::new("crates/testing/tests/disk.rs", format!("//! A test.\n{test}")),
        ];
        let found = findings(&rules(), &Ratchet::default(), &sources);
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("|")
    };
    let table = "    setting(\"a.b\", x).no_effect(\"why\"),\n    setting(\n        \"c.d\",\n    )\n    .effective(\"tests/disk::it_counts\"),\n";
    let at = "crates/runtime/src/config/options/state.rs:3: c.d: ";
    assert_eq!(of(table, "#[test]\nfn it_counts() {\n    set(\"c.d\");\n}\n"), "");
    assert_eq!(of(table, ""), format!("{at}there is no test `tests/disk::it_counts`"));
    assert_eq!(
        of(table, "fn it_counts() {\n    \"c.d\"\n}\n"),
        format!("{at}there is no test `tests/disk::it_counts`")
    );
    let elsewhere = "#[test]\nfn it_counts() {\n}\n\nfn f() {\n    set(\"c.d\");\n}\n";
    assert_eq!(of(table, elsewhere), format!("{at}`tests/disk::it_counts` does not give it values"));
}

#[test]
fn a_document_that_names_what_is_not_there_is_found() {
    let of = |text: &str| {
        let file = |path: &str| Source::new(path, "//! For a test.\n".to_owned());
        let document = Source::new("docs/how/to.md", text.to_owned());
        let sources = [file("crates/store/src/layer.rs"), file("docs/how/sizes.rs"), file("xtask/src/ci.rs"), document];
        let found = findings(&rules(), &Ratchet::default(), &sources);
        found.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("|")
    };
    let there = [
        "`crates/store/src/layer.rs`, `crates/store/`, `store/src`, `src/layer.rs`, `layer.rs`, [sizes](sizes.rs#a)",
        "`text/html`, `a/b`, `target/x`, `/tmp/a.rs`, `~/.cache/headwater`, `crates/<name>/src`, `K/V`, `3.5`, `.rs`",
        "`crates/store/src/layer.rs::test`, `Stores::memory`, `layer.rs::gone`",
        "`cargo xtask tidy`, cargo xtask kafka up, `cargo xtask <command>`, [out](https://a.example/b.md)",
    ];
    for text in there {
        assert_eq!(of(text), "", "{text}");
    }
    assert_eq!(of("`crates/store/src/gone.rs`"), "there is no `crates/store/src/gone.rs`");
    assert_eq!(of("`crates/store/src/layer.rs::tes`"), "there is no `tes` in `crates/store/src/layer.rs`");
    assert_eq!(of("in `store/native/` alone"), "there is no `store/native/`");
    assert_eq!(of("see `gone.md`"), "there is no `gone.md`");
    assert_eq!(of("[sizes](../sizes.md), [sizes](lengths.md)"), "there is no `lengths.md`");
    assert_eq!(of("```\ncargo xtask format --all\n```"), "there is no command `cargo xtask format`");
}
