//! What operators keep back, and until when.

use std::fmt;
use std::time::Duration;

use headwater_record::Timestamp;

/// What an operator that has windows, or waits with records, says of itself: from it follows why it hands nothing on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How it hands on.
    pub kind: HoldKind,
    /// The latest time of the records that came to it, -1 before the first: by this it tells what is late and what has closed.
    pub stream_time: Timestamp,
    /// For how long after its own time, or after the end of its window, something may still change (grace and the like), milliseconds.
    pub wait_ms: i64,
    /// The stream time at which the next thing is done: handed on, or closed; `None` when nothing waits, or when nobody knows
    /// without looking through the store.
    pub due: Option<Timestamp>,
    /// How many records wait; `None` where that is not counted. Of a store on disk it is an estimate.
    pub records: Option<u64>,
    /// What they weigh; `None` where that is not counted.
    pub bytes: Option<u64>,
    /// How it closes windows when no records come; `None` where it does not, as is usual.
    pub idle: Option<Idle>,
}

/// How an operator goes on by the clock on the wall when no records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// After so long without a record.
    pub after: Duration,
    /// When, by the clock on the wall, the next thing is done if no record comes until then; `None` when nothing waits, or when nobody knows
    /// without looking through the store.
    pub closes: Option<Timestamp>,
}

/// How an operator hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HoldKind {
    /// Each change of a window as it comes, or when the record cache is flushed.
    WindowUpdates,
    /// A window when it has closed.
    WindowFinals,
    /// The last of many changes, after a while or when its window has closed.
    Suppressed,
    /// What two streams have in common as it comes; what has found no partner when its window has closed, if that is wanted.
    StreamJoin,
    /// Records joined with a table after a grace period.
    TableJoin,
}

impl HoldKind {
    /// Whether nothing is handed on before something has closed.
    pub fn waits_for_end(self) -> bool {
        matches!(self, HoldKind::WindowFinals | HoldKind::Suppressed)
    }
}

impl fmt::Display for HoldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HoldKind::WindowUpdates => "hands each change of a window on as it comes, or with the next commit where a record cache holds it",
            HoldKind::WindowFinals => "hands a window on when it has closed: when a record comes that moves stream time past its end and grace",
            HoldKind::Suppressed => "hands the last change on when a record comes that moves stream time past what it waits for",
            HoldKind::StreamJoin => "hands pairs on as they come; what needs no partner and has found none, when a record comes that moves stream time past its window and grace",
            HoldKind::TableJoin => "joins a record when one comes that moves stream time past its grace",
        })
    }
}
