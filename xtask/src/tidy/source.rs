//! One file, and its code without comments and literals.

use super::{Finding, RUST};

/// A file of the repository.
#[derive(Debug)]
pub(super) struct Source {
    /// From the repository's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments, strings and characters blanked: as many lines, as long.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: String) -> Self {
        let code = if is_rust(path) { blank(&text) } else { String::new() };
        Self { path: path.to_owned(), text, code }
    }

    /// Whether the rules for Rust files speak of it.
    pub(super) fn is_rust(&self) -> bool {
        is_rust(&self.path) && RUST.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Whether it is for people to read.
    pub(super) fn is_document(&self) -> bool {
        std::path::Path::new(&self.path).extension().is_some_and(|extension| extension == "md")
    }

    pub(super) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// The lines of the code, numbered from 1.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn is_rust(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// What is being read.
#[derive(Clone, Copy)]
enum Part {
    Code,
    LineComment,
    /// How many comments are open.
    BlockComment(usize),
    Text,
    /// How many `#` close it.
    RawText(usize),
}

fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut part = Part::Code;
    let mut rest = text;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let (next, taken) = step(part, rest, before);
        let (read, left) = rest.split_at(taken);
        let keep = matches!((part, next), (Part::Code, Part::Code)) && !(taken > 1 && letter == '\'');
        code.extend(read.chars().map(|one| if keep || one == '\n' { one } else { ' ' }));
        before = read.chars().last().unwrap_or(' ');
        (part, rest) = (next, left);
    }
    code
}

/// The part after the next bytes, and how many those are.
fn step(part: Part, rest: &str, before: char) -> (Part, usize) {
    let one = rest.chars().next().map_or(1, char::len_utf8);
    match part {
        Part::Code if rest.starts_with("//") => (Part::LineComment, 2),
        Part::Code if rest.starts_with("/*") => (Part::BlockComment(1), 2),
        Part::Code if rest.starts_with('"') => (Part::Text, 1),
        Part::Code if rest.starts_with('\'') => (Part::Code, character(rest)),
        Part::Code if !(before.is_alphanumeric() || before == '_') => match raw_text(rest) {
            Some((hashes, taken)) => (Part::RawText(hashes), taken),
            None => (Part::Code, one),
        },
        Part::LineComment if rest.starts_with('\n') => (Part::Code, 1),
        Part::BlockComment(open) if rest.starts_with("/*") => (Part::BlockComment(open + 1), 2),
        Part::BlockComment(1) if rest.starts_with("*/") => (Part::Code, 2),
        Part::BlockComment(open) if rest.starts_with("*/") => (Part::BlockComment(open - 1), 2),
        Part::Text if rest.starts_with('\\') => (Part::Text, 1 + rest.chars().nth(1).map_or(0, char::len_utf8)),
        Part::Text if rest.starts_with('"') => (Part::Code, 1),
        Part::RawText(hashes) if closes(rest, hashes) => (Part::Code, 1 + hashes),
        _ => (part, one),
    }
}

fn closes(rest: &str, hashes: usize) -> bool {
    rest.strip_prefix('"')
        .is_some_and(|rest| rest.chars().take(hashes).filter(|letter| *letter == '#').count() == hashes)
}

/// The length of a character literal; 1 for the tick of a lifetime.
fn character(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => {
            let close = letters.skip(1).find(|(_, letter)| *letter == '\'');
            close.map_or(1, |(at, _)| at + 1)
        }
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// `r"`, `r#"`, `br#"`, `cr"`: how many `#`, and the length of the opening.
fn raw_text(rest: &str) -> Option<(usize, usize)> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after.get(hashes..)?.starts_with('"').then(|| (hashes, rest.len() - after.len() + hashes + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let text =
            "let a = \"x\\\"y\"; // gone\n/* gone /* too */ */ b('\"', 'c', '\\'', r#\"z\"q\"#);\nfn f<'a>() {}\n";
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        let words: Vec<String> =
            code.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(words, ["let a = ;", "b( , , , );", "fn f<'a>() {}"]);
    }

    #[test]
    fn a_name_that_ends_in_r_does_not_open_a_raw_string() {
        assert_eq!(blank("four\"x\" + y"), "four    + y");
    }
}
