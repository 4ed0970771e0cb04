//! How a processor comes alive in a task.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Record, Timestamp};

use super::{LiveProcessor, Processor, ProcessorContext, Schedules};
use crate::state::{KeyValueState, SessionState, StoreHandle, VersionedState, WindowState};
use crate::{Inlet, NodeId, Outlet, ProcessError, ScheduleId, StoreId, Stream, TaskContext, Wiring, WiringError};

/// Makes a processor for each task: a closure that takes the store access and returns a new processor with the stores it needs.
/// Its error says that a store is not connected or of other types.
pub trait ProcessorSupplier<P>: Fn(&mut StoreAccess<'_, '_>) -> Result<P, WiringError> + Send + Sync + 'static {}

impl<P, F: Fn(&mut StoreAccess<'_, '_>) -> Result<P, WiringError> + Send + Sync + 'static> ProcessorSupplier<P> for F {}

/// Opens the stores that are connected to a node.
pub struct StoreAccess<'a, 'w> {
    wiring: &'a mut Wiring<'w>,
    node: NodeId,
}

impl<'a, 'w> StoreAccess<'a, 'w> {
    /// For `node`.
    pub fn new(wiring: &'a mut Wiring<'w>, node: NodeId) -> Self {
        StoreAccess { wiring, node }
    }

    /// The store `name`, which must be of the kind `wanted`.
    fn connected(&self, name: &str, wanted: &'static str) -> Result<StoreId, WiringError> {
        let topology = self.wiring.topology();
        let node = topology.node(self.node);
        let store = topology.store_named(name);
        if store.is_none() {
            let (processor, unknown) = (self.wiring.name(self.node), topology.no_store(name));
            return Err(WiringError::NoAccess(format!(
                "Processor {processor} has no access to StateStore {name}: {unknown}. Add it with `add_state_store`"
            )));
        }
        let allowed = store.filter(|store| {
            node.is_some_and(|node| node.stores.contains(store))
                || topology.store(*store).is_some_and(|store| store.global)
        });
        let store = allowed.ok_or_else(|| {
            let node = self.wiring.name(self.node);
            WiringError::NoAccess(format!(
                "Processor {node} has no access to StateStore {name} as the store is not connected to the processor. Name it where the processor is added, as in `.process(supplier, &[\"{name}\"])`, after `builder.add_state_store(..)`; in a topology by hand, name the processor in `add_state_store(store, &[\"{node}\"])`, or connect them by `connect(\"{node}\", &[\"{name}\"])`"
            ))
        })?;
        let kind = topology.store(store).map_or(wanted, |store| store.spec.kind.name());
        if kind == wanted {
            return Ok(store);
        }
        let (processor, store) = (self.wiring.name(self.node).to_string(), name.to_owned());
        Err(WiringError::StoreKind { processor, store, kind, wanted })
    }

    /// A key-value store.
    ///
    /// # Errors
    /// [`WiringError`] when it is not connected to this node, is of another kind, or was opened with other types.
    pub fn key_value<K: 'static, V: 'static>(
        &mut self,
        handle: &StoreHandle<K, V>,
    ) -> Result<Rc<KeyValueState<K, V>>, WiringError> {
        let store = self.connected(handle.name(), "key-value")?;
        KeyValueState::open(self.wiring, store, handle)
    }

    /// A window store.
    ///
    /// # Errors
    /// As [`StoreAccess::key_value`].
    pub fn window<K: 'static, V: 'static>(
        &mut self,
        handle: &StoreHandle<K, V>,
    ) -> Result<Rc<WindowState<K, V>>, WiringError> {
        let store = self.connected(handle.name(), "window")?;
        WindowState::open(self.wiring, store, handle)
    }

    /// A session store.
    ///
    /// # Errors
    /// As [`StoreAccess::key_value`].
    pub fn session<K: 'static, V: 'static>(
        &mut self,
        handle: &StoreHandle<K, V>,
    ) -> Result<Rc<SessionState<K, V>>, WiringError> {
        let store = self.connected(handle.name(), "session")?;
        SessionState::open(self.wiring, store, handle)
    }

    /// A versioned store.
    ///
    /// # Errors
    /// As [`StoreAccess::key_value`].
    pub fn versioned<K: 'static, V: 'static>(
        &mut self,
        handle: &StoreHandle<K, V>,
    ) -> Result<Rc<VersionedState<K, V>>, WiringError> {
        let store = self.connected(handle.name(), "versioned")?;
        VersionedState::open(self.wiring, store, handle)
    }
}

impl fmt::Debug for StoreAccess<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreAccess").field("node", &self.node).finish_non_exhaustive()
    }
}

/// A [`Processor`] in a running task.
pub struct ProcessorNode<P, KIn, VIn, KOut: 'static, VOut: 'static> {
    name: Arc<str>,
    node: NodeId,
    processor: RefCell<P>,
    out: RefCell<Outlet<Stream<KOut, VOut>>>,
    schedules: Schedules<KOut, VOut>,
    input: PhantomData<fn(KIn, VIn)>,
}

impl<P, KIn, VIn, KOut, VOut> ProcessorNode<P, KIn, VIn, KOut, VOut>
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    /// The inlet of `node`, whose processor `supplier` makes; made once per task.
    ///
    /// # Errors
    /// Those of the supplier and of the children.
    pub fn wire(
        wiring: &mut Wiring<'_>,
        node: NodeId,
        supplier: &dyn ProcessorSupplier<P>,
    ) -> Result<Box<dyn Inlet<Stream<KIn, VIn>>>, WiringError> {
        let shared = wiring.shared_part(node, "processor", |wiring| {
            let processor = supplier(&mut StoreAccess::new(wiring, node))?;
            let out = wiring.outlet(node)?;
            let live = Rc::new(ProcessorNode {
                name: wiring.name(node),
                node,
                processor: RefCell::new(processor),
                out: RefCell::new(out),
                schedules: Schedules::new(wiring.processors().punctuations()),
                input: PhantomData,
            });
            wiring.processors().add(node, Rc::clone(&live) as Rc<dyn LiveProcessor>);
            Ok(live)
        })?;
        Ok(Box::new(ProcessorInlet(Rc::clone(&shared))))
    }

    fn enter<T>(
        &self,
        cx: &mut TaskContext<'_>,
        in_init: bool,
        work: impl FnOnce(&mut P, &mut ProcessorContext<'_, '_, KOut, VOut>) -> Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let (Ok(mut processor), Ok(mut out)) = (self.processor.try_borrow_mut(), self.out.try_borrow_mut()) else {
            return Err(ProcessError::user(format!("processor {} was called while it is at work", self.name)));
        };
        let mut context = ProcessorContext::at(self.node, cx, &mut out, &self.schedules, in_init);
        work(&mut processor, &mut context)
    }
}

impl<P, KIn, VIn, KOut, VOut> LiveProcessor for ProcessorNode<P, KIn, VIn, KOut, VOut>
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    fn name(&self) -> &str {
        &self.name
    }
    fn init(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.enter(cx, true, Processor::init)
    }
    fn punctuate(&self, cx: &mut TaskContext<'_>, schedule: ScheduleId, time: Timestamp) -> Result<(), ProcessError> {
        self.enter(cx, false, |processor, cx| {
            cx.fire(schedule, time).unwrap_or_else(|| processor.punctuate(cx, schedule, time))
        })
    }
    fn has(&self, schedule: ScheduleId) -> bool {
        self.schedules.has(schedule)
    }
    fn close(&self) {
        if let Ok(mut processor) = self.processor.try_borrow_mut() {
            processor.close();
        }
    }
}

struct ProcessorInlet<P, KIn, VIn, KOut: 'static, VOut: 'static>(Rc<ProcessorNode<P, KIn, VIn, KOut, VOut>>);

impl<P, KIn, VIn, KOut, VOut> Inlet<Stream<KIn, VIn>> for ProcessorInlet<P, KIn, VIn, KOut, VOut>
where
    P: Processor<KIn, VIn, KOut, VOut>,
    KIn: 'static,
    VIn: 'static,
    KOut: 'static,
    VOut: 'static,
{
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, KIn, VIn>) -> Result<(), ProcessError> {
        self.0.enter(cx, false, |processor, cx| processor.process(cx, record))
    }
}

impl<P, KIn, VIn, KOut: 'static, VOut: 'static> fmt::Debug for ProcessorNode<P, KIn, VIn, KOut, VOut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessorNode").field("name", &self.name).finish_non_exhaustive()
    }
}
