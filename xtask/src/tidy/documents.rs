//! Documents name only what is there: files, folders, commands, and what is in a Rust file (`path.rs::name`).

use super::{Finding, Source};

/// What documents may name.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// All files, from the repository's root.
    pub(super) files: Vec<&'a str>,
    /// The same with their texts.
    pub(super) sources: &'a [Source],
    /// The words after `cargo xtask`.
    pub(super) commands: Vec<&'a str>,
}

/// Paths and commands in a document that are not there.
pub(super) fn check(named: &Named<'_>, source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let commands = line.match_indices("cargo xtask ").map(|(at, text)| word(line, at + text.len()));
        for command in commands.filter(|command| !command.is_empty() && !named.commands.contains(command)) {
            found.push(source.finding(index + 1, format!("there is no command `cargo xtask {command}`")));
        }
        for path in spans(line).chain(links(line)).filter(|path| named.is_missing(path, &source.path)) {
            found.push(source.finding(index + 1, format!("there is no `{path}`")));
        }
        for (path, name) in spans(line).filter_map(item).filter(|(path, name)| named.lacks(path, name)) {
            found.push(source.finding(index + 1, format!("there is no `{name}` in `{path}`")));
        }
    }
    found
}

/// The word of lower-case letters and dashes that begins at `at`.
fn word(line: &str, at: usize) -> &str {
    let rest = line.get(at..).unwrap_or_default();
    rest.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '-')).next().unwrap_or_default()
}

/// What stands between backticks on a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The file and the name of `path.rs::name`.
fn item(span: &str) -> Option<(&str, &str)> {
    span.split_once("::").filter(|(path, _)| path.contains('/') && path.strip_suffix(".rs").is_some())
}

/// Where links on a line lead, without the place on the page.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.filter_map(|(target, _)| target.split('#').next())
}

impl Named<'_> {
    /// Whether `text` is a path into the repository, and nothing is there. It may leave out the folders that it begins with.
    fn is_missing(&self, text: &str, document: &str) -> bool {
        let is_path = |letter: char| letter.is_ascii_alphanumeric() || "_./-".contains(letter);
        if text.starts_with(['/', '.']) || !text.chars().all(is_path) {
            return false;
        }
        let path = text.trim_end_matches('/');
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        let first = path.split('/').next().unwrap_or_default();
        // `text/html` is no path: the first folder of one is there, or it names a file of ours.
        let tops = [first.to_owned(), format!("crates/{first}"), format!("{folder}/{first}")];
        let is_ours = path.contains('/') && tops.iter().any(|top| self.begins(top));
        let is_file = [".rs", ".md", ".toml"].iter().any(|end| path.ends_with(end) && path.len() > end.len());
        (is_ours || is_file) && !self.begins(path) && !self.holds(path)
    }

    /// Whether a file, or a folder of files, is there.
    fn begins(&self, path: &str) -> bool {
        let rest = |file: &&str| file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.files.iter().any(rest)
    }

    /// Whether no file of this path has `name` as a word.
    fn lacks(&self, path: &str, name: &str) -> bool {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let has = |source: &Source| source.text.split(|letter| !is_word(letter)).any(|word| word == name);
        !self.sources.iter().any(|source| source.path == path && has(source))
    }

    /// Whether it is there in some folder.
    fn holds(&self, path: &str) -> bool {
        let (end, middle) = (format!("/{path}"), format!("/{path}/"));
        self.files.iter().any(|file| file.ends_with(&end) || file.contains(&middle))
    }
}
