//! The records of each step, topic by topic.

use std::collections::{BTreeMap, BTreeSet};

use super::Difference;
use crate::outcome::{Record, STACK_TRACE};
use crate::scenario::Step;

/// The dead letter header that holds the name of a Java class.
const CLASS: &str = "__streams.errors.exception";

type Topics = BTreeMap<String, Vec<Record>>;

pub(super) fn compare(java: &[Topics], here: &[Topics], steps: &[Step]) -> Result<(), Difference> {
    let none = Topics::new();
    for index in 0..java.len().max(here.len()) {
        let input = steps.get(index).map_or("(no such step)", |step| step.shown.as_str());
        let place = format!("step {index} {input}");
        let (left, right) = (java.get(index).unwrap_or(&none), here.get(index).unwrap_or(&none));
        in_step(&place, left, right)?;
    }
    if java.len() == here.len() {
        Ok(())
    } else {
        Err(Difference::new("number of steps that ran", java.len().to_string(), here.len().to_string()))
    }
}

fn in_step(place: &str, java: &Topics, here: &Topics) -> Result<(), Difference> {
    let topics: BTreeSet<&String> = java.keys().chain(here.keys()).collect();
    for topic in topics {
        let of = |topics: &Topics, index: usize| topics.get(topic).and_then(|records| records.get(index)).cloned();
        let length = |topics: &Topics| topics.get(topic).map_or(0, Vec::len);
        for index in 0..length(java).max(length(here)) {
            let (left, right) = (of(java, index), of(here, index));
            let same = match (&left, &right) {
                (Some(left), Some(right)) => same(left, right),
                _ => false,
            };
            if !same {
                let shown = |record: Option<Record>| record.map_or("nothing".to_owned(), |record| record.to_string());
                return Err(Difference::new(
                    format!("{place}\n  topic {topic}, record {index}"),
                    shown(left),
                    shown(right),
                ));
            }
        }
    }
    Ok(())
}

/// Equal, but for what dead letter headers tell of Java: a class's name and a stack trace need only be there.
fn same(java: &Record, here: &Record) -> bool {
    let header = |(left, right): (&(String, Option<String>), &(String, Option<String>))| {
        let anything = left.0 == CLASS || left.0 == STACK_TRACE;
        left.0 == right.0 && if anything { right.1.is_some() } else { left.1 == right.1 }
    };
    java.key == here.key
        && java.value == here.value
        && java.timestamp == here.timestamp
        && java.headers.len() == here.headers.len()
        && java.headers.iter().zip(&here.headers).all(header)
}
