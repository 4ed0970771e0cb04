//! Joins of tables by their key.

use crate::queryable::Queryable;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::Timestamp;
use headwater_store::bytes::VersionedPut;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, StoreHandle, TableState};
use headwater_topology::{
    BoxError, Change, DropReason, Inlet, MakeInlet, NodeId, Outlet, Port, ProcessError, StoreId, Table, TaskContext,
    Update,
};

use crate::old_values::OldValues;
use crate::operator::{GivenBy, missing_serde, row_format};
use crate::serdes::Serdes;
use crate::view::{JoinedViews, Lookup, View, Views};
use crate::{KTable, Materialized};

/// Which rows a join has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    Inner,
    Left,
    Outer,
}

/// When one side of a join has something to say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The other side must have a value, and this one too.
    Both,
    /// This side must have a value.
    This,
    /// The other side must have a value.
    Other,
    /// One of the two must have one.
    Any,
}

impl Need {
    fn met(self, this: bool, other: bool) -> bool {
        match self {
            Need::Both => this && other,
            Need::This => this,
            Need::Other => other,
            Need::Any => this || other,
        }
    }
}

type JoinOf<A, B, W> = Arc<dyn Fn(Option<&A>, Option<&B>) -> Result<W, ProcessError> + Send + Sync>;

/// One side of a join: where the changes of `A` come in.
struct Side<K: 'static, A: 'static, B, W: 'static> {
    serdes: Serdes<K, A>,
    other: Box<dyn View<K, B>>,
    join: JoinOf<A, B, W>,
    need: Need,
    /// Whether this side has versions, of which only the latest counts.
    latest_only: bool,
    send_old: bool,
    out: Outlet<Table<K, W>>,
}

impl<K: 'static, A: 'static, B, W: 'static> Inlet<Table<K, A>> for Side<K, A, B, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, A>) -> Result<(), ProcessError> {
        if self.serdes.key_is_null(update.key) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let Change { new, old, is_latest } = update.change;
        if self.latest_only && !is_latest {
            cx.drop_record(DropReason::Superseded);
            return Ok(());
        }
        let mut joined = None;
        self.other.look(cx, Lookup::new(update.key, update.headers), &mut |other| {
            // Nothing was there, and nothing is.
            let silent = match self.need {
                Need::Both | Need::Other => other.is_none(),
                Need::This | Need::Any => other.is_none() && new.is_none() && old.is_none(),
            };
            if silent {
                return Ok(());
            }
            let (other, timestamp) = other.map_or((None, Timestamp::UNKNOWN), |(other, at)| (Some(other), at));
            let join = |value: &Option<A>| {
                let met = self.need.met(value.is_some(), other.is_some());
                met.then(|| (self.join)(value.as_ref(), other)).transpose()
            };
            joined = Some((join(new)?, if self.send_old { join(old)? } else { None }, timestamp.max(update.timestamp)));
            Ok(())
        })?;
        let Some((new, old, timestamp)) = joined else { return Ok(()) };
        let change = Change { new: &new, old: &old, is_latest };
        self.out.push(cx, Update { timestamp, ..update.with_change(change) })
    }
}

/// Where both sides come together.
struct Merge<K: 'static, W: 'static> {
    result: Serdes<K, W>,
    send_old: bool,
    state: Option<(TableState<K, W>, Copies<W>)>,
    out: Rc<RefCell<Outlet<Table<K, W>>>>,
}

/// Copies a value, for the store.
type Copies<W> = fn(&W) -> W;

impl<K: 'static, W: 'static> Inlet<Table<K, W>> for Merge<K, W> {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, W>) -> Result<(), ProcessError> {
        let Update { key, change, timestamp, headers } = update;
        let none = None;
        let present = |value: &Option<W>| value.as_ref().is_some_and(|value| !self.result.value_is_null(value));
        let new = if present(change.new) { change.new } else { &none };
        let old = if self.send_old && present(change.old) { change.old } else { &none };
        let mut is_latest = change.is_latest;
        if let Some((state, copy)) = &self.state {
            let put = state.put(cx, key, new.as_ref().map(copy), timestamp, headers)?;
            if state.is_cached() || put == VersionedPut::Expired {
                return Ok(());
            }
            is_latest = put == VersionedPut::Latest;
        }
        let change = Change { new, old, is_latest };
        match self.out.try_borrow_mut() {
            Ok(mut out) => out.push(cx, update.with_change(change)),
            Err(_) => Err(ProcessError::user("a join of tables was called while it was handing a change on")),
        }
    }
}

impl<K: 'static, V: 'static> KTable<K, V> {
    /// The rows whose key both tables have (`KTable#join`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let (names, cities) = (builder.table::<i64, String>("names"), builder.table::<i64, String>("cities"));
    /// names.join(&cities, |name, city| format!("{name} in {city}")).to_stream().to("people");
    /// assert!(builder.build()?.describe().contains("KTABLE-MERGE-0000000006"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, &V2) -> W + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.try_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), None)
    }

    /// The rows of this table, each with that of `other` where there is one (`KTable#leftJoin`).
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let (names, cities) = (builder.table::<i64, String>("names"), builder.table::<i64, String>("cities"));
    /// let people = names.left_join(&cities, |name, city| match city {
    ///     Some(city) => format!("{name} in {city}"),
    ///     None => name.clone(),
    /// });
    /// people.to_stream().to("people");
    /// assert!(builder.build()?.describe().contains("KTABLE-MERGE-0000000006"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn left_join<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, Option<&V2>) -> W + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.try_left_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), None)
    }

    /// The rows whose key either table has (`KTable#outerJoin`). At least one of the two values is there.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let (shop, web) = (builder.table::<String, i64>("sold-in-shop"), builder.table::<String, i64>("sold-on-web"));
    /// shop.outer_join(&web, |shop, web| shop.unwrap_or(&0) + web.unwrap_or(&0)).to_stream().to("sold");
    /// assert!(builder.build()?.describe().contains("KTABLE-MERGE-0000000006"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn outer_join<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(Option<&V>, Option<&V2>) -> W + Send + Sync + 'static,
    ) -> KTable<K, W> {
        self.try_outer_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), None)
    }

    /// As [`KTable::join`], kept in a store (`KTable#join` with `Materialized`).
    ///
    /// ```
    /// use headwater::prelude::*;
    ///
    /// let builder = StreamsBuilder::new();
    /// let (prices, pieces) = (builder.table::<String, i64>("prices"), builder.table::<String, i64>("pieces"));
    /// let worth = prices.join_with(&pieces, |price, pieces| price * pieces, Materialized::named("worth"));
    /// assert_eq!(worth.queryable_store().map(|store| store.name()), Some("worth"));
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn join_with<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, &V2) -> W + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.try_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), Some(materialized))
    }

    /// As [`KTable::left_join`], kept in a store.
    #[must_use]
    pub fn left_join_with<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, Option<&V2>) -> W + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.try_left_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), Some(materialized))
    }

    /// As [`KTable::outer_join`], kept in a store.
    #[must_use]
    pub fn outer_join_with<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(Option<&V>, Option<&V2>) -> W + Send + Sync + 'static,
        materialized: Materialized<K, W>,
    ) -> KTable<K, W> {
        self.try_outer_join(other, move |left, right| Ok::<_, BoxError>(join(left, right)), Some(materialized))
    }

    /// As [`KTable::join`], kept in a store when there are options, and with a function that may fail.
    ///
    /// ```
    /// use headwater::dsl::{Materialized, StreamsBuilder};
    /// use headwater::record::DefaultSerde;
    /// let builder = StreamsBuilder::new();
    /// let (amounts, factors) = (builder.table::<i64, String>("amounts"), builder.table::<i64, i64>("factors"));
    /// let kept = Materialized::named("products").with_value_serde(i64::default_serde());
    /// let products =
    ///     amounts.try_join(&factors, |amount, factor| amount.parse::<i64>().map(|amount| amount * factor), Some(kept));
    /// assert_eq!(products.queryable_store().map(|store| store.name()), Some("products"));
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn try_join<V2: 'static, W: Clone + 'static, E: Into<BoxError>>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, &V2) -> Result<W, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let join: JoinOf<V, V2, W> = Arc::new(move |left, right| match (left, right) {
            (Some(left), Some(right)) => join(left, right).map_err(ProcessError::user),
            _ => Err(ProcessError::user("an inner join was asked to join with nothing")),
        });
        self.joined(other, join, Rows::Inner, materialized)
    }

    /// As [`KTable::left_join`], kept in a store when there are options, and with a function that may fail.
    pub fn try_left_join<V2: 'static, W: Clone + 'static, E: Into<BoxError>>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(&V, Option<&V2>) -> Result<W, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let join: JoinOf<V, V2, W> = Arc::new(move |left, right| match left {
            Some(left) => join(left, right).map_err(ProcessError::user),
            None => Err(ProcessError::user("a left join was asked to join nothing")),
        });
        self.joined(other, join, Rows::Left, materialized)
    }

    /// As [`KTable::outer_join`], kept in a store when there are options, and with a function that may fail.
    pub fn try_outer_join<V2: 'static, W: Clone + 'static, E: Into<BoxError>>(
        &self,
        other: &KTable<K, V2>,
        join: impl Fn(Option<&V>, Option<&V2>) -> Result<W, E> + Send + Sync + 'static,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let join: JoinOf<V, V2, W> = Arc::new(move |left, right| join(left, right).map_err(ProcessError::user));
        self.joined(other, join, Rows::Outer, materialized)
    }

    fn joined<V2: 'static, W: Clone + 'static>(
        &self,
        other: &KTable<K, V2>,
        join: JoinOf<V, V2, W>,
        rows: Rows,
        materialized: Option<Materialized<K, W>>,
    ) -> KTable<K, W> {
        let draft = self.draft();
        if !draft.takes(other.draft()) {
            return self.refused();
        }
        let store = materialized.as_ref().map(|materialized| match &materialized.name {
            Some(name) => draft.checked(name),
            None => draft.next_name("KTABLE-MERGE-STATE-STORE-"),
        });
        let merge_name = draft.next_name("KTABLE-MERGE-");
        let (this_name, other_name) = (draft.next_name("KTABLE-JOINTHIS-"), draft.next_name("KTABLE-JOINOTHER-"));
        if rows != Rows::Inner {
            self.old_values.ask(true);
        }
        if rows == Rows::Outer {
            other.old_values.ask(true);
        }
        let (this_need, other_need) = match rows {
            Rows::Inner => (Need::Both, Need::Both),
            Rows::Left => (Need::This, Need::Other),
            Rows::Outer => (Need::Any, Need::Any),
        };
        let this_node = draft.add_node(NodeSpec::processor(this_name, [self.node()]));
        other.views.connect(draft, this_node);
        let other_node = draft.add_node(NodeSpec::processor(other_name, [other.node()]));
        self.views.connect(draft, other_node);
        draft.belongs_below(this_node);
        draft.belongs_below(other_node);
        let merge = draft.add_node(NodeSpec::processor(merge_name.clone(), [this_node, other_node]));
        let turned = Arc::clone(&join);
        let turned: JoinOf<V2, V, W> = Arc::new(move |right, left| turned(left, right));
        self.listen_as_side(this_node, merge, &other.views, Arc::clone(&join), this_need);
        other.listen_as_side(other_node, merge, &self.views, turned, other_need);
        draft.copartition(draft.topics_above(this_node).union(&draft.topics_above(other_node)).cloned().collect());
        let own = materialized.as_ref().map_or_else(Serdes::none, Materialized::serdes);
        let serdes = own.or(&self.serdes.key_only());
        let kept = self.keep_join(merge, &merge_name, store, materialized.as_ref(), &serdes);
        let old_values = OldValues::of_join(draft, merge, &self.old_values, &other.old_values);
        let sides = [Port::new(draft, this_node), Port::new(draft, other_node)];
        let port = merged(merge, sides, &serdes, kept.clone());
        let views = if let Some(kept) = kept.clone() {
            Views::of_store(Some(kept))
        } else {
            // A row of the result is there when this table's side would say so.
            let join = Arc::new(move |left: Option<&V>, right: Option<&V2>| {
                this_need.met(left.is_some(), right.is_some()).then(|| join(left, right)).transpose()
            });
            JoinedViews { left: self.views.clone(), right: other.views.clone(), join }.views()
        };
        let store = kept.map(|(_, handle)| handle);
        let named_after = vec![(this_node, "-join-this".into()), (other_node, "-join-other".into())];
        KTable { port, serdes, store: store.into(), old_values, named_after, views }
    }

    /// What stands for a table that cannot be: the topology has a mistake and will not be built.
    pub(crate) fn refused<W: 'static>(&self) -> KTable<K, W> {
        let (port, old_values) = (Port::new(self.draft(), self.node()), self.old_values.clone());
        let (serdes, views) = (Serdes::none(), Views::of_store(None));
        KTable { port, serdes, store: Queryable::Nothing, old_values, named_after: Vec::new(), views }
    }

    fn listen_as_side<B: 'static, W: 'static>(
        &self,
        node: NodeId,
        merge: NodeId,
        other: &Views<K, B>,
        join: JoinOf<V, B, W>,
        need: Need,
    ) {
        let (other, serdes) = (other.clone(), self.serdes.clone());
        self.port.listen(
            node,
            Arc::new(move |wiring| {
                let (other, out) = (other.open(wiring, node)?, wiring.outlet(node)?);
                let (serdes, join, send_old) = (serdes.clone(), Arc::clone(&join), wiring.sends_old_values(merge));
                let latest_only = wiring.takes_versions(node);
                Ok(Box::new(Side { serdes, other, join, need, latest_only, send_old, out }))
            }),
        );
    }

    /// The store of the result, where one is wanted.
    fn keep_join<W: 'static>(
        &self,
        node: NodeId,
        name: &str,
        store: Option<String>,
        materialized: Option<&Materialized<K, W>>,
        serdes: &Serdes<K, W>,
    ) -> Option<(StoreId, StoreHandle<K, W>)> {
        let (materialized, store) = (materialized?, store?);
        let Some((key, value)) = serdes.both() else {
            self.draft().mistake(missing_serde(name, serdes, GivenBy::Materialized));
            return None;
        };
        let id = self.draft().add_store(materialized.key_value_spec(&store, row_format(self.draft())));
        self.draft().keep_in(node, id);
        Some((id, StoreHandle::with(store, key, value)))
    }
}

/// Lets the merging node listen to both sides; the port of its children.
fn merged<K: 'static, W: Clone + 'static>(
    merge: NodeId,
    sides: [Port<Table<K, W>>; 2],
    serdes: &Serdes<K, W>,
    kept: Option<(StoreId, StoreHandle<K, W>)>,
) -> Port<Table<K, W>> {
    let port = Port::new(sides[0].draft(), merge);
    let result = serdes.clone();
    let make: MakeInlet<Table<K, W>> = Arc::new(move |wiring| {
        wiring.shared_inlet(merge, |wiring| {
            let send_old = wiring.sends_old_values(merge);
            let state = kept.as_ref().map(|(id, handle)| TableState::open(wiring, *id, handle)).transpose()?;
            let out = Rc::new(RefCell::new(wiring.outlet(merge)?));
            if let Some(state) = &state {
                state.flush_to(FlushTo { out: Rc::clone(&out), send_old });
            }
            let copy: Copies<W> = W::clone;
            Ok(Merge { result: result.clone(), send_old, state: state.map(|state| (state, copy)), out })
        })
    });
    for side in sides {
        side.listen(merge, Arc::clone(&make));
    }
    port
}
