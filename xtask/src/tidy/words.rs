//! Names that say nothing, and code that is not finished.

use super::{Finding, Rules, Source};

/// Banned parts of type names, and banned pieces of code.
pub(super) fn check(rules: &Rules, source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in source.code_lines() {
        for name in declared_types(line) {
            let own = rules.kafka_names.iter().fold(name.to_owned(), |name, kafka| name.replace(kafka.as_str(), ""));
            let banned = parts(&own).find_map(|part| rules.type_name_parts.get_key_value(part.trim_end_matches('s')));
            if let Some((part, instead)) = banned {
                found.push(source.finding(number, format!("`{name}`: no `{part}` in a type's name; {instead}")));
            }
        }
        for (piece, instead) in &rules.code {
            if line.contains(piece.as_str()) {
                found.push(source.finding(number, format!("no `{piece}`; {instead}")));
            }
        }
    }
    found
}

/// Names after `struct`, `enum`, `trait` and `type`.
fn declared_types(line: &str) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = line
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let declares = |word: &str| matches!(word, "struct" | "enum" | "trait" | "type");
    let pairs: Vec<&str> = words
        .windows(2)
        .filter_map(|pair| match pair {
            [word, name] if declares(word) => Some(*name),
            _ => None,
        })
        .collect();
    pairs.into_iter()
}

/// `Task`, `Id` of `TaskId`.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> =
        name.char_indices().filter(|(at, letter)| *at == 0 || letter.is_uppercase()).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([name.len()]).collect();
    starts.into_iter().zip(ends).filter_map(|(start, end)| name.get(start..end))
}
