//! The applications that are simulated, each with what must come of it.

mod foreign_key;
mod global_table;
mod stream_join;
mod table_count;
mod table_join;
mod versioned_join;
mod windows;
mod word_count;

use headwater::testing::simulation::{Fed, Outcome, Simulation};

/// All of them, by name.
pub(crate) const PROGRAMS: [(&str, fn() -> Simulation); 8] = [
    ("word-count", word_count::simulation),
    ("windows", windows::simulation),
    ("stream-join", stream_join::simulation),
    ("table-join", table_join::simulation),
    ("table-count", table_count::simulation),
    ("foreign-key", foreign_key::simulation),
    ("global-table", global_table::simulation),
    ("versioned-join", versioned_join::simulation),
];

/// The records of an input topic as text: key, value and time.
fn texts<'a>(fed: &'a Fed, topic: &str) -> impl Iterator<Item = (&'a str, Option<&'a str>, i64)> {
    fed.get(topic).into_iter().flatten().map(|record| {
        let text = |bytes: Option<&'a Vec<u8>>| bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        (text(record.key.as_ref()).unwrap_or_default(), text(record.value.as_ref()), record.timestamp.millis())
    })
}

/// A result of text.
fn outcome(key: &str, value: &str) -> Outcome {
    (Some(key.into()), Some(value.into()))
}

/// A result that is a number.
fn number(key: &str, value: i64) -> Outcome {
    (Some(key.into()), Some(value.to_be_bytes().into()))
}
