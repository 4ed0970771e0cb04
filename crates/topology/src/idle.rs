//! Closing by the clock on the wall what stays open because no record comes.

use std::cell::Cell;
use std::time::Duration;

use headwater_record::Timestamp;

use crate::{Idle, ProcessError, StreamTime, TaskContext};

/// An operator that closes what is open when no record does.
pub trait CloseIdle {
    /// Since when no record has come.
    fn idleness(&self) -> Option<&Idleness>;

    /// Whether something is to be closed now.
    fn is_due(&self, cx: &TaskContext<'_>) -> bool;

    /// Closes it: stream time is moved on if that takes it. Returns whether there was anything.
    ///
    /// # Errors
    /// What no handler let pass.
    fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError>;
}

/// Since when no record has come to an operator, and where its stream time is if it goes on with the clock on the wall.
#[derive(Debug)]
pub struct Idleness {
    after_ms: i64,
    time: StreamTime,
    since: Cell<Since>,
}

/// When the last record came, and stream time then.
#[derive(Clone, Copy, Debug)]
struct Since {
    now_ms: i64,
    time_ms: i64,
}

impl Idleness {
    /// Of an operator with this stream time, which goes on after so long without records.
    pub fn after(after: Duration, time: StreamTime) -> Self {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let since = Cell::new(Since { now_ms: i64::MAX, time_ms: time.millis() });
        Idleness { after_ms, time, since }
    }

    /// A record has come, and was observed, at this time of the clock on the wall.
    #[inline]
    pub fn came(&self, now: Timestamp) {
        self.since.set(Since { now_ms: now.millis(), time_ms: self.time.millis() });
    }

    /// Stream time when the last record came, and where it would be `now`, milliseconds; `None` as long as it stands still.
    pub fn passed(&self, now: Timestamp) -> Option<(i64, i64)> {
        let Since { now_ms, time_ms } = self.since.get();
        let passed = now.millis().saturating_sub(now_ms);
        let is_known = time_ms > Timestamp::UNKNOWN.millis();
        (is_known && passed >= self.after_ms.max(0)).then(|| (time_ms, time_ms.saturating_add(passed)))
    }

    /// What is told of it where the next thing closes at stream time `due`, if any does.
    pub fn told(&self, due: Option<Timestamp>) -> Idle {
        let Since { now_ms, time_ms } = self.since.get();
        let begins_ms = now_ms.saturating_add(self.after_ms);
        let due = due.filter(|_| time_ms > Timestamp::UNKNOWN.millis() && now_ms < i64::MAX);
        let at = due.map(|due| now_ms.saturating_add(due.millis().saturating_sub(time_ms)).max(begins_ms));
        Idle {
            after: Duration::from_millis(u64::try_from(self.after_ms).unwrap_or_default()),
            closes: at.map(Timestamp::from_millis),
        }
    }
}
