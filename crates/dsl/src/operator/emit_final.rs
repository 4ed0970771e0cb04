//! Handing on windows when they close: when to look for them, and how far it has come.

use headwater_record::Timestamp;
use headwater_store::StoreKind;
use headwater_topology::TaskContext;

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
}

impl EmitFinal {
    /// For the windows of `store`, which is of this kind.
    pub(crate) fn new(store: &str, kind: StoreKind) -> Self {
        let reach_ms = kind.window_size().map_or(0, millis);
        let retention_ms = kind.retention().map_or(i64::MAX, millis);
        EmitFinal { store: store.to_owned(), reach_ms, retention_ms, next_ms: 0, asked: false, last_close_ms: None }
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
