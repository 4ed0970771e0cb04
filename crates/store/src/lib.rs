//! What a state store is.
//!
//! Stores speak bytes: four traits in [`bytes`] (key-value, window, session, versioned), each a [`StateStore`] that commits its
//! content together with a changelog offset. A [`StoreSpec`] says as plain data which store is wanted, a [`StoreSupplier`]
//! opens it. Types, changelog and record cache are put around the bytes where a task is wired; [`cache`] is the cache itself.
//! [`history`] decides for versioned stores of every make; [`join`] says how a join of streams keeps what has no partner yet.
//!
//! Iteration is by [`bytes::Scan`]: a bounded batch of entries and a place to go on from. No iterator is ever open, so none can
//! be forgotten and writing while iterating is always allowed. Other threads read a store through a [`View`]: as its last commit left it, or as it
//! was at one moment.
//!
//! **Architecture Invariant:** this crate has no clock and no thread, and does not know topologies or Kafka clients.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod cache;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod error;
pub mod grace;
pub mod history;
pub mod join;
mod row;
mod spec;
mod supplier;
pub mod suppress;
mod view;

pub use context::RecordContext;
pub use error::StoreError;
pub use row::{Row, RowBuf, RowFormat, RowRef};
pub use spec::{LoggedHeaders, Logging, StoreKind, StoreSpec, StoreType};
pub use supplier::{MemoryBudget, OpenContext, StateStore, Store, StoreSupplier};
pub use view::{Asked, Committed, StoreViews, View};
