//! Who listens to a node: written while a topology is drafted, read once for each task.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::processor::Wrapped;
use crate::{Edge, Inlet, NodeId, Outlet, Wiring, WiringError};

/// Makes the inlet of a child for one task.
pub type MakeInlet<E> = Arc<dyn Fn(&mut Wiring<'_>) -> Result<Box<dyn Inlet<E>>, WiringError> + Send + Sync>;

enum Listener<E: Edge> {
    /// A child node.
    Child(NodeId, MakeInlet<E>),
    /// Everybody who listens to another port of the same type: a node that was merged into this one.
    Port(Port<E>),
    /// Everybody who listens to a port of another type, each behind what changes the type.
    View(Arc<dyn Fn(&mut Vec<(NodeId, MakeInlet<E>)>) + Send + Sync>),
}

/// The typed list of a node's children.
pub struct Port<E: Edge>(Arc<Mutex<Vec<Listener<E>>>>);

impl<E: Edge> Clone for Port<E> {
    fn clone(&self) -> Self {
        Port(Arc::clone(&self.0))
    }
}

impl<E: Edge> Default for Port<E> {
    fn default() -> Self {
        Port(Arc::default())
    }
}

impl<E: Edge> Port<E> {
    /// A port to which nobody listens yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the child `node`, which `make` brings to life in each task.
    pub fn listen(&self, node: NodeId, make: MakeInlet<E>) {
        self.push(Listener::Child(node, make));
    }

    /// Everybody who listens to `other`, now or later, listens to this port too.
    pub fn follow(&self, other: &Port<E>) {
        self.push(Listener::Port(other.clone()));
    }

    /// Everybody who listens to `other`, now or later, listens to this port too, each behind what `adapt` makes of its inlet.
    /// Nothing is added to the topology: it is a change of type only.
    pub fn view<F: Edge>(
        &self,
        other: &Port<F>,
        adapt: impl Fn(Box<dyn Inlet<F>>) -> Box<dyn Inlet<E>> + Send + Sync + 'static,
    ) {
        let (other, adapt) = (other.clone(), Arc::new(adapt));
        self.push(Listener::View(Arc::new(move |into| {
            let mut children = Vec::new();
            other.collect(&mut children);
            for (node, make) in children {
                let adapt = Arc::clone(&adapt);
                into.push((node, Arc::new(move |wiring| Ok(adapt(make(wiring)?)))));
            }
        })));
    }

    fn push(&self, listener: Listener<E>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// The children, alive in the task of `wiring`.
    ///
    /// # Errors
    /// When a child cannot be made.
    pub fn outlet(&self, wiring: &mut Wiring<'_>) -> Result<Outlet<E>, WiringError> {
        let mut children = Vec::new();
        self.collect(&mut children);
        // A later child may have been added through another port of the same node: forwarding follows the order of nodes.
        children.sort_by_key(|(node, _)| *node);
        let mut outlet = Outlet::default();
        for (node, make) in children {
            let mut inlet = make(wiring)?;
            let name = wiring.name(node);
            if let Some(wrapper) = wiring.topology().wrapper_of(node) {
                inlet = Box::new(Wrapped { node: Arc::clone(&name), wrapper, inner: inlet });
            }
            outlet.add(name, inlet);
        }
        Ok(outlet)
    }

    fn collect(&self, into: &mut Vec<(NodeId, MakeInlet<E>)>) {
        for listener in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            match listener {
                Listener::Child(node, make) => into.push((*node, Arc::clone(make))),
                Listener::Port(port) => port.collect(into),
                Listener::View(view) => view(into),
            }
        }
    }
}

impl<E: Edge> fmt::Debug for Port<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Port<{}>", std::any::type_name::<E>())
    }
}
