//! The operators: one word, one file.

mod aggregate;
mod process;
mod repartition;
mod stateless;
pub(crate) mod step;
mod table;
mod table_aggregate;
mod table_repartition;
mod table_source;
mod to;

pub(crate) use aggregate::{AggregateSpec, Fold, aggregate, row_format};
pub(crate) use repartition::{Repartition, add_source, repartition_source};
pub(crate) use table_aggregate::{TableAggregateSpec, table_aggregate};
pub(crate) use table_repartition::changed_repartition;
pub(crate) use table_source::{ReuseTopic, table_source, table_source_of};
pub(crate) use to::{SinkSpec, missing_serde, sink};
