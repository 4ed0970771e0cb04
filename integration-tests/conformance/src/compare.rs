//! The first difference between what Java did and what was observed.
//!
//! In the order of the format: the error (phase, step, kind), `describe`, `branches`, `subtopologies`, `copartition`, each
//! step's topics, `stores`, `dropped`, `printed`, and last the words of the error.

mod error;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use crate::outcome::{Outcome, Store, Subtopology};
use crate::scenario::{Scenario, Step};

/// Where two outcomes differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The place: a step with its input, a topic and an index, a line, a store.
    pub place: String,
    /// What Java has there.
    pub java: String,
    /// What was observed there.
    pub here: String,
}

impl Difference {
    fn new(place: impl Into<String>, java: impl Into<String>, here: impl Into<String>) -> Difference {
        Difference { place: place.into(), java: java.into(), here: here.into() }
    }

    /// The difference with the scenario's file and title, on several lines.
    pub fn report(&self, scenario: &Scenario) -> String {
        let Difference { place, java, here } = self;
        format!("{}: {}\n  {place}\n    Java {java}\n    here {here}", scenario.file.display(), scenario.title)
    }
}

/// Compares everything that Java recorded; `steps` is the scenario's input.
///
/// # Errors
/// The first difference.
pub fn compare(java: &Outcome, here: &Outcome, steps: &[Step]) -> Result<(), Difference> {
    error::same_place_and_kind(java.error.as_ref(), here.error.as_ref())?;
    if let Some(described) = &java.describe {
        let observed = here.describe.as_deref().unwrap_or_default();
        in_order("describe, line", described, observed, |line| format!("{line:?}"))?;
        by_name("branch", &java.branches, &here.branches, same)?;
        in_order("sub-topology", &java.subtopologies, &here.subtopologies, |sub| sub.id.to_string())
            .map_err(|found| closer(found, &java.subtopologies, &here.subtopologies))?;
        in_order("copartition, group", &java.copartition, &here.copartition, |group| group.join(" "))?;
    }
    if let Some(recorded) = &java.steps {
        records::compare(recorded, here.steps.as_deref().unwrap_or_default(), steps)?;
    }
    if java.error.is_none() && java.steps.is_some() {
        by_name("store", &java.stores, &here.stores, same_store)?;
        if java.dropped != here.dropped {
            let number = |dropped: Option<i64>| dropped.map_or("nothing".to_owned(), |dropped| dropped.to_string());
            return Err(Difference::new("dropped records", number(java.dropped), number(here.dropped)));
        }
        (0..java.printed.len().max(here.printed.len())).try_for_each(|index| {
            let of = |outcome: &'_ Outcome| outcome.printed.get(index).cloned().unwrap_or_default();
            in_order(&format!("print {index}, line"), &of(java), &of(here), |line| format!("{line:?}"))
        })?;
    }
    error::same_words(java.error.as_ref(), here.error.as_ref())
}

/// Two lists, item by item.
fn in_order<T: PartialEq>(what: &str, java: &[T], here: &[T], show: impl Fn(&T) -> String) -> Result<(), Difference> {
    let shown = |item: Option<&T>| item.map_or("nothing".to_owned(), &show);
    (0..java.len().max(here.len())).try_for_each(|index| {
        let (left, right) = (java.get(index), here.get(index));
        if left == right { Ok(()) } else { Err(Difference::new(format!("{what} {index}"), shown(left), shown(right))) }
    })
}

/// Two maps, name by name.
fn by_name<T: Debug>(
    what: &str,
    java: &BTreeMap<String, T>,
    here: &BTreeMap<String, T>,
    inside: impl Fn(&str, &T, &T) -> Result<(), Difference>,
) -> Result<(), Difference> {
    let names: BTreeSet<&String> = java.keys().chain(here.keys()).collect();
    names.into_iter().try_for_each(|name| {
        let place = format!("{what} {name}");
        match (java.get(name), here.get(name)) {
            (Some(left), Some(right)) => inside(&place, left, right),
            (left, right) => {
                let shown = |item: Option<&T>| item.map_or("nothing".to_owned(), |item| format!("{item:?}"));
                Err(Difference::new(place, shown(left), shown(right)))
            }
        }
    })
}

fn same<T: PartialEq + Debug>(place: &str, java: &T, here: &T) -> Result<(), Difference> {
    if java == here { Ok(()) } else { Err(Difference::new(place, format!("{java:?}"), format!("{here:?}"))) }
}

/// The first part of a sub-topology that differs, where both sides have it.
fn closer(found: Difference, java: &[Subtopology], here: &[Subtopology]) -> Difference {
    let differing = java.iter().zip(here).find(|(left, right)| left != right);
    let part = differing.and_then(|(left, right)| {
        let at = |part: &str| format!("sub-topology {}, {part}", left.id);
        same("sub-topology's number", &left.id, &right.id)
            .and_then(|()| same(&at("sources"), &left.sources, &right.sources))
            .and_then(|()| same(&at("sinks"), &left.sinks, &right.sinks))
            .and_then(|()| by_name(&at("repartition topic"), &left.repartition, &right.repartition, same))
            .and_then(|()| by_name(&at("changelog topic"), &left.changelog, &right.changelog, same))
            .err()
    });
    part.unwrap_or(found)
}

fn same_store(place: &str, java: &Store, here: &Store) -> Result<(), Difference> {
    same(&format!("{place}, kind"), &java.kind, &here.kind)?;
    in_order(&format!("{place}, entry"), &java.entries, &here.entries, |entry| {
        serde_json::Value::Array(entry.clone()).to_string()
    })?;
    same(&format!("{place}, timestamped"), &java.timestamped, &here.timestamped)
}
