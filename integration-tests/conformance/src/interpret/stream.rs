//! The operators on streams.

use std::rc::Rc;

use anyhow::{Result, bail};
use headwater::dsl::KStream;
use headwater::processor::RecordContext;
use headwater::record::Topic;

use super::function::{self, last_header};
use super::key::{Key, Keyed, stream_of};
use super::option::Known;
use super::program::{Handle, Program};
use crate::expr::{Expr, Scope, UserError};
use crate::scenario::Spec;
use crate::val::Val;

impl<'a> Program<'a> {
    /// Calls an operator on a stream.
    pub(super) fn on_stream<K: Key>(
        &mut self,
        statement: Spec<'a>,
        stream: &KStream<K, Val>,
        known: &Known,
    ) -> Result<Option<Handle>> {
        let (made, known) = match statement.op() {
            "filter" => (stream.try_filter(function::predicate(statement)?), known.clone()),
            "filter_not" => {
                let leave_out = function::predicate(statement)?;
                let keep = move |key: &K, value: &Val| leave_out(key, value).map(|left_out| !left_out);
                (stream.try_filter(keep), known.clone())
            }
            "map_values" => (stream.try_map_values(function::of_value(statement)?), known.key_only()),
            "flat_map_values" => (stream.try_flat_map_values(function::values(statement)?), known.key_only()),
            "peek" => (stream.peek(|_, _| {}), known.clone()),
            "merge" => {
                let (other, _) = stream_of(self.handle(statement.need("other")?)?)?;
                (stream.merge(&other), Known::default())
            }
            "repartition" => {
                let repartitioned = self.options.repartitioned(statement)?;
                let known = Known::named(statement.object("repartitioned"))?.or(known);
                return Ok(Some(K::handle(Keyed::Stream(stream.repartition_with(repartitioned), known))));
            }
            "join" | "left_join" | "outer_join" => self.stream_join(statement, stream, known)?,
            "process" | "process_values" => return self.processed(statement, stream, known).map(Some),
            "split" => return self.split(statement, stream, known).map(|()| None),
            "print" => return self.printed(statement, stream).map(|()| None),
            "select_key" | "map" | "flat_map" => return changes_keys(statement, stream, known).map(Some),
            _ => return self.leaves_streams(statement, stream, known),
        };
        Ok(Some(K::handle(Keyed::Stream(named(statement, made), known))))
    }

    /// Operators whose result is no stream.
    fn leaves_streams<K: Key>(
        &self,
        statement: Spec<'_>,
        stream: &KStream<K, Val>,
        known: &Known,
    ) -> Result<Option<Handle>> {
        match statement.op() {
            "foreach" => {
                match statement.text("named") {
                    Some(name) => stream.for_each_named(|_, _| {}, name),
                    None => stream.for_each(|_, _| {}),
                }
                Ok(None)
            }
            "to" => {
                let produced = self.options.produced(statement)?;
                if let Some(expr) = statement.text("topic_expr") {
                    stream.to_chosen_with(topic_chooser(expr)?, produced.with_chooser_text("extractor"));
                } else {
                    stream.to_with(statement.need("topic")?, produced);
                }
                Ok(None)
            }
            "to_table" => {
                let own = Known::named(statement.object("materialized"))?.or(known);
                let materialized = self.options.materialized(statement)?;
                let table = match statement.text("named") {
                    Some(name) => stream.to_table_named_with(name, materialized),
                    None => stream.to_table_with(materialized),
                };
                Ok(Some(K::handle(Keyed::Table(table, own))))
            }
            "group_by_key" => {
                let grouped = stream.group_by_key_with(self.options.grouped(statement)?);
                let known = Known::named(statement.object("grouped"))?.or(known);
                Ok(Some(K::handle(Keyed::Grouped(Rc::new(grouped), known))))
            }
            "group_by" => {
                let known = known.value_only();
                let select = function::of_key_and_value::<K>(statement, "key")?;
                let grouped = stream.try_group_by_with(select, self.options.grouped::<Val>(statement)?);
                let known = Known::named(statement.object("grouped"))?.or(&known);
                Ok(Some(Val::handle(Keyed::Grouped(Rc::new(grouped), known))))
            }
            other => bail!("streams have no operator `{other}`"),
        }
    }
}

/// Operators after which the keys are what an expression says.
fn changes_keys<K: Key>(statement: Spec<'_>, stream: &KStream<K, Val>, known: &Known) -> Result<Handle> {
    let (made, known): (KStream<Val, Val>, Known) = match statement.op() {
        "select_key" => (stream.try_select_key(function::of_key_and_value::<K>(statement, "key")?), known.value_only()),
        "map" => {
            let key = function::of_key_and_value(statement, "key")?;
            let value = function::of_key_and_value(statement, "value")?;
            let map = move |k: &K, v: &Val| Ok::<_, UserError>((key(k, v)?, value(k, v)?));
            (stream.try_map(map), Known::default())
        }
        _ => (stream.try_flat_map(function::pairs::<K>(statement)?), Known::default()),
    };
    Ok(Val::handle(Keyed::Stream(named(statement, made), known)))
}

/// With the statement's name, if it has one.
pub(super) fn named<K: Key>(statement: Spec<'_>, stream: KStream<K, Val>) -> KStream<K, Val> {
    match statement.text("named") {
        Some(name) => stream.named(name),
        None => stream,
    }
}

/// Chooses topics by an expression. The library's choosers do not fail, and the format's never do.
pub(super) fn topic_chooser<K: Key>(
    expr: &str,
) -> Result<impl Fn(&K, &Val, &RecordContext) -> String + Send + Sync + use<K>> {
    let expr = Expr::parse(expr)?;
    Ok(move |key: &K, value: &Val, context: &RecordContext| {
        let header = last_header(&context.headers);
        let topic = context.topic.as_ref().map(Topic::as_str);
        let key = key.seen();
        let scope = Scope { ts: context.timestamp.millis(), topic, header: Some(&header), ..Scope::kv(&key, value) };
        expr.eval(scope).map(|topic| topic.show()).unwrap_or_default()
    })
}
