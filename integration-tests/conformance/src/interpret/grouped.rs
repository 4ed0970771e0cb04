//! Aggregations of grouped streams.

use anyhow::{Result, bail};
use headwater::dsl::KGroupedStream;

use super::function;
use super::option::Known;
use super::program::{Handle, Program};
use super::serde;
use super::table::named;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Calls an operator on a grouped stream.
    pub(super) fn on_grouped(
        &self,
        statement: Spec<'_>,
        grouped: &KGroupedStream<Val, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let inherited = match statement.op() {
            "count" => Known { key: known.key.clone(), value: Some(serde::parse("long")?) },
            "reduce" => known.clone(),
            "aggregate" => known.key_only(),
            other => bail!("grouped streams have no operator `{other}`"),
        };
        let own = Known::named(statement.object("materialized"))?.or(&inherited);
        let options = self.options.materialized(statement, &inherited)?;
        let table = match statement.op() {
            "count" => {
                let options = match &own.value {
                    Some(value) => options.with_value_serde(value.clone()),
                    None => options,
                };
                if statement.has("materialized") {
                    grouped.count_as_with(|| Val::Long(0), next_count, options)
                } else {
                    grouped.count_as(|| Val::Long(0), next_count, options)
                }
            }
            "reduce" => grouped.try_reduce_with(function::reducer(statement, "reducer")?, options),
            _ => {
                let (initial, add) =
                    (function::initializer(statement)?, function::aggregator(statement, "aggregator")?);
                grouped.try_aggregate_with(initial, add, options)
            }
        };
        Ok(Handle::Table(named(statement, table), own))
    }
}

/// The count `step` after this one, as the format's 64-bit integer.
pub(super) fn next_count(so_far: &Val, step: i64) -> Val {
    match so_far {
        Val::Long(count) => Val::Long(count.wrapping_add(step)),
        _ => Val::Long(step),
    }
}
