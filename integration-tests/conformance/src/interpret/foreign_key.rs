//! Joins by a foreign key.

use anyhow::{Context, Result};
use headwater::dsl::{KTable, TableJoined};

use super::join::joiner;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use crate::expr::{Expr, Scope, UserError};
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Joins a table with the one that its foreign keys lead to.
    pub(super) fn foreign_key_join<K: Key>(
        &self,
        statement: Spec<'_>,
        table: &KTable<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        match self.handle(statement.need("other")?)? {
            Handle::Plain(Keyed::Table(other, of_other)) => {
                self.joined_on(statement, (table, known), (&other, &of_other))
            }
            Handle::Windowed(Keyed::Table(other, of_other)) => {
                self.joined_on(statement, (table, known), (&other, &of_other))
            }
            _ => None.context("a table is needed here"),
        }
    }

    fn joined_on<K: Key, K2: Key>(
        &self,
        statement: Spec<'_>,
        (table, known): (&KTable<K, Val>, &Known),
        (other, of_other): (&KTable<K2, Val>, &Known),
    ) -> Result<Handle> {
        let foreign_key = extractor::<K, K2>(statement)?;
        let join = joiner::<Val>(statement)?;
        let own = Known::named(statement.object("materialized"))?.or(&known.key_only());
        let kept = self.options.materialized(statement)?;
        let joined = self.table_joined(statement, known, of_other)?;
        let null = Val::Null;
        let made = if statement.op() == "join" {
            let join = move |left: &Val, right: &Val| join(&null, left, right);
            table.try_join_on_with(other, foreign_key, join, joined, kept)
        } else {
            let join = move |left: &Val, right: Option<&Val>| join(&null, left, right.unwrap_or(&Val::Null));
            table.try_left_join_on_with(other, foreign_key, join, joined, kept)
        };
        Ok(K::handle(Keyed::Table(made.nullable(), own)))
    }

    fn table_joined<K: Key, K2: Key>(
        &self,
        statement: Spec<'_>,
        known: &Known,
        of_other: &Known,
    ) -> Result<TableJoined<K, Val, K2, Val>> {
        let option = statement.object("table_joined");
        let mut joined = TableJoined::inherited();
        // Java takes the configured serdes where a table has none.
        let (this, other) = (self.options.missing(known), self.options.missing(of_other));
        if let Some(key) = this.key {
            joined = joined.with_key_serde(K::serde(&key));
        }
        if let Some(value) = this.value {
            joined = joined.with_value_serde(Val::serde(&value));
        }
        if let Some(key) = other.key {
            joined = joined.with_other_key_serde(K2::serde(&key));
        }
        if let Some(value) = other.value {
            joined = joined.with_other_value_serde(Val::serde(&value));
        }
        if let Some(name) = option.and_then(|option| option.text("name")) {
            joined = joined.with_name(name);
        }
        if let Some(partition) = partitioner(option, "partitioner")? {
            joined = joined.with_partitioner(move |topic, key: &K, _| partition(topic, &key.seen()));
        }
        if let Some(partition) = partitioner(option, "other_partitioner")? {
            joined = joined.with_other_partitioner(move |topic, key: Option<&K2>, _| match key {
                Some(key) => partition(topic, &key.seen()),
                None => partition(topic, &Val::Null),
            });
        }
        Ok(joined)
    }
}

/// The foreign key of a row. The expression sees the row's own key only where the statement says so.
fn extractor<K: Key, K2: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val) -> Result<Option<K2>, UserError> + Send + Sync + use<K, K2>> {
    let expr = Expr::parse(statement.need("foreign_key")?)?;
    let with_key = statement.is("with_key");
    Ok(move |key: &K, value: &Val| {
        let key = if with_key { key.seen() } else { std::borrow::Cow::Owned(Val::Null) };
        Ok(K2::of(expr.eval(Scope::kv(&key, value))?))
    })
}

/// A partitioner of keys: null leaves the choice to the key's hash, `none` names no partition.
fn partitioner(
    option: Option<Spec<'_>>,
    field: &str,
) -> Result<Option<impl Fn(&str, &Val) -> Option<Vec<i32>> + Send + Sync + use<>>> {
    let expr = option.and_then(|option| option.text(field)).map(Expr::parse).transpose()?;
    Ok(expr.map(|expr| {
        move |topic: &str, key: &Val| match expr.eval(Scope { topic: Some(topic), ..Scope::kv(key, &Val::Null) }) {
            Ok(Val::Null) | Err(_) => None,
            Ok(chosen) if chosen.show() == "none" => Some(Vec::new()),
            Ok(chosen) => Some(chosen.show().split(',').filter_map(|number| number.parse().ok()).collect()),
        }
    }))
}
