//! The driver: a topology, one task for all of it, and a clock that stands still.

mod builder;
mod live;
mod outputs;
mod restart;
mod stores;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use headwater_record::{Clock, DefaultSerde, Headers, OwnedRecord, SharedSerde, Timestamp, Topic};
use headwater_store::Store;
use headwater_topology::Topology;
use headwater_topology::state::StoreHandle;

pub use builder::Builder;
pub use restart::StateOnDisk;

pub(crate) use self::live::Live;
use crate::{
    DriverError, TestInputTopic, TestKeyValueStore, TestOutputTopic, TestSessionStore, TestVersionedStore,
    TestWindowStore,
};

/// Runs a topology record by record, without a cluster and without waiting (Java's class of this name).
///
/// One task holds all of the topology, and every topic has one partition. Each record that is piped in is processed completely,
/// with all that follows from it on internal topics, and committed, before [`TopologyTestDriver::pipe`] returns. The wall clock
/// stands still but for [`TopologyTestDriver::advance_wall_clock`]; event time comes from the records.
///
/// All stores lie in memory, unless [`Builder::persistent_stores`] says otherwise.
///
/// ```
/// use headwater::record::DefaultSerde;
/// use headwater::testing::{TestRecord, TopologyTestDriver};
/// use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
///
/// // A topology that copies the topic `lines` to `copies`.
/// let (none, text) = (<()>::default_serde(), String::default_serde());
/// let builder = TopologyBuilder::new();
/// let source = builder.add_source("source", SourceSpec::topics(["lines"], none.clone(), text.clone()));
/// builder.add_sink("sink", SinkSpec::topic("copies", none, text), &[&source]);
///
/// let driver = TopologyTestDriver::builder(builder.build()?).setting("application.id", "copier").build()?;
/// let lines = driver.input_topic::<(), String>("lines");
/// let copies = driver.output_topic::<(), String>("copies");
///
/// lines.pipe_at((), "hello", 42)?;
///
/// assert_eq!(copies.read_record()?, TestRecord::new((), "hello".to_owned(), 42));
/// assert!(copies.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TopologyTestDriver {
    pub(crate) live: Rc<RefCell<Live>>,
}

impl TopologyTestDriver {
    /// A driver with the usual settings, at time 0 (1970).
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new(topology: Topology) -> Result<Self, DriverError> {
        Self::builder(topology).build()
    }

    /// A driver in the making.
    pub fn builder(topology: Topology) -> Builder {
        Builder::new(topology)
    }

    /// A topic to pipe records into, with the types' default serdes.
    pub fn input_topic<K: DefaultSerde, V: DefaultSerde>(&self, topic: &str) -> TestInputTopic<K, V> {
        self.input_topic_with(topic, K::default_serde(), V::default_serde())
    }

    /// A topic to pipe records into.
    pub fn input_topic_with<K, V>(
        &self,
        topic: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> TestInputTopic<K, V> {
        let now = self.now();
        TestInputTopic::new(Rc::clone(&self.live), topic, key, value, now)
    }

    /// A topic to read from, with the types' default serdes.
    pub fn output_topic<K: DefaultSerde, V: DefaultSerde>(&self, topic: &str) -> TestOutputTopic<K, V> {
        self.output_topic_with(topic, K::default_serde(), V::default_serde())
    }

    /// A topic to read from.
    pub fn output_topic_with<K, V>(
        &self,
        topic: &str,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
    ) -> TestOutputTopic<K, V> {
        TestOutputTopic::new(Rc::clone(&self.live), topic, key, value)
    }

    /// Pipes one record of bytes in and processes all that follows from it.
    ///
    /// # Errors
    /// [`DriverError::UnknownTopic`] when the topology does not read the topic, [`DriverError::Task`] when it failed.
    pub fn pipe(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
        headers: &Headers,
    ) -> Result<(), DriverError> {
        self.live.borrow_mut().pipe(topic, key, value, timestamp, headers)
    }

    /// Lets the wall clock go on: punctuators that are then due fire, once each (`TopologyTestDriver#advanceWallClockTime`).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// /// Writes the time every ten seconds.
    /// struct Ticks;
    /// impl Processor<(), (), (), i64> for Ticks {
    ///     fn init(&mut self, cx: &mut ProcessorContext<'_, '_, (), i64>) -> Result<(), ProcessError> {
    ///         cx.schedule(Duration::from_secs(10), PunctuationType::WallClockTime).map(|_| ())
    ///     }
    ///     fn process(&mut self, _: &mut ProcessorContext<'_, '_, (), i64>, _: Record<'_, (), ()>) -> Result<(), ProcessError> {
    ///         Ok(())
    ///     }
    ///     fn punctuate(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), i64>,
    ///         _: ScheduleId,
    ///         time: Timestamp,
    ///     ) -> Result<(), ProcessError> {
    ///         cx.forward(Record::new(&(), &time.millis(), time, &Headers::new()))
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let source = builder.add_source("source", SourceSpec::topics(["in"], <()>::default_serde(), <()>::default_serde()));
    /// let ticks: NodeRef<(), i64> = builder.add_processor("ticks", |_| Ok(Ticks), &[&source]);
    /// builder.add_sink("sink", SinkSpec::topic("times", <()>::default_serde(), i64::default_serde()), &[&ticks]);
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    ///
    /// driver.advance_wall_clock(Duration::from_secs(9))?;
    /// driver.advance_wall_clock(Duration::from_secs(1))?;
    /// assert_eq!(driver.output_topic::<(), i64>("times").read_values()?, [10_000]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DriverError::Task`] when the topology failed.
    pub fn advance_wall_clock(&self, by: Duration) -> Result<(), DriverError> {
        self.live.borrow_mut().advance_wall_clock(by)
    }

    /// The wall clock's time.
    pub fn now(&self) -> Timestamp {
        self.live.borrow().clock.now()
    }

    /// The topics that the topology has written to, internal ones with their prefix included, in alphabetical order
    /// (`TopologyTestDriver#producedTopicNames`).
    pub fn produced_topics(&self) -> Vec<Topic> {
        self.live.borrow().outputs.topics()
    }

    /// All records that the topology has written to `topic`, in order, whether or not they were read by an output topic.
    pub fn records(&self, topic: &str) -> Vec<OwnedRecord> {
        self.live.borrow().outputs.all(topic).to_vec()
    }

    /// The records of `topic` that nobody has read yet. An output topic of the same name reads from the same place.
    pub fn read_records(&self, topic: &str) -> Vec<OwnedRecord> {
        self.live.borrow_mut().outputs.read_all(topic)
    }

    /// Records that the topology has left out: late, null where null is not allowed, or let go by a handler.
    pub fn dropped_records(&self) -> u64 {
        self.live.borrow().dropped_records()
    }

    /// Looks at the bytes of a store.
    ///
    /// # Errors
    /// [`DriverError::NoSuchStore`], [`DriverError::Closed`].
    pub fn with_store<R>(&self, store: &str, look: impl FnOnce(&Store) -> R) -> Result<R, DriverError> {
        let store = self.live.borrow().store(store)?;
        Ok(store.read(|store| Ok(look(store)))?)
    }

    /// A key-value store, to read (`TopologyTestDriver#getKeyValueStore`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    ///
    /// struct Keep(Rc<KeyValueState<String, i64>>);
    /// impl Processor<String, i64, (), ()> for Keep {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), ()>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         self.0.put_at(cx, record.key, *record.value, &record)
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let stock = SourceSpec::topics(["stock"], String::default_serde(), i64::default_serde());
    /// let source = builder.add_source("source", stock);
    /// let _: NodeRef<(), ()> =
    ///     builder.add_processor("keep", |stores| Ok(Keep(stores.key_value(&StoreHandle::named("pieces"))?)), &[&source]);
    /// builder.add_state_store(StoreSpec::key_value("pieces"), &["keep"]);
    /// let driver = TopologyTestDriver::new(builder.build()?)?;
    ///
    /// let stock = driver.input_topic::<String, i64>("stock");
    /// stock.pipe_all([("pens", 3), ("ink", 1), ("pens", 2)])?;
    /// let pieces = driver.key_value_store(&StoreHandle::<String, i64>::named("pieces"))?;
    /// assert_eq!(pieces.get(&"pens".to_owned())?, Some(2));
    /// assert_eq!(pieces.all()?.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DriverError::NoSuchStore`] when there is none of this name, [`DriverError::StoreKind`] when it is of another kind.
    pub fn key_value_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestKeyValueStore<K, V>, DriverError> {
        TestKeyValueStore::open(self, handle)
    }

    /// A window store, to read (`TopologyTestDriver#getWindowStore`). The first page of the crate `headwater` has an
    /// example.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::key_value_store`].
    pub fn window_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestWindowStore<K, V>, DriverError> {
        TestWindowStore::open(self, handle)
    }

    /// A session store, to read (`TopologyTestDriver#getSessionStore`).
    ///
    /// # Errors
    /// As [`TopologyTestDriver::key_value_store`].
    pub fn session_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestSessionStore<K, V>, DriverError> {
        TestSessionStore::open(self, handle)
    }

    /// A versioned store, to read (`TopologyTestDriver#getVersionedKeyValueStore`).
    ///
    /// # Errors
    /// As [`TopologyTestDriver::key_value_store`].
    pub fn versioned_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestVersionedStore<K, V>, DriverError> {
        TestVersionedStore::open(self, handle)
    }

    /// Commits what there is to commit, closes the task and starts it again over the same topics, as a restart of an application
    /// does: processors are made anew, stores are as `state` says, restored from their changelogs by the code that running
    /// applications restore with, and what was read but not committed is read again. Global stores stay as they are.
    ///
    /// ```
    /// # use headwater::record::DefaultSerde;
    /// # use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
    /// use headwater::testing::{StateOnDisk, TopologyTestDriver};
    /// # let builder = TopologyBuilder::new();
    /// # let source = builder.add_source("s", SourceSpec::topics(["in"], String::default_serde(), String::default_serde()));
    /// # builder.add_sink("k", SinkSpec::topic("out", String::default_serde(), String::default_serde()), &[&source]);
    /// # let topology = builder.build()?;
    /// let driver = TopologyTestDriver::new(topology)?;
    /// driver.input_topic::<String, String>("in").pipe("a".to_owned(), "before".to_owned())?;
    /// driver.restart(StateOnDisk::Wiped)?;
    /// driver.input_topic::<String, String>("in").pipe("a".to_owned(), "after".to_owned())?;
    /// assert_eq!(driver.records("out").len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DriverError::Restore`] when a store cannot be restored, [`DriverError::Held`] when something of the old task is left, and
    /// those of a last commit and of a start.
    pub fn restart(&self, state: StateOnDisk) -> Result<(), DriverError> {
        self.live.borrow_mut().restart(state)
    }

    /// Commits what there is to commit and closes the topology: `close` of its processors is called. Output can still be read.
    ///
    /// # Errors
    /// [`DriverError::Task`] when the last commit failed; the topology is closed all the same.
    pub fn close(&self) -> Result<(), DriverError> {
        self.live.borrow_mut().close()
    }
}

impl fmt::Debug for TopologyTestDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.live.borrow(), f)
    }
}
