//! Aggregates of several streams in one store: a node for each stream, and one below them that hands on what they make (Java's
//! `CogroupedStreamAggregateBuilder` and `KTablePassThrough`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_topology::node::NodeSpec;
use headwater_topology::state::{BySession, ByWindow};
use headwater_topology::{
    Draft, Inlet, MakeInlet, NodeId, Outlet, Port, ProcessError, StoreId, Table, TaskContext, Update,
};
use headwater_window::{SessionWindows, Windowed};

use super::aggregate::KeptIn;
use super::folding::{Folding, Initial};
use super::repartition::NamedAfter;
use super::row_format;
use super::session_aggregate::{Merge, kept_by_sessions, live_by_sessions};
use super::window_aggregate::{Shape, kept_by_windows, live_by_windows};
use super::windowed_table::{InTime, KeptInTime};
use crate::old_values::OldValues;
use crate::serdes::{Known, Serdes};
use crate::view::Views;
use crate::{EmitStrategy, KGroupedStream, KStream, KTable, Materialized};

const AGGREGATE: &str = "COGROUPKSTREAM-AGGREGATE-";
const AGGREGATE_STORE: &str = "COGROUPKSTREAM-AGGREGATE-STATE-STORE-";
const MERGE: &str = "COGROUPKSTREAM-MERGE-";

/// How the values of one stream change an aggregate, once it is known what that begins as.
pub(crate) type Fold<K, V, A> = Arc<dyn Fn(Initial<A>) -> Folding<K, V, A> + Send + Sync>;

/// One of the streams, whatever its values are.
pub(crate) trait Input<K: 'static, A: 'static>: Send + Sync {
    fn draft(&self) -> &Draft;
    /// The grouping's address, which no other grouping has.
    fn grouping(&self) -> *const ();
    /// The serde of its keys.
    fn key(&self) -> Option<Known<K>>;
    /// The topics that the stream comes from.
    fn topics(&self) -> BTreeSet<String>;
    /// Brings its records to where equal keys meet. A repartition topic is named after `store` where the grouping has no name.
    fn place(&self, store: NamedAfter<'_>) -> Box<dyn PlacedInput<K, A>>;
}

/// One of the streams, with its records by key.
pub(crate) trait PlacedInput<K: 'static, A: 'static> {
    /// Adds the node `name` that folds its records.
    fn fold(&self, name: &str, initial: &Initial<A>, store: StoreId, into: &Target<K, A>) -> NodeId;
}

/// A grouped stream among others.
pub(crate) struct GroupInput<K: 'static, V: 'static, A> {
    grouped: KGroupedStream<K, V>,
    fold: Fold<K, V, A>,
    /// Its records by key, once an aggregation has needed a repartition for it.
    by_key: Mutex<Option<KStream<K, V>>>,
}

impl<K: Clone + 'static, V: 'static, A: 'static> GroupInput<K, V, A> {
    pub(crate) fn shared(grouped: &KGroupedStream<K, V>, fold: Fold<K, V, A>) -> Arc<dyn Input<K, A>> {
        Arc::new(GroupInput { grouped: grouped.clone(), fold, by_key: Mutex::default() })
    }
}

struct PlacedGroup<K: 'static, V: 'static, A> {
    stream: KStream<K, V>,
    fold: Fold<K, V, A>,
}

impl<K: Clone + 'static, V: 'static, A: 'static> Input<K, A> for GroupInput<K, V, A> {
    fn draft(&self) -> &Draft {
        self.grouped.draft()
    }

    fn grouping(&self) -> *const () {
        self.grouped.address()
    }

    fn key(&self) -> Option<Known<K>> {
        self.grouped.key_serde()
    }

    fn topics(&self) -> BTreeSet<String> {
        self.grouped.topics()
    }

    fn place(&self, store: NamedAfter<'_>) -> Box<dyn PlacedInput<K, A>> {
        let stream = self.grouped.by_key_kept(store, Some(&self.by_key));
        Box::new(PlacedGroup { stream, fold: Arc::clone(&self.fold) })
    }
}

/// The store that all streams are folded into, and by which windows.
pub(crate) enum Target<K: 'static, A: 'static> {
    Keys(KeptIn<K, A>),
    Windows(KeptInTime<K, A>, Shape),
    Sessions(KeptInTime<K, A>, SessionWindows, Merge<K, A>),
    /// Its serdes are missing, which is said already.
    Nothing,
}

impl<K: Clone + 'static, V: 'static, A: 'static> PlacedInput<K, A> for PlacedGroup<K, V, A> {
    fn fold(&self, name: &str, initial: &Initial<A>, store: StoreId, into: &Target<K, A>) -> NodeId {
        let draft = self.stream.draft();
        let node = draft.add_node(NodeSpec::processor(name, [self.stream.node()]));
        draft.keep_in(node, store);
        let folding = (self.fold)(Arc::clone(initial));
        match into {
            Target::Keys(kept) => kept.fold(&self.stream, node, folding),
            Target::Windows(kept, shape) => kept.fold(&self.stream, node, live_by_windows(shape.clone(), folding)),
            Target::Sessions(kept, windows, merge) => {
                kept.fold(&self.stream, node, live_by_sessions(*windows, folding, Arc::clone(merge)));
            }
            Target::Nothing => {}
        }
        node
    }
}

/// Hands on what the aggregating nodes make.
struct PassThrough<K: 'static, A: 'static>(Outlet<Table<K, A>>);

impl<K: 'static, A: 'static> Inlet<Table<K, A>> for PassThrough<K, A> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, K, A>) -> Result<(), ProcessError> {
        self.0.push(cx, update)
    }
}

/// Streams that are to be aggregated together.
pub(crate) struct Cogroup<'a, K: 'static, A: 'static> {
    pub(crate) draft: &'a Draft,
    pub(crate) inputs: &'a [Arc<dyn Input<K, A>>],
    pub(crate) initial: Initial<A>,
}

/// The node of a table, with what the table has of it.
struct Merged<K: 'static, A: 'static> {
    port: Port<Table<K, A>>,
    old_values: OldValues,
    named_after: Vec<(NodeId, Cow<'static, str>)>,
}

impl<K: 'static, A: 'static> Cogroup<'_, K, A> {
    /// By key.
    pub(crate) fn by_key(self, materialized: &Materialized<K, A>) -> KTable<K, A> {
        let (store, placed, serdes) = self.placed(materialized);
        let id = self.draft.add_store(materialized.key_value_spec(&store, row_format(self.draft)));
        let kept = KeptIn::new(self.draft, &store, id, &store, serdes.clone());
        let handle = kept.as_ref().map(|kept| kept.handle.clone());
        let merged = self.fold::<K>(&placed, id, &kept.map_or(Target::Nothing, Target::Keys), None);
        let views = Views::of_store(handle.clone().map(|handle| (id, handle)));
        let store = handle.filter(|_| materialized.name.is_some());
        let Merged { port, old_values, named_after } = merged;
        KTable { port, serdes, store: store.into(), old_values, named_after, views }
    }

    /// By key and windows.
    pub(crate) fn by_windows(self, shape: Shape, materialized: &Materialized<K, A>) -> KTable<Windowed<K>, A> {
        let (store, placed, serdes) = self.placed(materialized);
        let kept = kept_by_windows(self.draft, &store, &shape, EmitStrategy::OnWindowUpdate, materialized);
        let grace = kept.grace;
        let made = InTime::add::<ByWindow>(self.draft, &store, &store, serdes, kept);
        self.in_time(&placed, made, grace, |kept| Target::Windows(kept, shape))
    }

    /// By key and sessions.
    pub(crate) fn by_sessions(
        self,
        windows: SessionWindows,
        merge: Merge<K, A>,
        materialized: &Materialized<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let (store, placed, serdes) = self.placed(materialized);
        let kept = kept_by_sessions(self.draft, &store, windows, EmitStrategy::OnWindowUpdate, materialized);
        let grace = kept.grace;
        let made = InTime::add::<BySession>(self.draft, &store, &store, serdes, kept);
        self.in_time(&placed, made, grace, |kept| Target::Sessions(kept, windows, merge))
    }

    fn in_time(
        &self,
        placed: &[Box<dyn PlacedInput<K, A>>],
        made: InTime<K, A>,
        grace: Duration,
        into: impl FnOnce(KeptInTime<K, A>) -> Target<K, A>,
    ) -> KTable<Windowed<K>, A> {
        let InTime { id, serdes, store, views, kept } = made;
        let into = kept.map_or(Target::Nothing, into);
        let Merged { port, old_values, named_after } = self.fold::<Windowed<K>>(placed, id, &into, Some(grace));
        KTable { port, serdes, store, old_values, named_after, views }
    }

    /// The store's name, the streams with their records by key, and the store's serdes.
    fn placed(&self, materialized: &Materialized<K, A>) -> (String, Vec<Box<dyn PlacedInput<K, A>>>, Serdes<K, A>) {
        let store = match &materialized.name {
            Some(name) => self.draft.checked(name),
            None => self.draft.next_name(AGGREGATE_STORE),
        };
        let after = NamedAfter { name: &store, is_given: materialized.name.is_some() };
        let placed = self.inputs.iter().map(|input| input.place(after)).collect();
        self.draft.copartition(self.inputs.iter().flat_map(|input| input.topics()).collect());
        let key = self.inputs.iter().find_map(|input| input.key());
        (store, placed, materialized.serdes().or(&Serdes::of(key, None)))
    }

    /// Adds a node for each stream, and the one below them.
    fn fold<R: 'static>(
        &self,
        placed: &[Box<dyn PlacedInput<K, A>>],
        store: StoreId,
        into: &Target<K, A>,
        grace: Option<Duration>,
    ) -> Merged<R, A> {
        let fold = |input: &dyn PlacedInput<K, A>| {
            let node = input.fold(&self.draft.next_name(AGGREGATE), &self.initial, store, into);
            if let Some(grace) = grace {
                self.draft.set_grace(node, grace);
                self.draft.take_versions_of_streams(node);
            }
            node
        };
        let nodes: Vec<NodeId> = placed.iter().map(|input| fold(&**input)).collect();
        let merge = self.draft.add_node(NodeSpec::processor(self.draft.next_name(MERGE), nodes.clone()));
        let make: MakeInlet<Table<R, A>> =
            Arc::new(move |wiring| wiring.shared_inlet(merge, |wiring| Ok(PassThrough(wiring.outlet(merge)?))));
        for node in &nodes {
            Port::<Table<R, A>>::new(self.draft, *node).listen(merge, Arc::clone(&make));
        }
        self.draft.pass_versions(merge);
        // As in Java, joins of the table do not ask where it comes from.
        self.draft.lies_as(merge, BTreeSet::new());
        let parts = nodes.iter().map(|node| OldValues::of_store(self.draft, *node)).collect();
        let suffixes = (0..).map(|index| Cow::from(format!("-cogroup-agg-{index}")));
        let named_after = nodes.into_iter().zip(suffixes).chain([(merge, "-cogroup-merge".into())]).collect();
        let (port, old_values) = (Port::new(self.draft, merge), OldValues::of_all(self.draft, merge, parts));
        Merged { port, old_values, named_after }
    }
}
