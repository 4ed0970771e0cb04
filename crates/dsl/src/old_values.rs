//! A wish for old values, passed up a chain of tables (Java's `enableSendingOldValues`).

use std::fmt;
use std::sync::Arc;

use headwater_topology::{Draft, NodeId};

/// Whether the table of a node sends old values, which the draft keeps with the node, and from where it has them.
#[derive(Clone)]
pub(crate) struct OldValues {
    draft: Draft,
    node: NodeId,
    from: Arc<From>,
}

/// From where a table has its old values.
enum From {
    /// From its own store.
    Store,
    /// From its own store, which the function makes when it is told that it must, and says whether there is one.
    StoreIfMade(Box<dyn Fn(bool) -> bool + Send + Sync>),
    /// From the old values of another table.
    Table(OldValues),
    /// From those of several tables, which are kept in stores for it.
    All(Vec<OldValues>),
}

impl OldValues {
    /// Of a table that has a store.
    pub(crate) fn of_store(draft: &Draft, node: NodeId) -> Self {
        Self::new(draft, node, From::Store)
    }

    /// Of a table that has a store if `make` says so; it is told whether there must be one.
    pub(crate) fn of_store_if_made(
        draft: &Draft,
        node: NodeId,
        make: impl Fn(bool) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::new(draft, node, From::StoreIfMade(Box::new(make)))
    }

    /// Of a table that has no store and makes its old values of those of `parent`.
    pub(crate) fn of_table(draft: &Draft, node: NodeId, parent: &OldValues) -> Self {
        Self::new(draft, node, From::Table(parent.clone()))
    }

    /// Of a table that is joined of two.
    pub(crate) fn of_join(draft: &Draft, node: NodeId, left: &OldValues, right: &OldValues) -> Self {
        Self::of_all(draft, node, vec![left.clone(), right.clone()])
    }

    /// Of a table whose rows come from all of these.
    pub(crate) fn of_all(draft: &Draft, node: NodeId, parts: Vec<OldValues>) -> Self {
        Self::new(draft, node, From::All(parts))
    }

    fn new(draft: &Draft, node: NodeId, from: From) -> Self {
        OldValues { draft: draft.clone(), node, from: Arc::new(from) }
    }

    /// Asks for old values. Unless `force` is set, only a table that is kept in a store already grants it.
    pub(crate) fn ask(&self, force: bool) -> bool {
        if self.granted() {
            return true;
        }
        let granted = match &*self.from {
            From::Store => true,
            From::StoreIfMade(make) => make(force),
            From::Table(parent) => parent.ask(force),
            From::All(parts) => {
                for part in parts {
                    part.ask(true);
                }
                true
            }
        };
        self.set(granted);
        granted
    }

    /// Sends old values from now on if `parent` does, and asks it for them without force (Java's `KTableFilter`).
    pub(crate) fn follow(&self, parent: &OldValues) {
        self.set(parent.ask(false));
    }

    fn set(&self, granted: bool) {
        self.draft.change_node(self.node, |node| node.sends_old_values = granted);
    }

    fn granted(&self) -> bool {
        self.draft.node(self.node).is_some_and(|node| node.sends_old_values)
    }
}

impl fmt::Debug for OldValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OldValues({})", self.granted())
    }
}
