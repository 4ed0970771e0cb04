//! The driver: a topology, one task for all of it, and a clock that stands still.

mod builder;
mod live;
mod outputs;
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

pub(crate) use self::live::Live;
use crate::{DriverError, TestInputTopic, TestKeyValueStore, TestOutputTopic, TestSessionStore, TestWindowStore};

/// Runs a topology record by record, without a cluster and without waiting (Java's class of this name).
///
/// One task holds all of the topology, and every topic has one partition. Each record that is piped in is processed completely,
/// with all that follows from it on internal topics, and committed, before [`TopologyTestDriver::pipe`] returns. The wall clock
/// stands still but for [`TopologyTestDriver::advance_wall_clock`]; event time comes from the records.
///
/// All stores lie in memory, unless [`Builder::persistent_stores`] says otherwise.
///
/// ```
/// # use std::sync::Arc;
/// # use headwater_record::DefaultSerde;
/// # use headwater_topology::node::sink::{SinkNode, SinkTarget};
/// # use headwater_topology::node::source::{SourceNode, TimestampExtractor};
/// # use headwater_topology::node::{NodeKind, NodeSpec, SinkTopic, SourceTopics};
/// # use headwater_topology::{Draft, Port, Stream, Topology, TopologySettings};
/// # fn lines_to_copies() -> Topology {
/// #     let draft = Draft::new();
/// #     let topics = SourceTopics::Named(vec!["lines".to_owned()]);
/// #     let kind = NodeKind::Source { topics, reset: None };
/// #     let source = draft.add_node(NodeSpec { name: "s".into(), kind, parents: Vec::new(), stores: Vec::new() });
/// #     let port = Port::<Stream<(), String>>::new();
/// #     let out = port.clone();
/// #     draft.add_source(source, Arc::new(move |wiring| {
/// #         let (key, value) = (<()>::default_serde(), String::default_serde());
/// #         SourceNode::wire(wiring, source, key, value, TimestampExtractor::FailOnInvalid, &out)
/// #     }));
/// #     let kind = NodeKind::Sink { topic: SinkTopic::Named("copies".to_owned()) };
/// #     let sink = draft.add_node(NodeSpec { name: "t".into(), kind, parents: vec![source], stores: Vec::new() });
/// #     port.listen(sink, Arc::new(move |wiring| {
/// #         let target = SinkTarget::Topic { name: "copies".to_owned(), internal: false };
/// #         let (key, value) = (<()>::default_serde(), String::default_serde());
/// #         Ok(Box::new(SinkNode::wire(wiring, sink, target, key, value, None)?))
/// #     }));
/// #     draft.freeze(&TopologySettings::new()).expect("it is without mistakes")
/// # }
/// use headwater_testing::{TestRecord, TopologyTestDriver};
///
/// // A topology that copies the topic `lines` to `copies`.
/// let topology = lines_to_copies();
/// let driver = TopologyTestDriver::builder(topology).setting("application.id", "copier").build()?;
/// let lines = driver.input_topic::<(), String>("lines");
/// let copies = driver.output_topic::<(), String>("copies");
///
/// lines.pipe_at((), "hello".to_owned(), 42)?;
///
/// assert_eq!(copies.read_record()?, TestRecord::new((), "hello".to_owned(), 42));
/// assert!(copies.is_empty());
/// # Ok::<(), headwater_testing::DriverError>(())
/// ```
pub struct TopologyTestDriver {
    pub(crate) live: Rc<RefCell<Live>>,
}

impl TopologyTestDriver {
    /// A driver with the usual settings, at time 0.
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

    /// Lets the wall clock go on: punctuators that are then due fire, once each.
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

    /// The topics that the topology has written to, internal ones with their prefix included, in alphabetical order.
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
        let store = store.borrow();
        Ok(look(&store))
    }

    /// A key-value store, to read.
    ///
    /// # Errors
    /// [`DriverError::NoSuchStore`] when there is none of this name and kind.
    pub fn key_value_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestKeyValueStore<K, V>, DriverError> {
        TestKeyValueStore::open(self, handle)
    }

    /// A window store, to read.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::key_value_store`].
    pub fn window_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestWindowStore<K, V>, DriverError> {
        TestWindowStore::open(self, handle)
    }

    /// A session store, to read.
    ///
    /// # Errors
    /// As [`TopologyTestDriver::key_value_store`].
    pub fn session_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<TestSessionStore<K, V>, DriverError> {
        TestSessionStore::open(self, handle)
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
