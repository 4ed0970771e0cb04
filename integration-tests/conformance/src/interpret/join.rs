//! Joins.

use anyhow::{Result, bail};
use headwater::dsl::{GlobalKTable, KStream, KTable};

use super::function;
use super::option::Known;
use super::program::{Handle, Program};
use super::table::named;
use crate::expr::{Expr, Scope, UserError};
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Joins a stream with what `other` stands for.
    pub(super) fn stream_join(
        &self,
        statement: Spec<'_>,
        stream: &KStream<Val, Val>,
        known: &Known,
    ) -> Result<KStream<Val, Val>> {
        match self.handle(statement.need("other")?)? {
            Handle::Global(table, _) => global_join(statement, stream, &table),
            Handle::Table(table, _) => {
                let option = statement.object("joined");
                let options = self.options.joined(option, known)?;
                let join = joiner(statement)?;
                if statement.op() == "join" {
                    return Ok(stream.try_join_table(&table, join, options));
                }
                let join = move |key: &Val, value: &Val, row: Option<&Val>| join(key, value, row.unwrap_or(&Val::Null));
                Ok(stream.try_left_join_table(&table, join, options))
            }
            _ => bail!("streams are joined with tables only"),
        }
    }
}

impl Program<'_> {
    /// Joins a table with the one that `other` stands for.
    pub(super) fn table_join(&self, statement: Spec<'_>, table: &KTable<Val, Val>, known: &Known) -> Result<Handle> {
        let Handle::Table(other, _) = self.handle(statement.need("other")?)? else { bail!("`other` is no table") };
        let own = Known::named(statement.object("materialized"))?.or(&known.key_only());
        let options = if statement.has("materialized") {
            Some(self.options.materialized(statement, &known.key_only())?)
        } else {
            None
        };
        let join = joiner(statement)?;
        let null = Val::Null;
        let made = match statement.op() {
            "join" => table.try_join(&other, move |left, right| join(&null, left, right), options),
            "left_join" => {
                let join = move |left: &Val, right: Option<&Val>| join(&null, left, right.unwrap_or(&Val::Null));
                table.try_left_join(&other, join, options)
            }
            _ => {
                let join = move |left: Option<&Val>, right: Option<&Val>| {
                    join(&null, left.unwrap_or(&Val::Null), right.unwrap_or(&Val::Null))
                };
                table.try_outer_join(&other, join, options)
            }
        };
        Ok(Handle::Table(named(statement, made.nullable()), own))
    }
}

fn global_join(
    statement: Spec<'_>,
    stream: &KStream<Val, Val>,
    table: &GlobalKTable<Val, Val>,
) -> Result<KStream<Val, Val>> {
    let select = function::of_key_and_value(statement, "key")?;
    let join = joiner(statement)?;
    Ok(match statement.op() {
        "join" => stream.try_join_global(table, select, move |key, value, row| join(key, value, row)),
        _ => stream
            .try_left_join_global(table, select, move |key, value, row| join(key, value, row.unwrap_or(&Val::Null))),
    })
}

/// The joiner: key, left and right. It sees the key only where the statement says so.
fn joiner(
    statement: Spec<'_>,
) -> Result<impl Fn(&Val, &Val, &Val) -> Result<Val, UserError> + Clone + Send + Sync + use<>> {
    let expr = Expr::parse(statement.need("joiner")?)?;
    let with_key = statement.is("with_key");
    Ok(move |key: &Val, left: &Val, right: &Val| {
        expr.eval(Scope::join(if with_key { key } else { &Val::Null }, left, right))
    })
}
