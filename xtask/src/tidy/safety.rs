//! Unsafe code has one place, and each use of it a reason.

use super::{Finding, Source};

/// The one crate that may have unsafe code, and where.
const UNSAFE_CRATE: &str = "crates/client-kafka/";
const UNSAFE_FOLDER: &str = "crates/client-kafka/src/native";

/// Crates forbid unsafe code; where it is allowed, `// SAFETY:` stands above it.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    if source.path.ends_with("src/lib.rs") {
        found.extend(crate_attribute(source));
    }
    let in_place = source.path.starts_with(UNSAFE_FOLDER);
    for (number, line) in source.code_lines() {
        let allows = ["allow(", "expect("].iter().any(|word| line.contains(word)) && line.contains("unsafe_code");
        let declares_place = source.path == format!("{UNSAFE_CRATE}src/lib.rs") && next_is_native(source, number);
        if allows && !in_place && !declares_place {
            found.push(source.finding(number, format!("unsafe code is allowed in {UNSAFE_FOLDER}/ alone")));
        }
        if !has_word(line, "unsafe") {
            continue;
        }
        if !in_place {
            found.push(source.finding(number, format!("`unsafe` belongs in {UNSAFE_FOLDER}/ alone")));
        } else if !explained(source, number) {
            found.push(source.finding(number, "`// SAFETY:` above it says why this is sound"));
        }
    }
    found
}

fn crate_attribute(source: &Source) -> Option<Finding> {
    let wanted =
        if source.path.starts_with(UNSAFE_CRATE) { "#![deny(unsafe_code)]" } else { "#![forbid(unsafe_code)]" };
    let there = source.code.lines().any(|line| line.trim() == wanted);
    (!there).then(|| source.finding(0, format!("the crate says `{wanted}`")))
}

/// Whether the line after the attribute on this line declares the module of unsafe code.
fn next_is_native(source: &Source, number: usize) -> bool {
    let after = source.code.lines().skip(number - 1).take(4);
    after.map(str::trim).find(|line| line.contains("mod ")).is_some_and(|line| line.contains("mod native;"))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).any(|one| one == word)
}

/// Walks up from a line over comments, attributes and the beginning of its own statement. What an unsafe function asks of its
/// callers stands under `# Safety`.
fn explained(source: &Source, number: usize) -> bool {
    let lines: Vec<&str> = source.text.lines().take(number).collect();
    let mut upwards = lines.iter().rev();
    if upwards.next().is_some_and(|line| line.contains("// SAFETY:")) {
        return true;
    }
    for line in upwards.map(|line| line.trim()) {
        if line.starts_with("//") {
            if line.contains("SAFETY:") || line.contains("# Safety") {
                return true;
            }
        } else if !line.starts_with("#[") && !["=", "(", ",", "=>", "&&", "||"].iter().any(|end| line.ends_with(end)) {
            return false;
        }
    }
    false
}
