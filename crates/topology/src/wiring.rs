//! From a frozen topology to the live graph of one task ([`TaskGraph`](crate::TaskGraph)): what its nodes find there when they come alive.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use headwater_store::StoreError;
use headwater_store::cache::Budget;

use crate::context::Emit;
use crate::node::NodeSpec;
use crate::processor::{ProcessorTable, Wrapped};
use crate::state::FlushStore;
use crate::stream_time::StreamTimes;
use crate::tally::{Tallies, Tally};
use crate::task_graph::{Flushed, States};
use crate::{
    CloseIdle, Edge, Held, Inlet, MakeInlet, NodeId, Outlet, ProcessError, RawInlet, SharedStore, StoreId, StreamTime,
    TaskContext, TaskId, Topology, WiringError,
};

/// Brings a source to life in a task.
pub type MakeSource = Arc<dyn Fn(&mut Wiring<'_>) -> Result<Box<dyn RawInlet>, WiringError> + Send + Sync>;

/// Everything a node needs to come alive in one task.
pub struct Wiring<'a> {
    topology: &'a Topology,
    task: TaskId,
    emit: &'a mut dyn Emit,
    stores: &'a HashMap<StoreId, SharedStore>,
    cache: Rc<Budget>,
    // Nodes and states with more than one owner, by what they are. The only downcasts there are: once per extra owner and task.
    shared: HashMap<Share, Box<dyn Any>>,
    pub(crate) states: States,
    pub(crate) times: StreamTimes,
    pub(crate) processors: ProcessorTable,
    pub(crate) tallies: Tallies,
    pub(crate) watches: Vec<Watch>,
    pub(crate) closers: Vec<Closer>,
}

/// What a node says of what it keeps back, when it is asked.
pub(crate) type Watch = (NodeId, Box<dyn Fn() -> Held>);

/// A node that closes what is open when no records come.
pub(crate) struct Closer {
    pub(crate) node: NodeId,
    pub(crate) name: Arc<str>,
    pub(crate) inlet: Rc<RefCell<dyn CloseIdle>>,
    /// What is left out while it does.
    pub(crate) tally: Rc<Tally>,
}

#[derive(PartialEq, Eq, Hash)]
enum Share {
    Node(NodeId),
    Store(StoreId),
    Other(NodeId, &'static str),
}

/// A node that more than one edge reaches. Within one push a graph without cycles does not come back to it.
struct Shared<N: ?Sized>(Rc<RefCell<N>>);

impl<E: Edge, N: Inlet<E> + ?Sized> Inlet<E> for Shared<N> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        self.0.borrow_mut().push(cx, item)
    }
}

impl<'a> Wiring<'a> {
    /// For the nodes of `topology` in `task`.
    pub fn new(
        topology: &'a Topology,
        task: TaskId,
        emit: &'a mut dyn Emit,
        stores: &'a HashMap<StoreId, SharedStore>,
        cache: Rc<Budget>,
    ) -> Self {
        Wiring {
            topology,
            task,
            emit,
            stores,
            cache,
            shared: HashMap::new(),
            states: States::default(),
            times: StreamTimes::default(),
            processors: ProcessorTable::default(),
            tallies: Tallies::default(),
            watches: Vec::new(),
            closers: Vec::new(),
        }
    }

    /// The name of `node`.
    pub fn name(&self, node: NodeId) -> Arc<str> {
        self.topology.node(node).map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name))
    }

    /// The topology that is being wired.
    pub fn topology(&self) -> &'a Topology {
        self.topology
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.task
    }

    /// The way out, to ask for topics.
    pub fn emit(&mut self) -> &mut dyn Emit {
        &mut *self.emit
    }

    /// The record caches' shared budget.
    pub fn cache_budget(&self) -> Rc<Budget> {
        Rc::clone(&self.cache)
    }

    /// The inlet of a node that several edges may reach: made once, then shared.
    ///
    /// # Errors
    /// Those of `make`, and [`WiringError::StoreType`] when it was made with another type before.
    pub fn shared_inlet<E: Edge, N: Inlet<E> + 'static>(
        &mut self,
        node: NodeId,
        make: impl FnOnce(&mut Self) -> Result<N, WiringError>,
    ) -> Result<Box<dyn Inlet<E>>, WiringError> {
        let node = self.shared_node(node, make)?;
        Ok(Box::new(Shared(node)))
    }

    /// The inlet of `node`, which closes what is open when no records come.
    pub fn closing_inlet<E: Edge, N: Inlet<E> + CloseIdle + 'static>(
        &mut self,
        node: NodeId,
        inlet: N,
    ) -> Box<dyn Inlet<E>> {
        let inlet = Rc::new(RefCell::new(inlet));
        let closer = Rc::clone(&inlet) as Rc<RefCell<dyn CloseIdle>>;
        let (name, tally) = (self.name(node), self.tallies.add(None, node));
        self.closers.push(Closer { node, name, inlet: closer, tally });
        Box::new(Shared(inlet))
    }

    /// A node with several owners: made once, then shared.
    ///
    /// # Errors
    /// As [`Wiring::shared_inlet`].
    pub fn shared_node<N: 'static>(
        &mut self,
        node: NodeId,
        make: impl FnOnce(&mut Self) -> Result<N, WiringError>,
    ) -> Result<Rc<RefCell<N>>, WiringError> {
        let name = self.name(node);
        self.share(Share::Node(node), &name, |wiring| Ok(Rc::new(RefCell::new(make(wiring)?))))
    }

    /// Anything else that belongs to a node and has several owners, told apart by `what`.
    ///
    /// # Errors
    /// As [`Wiring::shared_inlet`].
    pub fn shared_part<T: 'static>(
        &mut self,
        node: NodeId,
        what: &'static str,
        make: impl FnOnce(&mut Self) -> Result<T, WiringError>,
    ) -> Result<Rc<T>, WiringError> {
        let name = self.name(node);
        self.share(Share::Other(node, what), &name, |wiring| Ok(Rc::new(make(wiring)?)))
    }

    /// The typed state over a store: made once, then shared by the nodes that use it. The task flushes it when it commits, in the
    /// order of stores, if it `flushes`.
    ///
    /// # Errors
    /// As [`Wiring::shared_inlet`].
    pub fn shared_state<S: FlushStore + 'static>(
        &mut self,
        store: StoreId,
        make: impl FnOnce(&mut Self) -> Result<S, WiringError>,
        flushes: impl FnOnce(&S) -> bool,
    ) -> Result<Rc<S>, WiringError> {
        let (name, mut made) = (self.store_name(store), false);
        let state = self.share(Share::Store(store), &name, |wiring| {
            made = true;
            Ok(Rc::new(make(wiring)?))
        })?;
        if made {
            self.states.all.push(Rc::clone(&state) as Rc<dyn FlushStore>);
            if flushes(&state) {
                let uses = |(_, spec): &(NodeId, &NodeSpec)| spec.keeps == Some(store) || spec.stores.contains(&store);
                let node = self.topology.nodes().find(uses).map(|(node, _)| node);
                let tally = node.map(|node| self.tallies.add(None, node)).unwrap_or_default();
                self.states.flushed.push(Flushed { store, state: Rc::clone(&state) as Rc<dyn FlushStore>, tally });
            }
        }
        Ok(state)
    }

    fn share<T: 'static>(
        &mut self,
        key: Share,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<Rc<T>, WiringError>,
    ) -> Result<Rc<T>, WiringError> {
        if let Some(found) = self.shared.get(&key) {
            let found = found.downcast_ref::<Rc<T>>();
            return found.cloned().ok_or_else(|| WiringError::StoreType { store: name.to_owned() });
        }
        let made = make(self)?;
        self.shared.insert(key, Box::new(Rc::clone(&made)));
        Ok(made)
    }

    /// The children of `node`, alive in this task.
    ///
    /// # Errors
    /// When a child cannot be made, and [`WiringError::EdgeType`] when it takes other types than `node` hands on.
    pub fn outlet<E: Edge>(&mut self, node: NodeId) -> Result<Outlet<E>, WiringError> {
        let topology = self.topology;
        let mut outlet = Outlet::default();
        for listener in topology.listeners(node) {
            let (child, name) = (listener.child, self.name(listener.child));
            let make = listener.adapted();
            let make = make.as_ref().and_then(|make| make.downcast_ref::<MakeInlet<E>>());
            let make = make.ok_or_else(|| WiringError::EdgeType {
                parent: self.name(node).to_string(),
                child: name.to_string(),
            })?;
            let mut inlet = make(self)?;
            if let Some(wrapper) = topology.wrapper_of(child) {
                inlet = Box::new(Wrapped { node: Arc::clone(&name), wrapper, inner: inlet });
            }
            outlet.add(name, inlet, self.tallies.add(Some(node), child));
        }
        Ok(outlet)
    }

    /// What operators said of `node` after it was added ([`Draft::add_part`](crate::Draft::add_part)), in that order.
    pub fn parts<T: Clone + 'static>(&self, node: NodeId) -> Vec<T> {
        self.topology.node(node).map(NodeSpec::parts_of).unwrap_or_default()
    }

    /// The store that the table of `node` is kept in.
    pub fn keeps(&self, node: NodeId) -> Option<StoreId> {
        self.topology.node(node).and_then(|spec| spec.keeps)
    }

    /// Whether `node` hands on old values with new ones.
    pub fn sends_old_values(&self, node: NodeId) -> bool {
        self.topology.node(node).is_some_and(|spec| spec.sends_old_values)
    }

    /// Whether the tables above `node` have versions, so that it may hear of some that are not the latest.
    pub fn takes_versions(&self, node: NodeId) -> bool {
        self.topology.takes_versions(node)
    }

    /// The name of `store`.
    pub fn store_name(&self, store: StoreId) -> String {
        self.topology.store(store).map(|node| node.spec.name.clone()).unwrap_or_default()
    }

    /// The bytes of `store` in this task.
    ///
    /// # Errors
    /// [`WiringError::Store`] when the task has no such store.
    pub fn store(&self, store: StoreId) -> Result<SharedStore, WiringError> {
        self.stores.get(&store).cloned().ok_or_else(|| {
            WiringError::Store(StoreError::Io {
                store: self.store_name(store),
                reason: format!("it was not opened in task {}", self.task),
            })
        })
    }

    /// The stream time of one more operator that has `store`, from where it was when the task's offsets were committed.
    pub fn stream_time(&mut self, store: StoreId) -> StreamTime {
        let name = self.store_name(store);
        self.times.add(&name)
    }

    /// Has `node` say what it keeps back whenever somebody asks ([`TaskGraph::held`](crate::TaskGraph::held)): once a second, so that it must not look
    /// through a store.
    pub fn watch(&mut self, node: NodeId, held: impl Fn() -> Held + 'static) {
        self.watches.push((node, Box::new(held)));
    }

    /// The processors that were made so far, for nodes of the Processor API.
    pub fn processors(&mut self) -> &mut ProcessorTable {
        &mut self.processors
    }
}

impl fmt::Debug for Wiring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring").field("task", &self.task).finish_non_exhaustive()
    }
}
