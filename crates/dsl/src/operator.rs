//! The operators: one word, one file. The order is that of `lib.rs`.

mod stateless;

mod table;

mod aggregate;
mod cogroup;
mod emit_final;
mod folding;
pub(crate) mod foreign_key;
mod global_join;
mod missing_serde;
mod repartition;
mod session_aggregate;
mod sliding_aggregate;
pub(crate) mod step;
mod stream_join;
mod stream_table_join;
mod table_aggregate;
mod table_repartition;
mod table_source;
mod to;
mod window_aggregate;
mod windowed_table;

pub(crate) use aggregate::{AggregateSpec, aggregate, row_format};
pub(crate) use cogroup::{Cogroup, GroupInput, Input};
pub(crate) use folding::{Fold, Folding, Initial};
pub(crate) use foreign_key::{ChoosePartition, Extract, ForeignKeyJoin, SUBSCRIPTIONS, foreign_key_join};
pub(crate) use global_join::{GlobalJoinSpec, global_join};
pub(crate) use missing_serde::{GivenBy, missing_serde};
pub(crate) use repartition::{
    ForJoin, NamedAfter, Repartition, add_source, repartition_for_join, repartition_here, repartition_source,
};
pub(crate) use session_aggregate::{Merge, SessionSpec, session_aggregate};
pub(crate) use stream_join::{Join, Rows, StreamJoinSpec, stream_join};
pub(crate) use stream_table_join::{TableJoinSpec, stream_table_join};
pub(crate) use table_aggregate::{TableAggregateSpec, table_aggregate};
pub(crate) use table_repartition::changed_repartition;
pub(crate) use table_source::table_source;
pub(crate) use to::sink;
pub(crate) use window_aggregate::{Shape, WindowSpec, window_aggregate};
