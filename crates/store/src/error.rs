//! What can go wrong in a store.

/// A fact about a store that did not do what it was asked.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or its library.
    #[error("store {store}: {reason}")]
    Io {
        /// Which store.
        store: String,
        /// What the library said.
        reason: String,
    },
    /// The store was closed: its task was given up, or the application ends.
    #[error(
        "the store {store} is closed here: its task has moved, or the application ends; ask the one who has it now"
    )]
    Closed {
        /// Which store.
        store: String,
    },
    /// Bytes in the store or its changelog that the store's format cannot have written.
    #[error("corrupt state: {reason}")]
    Corrupt {
        /// What is wrong.
        reason: String,
    },
    /// What lies on disk was written by another kind of store.
    #[error(
        "store {store} on disk is {found}, the topology asks for {expected}: give the store another name, or delete the folder of its task in state.dir, so that the stores there are restored from their changelogs"
    )]
    TypeChanged {
        /// Which store.
        store: String,
        /// What the topology asks for.
        expected: String,
        /// What lies there.
        found: String,
    },
    /// This make of store has no such kind.
    #[error("store {store}: {make} has no {kind} store")]
    Unsupported {
        /// Which store.
        store: String,
        /// The make.
        make: &'static str,
        /// The kind asked for.
        kind: String,
    },
    /// The changelog could not be written.
    #[error("the changelog of store {store} could not be written: {reason}")]
    Changelog {
        /// Which store.
        store: String,
        /// Why.
        reason: String,
    },
}

headwater_record::debug_as_text!(StoreError);
