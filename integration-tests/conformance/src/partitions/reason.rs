//! Why a program, or a part of it, is not compared on several partitions.

/// A reason, in the words that what is left out is counted under.
pub type Reason = &'static str;

pub(super) const NO_INPUT: Reason = "no input";
pub(super) const ERROR: Reason = "an error";
pub(super) const BY_HAND: Reason = "a topology by hand";
pub(super) const UNKNOWN: Reason = "something that the rule does not know";

/// An application with such a punctuator need not come to rest.
pub(super) const WALL_CLOCK: Reason = "punctuation on the wall clock";

/// Each task has its own stream time.
pub(super) const PUNCTUATION: Reason = "punctuation on stream time";
pub(super) const OWN_TIMES: Reason = "a task's own times or places in records";

/// What waits for stream time comes when a record of its own task advances it.
pub(super) const DELAYED: Reason = "results that wait for stream time go into a state";

/// The records at the end of the input do not advance stream time in every partition, or are in the way of what waits there.
pub(super) const NO_END: Reason = "no end at which everything has been told";

/// A store forgets a window when it closes: when time leaps, what is told at closing depends on where the leap begins.
pub(super) const AT_CLOSING: Reason = "results when windows close";

/// Such a window is looked for as far back as its store remembers, by the time of whatever else was put there.
pub(super) const FORGOTTEN: Reason = "sessions or sliding windows of records from several partitions";

/// Such a join waits for stream time, and its table forgets by what else comes meanwhile.
pub(super) const WAITING: Reason = "a join with a grace";

/// What is late depends on which keys share a task.
pub(super) const UNTIMELY: Reason = "times that are not in the order of the input";

/// Of a suppressed table, and of a join of tables that a record comes to on two ways, only the last row of each key is certain.
pub(super) const LAST_ROWS: Reason = "last rows where every change counts";

/// Records of a key come in an order as long as they come on one way.
pub(super) const SHUFFLED: Reason = "a state of records from several partitions";
pub(super) const TWO_WAYS: Reason = "a record meets itself on two ways";

/// A processor's state is where its records are, not where their keys belong.
pub(super) const SCATTERED: Reason = "a state of records that are not where their keys belong";
