//! What is said where nobody knows how keys or values are written.

use std::any::type_name;

use headwater_record::short_name;
use headwater_topology::TopologyError;

use crate::serdes::Serdes;

/// The options that a serde is given by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GivenBy {
    Consumed,
    Produced,
    Grouped,
    Joined,
    Materialized,
    Repartitioned,
    /// For this stream, or the other one.
    StreamJoined(Side),
    /// For this table, or the other one.
    TableJoined(Side),
    Suppressed,
}

/// A side of a join.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    This,
    Other,
}

impl GivenBy {
    fn type_name(self) -> &'static str {
        match self {
            GivenBy::Consumed => "Consumed",
            GivenBy::Produced => "Produced",
            GivenBy::Grouped => "Grouped",
            GivenBy::Joined => "Joined",
            GivenBy::Materialized => "Materialized",
            GivenBy::Repartitioned => "Repartitioned",
            GivenBy::StreamJoined(_) => "StreamJoined",
            GivenBy::TableJoined(_) => "TableJoined",
            GivenBy::Suppressed => "Suppressed",
        }
    }

    /// Whose keys and values they are, where there are two.
    fn whose(self) -> &'static str {
        match self {
            GivenBy::StreamJoined(Side::This) => " of this stream",
            GivenBy::StreamJoined(Side::Other) => " of the other stream",
            GivenBy::TableJoined(Side::This) => " of this table",
            GivenBy::TableJoined(Side::Other) => " of the table that foreign keys lead to",
            _ => "",
        }
    }

    /// What gives a serde.
    fn method(self, half: &str) -> String {
        // The keys of both streams are the same.
        let other = match self {
            GivenBy::TableJoined(Side::Other) => "other_",
            GivenBy::StreamJoined(Side::Other) if half == "value" => "other_",
            _ => "",
        };
        format!("with_{other}{half}_serde")
    }

    /// What takes the types' own.
    fn by_type(self) -> &'static str {
        match self {
            GivenBy::Suppressed => "add `.or_by_type()` to the `Suppressed`",
            GivenBy::TableJoined(_) => "begin with `TableJoined::named(..)`, or take the form without `_with`",
            _ => "begin with `named(..)` or `by_type()` instead of `inherited()`, or take the form without `_with`",
        }
    }
}

/// Java finds this when a task is made; here it is found while building.
pub(crate) fn missing_serde<K, V>(node: &str, serdes: &Serdes<K, V>, given_by: GivenBy) -> TopologyError {
    let both = |parts: &mut dyn Iterator<Item = String>| parts.collect::<Vec<_>>().join(" and ");
    let (whose, options) = (given_by.whose(), given_by.type_name());
    let key = serdes.key.is_none().then_some(("key", type_name::<K>()));
    let value = serdes.value.is_none().then_some(("value", type_name::<V>()));
    let halves = || key.into_iter().chain(value);
    let what = both(&mut halves().map(|(half, name)| format!("the {half}s{whose}, which are `{}`,", short_name(name))));
    let cure = both(&mut halves().map(|(half, _)| format!("`.{}(..)`", given_by.method(half))));
    let settings = both(&mut halves().map(|(half, _)| format!("default.{half}.serde")));
    TopologyError::Config(format!(
        "{node} has no serde for {what} and inherits none: add {cure} to the `{options}` of its operator. Where a type has a default serde, \
         {} (Java's {settings}: no effect here)",
        given_by.by_type(),
    ))
}
