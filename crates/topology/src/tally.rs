//! What the nodes of a running task count: the records along each edge of the graph, and those that were left out, with the reason.
//!
//! A count is a number that belongs to the task's thread, so that a record adds to it with one instruction. Who looks from elsewhere
//! sees what the thread copies now and then ([`TaskGraph::edges`](crate::TaskGraph::edges)).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::{FailureKind, NodeId};

/// Why a record was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// Its bytes are no key or value, and the deserialization exception handler let it go.
    Undecodable,
    /// It has no valid timestamp.
    NoTimestamp,
    /// Its key or its value is null where something is needed.
    Null,
    /// What it belongs to had closed by stream time, or was forgotten: windows, sessions, versions. A record that is late for several
    /// windows counts once for each, as in Java.
    Late,
    /// It is not the latest of its key any more, and only that counts.
    Superseded,
    /// A partitioner named no partition for it.
    NoPartition,
    /// A node failed at it, and the processing exception handler let it go.
    Failed,
    /// It could not be written, and the production exception handler let it go.
    Unwritten,
    /// A processor left it out by itself (`drop_record`).
    ByProcessor,
}

impl DropReason {
    const ALL: [DropReason; 9] = [
        DropReason::Undecodable,
        DropReason::NoTimestamp,
        DropReason::Null,
        DropReason::Late,
        DropReason::Superseded,
        DropReason::NoPartition,
        DropReason::Failed,
        DropReason::Unwritten,
        DropReason::ByProcessor,
    ];

    /// What a handler let go that was asked about this kind of failure.
    pub(crate) fn let_go(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Deserialization => DropReason::Undecodable,
            FailureKind::Production => DropReason::Unwritten,
            FailureKind::Processing | FailureKind::Flush | FailureKind::Punctuation | FailureKind::Input => {
                DropReason::Failed
            }
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Undecodable => "undecodable",
            DropReason::NoTimestamp => "without a timestamp",
            DropReason::Null => "null",
            DropReason::Late => "late",
            DropReason::Superseded => "superseded",
            DropReason::NoPartition => "for no partition",
            DropReason::Failed => "failed",
            DropReason::Unwritten => "unwritten",
            DropReason::ByProcessor => "left out by the processor",
        })
    }
}

/// Records that one node handed to another, and what became of them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeCount {
    /// Who handed them on; `None` where they came from outside: to a source, out of a punctuation, out of a cache.
    pub from: Option<NodeId>,
    /// Who took them.
    pub to: NodeId,
    /// How many.
    pub taken: u64,
    /// How many were left out, by the reason.
    pub dropped: BTreeMap<DropReason, u64>,
}

/// One edge: its number, under which [`TaskClock::taken`](crate::TaskClock::taken) counts records, and what was left out.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    edge: usize,
    dropped: [Cell<u64>; DropReason::ALL.len()],
}

impl Tally {
    /// Which edge it is.
    pub(crate) fn edge(&self) -> usize {
        self.edge
    }

    /// One was left out.
    pub(crate) fn leave_out(&self, reason: DropReason) {
        if let Some(count) = self.dropped.get(reason as usize) {
            count.set(count.get() + 1);
        }
    }
}

/// The counts of all edges of a task.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Vec<(Option<NodeId>, NodeId, Rc<Tally>)>);

impl Tallies {
    /// Those of one edge more.
    pub(crate) fn add(&mut self, from: Option<NodeId>, to: NodeId) -> Rc<Tally> {
        let tally = Rc::new(Tally { edge: self.0.len(), ..Tally::default() });
        self.0.push((from, to, Rc::clone(&tally)));
        tally
    }

    /// What was counted so far, in the order of nodes. An edge that several inlets share is one.
    pub(crate) fn counts(&self, taken: &[u64]) -> Vec<EdgeCount> {
        let mut edges: BTreeMap<(NodeId, Option<NodeId>), EdgeCount> = BTreeMap::new();
        for (from, to, tally) in &self.0 {
            let new = || EdgeCount { from: *from, to: *to, taken: 0, dropped: BTreeMap::new() };
            let edge = edges.entry((*to, *from)).or_insert_with(new);
            edge.taken += taken.get(tally.edge).copied().unwrap_or_default();
            for (reason, count) in DropReason::ALL.iter().zip(&tally.dropped).filter(|(_, count)| count.get() > 0) {
                *edge.dropped.entry(*reason).or_default() += count.get();
            }
        }
        edges.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_is_there_twice_is_counted_as_one() {
        let mut tallies = Tallies::default();
        let (source, node) = (NodeId::new(0), NodeId::new(1));
        let (one, other) = (tallies.add(Some(source), node), tallies.add(Some(source), node));
        let first = tallies.add(None, source);
        assert_eq!((one.edge(), other.edge(), first.edge()), (0, 1, 2));
        for reason in DropReason::ALL {
            other.leave_out(reason);
        }
        one.leave_out(DropReason::Late);
        let counts = tallies.counts(&[3, 1, 1]);
        let seen: Vec<_> = counts.iter().map(|edge| (edge.from, edge.to, edge.taken)).collect();
        assert_eq!(seen, [(None, source, 1), (Some(source), node, 4)]);
        let dropped = counts.last().map(|edge| edge.dropped.clone()).unwrap_or_default();
        assert_eq!(dropped.len(), DropReason::ALL.len(), "each reason has a place of its own");
        assert_eq!(dropped.get(&DropReason::Late), Some(&2));
    }
}
