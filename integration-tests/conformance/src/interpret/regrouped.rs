//! Tables grouped anew, and their aggregations.

use std::rc::Rc;

use anyhow::{Result, bail};
use headwater::dsl::{KGroupedTable, KTable};

use super::function;
use super::option::Known;
use super::program::{Handle, Program};
use super::serde;
use super::table::named;
use crate::expr::UserError;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Groups a table by another key.
    pub(super) fn table_group_by(&self, statement: Spec<'_>, table: &KTable<Val, Val>) -> Result<Handle> {
        let key = function::of_key_and_value(statement, "key")?;
        let value = function::of_key_and_value(statement, "value")?;
        let select = move |k: &Val, v: &Val| Ok::<_, UserError>((key(k, v)?, value(k, v)?));
        let grouped = table.try_group_by_with(select, self.options.grouped(statement, &Known::default())?);
        Ok(Handle::GroupedTable(Rc::new(grouped), Known::named(statement.object("grouped"))?))
    }

    /// Calls an aggregation of a grouped table.
    pub(super) fn on_grouped_table(
        &self,
        statement: Spec<'_>,
        grouped: &KGroupedTable<Val, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let inherited = match statement.op() {
            "count" => Known { key: known.key.clone(), value: Some(serde::parse("long")?) },
            "reduce" => known.clone(),
            "aggregate" => known.key_only(),
            other => bail!("grouped tables have no operator `{other}`"),
        };
        let own = Known::named(statement.object("materialized"))?.or(&inherited);
        let options = self.options.materialized(statement, &inherited)?;
        let table = match statement.op() {
            "count" => {
                let options = match &own.value {
                    Some(value) => options.with_value_serde(value.clone()),
                    None => options,
                };
                grouped.count_as(|| Val::Long(0), step, options)
            }
            "reduce" => grouped.try_reduce_with(
                function::reducer(statement, "adder")?,
                function::reducer(statement, "subtractor")?,
                options,
            ),
            _ => grouped.try_aggregate_with(
                function::initializer(statement)?,
                function::aggregator(statement, "adder")?,
                function::aggregator(statement, "subtractor")?,
                options,
            ),
        };
        Ok(Handle::Table(named(statement, table), own))
    }
}

/// A count and 1 or -1.
fn step(count: &Val, by: i64) -> Val {
    match count {
        Val::Long(count) => Val::Long(count.wrapping_add(by)),
        _ => Val::Long(by),
    }
}
