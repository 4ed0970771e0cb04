//! Where a node hands on what it makes: a typed place in a draft, to which children are added.

use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

use crate::{Draft, Edge, Inlet, NodeId, Wiring, WiringError};

/// Makes the inlet of a child for one task.
pub type MakeInlet<E> = Arc<dyn Fn(&mut Wiring<'_>) -> Result<Box<dyn Inlet<E>>, WiringError> + Send + Sync>;

/// A child as its parent's node knows it: what brings it to life is a [`MakeInlet`] of the edge that the parent hands on.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) child: NodeId,
    pub(crate) make: AnyMake,
}

/// A [`MakeInlet`] of any edge. It meets its type again when a task is wired.
pub(crate) type AnyMake = Arc<dyn Any + Send + Sync>;

/// What is made of a child's maker before it is put below the node.
type Adapt<E> = Arc<dyn Fn(MakeInlet<E>) -> AnyMake + Send + Sync>;

/// The outgoing side of a node in a draft, typed by what the node hands on.
pub struct Port<E: Edge> {
    draft: Draft,
    node: NodeId,
    /// Set where children see another type than the node hands on.
    adapt: Option<Adapt<E>>,
}

impl<E: Edge> Clone for Port<E> {
    fn clone(&self) -> Self {
        Port { draft: self.draft.clone(), node: self.node, adapt: self.adapt.clone() }
    }
}

impl<E: Edge> Port<E> {
    /// The port of `node`, which hands on what `E` says.
    pub fn new(draft: &Draft, node: NodeId) -> Self {
        Port { draft: draft.clone(), node, adapt: None }
    }

    /// The draft that the node belongs to.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// The node.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Adds the child `child`, which `make` brings to life in each task.
    pub fn listen(&self, child: NodeId, make: MakeInlet<E>) {
        let make = match &self.adapt {
            Some(adapt) => adapt(make),
            None => Arc::new(make),
        };
        self.draft.listen(self.node, Listener { child, make });
    }

    /// The same place for children that take another type: `adapt` stands before the inlet of each. Nothing is added to the
    /// topology.
    #[must_use]
    pub fn seen_as<F: Edge>(
        &self,
        adapt: impl Fn(Box<dyn Inlet<F>>) -> Box<dyn Inlet<E>> + Send + Sync + 'static,
    ) -> Port<F> {
        let (outer, adapt) = (self.adapt.clone(), Arc::new(adapt));
        let adapt: Adapt<F> = Arc::new(move |make: MakeInlet<F>| {
            let adapt = Arc::clone(&adapt);
            let adapted: MakeInlet<E> = Arc::new(move |wiring| Ok(adapt(make(wiring)?)));
            match &outer {
                Some(outer) => outer(adapted),
                None => Arc::new(adapted),
            }
        });
        Port { draft: self.draft.clone(), node: self.node, adapt: Some(adapt) }
    }
}

impl<E: Edge> fmt::Debug for Port<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port<{}>({:?})", type_name::<E>(), self.node)
    }
}
