//! A join whose result is known by brute force: what the tables of both sides say.

use std::collections::BTreeMap;

use headwater::dsl::{Consumed, KTable, Materialized, StreamsBuilder, TableJoined};
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, OwnedRecord};

/// What is known: a table by its keys.
pub(crate) type Rows = BTreeMap<String, String>;

/// How a program is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) left: bool,
    pub(crate) caching: bool,
    /// Whether the result is kept in a store.
    pub(crate) kept: bool,
}

/// The foreign key of a row is its first letter; `-` stands for none.
fn foreign_key(row: &str) -> Option<String> {
    row.get(..1).filter(|letter| *letter != "-").map(str::to_owned)
}

pub(crate) fn topology(setting: Setting) -> Topology {
    let builder = StreamsBuilder::new();
    let table = |topic: &str| -> KTable<String, String> {
        let kept = Materialized::by_type();
        let kept = if setting.caching { kept } else { kept.with_caching_disabled() };
        builder.table_with(topic, Consumed::by_type(), kept)
    };
    let (left, right) = (table("left"), table("right"));
    let kept = Materialized::inherited().with_value_serde(String::default_serde());
    let kept = if setting.kept { kept.with_name("kept") } else { kept };
    let named = TableJoined::named("joined");
    let joined = if setting.left {
        let join = |row: &String, other: Option<&String>| format!("{row}+{}", other.map_or("nothing", String::as_str));
        left.left_join_on_with(&right, |_, row| foreign_key(row), join, named, kept)
    } else {
        left.join_on_with(&right, |_, row| foreign_key(row), |row, other| format!("{row}+{other}"), named, kept)
    };
    joined.to_stream().to("out");
    builder.build().unwrap()
}

/// What the join is, row by row.
pub(crate) fn brute_force(left: &Rows, right: &Rows, setting: Setting) -> Rows {
    let joined = left.iter().filter_map(|(key, row)| {
        let other = foreign_key(row).and_then(|key| right.get(&key));
        let other = other.map(String::as_str).or(setting.left.then_some("nothing"))?;
        Some((key.clone(), format!("{row}+{other}")))
    });
    joined.collect()
}

pub(crate) fn set(rows: &mut Rows, key: String, value: Option<String>) {
    match value {
        Some(value) => rows.insert(key, value),
        None => rows.remove(&key),
    };
}

/// What a record of a table's topic does to it.
pub(crate) fn read(record: &OwnedRecord, into: &mut Rows) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    set(into, text(record.key.as_deref().unwrap()), record.value.as_deref().map(text));
}
