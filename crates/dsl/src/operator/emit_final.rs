//! Handing on windows when they close: when to look for them, and how far it has come.

use headwater_topology::TaskContext;

/// How far closed windows have been handed on. It is kept with the committed offsets (Java's `ProcessorMetadata`), under the name of
/// the store.
#[derive(Debug)]
pub(crate) struct EmitFinal {
    store: String,
    next_ms: i64,
    asked: bool,
    last_close_ms: Option<i64>,
}

impl EmitFinal {
    /// For the windows of `store`.
    pub(crate) fn new(store: &str) -> Self {
        EmitFinal { store: store.to_owned(), next_ms: 0, asked: false, last_close_ms: None }
    }

    /// Whether to look for windows that closed, now that those before `close_ms` are: at most once in the emit interval, and only
    /// when time went on.
    pub(crate) fn is_due(&mut self, cx: &TaskContext<'_>, close_ms: i64) -> bool {
        if !self.asked {
            self.asked = true;
            self.last_close_ms = cx.remembered(&self.store);
        }
        let now = cx.now().millis();
        if now < self.next_ms {
            return false;
        }
        self.next_ms = now.saturating_add(cx.emit_interval_ms());
        self.last_close_ms.is_none_or(|last| last < close_ms)
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
