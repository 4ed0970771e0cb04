//! Nothing in the repository names the machine that it was written on, or a registry's host.

use super::{Finding, Rules, Source};

/// Paths that exist on one machine, and hosts that only a registry's client should know.
pub(super) fn check(rules: &Rules, source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let may_name_hosts = rules.may_name_hosts.contains(&source.path);
    for (index, line) in source.text.lines().enumerate() {
        if let Some(path) = machine_path(rules, line) {
            found.push(source.finding(index + 1, format!("`{path}` exists on one machine only")));
        }
        let host = rules.registry_hosts.iter().find(|host| line.contains(host.as_str()));
        if let Some(host) = host.filter(|_| !may_name_hosts) {
            found.push(source.finding(index + 1, format!("`{host}`: registries are reached through their clients")));
        }
    }
    found
}

fn machine_path(rules: &Rules, line: &str) -> Option<String> {
    let machine = rules.machine_folders.iter().map(|folder| (format!("/{folder}/"), false));
    let homes = rules.home_folders.iter().map(|folder| (format!("/{folder}/"), true));
    machine.chain(homes).find_map(|(start, person)| {
        line.match_indices(&start).find_map(|(at, _)| {
            let (before, after) = line.split_at(at);
            // `target/work/`, `{folder}/work/`, `~/work/` are relative to something.
            let relative = before.ends_with(|letter: char| letter.is_alphanumeric() || "_-.~})>*".contains(letter));
            let name = after.get(start.len()..).unwrap_or_default();
            let name = name.split(|letter: char| !(letter.is_alphanumeric() || "_.-".contains(letter))).next()?;
            (!relative && (!person || !name.is_empty())).then(|| format!("{start}{name}"))
        })
    })
}
