//! What the rule knows of a stream or table: on which ways its records come, and what of them is defined on several partitions.
//!
//! All of it is meant for input that is fed record by record, each when all that the one before caused has come to rest: what
//! happens between two records of the input is called a step.

use std::collections::BTreeSet;

use super::advance::Advance;
use super::reason::{DELAYED, LAST_ROWS, Reason, SCATTERED, SHUFFLED};

/// When records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arrival {
    /// Those of one key in an order, even when the whole input is fed at once.
    InLine,
    /// In the step of the input that causes them; those of one key in an order.
    InOrder,
    /// In that step; those of one key in any order.
    InAnyOrder,
    /// When the stream time of their task is far enough.
    Delayed,
}

/// Where records lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keys {
    /// In the partitions of their keys.
    InPlace,
    /// There too, but a grouping or join repartitions them.
    Marked,
    /// Elsewhere.
    Moved,
}

/// What is the same on one partition and on several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// All records, in some order.
    All,
    /// All records without their headers, which are those of the record that had them told.
    Bare,
    /// The last record of each key, without its headers.
    Last,
}

/// On which ways the records of two flows come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// From other topics: never in one step.
    Apart,
    /// On ways of which each goes on where another ends: one after the other.
    InTurn,
    /// From one topic on ways of which either may be the faster.
    Twice,
}

/// A way on which records come: from a topic of the input through repartition topics, by number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    topic: String,
    through: Vec<usize>,
    /// One step may bring records in several partitions of the last topic.
    spread: bool,
}

/// A stream or table.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) ways: BTreeSet<Way>,
    /// One step may bring several records.
    pub(super) many: bool,
    pub(super) keys: Keys,
    pub(super) arrival: Arrival,
    pub(super) told: Told,
    /// Its records have the times of the input that causes them, or what is told later, older ones.
    pub(super) timely: bool,
    /// What comes here of the end of the input.
    pub(super) advance: Advance,
}

impl Flow {
    /// What a topic brings.
    pub(super) fn of(topic: &str, advance: Advance) -> Flow {
        let way = Way { topic: topic.to_owned(), through: Vec::new(), spread: false };
        Flow {
            ways: BTreeSet::from([way]),
            many: false,
            keys: Keys::InPlace,
            arrival: Arrival::InLine,
            told: Told::All,
            timely: true,
            advance,
        }
    }

    /// On which ways the records of both come.
    pub(super) fn ways(&self, other: &Flow) -> Ways {
        let is_shared = |way: &&Way| other.ways.iter().any(|of_other| of_other.topic == way.topic);
        if !self.ways.iter().any(|way| is_shared(&way)) {
            return Ways::Apart;
        }
        if are_in_turn(&(&self.ways | &other.ways)) { Ways::InTurn } else { Ways::Twice }
    }

    /// Through a repartition topic of this number.
    pub(super) fn repartitioned(mut self, number: usize) -> Flow {
        let came_spread = self.ways.iter().any(|way| way.spread);
        let further = |way: Way| Way {
            through: [way.through, vec![number]].concat(),
            spread: way.spread || self.many,
            topic: way.topic,
        };
        self.ways = self.ways.into_iter().map(further).collect();
        let has_moved = self.keys == Keys::Moved;
        // Records of one new key come from several partitions in one step, or on several ways into one topic.
        let arrival = if (has_moved && came_spread) || !are_in_turn(&self.ways) {
            Arrival::InAnyOrder
        } else if has_moved {
            Arrival::InOrder
        } else {
            Arrival::InLine
        };
        Flow { keys: Keys::InPlace, arrival: self.arrival.max(arrival), ..self }
    }

    /// Whether one step may bring records in several partitions.
    pub(super) fn is_in_several_places(&self) -> bool {
        let topics: BTreeSet<&String> = self.ways.iter().map(|way| &way.topic).collect();
        topics.len() < self.ways.len() || self.ways.iter().any(|way| way.spread)
    }

    /// With records of one step in several partitions.
    pub(super) fn spread(mut self) -> Flow {
        self.ways = self.ways.into_iter().map(|way| Way { spread: true, ..way }).collect();
        Flow { many: true, ..self }
    }

    /// The records of both.
    pub(super) fn and(&self, other: &Flow) -> Flow {
        let ways = self.ways(other);
        let between = match ways {
            Ways::Twice => Arrival::InAnyOrder,
            _ if self.ways == other.ways => Arrival::InLine,
            _ => Arrival::InOrder,
        };
        Flow {
            ways: &self.ways | &other.ways,
            many: self.many || other.many || ways != Ways::Apart,
            keys: self.keys.max(other.keys),
            arrival: self.arrival.max(other.arrival).max(between),
            told: self.told.max(other.told),
            timely: self.timely && other.timely,
            advance: self.advance.and(&other.advance),
        }
    }

    /// With keys from an expression, which lie elsewhere.
    pub(super) fn rekeyed(self, key: &str) -> Flow {
        Flow { keys: Keys::Moved, advance: self.advance.keyed(key), ..self }
    }

    /// All of its records are defined.
    pub(super) fn in_full(self) -> Result<Flow, Reason> {
        if self.told == Told::Last { Err(LAST_ROWS) } else { Ok(self) }
    }

    /// Whether a state that is made of its records is defined: they come step by step, in order, where their keys lie.
    pub(super) fn fills_state(&self) -> Result<(), Reason> {
        self.is_looked_up()?;
        if self.arrival == Arrival::InAnyOrder { Err(SHUFFLED) } else { Ok(()) }
    }

    /// Whether what its records find in a state is defined: they come step by step, where their keys lie.
    pub(super) fn is_looked_up(&self) -> Result<(), Reason> {
        match self {
            Flow { told: Told::Last, .. } => Err(LAST_ROWS),
            Flow { arrival: Arrival::Delayed, .. } => Err(DELAYED),
            Flow { keys: Keys::Moved, .. } => Err(SCATTERED),
            _ => Ok(()),
        }
    }

    /// Whether the last rows of a table are defined where an operator looks them up, or what they were before: a suppressed table
    /// tells as the old row the one right before the new, though it never told it.
    pub(super) fn has_last_rows(&self) -> Result<(), Reason> {
        if self.arrival == Arrival::Delayed { Err(DELAYED) } else { Ok(()) }
    }

    /// What windows of its records tell.
    pub(super) fn in_windows(self) -> Flow {
        Flow { advance: self.advance.in_windows(), ..self }
    }

    /// With values that the rule does not follow.
    pub(super) fn with_unknown_values(self) -> Flow {
        Flow { advance: self.advance.with_unknown_values(), ..self }
    }

    /// As an operator hands it on that tells something of each record, or perhaps not.
    pub(super) fn joined(self, tells_each: bool) -> Flow {
        let flow = self.with_unknown_values();
        if tells_each { flow } else { Flow { advance: flow.advance.perhaps(), ..flow } }
    }

    /// What is told when stream time is far enough.
    pub(super) fn delayed(self, told: Told) -> Flow {
        Flow { arrival: Arrival::Delayed, told, advance: self.advance.perhaps(), ..self }
    }
}

/// Whether of the ways from each topic each goes on where a shorter one ends. A record on a shorter way is then seen before those
/// that it causes come on a longer one, unless it lies in another partition than the one that causes them.
fn are_in_turn(ways: &BTreeSet<Way>) -> bool {
    // Sorted by topic, and what another goes on from right before it.
    ways.iter().zip(ways.iter().skip(1)).all(|(shorter, longer)| {
        shorter.topic != longer.topic
            || shorter.through == longer.through
            || (longer.through.starts_with(&shorter.through) && !shorter.spread)
    })
}
