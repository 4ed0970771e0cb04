//! What travels along an edge, and who takes it: the only virtual calls on a record's way.
//!
//! An edge is typed at both ends. Only behaviour is erased (`Box<dyn Inlet<E>>`), never a key or a value, so passing a record to
//! the next node costs one virtual call and no allocation. Records are pushed depth first, as Java forwards them: a child and all
//! below it are done before the next child sees the record.

use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Headers, RawRecord, Record, Timestamp};

use crate::caught::caught;
use crate::tally::Tally;
use crate::{ProcessError, TaskContext};

/// A family of items, one for each lifetime: [`Stream`] or [`Table`].
pub trait Edge: 'static {
    /// What is handed over: a view.
    type Item<'a>: Copy;

    /// When it is, and the headers that it has.
    fn stamp(item: Self::Item<'_>) -> (Timestamp, &Headers);

    /// The header list that children share, if it is not that of the item: unless a node hands on what it was handed, it is their own.
    fn own_headers(item: Self::Item<'_>) -> Option<Headers>;

    /// The item as children see it, with the list of [`Edge::own_headers`].
    fn handed_on<'a: 'b, 'b>(item: Self::Item<'a>, own: Option<&'b Headers>) -> Self::Item<'b>;
}

/// The edge of a stream: [`Record`]s.
#[derive(Debug)]
pub struct Stream<K, V>(PhantomData<fn(K, V)>);

impl<K: 'static, V: 'static> Edge for Stream<K, V> {
    type Item<'a> = Record<'a, K, V>;

    fn stamp(item: Self::Item<'_>) -> (Timestamp, &Headers) {
        (item.timestamp, item.headers)
    }

    #[inline]
    fn own_headers(item: Self::Item<'_>) -> Option<Headers> {
        item.own_headers()
    }

    #[inline]
    fn handed_on<'a: 'b, 'b>(item: Self::Item<'a>, own: Option<&'b Headers>) -> Self::Item<'b> {
        item.handed_on(own)
    }
}

/// The edge of a table: [`Update`]s.
#[derive(Debug)]
pub struct Table<K, V>(PhantomData<fn(K, V)>);

impl<K: 'static, V: 'static> Edge for Table<K, V> {
    type Item<'a> = Update<'a, K, V>;

    fn stamp(item: Self::Item<'_>) -> (Timestamp, &Headers) {
        (item.timestamp, item.headers)
    }

    #[inline]
    fn own_headers(item: Self::Item<'_>) -> Option<Headers> {
        Some(item.headers.clone())
    }

    #[inline]
    fn handed_on<'a: 'b, 'b>(item: Self::Item<'a>, own: Option<&'b Headers>) -> Self::Item<'b> {
        Update { headers: own.unwrap_or(item.headers), ..item }
    }
}

/// What happened to the value of a key in a table (Java's `Change`).
pub struct Change<'a, V> {
    /// The value now; `None` when the key was deleted.
    pub new: &'a Option<V>,
    /// The value before. `None` also where nobody downstream asked for old values.
    pub old: &'a Option<V>,
    /// Whether no later version exists; `false` only behind versioned stores.
    pub is_latest: bool,
}

impl<V> Clone for Change<'_, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for Change<'_, V> {}

impl<'a, V> Change<'a, V> {
    /// From `old` to `new`.
    #[inline]
    pub fn new(new: &'a Option<V>, old: &'a Option<V>) -> Self {
        Change { new, old, is_latest: true }
    }
}

impl<V: fmt::Debug> fmt::Debug for Change<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:?}<-{:?})", self.new, self.old)
    }
}

/// A change of a table on its way: a view, as [`Record`] is for streams.
pub struct Update<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// What happened to its value.
    pub change: Change<'a, V>,
    /// When, in event time.
    pub timestamp: Timestamp,
    /// Headers of the record that caused it.
    pub headers: &'a Headers,
}

impl<K, V> Clone for Update<'_, K, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Update<'_, K, V> {}

impl<'a, K, V> Update<'a, K, V> {
    /// The same with another change.
    #[inline]
    #[must_use]
    pub fn with_change<W>(self, change: Change<'a, W>) -> Update<'a, K, W> {
        Update { key: self.key, change, timestamp: self.timestamp, headers: self.headers }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Update<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?} at {:?}", self.key, self.change, self.timestamp)
    }
}

/// Takes what travels along an edge: a node of a running task.
pub trait Inlet<E: Edge> {
    /// Takes one item and pushes on what follows from it.
    ///
    /// # Errors
    /// [`ProcessError`]. An error of the user's code goes to the processing exception handler where the node was called, with
    /// the node's name; what the handler lets pass never reaches the caller.
    fn push(&mut self, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError>;
}

/// Where bytes become types: one per source node of a running task.
pub trait RawInlet {
    /// Decodes the record and gives its event time, or `None` when it is to be skipped (it was counted as dropped). What was
    /// decoded is kept for the [`RawInlet::push_raw`] that follows.
    ///
    /// # Errors
    /// What the timestamp extractor or a handler made fatal.
    fn timestamp(
        &mut self,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        partition_time: Timestamp,
    ) -> Result<Option<Timestamp>, ProcessError>;

    /// Pushes the record through the topology, decoded before or now. `cx` stands at this record already.
    ///
    /// # Errors
    /// What a handler made fatal.
    fn push_raw(
        &mut self,
        cx: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        timestamp: Timestamp,
    ) -> Result<(), ProcessError>;
}

/// A child of a running node.
struct Child<E: Edge> {
    name: Arc<str>,
    inlet: Box<dyn Inlet<E>>,
    /// Where it is counted what it takes.
    edge: usize,
    tally: Rc<Tally>,
}

impl<E: Edge> Child<E> {
    /// Hands `item` over. A failure is the child's, at the time of the item; so is what was left out and is no child's of its own.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "measured: every record passes here once for each edge")]
    fn push(&mut self, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        let left_out = cx.left_out();
        cx.take(self.edge);
        match caught(|| self.inlet.push(cx, item)) {
            Ok(()) if cx.left_out() == left_out => Ok(()),
            pushed => self.settle(cx, item, left_out, pushed),
        }
    }

    /// What seldom happens, out of the way of records.
    #[cold]
    #[inline(never)]
    fn settle(
        &self,
        cx: &mut TaskContext<'_>,
        item: E::Item<'_>,
        left_out: usize,
        pushed: Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        let pushed = pushed.or_else(|error| {
            let (timestamp, headers) = E::stamp(item);
            cx.node_failed(&self.name, timestamp, headers, error)
        });
        cx.charge(left_out, &self.tally);
        pushed
    }
}

/// Takes what is handed to a child by its name.
pub type Catch<E> = Box<dyn FnMut(&str, <E as Edge>::Item<'_>)>;

/// The children of a running node, in the order in which they were added to the topology.
pub struct Outlet<E: Edge> {
    children: Vec<Child<E>>,
    /// Stands for all other children, in tests of a single node.
    catch: Option<Catch<E>>,
}

impl<E: Edge> Default for Outlet<E> {
    fn default() -> Self {
        Outlet { children: Vec::new(), catch: None }
    }
}

impl<E: Edge> Outlet<E> {
    /// The outlet of a node that is tested alone: `all` takes what goes to all children, `catch` what goes to one by its name.
    pub fn catching(all: Box<dyn Inlet<E>>, catch: Catch<E>) -> Self {
        Outlet {
            children: vec![Child { name: "".into(), inlet: all, edge: usize::MAX, tally: Rc::default() }],
            catch: Some(catch),
        }
    }

    pub(crate) fn add(&mut self, name: Arc<str>, inlet: Box<dyn Inlet<E>>, tally: Rc<Tally>) {
        self.children.push(Child { name, inlet, edge: tally.edge(), tally });
    }

    /// Hands `item` to every child in turn.
    ///
    /// # Errors
    /// The first error that no handler let pass.
    #[inline]
    pub fn push(&mut self, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        let own = E::own_headers(item);
        let item = E::handed_on(item, own.as_ref());
        for child in &mut self.children {
            child.push(cx, item)?;
        }
        Ok(())
    }

    /// Hands `item` to the child of this name only.
    ///
    /// # Errors
    /// [`ProcessError::User`] when there is no such child; otherwise as [`Outlet::push`].
    pub fn push_to(&mut self, name: &str, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        if let Some(catch) = &mut self.catch {
            catch(name, item);
            return Ok(());
        }
        let child = self.children.iter_mut().find(|child| &*child.name == name).ok_or_else(|| {
            ProcessError::user(format!(
                "Unknown downstream node: {name} either does not exist or is not connected to this processor."
            ))
        })?;
        let own = E::own_headers(item);
        child.push(cx, E::handed_on(item, own.as_ref()))
    }

    /// Whether there is no child.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// How many children there are.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Hands `item` to the child at `index` only, as branches do. Past the last child nothing happens.
    ///
    /// # Errors
    /// As [`Outlet::push`].
    #[inline]
    pub fn push_at(&mut self, index: usize, cx: &mut TaskContext<'_>, item: E::Item<'_>) -> Result<(), ProcessError> {
        let Some(child) = self.children.get_mut(index) else { return Ok(()) };
        let own = E::own_headers(item);
        child.push(cx, E::handed_on(item, own.as_ref()))
    }
}

impl<E: Edge> fmt::Debug for Outlet<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.children.iter().map(|child| &child.name)).finish()
    }
}
