//! Tables grouped anew, and their aggregations.

use std::rc::Rc;

use anyhow::Result;
use headwater::dsl::{KGroupedTable, KTable};

use super::function;
use super::grouped::next_count;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use super::table::named;
use crate::expr::UserError;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Groups a table by another key.
    pub(super) fn table_group_by<K: Key>(&self, statement: Spec<'_>, table: &KTable<K, Val>) -> Result<Handle> {
        let key = function::of_key_and_value(statement, "key")?;
        let value = function::of_key_and_value(statement, "value")?;
        let select = move |k: &K, v: &Val| Ok::<_, UserError>((key(k, v)?, value(k, v)?));
        let grouped = table.try_group_by_with(select, self.options.grouped(statement)?);
        Ok(Handle::GroupedTable(Rc::new(grouped), Known::named(statement.object("grouped"))?))
    }

    /// Calls an aggregation of a grouped table.
    pub(super) fn on_grouped_table(
        &self,
        statement: Spec<'_>,
        grouped: &KGroupedTable<Val, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let (own, options) = self.options.aggregation(statement, known)?;
        let table = match statement.op() {
            "count" => grouped.count_as_with(|| Val::Long(0), next_count, options),
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
        Ok(Val::handle(Keyed::Table(named(statement, table), own)))
    }
}
