//! Looking up the value that a table has for a key (Java's `KTableValueGetter`): in its store, or made of its parent's.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Nullable, Timestamp};
use headwater_topology::state::{Stamped, StoreHandle, TableState, Timed, TimedState};
use headwater_topology::{Draft, NodeId, ProcessError, StoreId, TaskContext, Wiring, WiringError};

use headwater_window::Windowed;

use crate::derivation::{Derivation, Deriver};
use crate::serdes::Serdes;

type Kept<K, V> = Option<(StoreId, StoreHandle<K, V>)>;
type BoxView<K, V> = Box<dyn View<K, V>>;

/// Looks up values, in a running task.
pub(crate) trait View<K, V> {
    /// The value of `key` with its time; `None` where the table has none. The time is -1 where nobody knows one.
    fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError>;

    /// The value as it was at `as_of`, where the table has versions; else as it is now.
    fn get_as_of(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let _ = as_of;
        self.get(cx, key)
    }

    /// Hands the value to `look`, as it was at `as_of` if that is asked. A table that is kept need not copy it for that.
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Option<Timestamp>,
        look: Look<'_, V>,
    ) -> Result<(), ProcessError> {
        let found = match as_of {
            Some(as_of) => self.get_as_of(cx, key, as_of)?,
            None => self.get(cx, key)?,
        };
        look(found.as_ref().map(|found| (&found.value, found.timestamp)))
    }
}

/// What is done with a value that was looked up, and its time; `None` where the table has none.
pub(crate) type Look<'f, V> = &'f mut dyn FnMut(Option<(&V, Timestamp)>) -> Result<(), ProcessError>;

/// How a table can be looked at.
pub(crate) trait Source<K, V>: Send + Sync {
    fn connect(&self, draft: &Draft, node: NodeId);
    fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<BoxView<K, V>, WiringError>;
}

/// How a table can be looked at; see [`Views::connect`] and [`Views::open`].
pub(crate) struct Views<K, V>(Arc<dyn Source<K, V>>);

impl<K, V> Clone for Views<K, V> {
    fn clone(&self) -> Self {
        Views(Arc::clone(&self.0))
    }
}

impl<K: 'static, V: 'static> Views<K, V> {
    pub(crate) fn new(source: impl Source<K, V> + 'static) -> Self {
        Views(Arc::new(source))
    }

    /// Into the store `kept`, if there is one.
    pub(crate) fn of_store(kept: Kept<K, V>) -> Self {
        Views(Arc::new(InStore(kept)))
    }

    /// What `derivation` makes of the values of another table.
    pub(crate) fn derived<P: 'static>(
        parent: &Views<K, P>,
        derivation: Derivation<K, P, V>,
        result: &Serdes<K, V>,
    ) -> Self {
        Views(Arc::new(Derived { parent: parent.clone(), derivation, result: result.clone() }))
    }

    /// The same, where the null of the values' type is no value.
    pub(crate) fn non_null(&self) -> Self
    where
        V: Nullable,
    {
        Views(Arc::new(NonNull(self.clone())))
    }

    /// Lets `node` look: the stores that it needs for that are made and connected.
    pub(crate) fn connect(&self, draft: &Draft, node: NodeId) {
        self.0.connect(draft, node);
    }

    /// The view that `node` has in a task.
    pub(crate) fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<Box<dyn View<K, V>>, WiringError> {
        self.0.open(wiring, node)
    }
}

impl<K: 'static, V: 'static> Views<Windowed<K>, V> {
    /// Into a store of windows or sessions.
    pub(crate) fn in_time<T: Timed>(kept: Kept<K, V>) -> Self {
        Views(Arc::new(InTime::<K, V, T>(kept, PhantomData)))
    }
}

/// In a store of windows or sessions.
struct InTime<K, V, T>(Kept<K, V>, PhantomData<fn(T)>);

struct TimeView<K: 'static, V: 'static, T>(Option<Rc<TimedState<K, V, T>>>);

impl<K: 'static, V: 'static, T: Timed> Source<Windowed<K>, V> for InTime<K, V, T> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        if let Some((store, _)) = &self.0 {
            draft.connect(node, *store);
        }
    }
    fn open(&self, wiring: &mut Wiring<'_>, _: NodeId) -> Result<BoxView<Windowed<K>, V>, WiringError> {
        let state = self.0.as_ref().map(|(store, handle)| TimedState::<K, V, T>::open(wiring, *store, handle));
        Ok(Box::new(TimeView(state.transpose()?)))
    }
}

impl<K: 'static, V: 'static, T: Timed> View<Windowed<K>, V> for TimeView<K, V, T> {
    fn get(&self, _: &mut TaskContext<'_>, key: &Windowed<K>) -> Result<Option<Stamped<V>>, ProcessError> {
        let Some(state) = &self.0 else { return Ok(None) };
        let found = state.with_key(&key.key, |buf| state.get(buf, key.window))?;
        Ok(found.map(|found| {
            let timestamp = T::time_of_change(key.window, found.timestamp);
            Stamped { value: found.value, timestamp }
        }))
    }
}

struct InStore<K, V>(Kept<K, V>);

/// Looks into a store; where there is none, nothing is found.
pub(crate) struct StoreView<K: 'static, V: 'static>(pub(crate) Option<TableState<K, V>>);

impl<K: 'static, V: 'static> Source<K, V> for InStore<K, V> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        if let Some((store, _)) = &self.0 {
            draft.connect(node, *store);
        }
    }
    fn open(&self, wiring: &mut Wiring<'_>, _: NodeId) -> Result<BoxView<K, V>, WiringError> {
        let state = self.0.as_ref().map(|(store, handle)| TableState::open(wiring, *store, handle)).transpose()?;
        Ok(Box::new(StoreView(state)))
    }
}

impl<K: 'static, V: 'static> View<K, V> for StoreView<K, V> {
    fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        self.0.as_ref().map_or(Ok(None), |state| state.get(cx, key))
    }
    fn get_as_of(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        self.0.as_ref().map_or(Ok(None), |state| state.get_as_of(cx, key, as_of))
    }
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Option<Timestamp>,
        look: Look<'_, V>,
    ) -> Result<(), ProcessError> {
        match &self.0 {
            Some(state) => state.with(cx, key, as_of, look)?,
            None => look(None),
        }
    }
}

struct NonNull<K, V>(Views<K, V>);

struct NonNullView<K, V>(BoxView<K, V>);

impl<K: 'static, V: Nullable + 'static> Source<K, V> for NonNull<K, V> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        self.0.connect(draft, node);
    }
    fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<BoxView<K, V>, WiringError> {
        Ok(Box::new(NonNullView(self.0.open(wiring, node)?)))
    }
}

impl<K, V: Nullable> View<K, V> for NonNullView<K, V> {
    fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        Ok(self.0.get(cx, key)?.filter(|found| !found.value.is_null()))
    }
    fn get_as_of(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        Ok(self.0.get_as_of(cx, key, as_of)?.filter(|found| !found.value.is_null()))
    }
    fn look(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Option<Timestamp>,
        look: Look<'_, V>,
    ) -> Result<(), ProcessError> {
        self.0.look(cx, key, as_of, &mut |found| look(found.filter(|(value, _)| !value.is_null())))
    }
}

struct Derived<K, P, V> {
    parent: Views<K, P>,
    derivation: Derivation<K, P, V>,
    result: Serdes<K, V>,
}

struct DerivedView<K, P, V> {
    parent: BoxView<K, P>,
    deriver: Deriver<K, P, V>,
    result: Serdes<K, V>,
}

impl<K: 'static, P: 'static, V: 'static> Source<K, V> for Derived<K, P, V> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        self.parent.connect(draft, node);
    }
    fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<BoxView<K, V>, WiringError> {
        let (parent, deriver) = (self.parent.open(wiring, node)?, self.derivation.open_to_look(wiring, node)?);
        Ok(Box::new(DerivedView { parent, deriver, result: self.result.clone() }))
    }
}

impl<K, P, V> DerivedView<K, P, V> {
    fn derived(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        parent: Option<Stamped<P>>,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let timestamp = parent.as_ref().map_or(Timestamp::UNKNOWN, |found| found.timestamp);
        let parent = parent.map(|found| found.value);
        let value = self.deriver.of_found(cx, (key, &parent), timestamp)?;
        let value = value.filter(|value| !self.result.value_is_null(value));
        Ok(value.map(|value| Stamped { value, timestamp }))
    }
}

impl<K, P, V> View<K, V> for DerivedView<K, P, V> {
    fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<V>>, ProcessError> {
        let parent = self.parent.get(cx, key)?;
        self.derived(cx, key, parent)
    }
    fn get_as_of(
        &self,
        cx: &mut TaskContext<'_>,
        key: &K,
        as_of: Timestamp,
    ) -> Result<Option<Stamped<V>>, ProcessError> {
        let parent = self.parent.get_as_of(cx, key, as_of)?;
        self.derived(cx, key, parent)
    }
}

/// A table that is joined of two others and kept nowhere. As in Java it has no versions, though both may.
pub(crate) struct JoinedViews<K, A, B, W> {
    pub(crate) left: Views<K, A>,
    pub(crate) right: Views<K, B>,
    /// `None` where the join has no row.
    pub(crate) join: Arc<dyn Fn(Option<&A>, Option<&B>) -> Result<Option<W>, ProcessError> + Send + Sync>,
}

struct JoinedView<K, A, B, W> {
    left: BoxView<K, A>,
    right: BoxView<K, B>,
    join: Arc<dyn Fn(Option<&A>, Option<&B>) -> Result<Option<W>, ProcessError> + Send + Sync>,
}

impl<K: 'static, A: 'static, B: 'static, W: 'static> JoinedViews<K, A, B, W> {
    pub(crate) fn views(self) -> Views<K, W> {
        Views(Arc::new(self))
    }
}

impl<K: 'static, A: 'static, B: 'static, W: 'static> Source<K, W> for JoinedViews<K, A, B, W> {
    fn connect(&self, draft: &Draft, node: NodeId) {
        self.left.connect(draft, node);
        self.right.connect(draft, node);
    }
    fn open(&self, wiring: &mut Wiring<'_>, node: NodeId) -> Result<BoxView<K, W>, WiringError> {
        let (left, right) = (self.left.open(wiring, node)?, self.right.open(wiring, node)?);
        Ok(Box::new(JoinedView { left, right, join: Arc::clone(&self.join) }))
    }
}

impl<K, A, B, W> View<K, W> for JoinedView<K, A, B, W> {
    fn get(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Stamped<W>>, ProcessError> {
        let (left, right) = (self.left.get(cx, key)?, self.right.get(cx, key)?);
        let time = |time: Option<Timestamp>| time.unwrap_or(Timestamp::UNKNOWN);
        let timestamp = time(left.as_ref().map(|l| l.timestamp)).max(time(right.as_ref().map(|r| r.timestamp)));
        let value = (self.join)(left.as_ref().map(|found| &found.value), right.as_ref().map(|found| &found.value))?;
        Ok(value.map(|value| Stamped { value, timestamp }))
    }
}
