//! Handing on windows when they close: when to look for them, and how far it has come.

use std::rc::Rc;

use headwater_record::Timestamp;
use headwater_store::StoreKind;
use headwater_topology::{Idleness, StreamTime, TaskContext};

use super::window_aggregate::millis;

/// How far closed windows have been handed on. It is kept with the committed offsets (Java's `ProcessorMetadata`), under the name of
/// the store.
#[derive(Debug)]
pub(crate) struct EmitFinal {
    store: String,
    /// How far behind their close the entries of windows lie in the store.
    reach_ms: i64,
    retention_ms: i64,
    next_ms: i64,
    asked: bool,
    last_close_ms: Option<i64>,
    idle: Option<IdleFinal>,
    /// The stream time up to which was looked since the last record.
    idle_looked_ms: i64,
}

/// How windows are closed while no records come.
#[derive(Debug)]
pub(crate) struct IdleFinal {
    pub(crate) idleness: Rc<Idleness>,
    pub(crate) time: StreamTime,
    /// For how long windows take records after their end.
    pub(crate) wait_ms: i64,
    /// How far behind stream time all that is open then is closed.
    pub(crate) reach_ms: i64,
}

impl EmitFinal {
    /// For the windows of `store`, which is of this kind.
    pub(crate) fn new(store: &str, kind: StoreKind, idle: Option<IdleFinal>) -> Self {
        let reach_ms = kind.window_size().map_or(0, millis);
        let retention_ms = kind.retention().map_or(i64::MAX, millis);
        let store = store.to_owned();
        EmitFinal {
            store,
            reach_ms,
            retention_ms,
            next_ms: 0,
            asked: false,
            last_close_ms: None,
            idle,
            idle_looked_ms: i64::MIN,
        }
    }

    /// Whether to look before a record of this time is taken, where windows before `close_ms` were closed until then: with it the
    /// store may no longer show what has closed since the last look.
    pub(crate) fn is_pressing(&mut self, cx: &TaskContext<'_>, time: Timestamp, close_ms: i64) -> bool {
        self.recall(cx);
        let told_ms = self.last_close_ms.map_or(0, |last| last.saturating_sub(self.reach_ms).max(0));
        time.millis().saturating_sub(self.retention_ms) >= told_ms && self.is_behind(close_ms)
    }

    fn recall(&mut self, cx: &TaskContext<'_>) {
        if !self.asked {
            self.asked = true;
            self.last_close_ms = cx.remembered(&self.store);
        }
    }

    fn is_behind(&self, close_ms: i64) -> bool {
        self.last_close_ms.is_none_or(|last| last < close_ms)
    }

    /// Whether to look for windows that closed, now that those before `close_ms` are: at most once in the emit interval, and only
    /// when time went on.
    pub(crate) fn is_due(&mut self, cx: &TaskContext<'_>, close_ms: i64) -> bool {
        self.recall(cx);
        let now = cx.now().millis();
        if now < self.next_ms {
            return false;
        }
        self.next_ms = now.saturating_add(cx.emit_interval_ms());
        self.is_behind(close_ms)
    }

    /// Since when no record has come, where windows are closed then.
    pub(crate) fn idleness(&self) -> Option<&Idleness> {
        self.idle.as_ref().map(|idle| &*idle.idleness)
    }

    /// A record has come, and was observed.
    pub(crate) fn came(&mut self, cx: &TaskContext<'_>) {
        if let Some(idle) = &self.idle {
            idle.idleness.came(cx.now());
            self.idle_looked_ms = i64::MIN;
        }
    }

    /// The stream time to go on to since no record has come, when it is time to look for what has closed by then. `next_end_ms` is when the first
    /// window ends that is open where those are closed that ended up to a time, if that is known.
    pub(crate) fn idle_time(&self, cx: &TaskContext<'_>, next_end_ms: &dyn Fn(i64) -> Option<i64>) -> Option<i64> {
        let IdleFinal { idleness, time, wait_ms, reach_ms } = self.idle.as_ref()?;
        if cx.now().millis() < self.next_ms {
            return None;
        }
        let (from_ms, passed_ms) = idleness.passed(cx.now())?;
        let to_ms = passed_ms.min(from_ms.saturating_add(*wait_ms).saturating_add(*reach_ms));
        let next_ms = next_end_ms(time.millis().saturating_sub(*wait_ms)).map(|end| end.saturating_add(*wait_ms));
        let looked_ms = self.idle_looked_ms.max(time.millis());
        (to_ms > looked_ms && next_ms.is_none_or(|next| next <= to_ms)).then_some(to_ms)
    }

    /// Before which time windows are closed where stream time goes on to [`EmitFinal::idle_time`], if some were not told.
    pub(crate) fn go_on(&mut self, cx: &TaskContext<'_>, next_end_ms: &dyn Fn(i64) -> Option<i64>) -> Option<i64> {
        let to_ms = self.idle_time(cx, next_end_ms)?;
        self.recall(cx);
        self.next_ms = cx.now().millis().saturating_add(cx.emit_interval_ms());
        self.idle_looked_ms = to_ms;
        let close_ms = to_ms.saturating_sub(self.idle.as_ref()?.wait_ms);
        self.is_behind(close_ms).then_some(close_ms)
    }

    /// So many windows were told that had closed before `close_ms` without a record. If any was, stream time goes on.
    pub(crate) fn went_on(&mut self, cx: &mut TaskContext<'_>, close_ms: i64, told: Option<usize>) -> bool {
        let Some(idle) = self.idle.as_ref().filter(|_| told.is_some_and(|told| told > 0)) else { return false };
        idle.time.observe(Timestamp::from_millis(close_ms.saturating_add(idle.wait_ms)));
        self.done(cx, close_ms);
        true
    }

    /// The close time up to which windows were handed on.
    pub(crate) fn last_close_ms(&self) -> Option<i64> {
        self.last_close_ms
    }

    /// Windows were handed on up to `close_ms`.
    pub(crate) fn done(&mut self, cx: &mut TaskContext<'_>, close_ms: i64) {
        self.last_close_ms = Some(close_ms);
        cx.remember(&self.store, close_ms);
    }
}
