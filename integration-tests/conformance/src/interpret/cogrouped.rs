//! Cogrouped streams: aggregations of several at once.

use anyhow::{Result, bail};
use headwater::dsl::CogroupedKStream;

use super::function;
use super::key::{Key, Keyed, grouped_of};
use super::option::Known;
use super::program::{Handle, Program};
use super::table::named;
use crate::scenario::Spec;
use crate::val::Val;

impl Program<'_> {
    /// Calls an operator on cogrouped streams.
    pub(super) fn on_cogrouped<K: Key>(
        &self,
        statement: Spec<'_>,
        cogrouped: &CogroupedKStream<K, Val>,
        known: &Known,
    ) -> Result<Handle> {
        match statement.op() {
            "cogroup" => {
                let other = grouped_of::<K>(self.handle(statement.need("other")?)?)?;
                let all = cogrouped.try_cogroup(&other, function::aggregator(statement, "aggregator")?);
                Ok(K::handle(Keyed::Cogrouped(all, known.clone())))
            }
            "aggregate" => {
                let (own, options) = self.options.aggregation(statement, known)?;
                let table = cogrouped.aggregate_with(function::initializer(statement)?, options);
                Ok(K::handle(Keyed::Table(named(statement, table), own)))
            }
            other => bail!("cogrouped streams have no operator `{other}`"),
        }
    }
}
