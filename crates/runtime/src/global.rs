//! Global stores of a running application (Java's `GlobalStreamThread`): one thread, with a consumer in no group, fills them from
//! all partitions of their topics; the tasks of all threads of the instance read them.
//!
//! **Before the first task** the stores are filled up to where their topics ended when the thread began; stream threads join the
//! group only then. A table is filled by its bytes; a store with a processor by that processor, record by record. Afterwards every
//! record goes through its source, with the handlers that are asked about what cannot be decoded or processed, and their dead
//! letters.
//!
//! **Sharing.** The bytes of a global store lie behind a lock ([`GlobalStore`](headwater_topology::GlobalStore)); every task has
//! typed states of its own over them. Nothing is cached in between: a record that was read is seen by the next read.
//!
//! **Marks.** A store is committed with the offset of each partition, and goes on from there. When the log does not hold the
//! record after a mark, because it was truncated or made anew, or the position is lost while the thread runs, all global stores of
//! the instance are filled anew: before the first task in their place, afterwards beside it, so that tasks read what was there
//! until the new stores are complete. Such a thing never ends the application.
//!
//! **The end.** The thread outlives the stream threads, which read its stores; its own failure goes to the uncaught error handler.
//! Unlike Java's it can be replaced.

mod fill;
mod plan;
mod thread;

pub use self::plan::GlobalPart;
pub(crate) use self::plan::check;
pub(crate) use self::thread::GlobalThread;
pub use crate::instance::GlobalProgress;
