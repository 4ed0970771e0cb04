//! Looking up the value that a table has for a key (Java's `KTableValueGetter`): in its store, or made of its parent's.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Headers, Nullable, Record, Timestamp};
use headwater_topology::state::{Stamped, StoreHandle, TableState, Timed, TimedState};
use headwater_topology::{Draft, NodeId, ProcessError, StoreId, TaskContext, Wiring, WiringError};

use headwater_window::Windowed;

use crate::derivation::{Derivation, Deriver};
use crate::serdes::Serdes;

type Kept<K, V> = Option<(StoreId, StoreHandle<K, V>)>;
type BoxView<K, V> = Box<dyn View<K, V>>;

/// What is looked up.
pub(crate) struct Lookup<'a, K> {
    pub(crate) key: &'a K,
    /// The value as it was then, where the table has versions; else as it is now.
    as_of: Option<Timestamp>,
    /// The headers of the record for which it is looked up.
    headers: &'a Headers,
}

impl<'a, K> Lookup<'a, K> {
    /// The value that `key` has now, for a record with `headers`.
    pub(crate) fn new(key: &'a K, headers: &'a Headers) -> Self {
        Lookup { key, as_of: None, headers }
    }

    /// The value as it was at `as_of`, where the table has versions.
    pub(crate) fn as_of(self, as_of: Timestamp) -> Self {
        Lookup { as_of: Some(as_of), ..self }
    }
}

impl<K> Clone for Lookup<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Lookup<'_, K> {}

/// A value that a table has.
pub(crate) struct Found<V> {
    value: V,
    /// -1 where nobody knows one.
    timestamp: Timestamp,
    /// What a transformer sees that makes another value of it. As in Java a row has none, whatever its store keeps.
    headers: Headers,
}

impl<V> From<Stamped<V>> for Found<V> {
    fn from(row: Stamped<V>) -> Self {
        Found { value: row.value, timestamp: row.timestamp, headers: Headers::new() }
    }
}

/// Looks up values, in a running task.
pub(crate) trait View<K, V> {
    /// The value of a key; `None` where the table has none.
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<V>>, ProcessError>;

    /// Hands the value to `look`. A table that is kept need not copy it for that.
    fn look(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>, look: Look<'_, V>) -> Result<(), ProcessError> {
        let found = self.get(cx, wanted)?;
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
    fn get(&self, _: &mut TaskContext<'_>, wanted: Lookup<'_, Windowed<K>>) -> Result<Option<Found<V>>, ProcessError> {
        let Some(state) = &self.0 else { return Ok(None) };
        let Windowed { key, window } = wanted.key;
        let found = state.with_key(key, |buf| state.get(buf, *window))?;
        Ok(found.map(|found| {
            let timestamp = T::time_of_change(*window, found.timestamp);
            Stamped { timestamp, ..found }.into()
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
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<V>>, ProcessError> {
        let Some(state) = &self.0 else { return Ok(None) };
        let found = match wanted.as_of {
            Some(as_of) => state.get_as_of(cx, wanted.key, as_of)?,
            None => state.get(cx, wanted.key)?,
        };
        Ok(found.map(Found::from))
    }
    fn look(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>, look: Look<'_, V>) -> Result<(), ProcessError> {
        match &self.0 {
            Some(state) => state.with(cx, wanted.key, wanted.as_of, look)?,
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
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<V>>, ProcessError> {
        Ok(self.0.get(cx, wanted)?.filter(|found| !found.value.is_null()))
    }
    fn look(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>, look: Look<'_, V>) -> Result<(), ProcessError> {
        self.0.look(cx, wanted, &mut |found| look(found.filter(|(value, _)| !value.is_null())))
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

impl<K, P, V> View<K, V> for DerivedView<K, P, V> {
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<V>>, ProcessError> {
        let found = self.parent.get(cx, wanted)?;
        let (parent, timestamp, headers) = match found {
            Some(Found { value, timestamp, headers }) => (Some(value), timestamp, Some(headers)),
            None => (None, Timestamp::UNKNOWN, None),
        };
        let none = Headers::new();
        let record = Record::new(wanted.key, &parent, timestamp, headers.as_ref().unwrap_or(&none));
        let value = self.deriver.of_found(cx, record)?.filter(|value| !self.result.value_is_null(value));
        // As in Java, what is made of nothing has the headers of the record for which it is made.
        let headers = headers.unwrap_or_else(|| wanted.headers.clone());
        Ok(value.map(|value| Found { value, timestamp, headers }))
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
    fn get(&self, cx: &mut TaskContext<'_>, wanted: Lookup<'_, K>) -> Result<Option<Found<W>>, ProcessError> {
        let wanted = Lookup { as_of: None, ..wanted };
        let (left, right) = (self.left.get(cx, wanted)?, self.right.get(cx, wanted)?);
        let time = |time: Option<Timestamp>| time.unwrap_or(Timestamp::UNKNOWN);
        let timestamp = time(left.as_ref().map(|l| l.timestamp)).max(time(right.as_ref().map(|r| r.timestamp)));
        let value = (self.join)(left.as_ref().map(|found| &found.value), right.as_ref().map(|found| &found.value))?;
        Ok(value.map(|value| Stamped { value, timestamp }.into()))
    }
}
