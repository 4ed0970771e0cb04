//! Joins.

use anyhow::Result;
use headwater::dsl::{GlobalKTable, KStream, KTable};
use headwater::window::JoinWindows;

use super::function;
use super::key::{Key, Keyed, stream_of, table_of};
use super::option::Known;
use super::program::{Handle, JoinKept, Program};
use super::store::duration;
use super::table::named;
use crate::expr::{Expr, Scope, UserError};
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Joins a stream with what `other` stands for; and the serdes that the result has.
    pub(super) fn stream_join<K: Key>(
        &mut self,
        statement: Spec<'_>,
        stream: &KStream<K, Val>,
        known: &Known,
    ) -> Result<(KStream<K, Val>, Known)> {
        let other = self.handle(statement.need("other")?)?;
        let stream = &stream.nullable();
        if let Handle::Global(table) = other {
            return Ok((global_join(statement, stream, &table)?, known.key_only()));
        }
        if statement.has("windows") {
            return self.joined_streams(statement, stream, &stream_of(other)?.0.nullable());
        }
        Ok((self.join_with_table(statement, stream, other)?, known.key_only()))
    }

    fn joined_streams<K: Key>(
        &mut self,
        statement: Spec<'_>,
        stream: &KStream<K, Val>,
        other: &KStream<K, Val>,
    ) -> Result<(KStream<K, Val>, Known)> {
        let (options, [this, kept_other]) = self.options.stream_joined(statement.object("stream_joined"))?;
        let (windows, join) = (join_windows(statement.need_object("windows")?)?, joiner::<K>(statement)?);
        let null = Val::Null;
        let joined = match statement.op() {
            "join" => stream.try_join_with(other, join, windows, options),
            "left_join" => {
                let join = move |key: &K, left: &Val, right: Option<&Val>| join(key, left, right.unwrap_or(&null));
                stream.try_left_join_with(other, join, windows, options)
            }
            _ => {
                let join = move |key: &K, left: Option<&Val>, right: Option<&Val>| {
                    join(key, left.unwrap_or(&null), right.unwrap_or(&null))
                };
                stream.try_outer_join_with(other, join, windows, options)
            }
        };
        self.joins.push(JoinKept { node: joined.name(), this, other: kept_other });
        // Java takes the key's serde from the options only.
        let key = Known::named(statement.object("stream_joined"))?.key_only();
        Ok((joined, key))
    }

    fn join_with_table<K: Key>(
        &self,
        statement: Spec<'_>,
        stream: &KStream<K, Val>,
        other: Handle,
    ) -> Result<KStream<K, Val>> {
        let table = table_of(other)?;
        let options = self.options.joined(statement.object("joined"))?;
        let join = joiner(statement)?;
        if statement.op() == "join" {
            return Ok(stream.try_join_table_with(&table, join, options));
        }
        let join = move |key: &K, value: &Val, row: Option<&Val>| join(key, value, row.unwrap_or(&Val::Null));
        Ok(stream.try_left_join_table_with(&table, join, options))
    }
}

impl Program<'_> {
    /// Joins a table with the one that `other` stands for.
    pub(super) fn table_join<K: Key>(
        &self,
        statement: Spec<'_>,
        table: &KTable<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        let other = table_of(self.handle(statement.need("other")?)?)?;
        let own = Known::named(statement.object("materialized"))?.or(&known.key_only());
        let options = if statement.has("materialized") { Some(self.options.materialized(statement)?) } else { None };
        let join = joiner::<Val>(statement)?;
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
        Ok(K::handle(Keyed::Table(named(statement, made.nullable()), own)))
    }
}

fn join_windows(spec: Spec<'_>) -> Result<JoinWindows> {
    let difference = duration(spec, "diff_ms")?;
    let mut windows = if spec.has("grace_ms") {
        JoinWindows::of_time_difference_and_grace(difference, duration(spec, "grace_ms")?)
    } else {
        JoinWindows::of_time_difference_with_no_grace(difference)
    };
    if let Some(before) = spec.number("before_ms") {
        windows = windows.before_millis(before);
    }
    if let Some(after) = spec.number("after_ms") {
        windows = windows.after_millis(after);
    }
    Ok(windows)
}

fn global_join<K: Key>(
    statement: Spec<'_>,
    stream: &KStream<K, Val>,
    table: &GlobalKTable<Val, Val>,
) -> Result<KStream<K, Val>> {
    let select = function::of_key_and_value::<K>(statement, "key")?;
    if statement.is("with_mapped_key") {
        let join = joiner_of_both_keys(statement)?;
        return Ok(match statement.op() {
            "join" => {
                let join = move |key: &K, mapped: &Val, value: &Val, row: &Val| join(key, mapped, value, row);
                stream.try_join_global_by_both_keys(table, select, join)
            }
            _ => stream.try_left_join_global_by_both_keys(table, select, move |key, mapped, value, row| {
                join(key, mapped, value, row.unwrap_or(&Val::Null))
            }),
        });
    }
    let join = joiner(statement)?;
    Ok(match statement.op() {
        "join" => stream.try_join_global(table, select, move |key, value, row| join(key, value, row)),
        _ => stream
            .try_left_join_global(table, select, move |key, value, row| join(key, value, row.unwrap_or(&Val::Null))),
    })
}

/// The joiner: key, left and right. It sees the key only where the statement says so.
pub(super) fn joiner<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val, &Val) -> Result<Val, UserError> + Clone + Send + Sync + use<K>> {
    let expr = Expr::parse(statement.need("joiner")?)?;
    let with_key = statement.is("with_key");
    Ok(move |key: &K, left: &Val, right: &Val| {
        if with_key {
            expr.eval(Scope::join(&key.seen(), left, right))
        } else {
            expr.eval(Scope::join(&Val::Null, left, right))
        }
    })
}

/// The joiner that sees the stream's key and the one that was looked up.
fn joiner_of_both_keys<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val, &Val, &Val) -> Result<Val, UserError> + Clone + Send + Sync + use<K>> {
    let expr = Expr::parse(statement.need("joiner")?)?;
    Ok(move |key: &K, mapped: &Val, left: &Val, right: &Val| {
        expr.eval(Scope::join(&key.seen(), left, right).mapped(mapped))
    })
}
