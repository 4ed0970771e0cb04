//! Every setting that says it has an effect names a test, which is there and gives the setting values.

use super::{Finding, Source};

/// The folder with the tables of settings.
const TABLES: &str = "crates/runtime/src/config/options/";

/// Settings whose test is not there, or does not speak of them.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let tables = sources.iter().filter(|source| source.path.starts_with(TABLES));
    let fault = |table: &Source| {
        let faults = effective(&table.text)
            .into_iter()
            .filter_map(|(line, key, test)| fault(sources, key, test).map(|message| table.finding(line, message)));
        faults.collect::<Vec<_>>()
    };
    tables.flat_map(fault).collect()
}

/// The lines, keys and tests of the settings in a table that have an effect.
fn effective(table: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    let starts: Vec<usize> = table.match_indices(" setting(").map(|(at, _)| at).collect();
    for (at, end) in starts.iter().zip(starts.iter().skip(1).chain([&table.len()])) {
        let entry = table.get(*at..*end).unwrap_or_default();
        let test = entry.split_once(".effective(").and_then(|(_, rest)| literal(rest));
        if let (Some(key), Some(test)) = (literal(entry), test) {
            let line = table.get(..*at).unwrap_or_default().lines().count();
            found.push((line, key, test));
        }
    }
    found
}

/// The first text in quotes.
fn literal(code: &str) -> Option<&str> {
    code.split('"').nth(1)
}

/// What is wrong with the test of a setting: `<end of a file's path, without .rs>::<name>`.
fn fault(sources: &[Source], key: &str, test: &str) -> Option<String> {
    let (file, name) = test.rsplit_once("::").unwrap_or(("", test));
    let end = format!("/{file}.rs");
    let begin = format!("fn {name}()");
    let of_file = |source: &&Source| source.path.ends_with(&end);
    let is_test = |(before, _): &(&str, &str)| before.trim_end().ends_with("#[test]");
    let text = sources.iter().filter(of_file).find_map(|source| source.text.split_once(&begin).filter(is_test));
    let Some((_, rest)) = text else { return Some(format!("{key}: there is no test `{test}`")) };
    let body = rest.split_once("\n}\n").map_or(rest, |(body, _)| body);
    let gives = body.contains(&format!("\"{key}\""));
    (!gives).then(|| format!("{key}: `{test}` does not give it values"))
}
