//! What a run did: recorded from Java (FORMAT.md, section 3), or observed here.

mod failure;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

pub use failure::{Failure, Kind, Phase};

use crate::literal::notation;

/// The name of the dead letter header whose content belongs to Java alone.
pub const STACK_TRACE: &str = "__streams.errors.stacktrace";

/// Everything that a run shows, as far as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The lines of `describe`; `None` when the program could not be built.
    pub describe: Option<Vec<String>>,
    /// For every branch with an id: its key in the split's result.
    pub branches: BTreeMap<String, String>,
    /// In order of their numbers.
    pub subtopologies: Vec<Subtopology>,
    /// Groups of topics with equally many partitions, each sorted, the list sorted.
    pub copartition: Vec<Vec<String>>,
    /// Per step, as far as the run came, what was produced to each topic; `None` when there was no run.
    pub steps: Option<Vec<BTreeMap<String, Vec<Record>>>>,
    /// The contents of the stores after the last step, by name; empty after an error.
    pub stores: BTreeMap<String, Store>,
    /// Dropped records; `None` after an error.
    pub dropped: Option<i64>,
    /// The lines of each `print`, in the order of the statements; empty after an error.
    pub printed: Vec<Vec<String>>,
    /// What ended the run.
    pub error: Option<Failure>,
}

/// A sub-topology with its topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subtopology {
    /// Its number.
    pub id: i64,
    /// Source topics, sorted.
    pub sources: Vec<String>,
    /// Sink topics, sorted.
    pub sinks: Vec<String>,
    /// Repartition topics by name.
    pub repartition: BTreeMap<String, TopicSettings>,
    /// Changelog topics by name, source topics that serve as changelog among them.
    pub changelog: BTreeMap<String, TopicSettings>,
}

/// The settings of an internal topic, `partitions` among them where the program fixes the number.
pub type TopicSettings = BTreeMap<String, String>;

/// A produced record, bytes in the format's notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `None` is null.
    pub key: Option<String>,
    /// `None` is null.
    pub value: Option<String>,
    /// Milliseconds; `None`: sent without one.
    pub timestamp: Option<i64>,
    /// Names with values, which may be null.
    pub headers: Vec<(String, Option<String>)>,
}

impl Record {
    /// A record from its bytes. A stack trace among the headers becomes `*`.
    pub fn new<'h>(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Option<i64>,
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    ) -> Record {
        let header = |(name, value): (&str, Option<&[u8]>)| {
            let shown = if name == STACK_TRACE { Some("*".to_owned()) } else { value.map(notation) };
            (name.to_owned(), shown)
        };
        Record {
            key: key.map(notation),
            value: value.map(notation),
            timestamp,
            headers: headers.into_iter().map(header).collect(),
        }
    }
}

impl std::fmt::Display for Record {
    /// As a scenario file has it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        let mut fields = vec![text(&self.key), text(&self.value), self.timestamp.map_or(Value::Null, Value::from)];
        if !self.headers.is_empty() {
            let pair = |(name, value): &(String, Option<String>)| Value::Array(vec![name.clone().into(), text(value)]);
            fields.push(Value::Array(self.headers.iter().map(pair).collect()));
        }
        write!(out, "{}", Value::Array(fields))
    }
}

/// A store's contents.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// `kv`, `window`, `session` or `versioned`.
    pub kind: String,
    /// Whether each entry ends in a timestamp.
    pub timestamped: bool,
    /// In the store's own order of iteration; keys and values as [`crate::val::Val::typed`] gives them.
    pub entries: Vec<Vec<Value>>,
}
