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
    let (half, type_name) = match serdes.key {
        None => ("key", type_name::<K>()),
        Some(_) => ("value", type_name::<V>()),
    };
    let (whose, options, method) = (given_by.whose(), given_by.type_name(), given_by.method(half));
    TopologyError::Config(format!(
        "{node} has no serde for the {half}s{whose}, which are `{type_name}`, and inherits none: add `.{method}(..)` to the `{options}` of \
         its operator. Where the type has a default serde, {} (Java's default.{half}.serde has no effect)",
        given_by.by_type(),
        type_name = short_name(type_name),
    ))
}
