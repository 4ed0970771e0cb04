//! Aggregations of grouped streams.

use anyhow::Result;
use headwater::dsl::KGroupedStream;

use super::function;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use super::table::named;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Calls an operator on a grouped stream.
    pub(super) fn on_grouped<K: Key>(
        &self,
        statement: Spec<'_>,
        grouped: &KGroupedStream<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        if statement.op() == "cogroup" {
            let cogrouped = grouped.try_cogroup(function::aggregator(statement, "aggregator")?);
            return Ok(K::handle(Keyed::Cogrouped(cogrouped, known.key_only())));
        }
        let (own, options) = self.options.aggregation(statement, known)?;
        let table = match statement.op() {
            "count" if statement.has("materialized") => grouped.count_as_with(|| Val::Long(0), next_count, options),
            "count" => grouped.count_as(|| Val::Long(0), next_count),
            "reduce" => grouped.try_reduce_with(function::reducer(statement, "reducer")?, options),
            _ => {
                let (initial, add) =
                    (function::initializer(statement)?, function::aggregator(statement, "aggregator")?);
                grouped.try_aggregate_with(initial, add, options)
            }
        };
        Ok(K::handle(Keyed::Table(named(statement, table), own)))
    }
}

/// The count `step` after this one, as the format's 64-bit integer.
pub(super) fn next_count(so_far: &Val, step: i64) -> Val {
    match so_far {
        Val::Long(count) => Val::Long(count.wrapping_add(step)),
        _ => Val::Long(step),
    }
}
