//! The operators: one word, one file.

mod aggregate;
mod emit_final;
mod folding;
mod global_join;
mod process;
mod repartition;
mod session_aggregate;
mod sliding_aggregate;
mod stateless;
pub(crate) mod step;
mod stream_table_join;
mod table;
mod table_aggregate;
mod table_repartition;
mod table_source;
mod to;
mod window_aggregate;
mod windowed_table;

pub(crate) use aggregate::{AggregateSpec, aggregate, row_format};
pub(crate) use folding::{Fold, Folding};
pub(crate) use global_join::{GlobalJoinSpec, global_join};
pub(crate) use repartition::{Repartition, add_source, repartition_source};
pub(crate) use session_aggregate::{Merge, SessionSpec, session_aggregate};
pub(crate) use stream_table_join::{TableJoinSpec, stream_table_join};
pub(crate) use table_aggregate::{TableAggregateSpec, table_aggregate};
pub(crate) use table_repartition::changed_repartition;
pub(crate) use table_source::table_source;
pub(crate) use to::{missing_serde, sink};
pub(crate) use window_aggregate::{Shape, WindowSpec, window_aggregate};
