//! Transformers of a table's values: what [`KTable::transform_values_using`](crate::KTable::transform_values_using) takes.

use std::cell::RefCell;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Record, Timestamp};
use headwater_topology::processor::{LiveProcessor, ProcessorContext, ProcessorSupplier, Schedules, StoreAccess};
use headwater_topology::{NodeId, Outlet, ProcessError, ScheduleId, TaskContext, Wiring};

use crate::derivation::{Derivation, Transform};

/// What a [`ValueTransformerWithKey`] may do: all that a processor may but forward, since there is no record of these types.
pub type TransformContext<'a, 't> = ProcessorContext<'a, 't, Infallible, Infallible>;

/// Makes another value for each key of a table, with stores and schedules (`ValueTransformerWithKey`). One lives in each task, as
/// with a [`Processor`](headwater_topology::processor::Processor); see
/// [`KTable::transform_values_using`](crate::KTable::transform_values_using).
pub trait ValueTransformerWithKey<K, V, W>: 'static {
    /// Called once, before the first record: the place to schedule punctuations.
    ///
    /// # Errors
    /// Any; the task then does not start.
    fn init(&mut self, cx: &mut TransformContext<'_, '_>) -> Result<(), ProcessError> {
        let _ = cx;
        Ok(())
    }

    /// Makes the value for the record's key; `None` deletes the key. A record without a value says that the parent has none.
    ///
    /// # Errors
    /// Any; the processing exception handler decides. Make one of your own error with [`ProcessError::user`].
    fn transform(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        record: Record<'_, K, Option<V>>,
    ) -> Result<Option<W>, ProcessError>;

    /// Called when a schedule fires, but for those that call a closure ([`ProcessorContext::schedule_with`]).
    ///
    /// # Errors
    /// As [`ValueTransformerWithKey::transform`].
    fn punctuate(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        let _ = (cx, schedule, time);
        Ok(())
    }

    /// Called once, when the task is closed.
    fn close(&mut self) {}
}

/// A transformer in a running task.
struct Live<T, K, V, W> {
    name: Arc<str>,
    node: NodeId,
    transformer: RefCell<T>,
    schedules: Schedules<Infallible, Infallible>,
    types: PhantomData<fn(K, V, W)>,
}

/// The transformers that `supplier` makes: one for each node that needs the table's values.
pub(crate) fn transformers<T, K: 'static, V: 'static, W: 'static>(
    supplier: impl ProcessorSupplier<T>,
) -> Derivation<K, V, W>
where
    T: ValueTransformerWithKey<K, V, W>,
{
    Derivation::Transformer(Arc::new(move |wiring, node| {
        let transformer = RefCell::new(supplier(&mut StoreAccess::new(wiring, node))?);
        Ok(live(wiring, node, transformer))
    }))
}

fn live<T, K: 'static, V: 'static, W: 'static>(
    wiring: &mut Wiring<'_>,
    node: NodeId,
    transformer: RefCell<T>,
) -> Rc<dyn Transform<K, V, W>>
where
    T: ValueTransformerWithKey<K, V, W>,
{
    let (name, schedules) = (wiring.name(node), Schedules::new(wiring.processors().punctuations()));
    let live = Rc::new(Live { name, node, transformer, schedules, types: PhantomData });
    wiring.processors().add(node, Rc::clone(&live) as Rc<dyn LiveProcessor>);
    live
}

impl<T, K, V, W> Live<T, K, V, W> {
    fn enter<R>(
        &self,
        cx: &mut TaskContext<'_>,
        in_init: bool,
        work: impl FnOnce(&mut T, &mut TransformContext<'_, '_>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        let Ok(mut transformer) = self.transformer.try_borrow_mut() else {
            return Err(ProcessError::user(format!("the transformer of {} was called while it is at work", self.name)));
        };
        let mut nobody = Outlet::default();
        let mut cx = ProcessorContext::at(self.node, cx, &mut nobody, &self.schedules, in_init);
        work(&mut transformer, &mut cx)
    }
}

impl<T: ValueTransformerWithKey<K, V, W>, K, V, W> Transform<K, V, W> for Live<T, K, V, W> {
    fn transform(&self, cx: &mut TaskContext<'_>, record: Record<'_, K, Option<V>>) -> Result<Option<W>, ProcessError> {
        self.enter(cx, false, |transformer, cx| transformer.transform(cx, record))
    }
}

impl<T: ValueTransformerWithKey<K, V, W>, K, V, W> LiveProcessor for Live<T, K, V, W> {
    fn name(&self) -> &str {
        &self.name
    }
    fn init(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError> {
        self.enter(cx, true, ValueTransformerWithKey::init)
    }
    fn punctuate(&self, cx: &mut TaskContext<'_>, schedule: ScheduleId, time: Timestamp) -> Result<(), ProcessError> {
        self.enter(cx, false, |transformer, cx| {
            cx.fire(schedule, time).unwrap_or_else(|| transformer.punctuate(cx, schedule, time))
        })
    }
    fn has(&self, schedule: ScheduleId) -> bool {
        self.schedules.has(schedule)
    }
    fn close(&self) {
        if let Ok(mut transformer) = self.transformer.try_borrow_mut() {
            transformer.close();
        }
    }
}
