//! A topic to pipe records into.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use headwater_record::{Headers, SharedSerde, Timestamp};

use super::Given;
use crate::driver::Live;
use crate::{DriverError, TestRecord};

/// A topic to pipe records into (Java's class of this name). It has a time of its own for records without one: at first the
/// driver's, then as [`TestInputTopic::advance_time`] and [`TestInputTopic::auto_advance`] say. Times are milliseconds since 1970. Where keys or
/// values are `String`s, their text will do ([`Given`]).
///
/// A row of a table is deleted by a null: open the table's topic with `Option` values, and pipe `None`.
///
/// ```
/// use headwater::prelude::*;
/// use headwater::testing::TopologyTestDriver;
/// let builder = StreamsBuilder::new();
/// builder.table::<String, i64>("stock").filter(|_, pieces| *pieces > 0).to_stream().to("for-sale");
/// let driver = TopologyTestDriver::new(builder.build()?)?;
///
/// let stock = driver.input_topic::<String, Option<i64>>("stock");
/// stock.pipe("pens", 3)?;
/// stock.pipe("pens", None)?;
/// let for_sale = driver.output_topic::<String, Option<i64>>("for-sale").read_values()?;
/// assert_eq!(for_sale, [Some(3), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// And the topic's time:
///
/// ```
/// # use headwater::record::DefaultSerde;
/// # use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
/// # let (none, text) = (<()>::default_serde(), String::default_serde());
/// # let builder = TopologyBuilder::new();
/// # let source = builder.add_source("source", SourceSpec::topics(["lines"], none.clone(), text.clone()));
/// # builder.add_sink("sink", SinkSpec::topic("copies", none, text), &[&source]);
/// # let driver = headwater::testing::TopologyTestDriver::new(builder.build()?)?;
/// use std::time::Duration;
/// // Of a topology that copies `lines` to `copies`.
/// let lines = driver.input_topic::<(), String>("lines").auto_advance(1_000, Duration::from_millis(5));
/// lines.pipe_values(["one", "two"])?;
/// lines.advance_time(Duration::from_secs(1));
/// lines.pipe_value("three")?;
/// let times: Vec<i64> = driver.records("copies").iter().map(|record| record.timestamp.millis()).collect();
/// assert_eq!(times, [1_000, 1_005, 2_010]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestInputTopic<K, V> {
    live: Rc<RefCell<Live>>,
    topic: String,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    time: Cell<Timestamp>,
    advance: Duration,
}

impl<K, V> TestInputTopic<K, V> {
    pub(crate) fn new(
        live: Rc<RefCell<Live>>,
        topic: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
        time: Timestamp,
    ) -> Self {
        TestInputTopic { live, topic: topic.to_owned(), key, value, time: Cell::new(time), advance: Duration::ZERO }
    }

    /// Records without a time begin at `start`, and each is `advance` later than the one before.
    #[must_use]
    pub fn auto_advance(mut self, start: impl Into<Timestamp>, advance: Duration) -> Self {
        self.time.set(start.into());
        self.advance = advance;
        self
    }

    /// Records without a time are later by `by` from now on.
    pub fn advance_time(&self, by: Duration) {
        self.time.set(self.time.get().plus(by));
    }

    /// Pipes a record in, at the topic's time.
    ///
    /// # Errors
    /// [`DriverError::UnknownTopic`], [`DriverError::Serde`], and [`DriverError::Task`] when the topology failed.
    pub fn pipe(&self, key: impl Given<K>, value: impl Given<V>) -> Result<(), DriverError> {
        let time = self.time.get();
        self.time.set(time.plus(self.advance));
        self.pipe_record(&TestRecord::new(key.given(), value.given(), time))
    }

    /// Pipes a record in, at `timestamp`.
    ///
    /// # Errors
    /// As [`TestInputTopic::pipe`].
    pub fn pipe_at(
        &self,
        key: impl Given<K>,
        value: impl Given<V>,
        timestamp: impl Into<Timestamp>,
    ) -> Result<(), DriverError> {
        self.pipe_record(&TestRecord::new(key.given(), value.given(), timestamp))
    }

    /// Pipes a record in as it stands.
    ///
    /// # Errors
    /// As [`TestInputTopic::pipe`].
    pub fn pipe_record(&self, record: &TestRecord<K, V>) -> Result<(), DriverError> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let key_is = self.key.serialize(&self.topic, &record.key, &mut key)?;
        let value_is = self.value.serialize(&self.topic, &record.value, &mut value)?;
        let headers: &Headers = &record.headers;
        self.live.borrow_mut().pipe(&self.topic, key_is.of(&key), value_is.of(&value), record.timestamp, headers)
    }

    /// Pipes records in one after the other, at the topic's time.
    ///
    /// # Errors
    /// As [`TestInputTopic::pipe`]; records after the one that failed are not piped.
    pub fn pipe_all(
        &self,
        records: impl IntoIterator<Item = (impl Given<K>, impl Given<V>)>,
    ) -> Result<(), DriverError> {
        records.into_iter().try_for_each(|(key, value)| self.pipe(key, value))
    }
}

impl<K: Default, V> TestInputTopic<K, V> {
    /// Pipes a value in with the default key (`None`, `()`), at the topic's time.
    ///
    /// # Errors
    /// As [`TestInputTopic::pipe`].
    pub fn pipe_value(&self, value: impl Given<V>) -> Result<(), DriverError> {
        self.pipe(K::default(), value)
    }

    /// Pipes values in one after the other.
    ///
    /// # Errors
    /// As [`TestInputTopic::pipe_all`].
    pub fn pipe_values(&self, values: impl IntoIterator<Item = impl Given<V>>) -> Result<(), DriverError> {
        values.into_iter().try_for_each(|value| self.pipe_value(value))
    }
}

impl<K, V> fmt::Debug for TestInputTopic<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestInputTopic").field("topic", &self.topic).field("time", &self.time).finish_non_exhaustive()
    }
}
