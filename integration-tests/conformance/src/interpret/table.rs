//! The operators on tables.

use anyhow::{Result, bail};
use headwater::dsl::{KStream, KTable};

use super::function;
use super::key::{Key, Keyed};
use super::option::Known;
use super::program::{Handle, Program};
use super::stream;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Calls an operator on a table.
    pub(super) fn on_table<K: Key>(
        &self,
        statement: Spec<'_>,
        table: &KTable<K, Val>,
        known: &Known,
    ) -> Result<Option<Handle>> {
        match statement.op() {
            "to_stream" => to_stream(statement, table, known).map(Some),
            "join" | "left_join" if statement.has("foreign_key") => {
                self.foreign_key_join(statement, table, known).map(Some)
            }
            "join" | "left_join" | "outer_join" => self.table_join(statement, table, known).map(Some),
            "suppress" => self.suppress(statement, table, known).map(Some),
            "group_by" => self.table_group_by(statement, table).map(Some),
            "filter" | "filter_not" => self.table_filter(statement, table, known).map(Some),
            "transform_values" if statement.has("processor") => {
                self.table_transformed(statement, table, known).map(Some)
            }
            "map_values" | "transform_values" => self.table_values(statement, table, known).map(Some),
            other => bail!("tables have no operator `{other}`"),
        }
    }

    fn table_filter<K: Key>(&self, statement: Spec<'_>, table: &KTable<K, Val>, known: &Known) -> Result<Handle> {
        let test = function::predicate::<K>(statement)?;
        let leave_out = statement.op() == "filter_not";
        let keep = move |key: &K, value: &Val| test(key, value).map(|holds| holds != leave_out);
        let own = Known::named(statement.object("materialized"))?.or(known);
        let made = if statement.has("materialized") {
            table.try_filter_with(keep, self.options.materialized(statement)?)
        } else {
            table.try_filter(keep)
        };
        Ok(K::handle(Keyed::Table(named(statement, made), own)))
    }

    fn table_values<K: Key>(&self, statement: Spec<'_>, table: &KTable<K, Val>, known: &Known) -> Result<Handle> {
        let own = Known::named(statement.object("materialized"))?.or(&known.key_only());
        let options = if statement.has("materialized") { Some(self.options.materialized(statement)?) } else { None };
        let made = if statement.op() == "map_values" {
            let map = function::of_value(statement)?;
            match options {
                Some(options) => table.try_map_values_with(map, options),
                None => table.try_map_values(map),
            }
        } else {
            let map = function::of_key_and_value::<K>(statement, "value")?;
            let transform = move |key: &K, value: Option<&Val>| map(key, value.unwrap_or(&Val::Null)).map(Some);
            match options {
                Some(options) => table.try_transform_values_with(transform, options),
                None => table.try_transform_values(transform),
            }
        };
        Ok(K::handle(Keyed::Table(named(statement, made.nullable()), own)))
    }

    fn table_transformed<K: Key>(&self, statement: Spec<'_>, table: &KTable<K, Val>, known: &Known) -> Result<Handle> {
        let own = Known::named(statement.object("materialized"))?.or(&known.key_only());
        let (supplier, stores) = (self.supplier(statement.need_object("processor")?)?, statement.texts("stores"));
        let made = if statement.has("materialized") {
            let options = self.options.materialized(statement)?;
            table.transform_values_using_with(supplier, &stores, options)
        } else {
            table.transform_values_using(supplier, &stores)
        };
        Ok(K::handle(Keyed::Table(named(statement, made.nullable()), own)))
    }
}

/// With the statement's name, if it has one.
pub(super) fn named<K: Key>(statement: Spec<'_>, table: KTable<K, Val>) -> KTable<K, Val> {
    match statement.text("named") {
        Some(name) => table.named(name),
        None => table,
    }
}

fn to_stream<K: Key>(statement: Spec<'_>, table: &KTable<K, Val>, known: &Known) -> Result<Handle> {
    let stream: KStream<K, Val> = stream::named(statement, table.to_stream().into_nullable());
    if !statement.has("key") {
        return Ok(K::handle(Keyed::Stream(stream, known.clone())));
    }
    let selected = stream.try_select_key(function::of_key_and_value::<K>(statement, "key")?);
    Ok(Val::handle(Keyed::Stream(selected, known.value_only())))
}
