//! Joins of streams by key and time: what they write into a topology.

mod self_join;
mod side;
mod stores;
mod windowed;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_store::join::JoinSide;
use headwater_topology::node::NodeSpec;
use headwater_topology::{Draft, NodeId, Port, ProcessError, StreamJoin, TopologyError};
use headwater_window::JoinWindows;

use self::self_join::self_join;
use self::side::{SideSpec, listen};
use self::stores::{Stores, Wanted};
use self::windowed::{Kept, windowed};
use super::missing_serde::{GivenBy, Side, missing_serde};
use super::repartition::repartition_for_join;
use super::stateless::pass_on;
use crate::{KStream, StreamJoined};

/// A joiner: of the key and the values of this side and the other, one of which may be missing.
pub(crate) type Join<K, A, B, W> = Arc<dyn Fn(&K, Option<&A>, Option<&B>) -> Result<W, ProcessError> + Send + Sync>;

/// Which records a join hands on without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    Inner,
    Left,
    Outer,
}

impl Rows {
    /// Whether records of the left stream need no partner.
    fn left_alone(self) -> bool {
        self != Rows::Inner
    }

    /// Whether records of the right stream need none.
    fn right_alone(self) -> bool {
        self == Rows::Outer
    }
}

/// A join that is wanted.
pub(crate) struct StreamJoinSpec<K, V, V2, W> {
    pub(crate) rows: Rows,
    pub(crate) windows: JoinWindows,
    pub(crate) join: Join<K, V, V2, W>,
    pub(crate) options: StreamJoined<K, V, V2>,
}

/// The names of the nodes.
struct Names {
    windowed: [String; 2],
    sides: [String; 2],
    merge: String,
}

/// The stores' part of a generated name, which stands in for a name that was not given.
struct StoreNames {
    this: String,
    other: String,
    shared: String,
}

/// Adds a join of `left` with `right`.
pub(crate) fn stream_join<K: 'static, V: 'static, V2: 'static, W: 'static>(
    left: &KStream<K, V>,
    right: &KStream<K, V2>,
    spec: StreamJoinSpec<K, V, V2, W>,
) -> KStream<K, W> {
    let StreamJoinSpec { rows, windows, join, options } = spec;
    let draft = left.draft();
    let left_serdes = options.serdes.clone().or(&left.serdes);
    let right_serdes = options.other_serdes.clone().with_key(left_serdes.key.clone()).or(&right.serdes);
    let result = left_serdes.key_only();
    if !draft.takes(right.draft()) {
        return KStream::at(Port::new(draft, left.node()), result, false);
    }
    if let Err(error) = windows.validate() {
        draft.mistake(TopologyError::Argument(error.to_string()));
    }
    let part = |suffix| options.name.as_ref().map(|name| format!("{name}{suffix}"));
    let (this_given, other_given) = (GivenBy::StreamJoined(Side::This), GivenBy::StreamJoined(Side::Other));
    let left = repartition_for_join(left, part("-left").as_deref(), &left_serdes, this_given);
    let right = repartition_for_join(right, part("-right").as_deref(), &right_serdes, other_given);
    let topics: BTreeSet<String> = left.topics.union(&right.topics).cloned().collect();
    draft.copartition(topics.clone());
    let (left, right) = (left.stream, right.stream);

    let (names, named) = names(draft, options.name.as_deref(), options.store_name.as_deref(), rows);
    let stores = Wanted { rows, windows, named, options: &options }.stores(draft);
    let nodes = Nodes::add(draft, names, [left.node(), right.node()]);
    nodes.connect(draft, &stores, rows);
    draft.lies_as(nodes.merge, topics);
    let (Nodes { windowed: [this_windowed, other_windowed], sides, merge }, unjoined) = (nodes, stores.unjoined);
    let (this_serdes, other_serdes) = (left_serdes.clone(), right_serdes.clone());
    let kept = Kept::of(draft, stores.this, left_serdes).zip(Kept::of(draft, stores.other, right_serdes));
    let Some((this_kept, other_kept)) = kept else {
        let name = draft.node_name(merge);
        draft.mistake(if this_serdes.is_whole() {
            missing_serde(&name, &other_serdes, other_given)
        } else {
            missing_serde(&name, &this_serdes, this_given)
        });
        return KStream::at(Port::new(draft, merge), result, false);
    };
    let turned = Arc::clone(&join);
    let turned: Join<K, V2, V, W> = Arc::new(move |key, right, left| turned(key, left, right));
    let this_side = SideSpec { side: JoinSide::Left, alone: rows.left_alone(), reach: windows, merge, unjoined };
    let other_side =
        SideSpec { side: JoinSide::Right, alone: rows.right_alone(), reach: windows.reversed(), merge, unjoined };
    windowed(&left, this_windowed, &this_kept);
    windowed(&right, other_windowed, &other_kept);
    let (this_port, other_port) = (Port::new(draft, this_windowed), Port::new(draft, other_windowed));
    listen(&this_port, sides[0], this_side, (&this_kept, &other_kept), Arc::clone(&join));
    listen(&other_port, sides[1], other_side, (&other_kept, &this_kept), turned);
    let alike = as_self_join(&join).map(|join| self_join(merge, windows, this_kept, join));
    draft.add_part(merge, StreamJoin::new(nodes.windowed, sides, alike));
    KStream::at(pass_on(draft, merge, &sides), result, false)
}

/// The nodes of a join.
#[derive(Clone, Copy)]
struct Nodes {
    /// They keep the records of each side.
    windowed: [NodeId; 2],
    /// They join them.
    sides: [NodeId; 2],
    /// It hands on what both make.
    merge: NodeId,
}

impl Nodes {
    fn add(draft: &Draft, names: Names, [left, right]: [NodeId; 2]) -> Self {
        let below = |name: String, parent| draft.add_node(NodeSpec::processor(name, [parent]));
        let [this_windowed, other_windowed] = names.windowed;
        let windowed = [below(this_windowed, left), below(other_windowed, right)];
        let [this, other] = names.sides;
        let sides = [below(this, windowed[0]), below(other, windowed[1])];
        for node in windowed.into_iter().chain(sides) {
            draft.belongs_below(node);
        }
        Nodes { windowed, sides, merge: draft.add_node(NodeSpec::processor(names.merge, sides)) }
    }

    /// Each side reads what the other keeps.
    fn connect(&self, draft: &Draft, stores: &Stores, rows: Rows) {
        let ([this_windowed, other_windowed], [this, other]) = (self.windowed, self.sides);
        let kept = [(this_windowed, stores.this), (other_windowed, stores.other)];
        let read = [(other, stores.this), (this, stores.other)];
        let unjoined = stores.unjoined.into_iter().flat_map(|store| [(this, store), (other, store)]);
        for (node, store) in kept.into_iter().chain(read).chain(unjoined) {
            draft.connect(node, store);
        }
        if rows != Rows::Inner {
            draft.keep_null_keys_above(self.merge);
        }
    }
}

/// The joiner as one of a stream with itself, if both sides have the same type.
fn as_self_join<K: 'static, V: 'static, V2: 'static, W: 'static>(join: &Join<K, V, V2, W>) -> Option<Join<K, V, V, W>> {
    (join as &dyn Any).downcast_ref::<Join<K, V, V, W>>().cloned()
}

/// Numbers are used up in Java's order, given names or not.
fn names(draft: &Draft, name: Option<&str>, store: Option<&str>, rows: Rows) -> (Names, StoreNames) {
    let (this_suffix, this_prefix) = if rows.right_alone() {
        ("-outer-this-join", "KSTREAM-OUTERTHIS-")
    } else {
        ("-this-join", "KSTREAM-JOINTHIS-")
    };
    let (other_suffix, other_prefix) = if rows.left_alone() {
        ("-outer-other-join", "KSTREAM-OUTEROTHER-")
    } else {
        ("-other-join", "KSTREAM-JOINOTHER-")
    };
    let windowed = ["-this-windowed", "-other-windowed"]
        .map(|suffix| draft.name_with_suffix_or(name, suffix, "KSTREAM-WINDOWED-"));
    let (this, other) = (draft.next_name(this_prefix), draft.next_name(other_prefix));
    let merge = draft.name_with_suffix_or(name, "-merge", "KSTREAM-MERGE-");
    let node = |suffix, generated: &str| name.map_or_else(|| generated.to_owned(), |name| format!("{name}{suffix}"));
    let sides = [node(this_suffix, &this), node(other_suffix, &other)];
    let digits = this.trim_start_matches(this_prefix).to_owned();
    let base = |suffix, generated: String| match store {
        Some(store) => draft.checked(&format!("{store}{suffix}")),
        None => generated,
    };
    let shared = rows.shared_suffix();
    let named = StoreNames {
        this: base(this_suffix, this),
        other: base(other_suffix, other),
        shared: base(shared, format!("KSTREAM-OUTERSHARED-{digits}")),
    };
    (Names { windowed, sides, merge }, named)
}

impl Rows {
    /// What the store of records without partner is called behind a given name.
    fn shared_suffix(self) -> &'static str {
        if self.right_alone() { "-outer-shared-join" } else { "-left-shared-join" }
    }
}
