//! Which stores there are, and what a store of one's own make must do.
//!
//! A [`StoreSpec`] says as plain data which store is wanted: [`StoreSpec::key_value`], [`StoreSpec::window`], [`StoreSpec::session`] or
//! [`StoreSpec::versioned`]. Who makes stores implements [`StoreSupplier`], and [`StateStore`] with one of the traits in [`bytes`].

#[doc(inline)]
pub use headwater_store::{
    Asked, Committed, Logging, MemoryBudget, OpenContext, Row, RowBuf, RowFormat, StateStore, Store, StoreError,
    StoreKind, StoreSpec, StoreSupplier, StoreType, StoreViews, View, bytes, history,
};
#[doc(inline)]
pub use headwater_store_memory::MemoryStores;
// What the record cache, joins and suppressions keep: public for other crates of headwater.
#[doc(hidden)]
pub use headwater_store::*;
