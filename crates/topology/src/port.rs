//! Where a node hands on what it makes: a typed place in a draft, to which children are added.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::{Draft, Edge, Inlet, NodeId, Wiring, WiringError};

/// Makes the inlet of a child for one task.
pub type MakeInlet<E> = Arc<dyn Fn(&mut Wiring<'_>) -> Result<Box<dyn Inlet<E>>, WiringError> + Send + Sync>;

/// A child as its parent's node knows it.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) child: NodeId,
    /// What brings it to life.
    pub(crate) make: AnyMake,
    /// Set where the child sees another edge than the parent hands on.
    pub(crate) seen_as: Option<Adapt>,
}

/// A [`MakeInlet`] of any edge. It meets its type again when a task is wired.
pub(crate) type AnyMake = Arc<dyn Any + Send + Sync>;

/// Makes a maker of the edge that a node hands on of one of the edge that a child sees; `None` when it is given one of another edge.
pub(crate) type Adapt = Arc<dyn Fn(&AnyMake) -> Option<AnyMake> + Send + Sync>;

impl Listener {
    /// The child's maker, of the edge that the parent hands on.
    pub(crate) fn adapted(&self) -> Option<AnyMake> {
        self.seen_as.as_ref().map_or_else(|| Some(Arc::clone(&self.make)), |adapt| adapt(&self.make))
    }

    /// The same child where its maker stands behind one more adaptation.
    pub(crate) fn behind(&self, outer: Option<&Adapt>) -> Self {
        let seen_as = match (outer.cloned(), self.seen_as.clone()) {
            (Some(outer), Some(inner)) => Some(composed(outer, inner)),
            (outer, inner) => outer.or(inner),
        };
        Listener { seen_as, ..self.clone() }
    }
}

fn composed(outer: Adapt, inner: Adapt) -> Adapt {
    Arc::new(move |make| outer(&inner(make)?))
}

/// The edge that a maker is of.
pub(crate) fn edge_of(make: &AnyMake) -> TypeId {
    (**make).type_id()
}

/// A maker, without the edge that it is of.
pub(crate) fn any<E: Edge>(make: MakeInlet<E>) -> AnyMake {
    Arc::new(make)
}

/// The outgoing side of a node in a draft, typed by what the node hands on.
pub struct Port<E: Edge> {
    draft: Draft,
    node: NodeId,
    /// Set where children see another type than the node hands on.
    adapt: Option<Adapt>,
    edge: PhantomData<fn(E)>,
}

impl<E: Edge> Clone for Port<E> {
    fn clone(&self) -> Self {
        Port { adapt: self.adapt.clone(), ..Port::new(&self.draft, self.node) }
    }
}

impl<E: Edge> Port<E> {
    /// The port of `node`, which hands on what `E` says.
    pub fn new(draft: &Draft, node: NodeId) -> Self {
        Port { draft: draft.clone(), node, adapt: None, edge: PhantomData }
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
        self.listen_any(child, any(make));
    }

    /// As [`Port::listen`], where it is known that `make` is of this edge.
    pub(crate) fn listen_any(&self, child: NodeId, make: AnyMake) {
        self.draft.listen(self.node, Listener { child, make, seen_as: self.adapt.clone() });
    }

    /// The same place for children that take another type: `adapt` stands before the inlet of each. Nothing is added to the
    /// topology.
    #[must_use]
    pub fn seen_as<F: Edge>(
        &self,
        adapt: impl Fn(Box<dyn Inlet<F>>) -> Box<dyn Inlet<E>> + Send + Sync + 'static,
    ) -> Port<F> {
        let adapt = Arc::new(adapt);
        let inner: Adapt = Arc::new(move |make| {
            let (make, adapt) = (make.downcast_ref::<MakeInlet<F>>()?.clone(), Arc::clone(&adapt));
            Some(any::<E>(Arc::new(move |wiring| Ok(adapt(make(wiring)?)))))
        });
        let adapt = match self.adapt.clone() {
            Some(outer) => composed(outer, inner),
            None => inner,
        };
        Port { adapt: Some(adapt), ..Port::new(&self.draft, self.node) }
    }
}

impl<E: Edge> fmt::Debug for Port<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port<{}>({:?})", type_name::<E>(), self.node)
    }
}
