//! Aggregates by sliding windows (Java's `KStreamSlidingWindowAggregate`, KIP-450).
//!
//! For every record there are windows that end at it and that start right behind it. What is made of a record depends only on the
//! windows of its key that are there already, which are walked from the latest back.

use std::collections::BTreeSet;

use headwater_record::{Headers, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_topology::state::{Found, KeyBuf, Stamped, Wanted};
use headwater_topology::{CloseIdle, DropReason, Idleness, Inlet, ProcessError, Stream, TaskContext};
use headwater_window::{SlidingWindows, Window};

use super::window_aggregate::{WindowNode, millis};

pub(crate) struct SlidingAggregate<K: 'static, V: 'static, A: 'static> {
    windows: SlidingWindows,
    difference: i64,
    grace: i64,
    node: WindowNode<K, V, A>,
}

/// What the windows around a record say about those that are missing.
struct Around<A> {
    starts: BTreeSet<i64>,
    /// The time of the record before this one.
    previous: Option<i64>,
    /// The window that ends before the record.
    left: Option<Found>,
    /// The aggregate of a window that begins before the record and ends behind it, as it was, with its time.
    right: Option<Stamped<A>>,
    left_exists: bool,
    right_exists: bool,
}

impl<A> Default for Around<A> {
    fn default() -> Self {
        let (starts, left_exists, right_exists) = (BTreeSet::new(), false, false);
        Around { starts, previous: None, left: None, right: None, left_exists, right_exists }
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> SlidingAggregate<K, V, A> {
    pub(crate) fn new(windows: SlidingWindows, node: WindowNode<K, V, A>) -> Self {
        let (difference, grace) = (millis(windows.time_difference()), millis(windows.grace()));
        SlidingAggregate { windows, difference, grace, node }
    }

    fn window(&self, start: i64) -> Window {
        self.windows.window_from(Timestamp::from_millis(start))
    }

    /// The windows of the record's key that start from `from` to right behind the record.
    fn found(&self, key: &mut KeyBuf, from: i64, time: i64, order: Order) -> Result<Vec<Found>, ProcessError> {
        let wanted = Wanted {
            from: Timestamp::from_millis(from),
            to: Timestamp::from_millis(time.saturating_add(1)),
            latest_start: Timestamp::MAX,
        };
        self.node.state.find_of_key(key, wanted, order)
    }

    /// A value as it was when it was found; only where it can still matter.
    fn right_of(&self, found: &Found, time: i64) -> Result<Option<Stamped<A>>, ProcessError> {
        if found.timestamp.millis() > time { self.node.state.value_of(found) } else { Ok(None) }
    }

    fn around(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<Option<Around<A>>, ProcessError> {
        let time = record.timestamp.millis();
        let mut around = Around::default();
        let mut looked_right = false;
        let from = time.saturating_sub(self.difference.saturating_mul(2)).max(0);
        for found in self.found(key, from, time, Order::Backward)? {
            let (start, end) = (found.window.start.millis(), found.window.end.millis());
            around.starts.insert(start);
            if start == time.saturating_add(1) {
                around.right_exists = true;
            } else if end > time {
                if !looked_right {
                    looked_right = true;
                    if !around.right_exists {
                        around.right = self.right_of(&found, time)?;
                    }
                }
                self.update(cx, key, found.window, record, close)?;
            } else if end == time {
                around.left_exists = true;
                self.update(cx, key, found.window, record, close)?;
                if found.timestamp.millis() >= time {
                    // A record of this time came before: all windows are there.
                    return Ok(None);
                }
                around.previous = Some(found.timestamp.millis());
            } else {
                around.previous = Some(found.timestamp.millis());
                around.left = Some(found);
                break;
            }
        }
        Ok(Some(around))
    }

    fn process(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp.millis();
        let Some(around) = self.around(cx, key, record, close)? else { return Ok(()) };
        self.make_right_of_previous(cx, key, &around, record, close)?;
        if !around.left_exists {
            let start = time.saturating_sub(self.difference);
            let near = around.previous.is_some_and(|previous| previous >= start);
            let left = around.left.as_ref().filter(|_| near);
            self.make(cx, key, self.window(start), left, record, close)?;
        }
        if !around.right_exists {
            self.make_right(cx, key, around.right, record)?;
        }
        Ok(())
    }

    /// A record so early that its left window would begin before time does: one window from 0 serves all of them.
    fn process_early(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp.millis();
        let mut around = Around::default();
        let mut looked_right = false;
        let mut combined: Option<Found> = None;
        for found in self.found(key, 0, time, Order::Forward)? {
            let start = found.window.start.millis();
            around.starts.insert(start);
            if start == 0 {
                if found.timestamp.millis() < time {
                    around.previous = Some(found.timestamp.millis());
                }
                combined = Some(found);
            } else if start <= time {
                looked_right = true;
                around.right = self.right_of(&found, time)?;
                self.update(cx, key, found.window, record, close)?;
            } else {
                around.right_exists = true;
            }
        }
        if let Some(combined) = combined.as_ref().filter(|_| !looked_right) {
            around.right = self.right_of(combined, time)?;
        }
        if !around.right_exists {
            self.make_right(cx, key, around.right.take(), record)?;
        }
        self.make_right_of_previous(cx, key, &around, record, close)?;
        match combined {
            None => self.make(cx, key, self.window(0), None, record, close),
            Some(found) => self.update(cx, key, found.window, record, close),
        }
    }

    /// The window behind the record before this one, which this one is the first to fall into.
    fn make_right_of_previous(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        around: &Around<A>,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        let Some(previous) = around.previous else { return Ok(()) };
        let start = previous.saturating_add(1);
        let reaches = start.saturating_add(self.difference) >= record.timestamp.millis();
        if around.starts.contains(&start) || !reaches {
            return Ok(());
        }
        self.make(cx, key, self.window(start), None, record, close)
    }

    /// The window right behind the record: later records of other windows fall into it already.
    fn make_right(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        right: Option<Stamped<A>>,
        record: Record<'_, K, V>,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp.millis();
        let Some(right) = right.filter(|right| right.timestamp.millis() > time) else { return Ok(()) };
        let window = checked(self.window(time.saturating_add(1)))?;
        // It takes over what another window holds: a first value, whatever was there.
        let new = Stamped { value: Some(right.value), timestamp: right.timestamp };
        let at = (record.timestamp, record.headers);
        self.node.state.replace(cx, (record.key, key), window, at.0, at.1, new, || Ok(None))
    }

    /// A new window, with the record, whose aggregate begins as that of the window `like` or else as a first one.
    fn make(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        like: Option<&Found>,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        let window = checked(window)?;
        if window.end.millis() < close {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        let first = || {
            Ok::<_, ProcessError>(match like {
                Some(found) => self.node.state.value_of(found)?.map(|stamped| stamped.value),
                None => self.node.folding.first(&self.node.result),
            })
        };
        // As Java does, without a look at what is there: this record may just have made the same window as another's right one.
        let mut so_far = first()?;
        let folded = (self.node.folding.fold)(record.key, record.value, &mut so_far)?;
        let value = (!self.node.result.value_is_null(&folded)).then_some(folded);
        let new = Stamped { value, timestamp: record.timestamp };
        let at = (record.timestamp, record.headers);
        self.node.state.replace(cx, (record.key, key), window, at.0, at.1, new, first)
    }

    fn update(
        &self,
        cx: &mut TaskContext<'_>,
        key: &mut KeyBuf,
        window: Window,
        record: Record<'_, K, V>,
        close: i64,
    ) -> Result<(), ProcessError> {
        if window.end.millis() < close {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        self.node.fold(cx, key, window, record)
    }

    fn emit(&mut self, cx: &mut TaskContext<'_>, headers: &Headers, close: i64) -> Result<(), ProcessError> {
        let told = self.tell(cx, headers, close)?;
        if let Some(finals) = self.node.finals.as_mut().filter(|_| told.is_some()) {
            finals.done(cx, close);
        }
        Ok(())
    }

    /// Hands on the windows that have closed since this was done last: how many, if any could.
    fn tell(&self, cx: &mut TaskContext<'_>, headers: &Headers, close: i64) -> Result<Option<usize>, ProcessError> {
        let Some(finals) = &self.node.finals else { return Ok(None) };
        let upper = close.saturating_sub(self.difference).saturating_sub(1);
        if upper < 0 {
            return Ok(None);
        }
        let from = finals.last_close_ms().map_or(0, |last| last.saturating_sub(self.difference).max(0));
        self.node.hand_on(cx, (from, upper), headers).map(Some)
    }
}

/// Java's windows of no length are refused with the first record.
fn checked(window: Window) -> Result<Window, ProcessError> {
    if window.end > window.start {
        Ok(window)
    } else {
        Err(ProcessError::user("Window endMs must be greater than window startMs."))
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> Inlet<Stream<K, V>> for SlidingAggregate<K, V, A> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        if self.node.input.key_is_null(record.key) || self.node.input.value_is_null(record.value) {
            cx.drop_record(DropReason::Null);
            return Ok(());
        }
        let time = record.timestamp.millis();
        // A late record may make the window right behind it, later than those of records that came before.
        let latest = Timestamp::from_millis(time.saturating_add(1));
        if let Some(closed) = self.node.pressing(cx, latest, self.grace) {
            self.emit(cx, record.headers, closed)?;
        }
        let close = self.node.observe(cx, record.timestamp).saturating_sub(self.grace);
        if time.saturating_add(self.difference) < close {
            cx.drop_record(DropReason::Late);
            return Ok(());
        }
        if time < self.difference {
            return self.node.state.with_key(record.key, |key| self.process_early(cx, key, record, close));
        }
        self.node.state.with_key(record.key, |key| self.process(cx, key, record, close))?;
        if self.node.is_due(cx, close) { self.emit(cx, record.headers, close) } else { Ok(()) }
    }
}

impl<K: Clone + 'static, V: 'static, A: 'static> CloseIdle for SlidingAggregate<K, V, A> {
    fn idleness(&self) -> Option<&Idleness> {
        self.node.finals.as_ref()?.idleness()
    }

    fn is_due(&self, cx: &TaskContext<'_>) -> bool {
        self.node.finals.as_ref().is_some_and(|finals| finals.idle_time(cx, &|_| None).is_some())
    }

    fn close_idle(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ProcessError> {
        let finals = self.node.finals.as_mut();
        let Some(close) = finals.and_then(|finals| finals.go_on(cx, &|_| None)) else { return Ok(false) };
        let told = self.tell(cx, &Headers::new(), close)?;
        Ok(self.node.finals.as_mut().is_some_and(|finals| finals.went_on(cx, close, told)))
    }
}
