//! Stores in the hands of a processor: a record says when, and a context will do where a store wants its task.

use std::ops::ControlFlow;

use headwater_record::{Headers, Record, Timestamp};
use headwater_store::bytes::Order;
use headwater_window::{Window, Windowed};

use super::{FixedKeyContext, FixedKeyRecord, ProcessorContext};
use crate::state::{KeyValueState, Keys, SessionState, WindowState};
use crate::{ProcessError, TaskContext};

/// Time and headers of a change: those of a record, or in a punctuation a time.
#[derive(Debug)]
pub struct At<'a> {
    timestamp: Timestamp,
    headers: Option<&'a Headers>,
}

impl At<'_> {
    fn with<T>(self, work: impl FnOnce(Timestamp, &Headers) -> T) -> T {
        match self.headers {
            Some(headers) => work(self.timestamp, headers),
            None => work(self.timestamp, &Headers::new()),
        }
    }
}

impl<'a, K, V> From<&Record<'a, K, V>> for At<'a> {
    fn from(record: &Record<'a, K, V>) -> Self {
        At { timestamp: record.timestamp, headers: Some(record.headers) }
    }
}

impl<'a, K, V> From<&FixedKeyRecord<'a, K, V>> for At<'a> {
    fn from(record: &FixedKeyRecord<'a, K, V>) -> Self {
        At { timestamp: record.timestamp(), headers: Some(record.headers()) }
    }
}

impl From<Timestamp> for At<'_> {
    fn from(timestamp: Timestamp) -> Self {
        At { timestamp, headers: None }
    }
}

impl<'t, K: 'static, V: 'static> AsMut<TaskContext<'t>> for ProcessorContext<'_, 't, K, V> {
    fn as_mut(&mut self) -> &mut TaskContext<'t> {
        self.task
    }
}

impl<'t, K: 'static, V: 'static> AsMut<TaskContext<'t>> for FixedKeyContext<'_, '_, 't, K, V> {
    fn as_mut(&mut self) -> &mut TaskContext<'t> {
        self.task()
    }
}

impl<'t> AsMut<TaskContext<'t>> for TaskContext<'t> {
    fn as_mut(&mut self) -> &mut TaskContext<'t> {
        self
    }
}

impl<K: 'static, V: 'static> KeyValueState<K, V> {
    /// The value of `key`, without its time.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn value<'t>(&self, cx: &mut impl AsMut<TaskContext<'t>>, key: &K) -> Result<Option<V>, ProcessError> {
        Ok(self.get(cx.as_mut(), key)?.map(|stamped| stamped.value))
    }

    /// Sets the value of `key`, at the time of a record or a punctuation (`KeyValueStore#put`).
    ///
    /// ```
    /// use headwater::processor::prelude::*;
    ///
    /// /// Hands on what is more than ever before.
    /// struct Records(Rc<KeyValueState<String, i64>>);
    /// impl Processor<String, i64, String, i64> for Records {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         if self.0.value(cx, record.key)?.is_some_and(|best| best >= *record.value) {
    ///             return Ok(());
    ///         }
    ///         self.0.put_at(cx, record.key, *record.value, &record)?;
    ///         cx.forward(record)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub fn put_at<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        value: V,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| self.put(cx.as_mut(), key, Some(value), timestamp, headers))
    }

    /// Sets or, with `None`, deletes the values of these keys, one after the other (`KeyValueStore#putAll`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Keeps the lines of an order under their numbers, and forgets those that are empty.
    /// struct Lines(Rc<KeyValueState<i64, String>>);
    /// impl Processor<String, String, (), ()> for Lines {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), ()>,
    ///         order: Record<'_, String, String>,
    ///     ) -> Result<(), ProcessError> {
    ///         let lines = (1..).zip(order.value.lines());
    ///         let lines = lines.map(|(number, line)| (number, (!line.is_empty()).then(|| line.to_owned())));
    ///         self.0.put_all(cx, lines, &order)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let lines = StoreHandle::<i64, String>::named("lines");
    /// builder.add_state_store(StoreSpec::key_value("lines"));
    /// let orders = builder.stream::<String, String>("orders");
    /// orders.process::<_, (), ()>(|stores| Ok(Lines(stores.key_value(&StoreHandle::named("lines"))?)), &["lines"]);
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// driver.input_topic::<String, String>("orders").pipe_all([("a", "pens\nink\n\nnibs"), ("a", "\nred ink")])?;
    /// let kept = driver.key_value_store(&lines)?.all()?;
    /// assert_eq!(kept, [(2, "red ink".to_owned()), (4, "nibs".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`KeyValueState::put`]; what comes before the entry that failed is put.
    pub fn put_all<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        entries: impl IntoIterator<Item = (K, Option<V>)>,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| {
            let mut entries = entries.into_iter();
            entries.try_for_each(|(key, value)| self.put(cx.as_mut(), &key, value, timestamp, headers))
        })
    }

    /// Deletes the value of `key` (`KeyValueStore#delete`).
    ///
    /// # Errors
    /// As [`KeyValueState::put`].
    pub fn remove_at<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| self.put(cx.as_mut(), key, None, timestamp, headers))
    }

    /// All entries, by the order of key bytes. A store that is large is better gone through with [`KeyValueState::all`].
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn entries<'t>(&self, cx: &mut impl AsMut<TaskContext<'t>>) -> Result<Vec<(K, V)>, ProcessError> {
        let mut entries = Vec::new();
        self.all(cx.as_mut(), Order::Forward, |_, key, stamped| {
            entries.push((key, stamped.value));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(entries)
    }

    /// Whether there is an entry of which `test` is true.
    ///
    /// # Errors
    /// As [`KeyValueState::get`].
    pub fn any<'t>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        mut test: impl FnMut(&K, &V) -> bool,
    ) -> Result<bool, ProcessError> {
        let mut found = false;
        self.all(cx.as_mut(), Order::Forward, |_, key, stamped| {
            found = test(&key, &stamped.value);
            Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

impl<K: 'static, V: 'static> WindowState<K, V> {
    /// Sets the value of `key` in the window that starts at `start`, at the time of a record or a punctuation (`WindowStore#put`).
    ///
    /// # Errors
    /// As [`WindowState::put`].
    pub fn put_at<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        start: Timestamp,
        value: V,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| self.put(cx.as_mut(), key, start, Some(value), timestamp, headers))
    }

    /// Whether there is an entry of `key`, in a window that starts from `from` to `to`, both included, of which `test` is true.
    ///
    /// # Errors
    /// As [`WindowState::fetch`](WindowState::fetch).
    pub fn any<'t>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        (from, to): (Timestamp, Timestamp),
        mut test: impl FnMut(&Windowed<K>, &V) -> bool,
    ) -> Result<bool, ProcessError> {
        let mut found = false;
        self.scan(cx.as_mut(), Keys::One(key), from, to, Order::Forward, |_, key, stamped| {
            found = test(&key, &stamped.value);
            Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

impl<K: 'static, V: 'static> SessionState<K, V> {
    /// Sets the value of `key` in `session`, at the time of a record or a punctuation (`SessionStore#put`).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    /// use headwater::window::Window;
    ///
    /// /// Keeps what a visitor looked at within ten seconds as one visit.
    /// struct Visits(Rc<SessionState<String, String>>);
    /// impl Processor<String, String, (), ()> for Visits {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), ()>,
    ///         click: Record<'_, String, String>,
    ///     ) -> Result<(), ProcessError> {
    ///         let (mut visit, mut pages) = (Window::new(click.timestamp, click.timestamp), String::new());
    ///         for (earlier, seen) in self.0.entries(cx, Keys::One(click.key))? {
    ///             if click.timestamp.millis() - earlier.window.end.millis() <= 10_000 {
    ///                 self.0.remove_at(cx, click.key, earlier.window, &click)?;
    ///                 visit = Window::new(earlier.window.start, click.timestamp);
    ///                 pages = seen + " ";
    ///             }
    ///         }
    ///         self.0.put_at(cx, click.key, visit, pages + click.value, &click)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let visits = StoreHandle::<String, String>::named("visits");
    /// builder.add_state_store(StoreSpec::session("visits", Duration::from_secs(3600)));
    /// let clicks = builder.stream::<String, String>("clicks");
    /// clicks.process::<_, (), ()>(|stores| Ok(Visits(stores.session(&StoreHandle::named("visits"))?)), &["visits"]);
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    /// let input = driver.input_topic::<String, String>("clicks");
    /// for (page, second) in [("home", 1), ("shop", 4), ("home", 60)] {
    ///     input.pipe_at("ann", page, second * 1000)?;
    /// }
    /// let kept = driver.session_store(&visits)?.entries()?;
    /// let kept: Vec<_> = kept.into_iter().map(|(visit, pages)| (visit.window.end.millis(), pages)).collect();
    /// assert_eq!(kept, [(4000, "home shop".to_owned()), (60_000, "home".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`SessionState::put`](SessionState::put).
    pub fn put_at<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        session: Window,
        value: V,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| self.put(cx.as_mut(), key, session, Some(value), timestamp, headers))
    }

    /// Removes the value of `key` in `session` (`SessionStore#remove`).
    ///
    /// # Errors
    /// As [`SessionState::remove`](SessionState::remove).
    pub fn remove_at<'t, 'a>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        session: Window,
        at: impl Into<At<'a>>,
    ) -> Result<(), ProcessError> {
        at.into().with(|timestamp, headers| self.remove(cx.as_mut(), key, session, timestamp, headers))
    }

    /// All sessions of `keys`. Of a store that is large they are better gone through with [`SessionState::all`](SessionState::all).
    ///
    /// # Errors
    /// As [`SessionState::scan`](SessionState::scan).
    pub fn entries<'t>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        keys: Keys<'_, K>,
    ) -> Result<Vec<(Windowed<K>, V)>, ProcessError> {
        let mut entries = Vec::new();
        self.all(cx.as_mut(), keys, Order::Forward, |_, session, value| {
            entries.push((session, value));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(entries)
    }

    /// Whether `key` has a session, which ends at `earliest_end` or later and starts at `latest_start` or earlier, of which `test` is true.
    ///
    /// # Errors
    /// As [`SessionState::scan`](SessionState::scan).
    pub fn any<'t>(
        &self,
        cx: &mut impl AsMut<TaskContext<'t>>,
        key: &K,
        (earliest_end, latest_start): (Timestamp, Timestamp),
        mut test: impl FnMut(&Windowed<K>, &V) -> bool,
    ) -> Result<bool, ProcessError> {
        let mut found = false;
        self.scan(cx.as_mut(), Keys::One(key), earliest_end, latest_start, Order::Forward, |_, session, value| {
            found = test(&session, &value);
            Ok(if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}
