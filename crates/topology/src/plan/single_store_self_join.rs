//! `single.store.self.join`: a stream that is joined with itself is kept once.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::Plan;
use crate::port::{AnyMake, Listener};
use crate::{Edge, MakeInlet, NodeId};

/// A join of two streams, said of the node where its results come together ([`Draft::add_part`](crate::Draft::add_part)), so that
/// the rule `single.store.self.join` finds it.
#[derive(Clone)]
pub struct StreamJoin {
    /// The nodes that keep the records of each side.
    windowed: [NodeId; 2],
    /// The nodes that join them.
    sides: [NodeId; 2],
    /// What brings the one node to life that joins both sides if they are the same stream.
    alike: Option<AnyMake>,
}

impl StreamJoin {
    /// A join whose records are kept by `windowed` and joined by `sides`, this side first. `alike` brings the node that hands on the
    /// results to life as a join of a stream with itself, below the first of `windowed`; `None` where both sides differ in type.
    pub fn new<E: Edge>(windowed: [NodeId; 2], sides: [NodeId; 2], alike: Option<MakeInlet<E>>) -> Self {
        let alike = alike.map(|make| Arc::new(make) as Arc<dyn Any + Send + Sync>);
        StreamJoin { windowed, sides, alike }
    }
}

impl fmt::Debug for StreamJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamJoin")
            .field("windowed", &self.windowed)
            .field("sides", &self.sides)
            .finish_non_exhaustive()
    }
}

pub(super) fn apply(plan: &mut Plan) {
    for merge in plan.graph.ids() {
        let join = plan.graph.node(merge).and_then(|node| node.parts_of::<StreamJoin>().pop());
        if let Some(StreamJoin { windowed, sides, alike: Some(make) }) = join {
            plan.join_in_one_store(merge, windowed, sides, make);
        }
    }
}

impl Plan {
    fn join_in_one_store(&mut self, merge: NodeId, windowed: [NodeId; 2], sides: [NodeId; 2], make: AnyMake) {
        let [this, other] = windowed;
        let parents = |node| self.graph.node(node).map(|spec| spec.parents.clone());
        let same = parents(this).zip(parents(other)).filter(|(this, other)| this == other);
        let Some((parents, _)) = same else { return };
        for parent in parents {
            if let Some(parent) = self.graph.node_mut(parent) {
                parent.listeners.retain(|listener| listener.child != other);
            }
        }
        let mut stores = Vec::new();
        if let Some(this) = self.graph.node_mut(this) {
            this.listeners = vec![Listener { child: merge, make, seen_as: None }];
            stores.clone_from(&this.stores);
        }
        if let Some(merge) = self.graph.node_mut(merge) {
            merge.parents = vec![this];
            merge.stores = stores;
        }
        self.gone.insert(other);
        self.gone.extend(sides);
    }
}
