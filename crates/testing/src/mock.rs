//! One processor alone, with a context that keeps what it does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{DefaultSerde, Headers, Offset, Partition, RawRecord, Record, Timestamp, Topic};
use headwater_runtime::StreamsConfig;
use headwater_runtime::handler::ExceptionHandlers;
use headwater_store::cache::Budget;
use headwater_store::{OpenContext, StoreSpec, StoreSupplier};
use headwater_store_memory::MemoryStores;
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorSupplier, Schedules, StoreAccess};
use headwater_topology::{
    Application, Destination, Emit, FailureKind, Inlet, NodeRef, Outlet, OutputTopic, ProcessError, Punctuations,
    RecordContext, Scheduled, SharedStore, SourceSpec, StoreId, Stream, TaskClock, TaskContext, TaskId, Topology,
    TopologyBuilder, Wiring,
};

use crate::{DriverError, TestRecord};

const PROCESSOR: &str = "processor";

/// What a processor has forwarded (Java's `CapturedForward`).
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarded<K, V> {
    /// The record.
    pub record: TestRecord<K, V>,
    /// To which child only; `None`: to all.
    pub child: Option<String>,
}

type Captured<K, V> = Rc<RefCell<Vec<Forwarded<K, V>>>>;

/// The context of a processor that is tested without a topology (Java's class of this name): what it forwards, schedules and asks
/// for is kept, and the test says what time it is and where the record lies. Punctuators do not fire by themselves.
///
/// Stores lie in memory; nothing is logged.
///
/// ```
/// use headwater::processor::prelude::*;
/// use headwater::testing::MockProcessorContext;
///
/// struct Lengths;
/// impl Processor<String, String, String, i64> for Lengths {
///     fn process(
///         &mut self,
///         cx: &mut ProcessorContext<'_, '_, String, i64>,
///         record: Record<'_, String, String>,
///     ) -> Result<(), ProcessError> {
///         let length = record.value.len() as i64;
///         cx.forward(Record::new(record.key, &length, record.timestamp, record.headers))
///     }
/// }
///
/// let mock = MockProcessorContext::<String, i64>::new();
/// let (key, value, headers) = ("k".to_owned(), "four".to_owned(), Headers::new());
/// mock.with(|cx| Lengths.process(cx, Record::new(&key, &value, 7.into(), &headers)))?;
/// assert_eq!(mock.forwarded()[0].record.value, 4);
/// # Ok::<(), ProcessError>(())
/// ```
pub struct MockProcessorContext<K: 'static, V: 'static> {
    clock: RefCell<TaskClock>,
    input: RefCell<RecordContext>,
    captured: Captured<K, V>,
    out: RefCell<Outlet<Stream<K, V>>>,
    punctuations: Rc<RefCell<Punctuations>>,
    schedules: Schedules<K, V>,
    stores: Vec<StoreSpec>,
}

impl<K: Clone + 'static, V: Clone + 'static> Default for MockProcessorContext<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + 'static, V: Clone + 'static> MockProcessorContext<K, V> {
    /// A context at time 0, outside of any record.
    pub fn new() -> Self {
        let captured: Captured<K, V> = Rc::default();
        let named = Rc::clone(&captured);
        let out = Outlet::catching(
            Box::new(ToAll(Rc::clone(&captured))),
            Box::new(move |child: &str, record: Record<'_, K, V>| {
                named.borrow_mut().push(Forwarded { record: kept(record), child: Some(child.to_owned()) });
            }),
        );
        let punctuations: Rc<RefCell<Punctuations>> = Rc::default();
        MockProcessorContext {
            schedules: Schedules::new(Rc::clone(&punctuations)),
            punctuations,
            clock: RefCell::default(),
            input: RefCell::new(RecordContext::none()),
            captured,
            out: RefCell::new(out),
            stores: Vec::new(),
        }
    }

    /// Gives the application these settings, beside the defaults of others; `application.id` is its name.
    ///
    /// ```
    /// use headwater::testing::MockProcessorContext;
    ///
    /// let mut mock = MockProcessorContext::<(), ()>::new();
    /// mock.set_app_configs([("application.id", "shop"), ("shop.limit.cents", "5000")]);
    /// mock.set_state_dir("/var/lib/shop");
    /// mock.with(|cx| {
    ///     assert_eq!(cx.application_id(), "shop");
    ///     assert_eq!(cx.app_configs()["shop.limit.cents"], "5000");
    ///     assert_eq!(cx.app_configs_with_prefix("shop.")["limit.cents"], "5000");
    ///     assert_eq!(cx.app_configs()["num.stream.threads"], "1");
    ///     assert_eq!(cx.state_dir(), std::path::Path::new("/var/lib/shop/0_0"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), headwater::processor::ProcessError>(())
    /// ```
    pub fn set_app_configs(&mut self, configs: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) {
        let given = configs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let configs = StreamsConfig::values(&given);
        let id = configs.get("application.id").cloned().unwrap_or_default();
        self.set_application(|application| Application { id, configs, state_dir: application.state_dir });
    }

    /// Says in which directory each task has one for its state.
    pub fn set_state_dir(&mut self, directory: impl Into<PathBuf>) {
        self.set_application(|application| Application { state_dir: directory.into(), ..application });
    }

    fn set_application(&mut self, change: impl FnOnce(Application) -> Application) {
        let application = &mut self.clock.borrow_mut().application;
        *application = Arc::new(change(Application::clone(application)));
    }

    /// Adds a store that the processor may use: see [`MockProcessorContext::make`].
    pub fn add_state_store(&mut self, store: StoreSpec) {
        self.stores.push(store);
    }

    /// Makes a processor, which gets its stores as in a topology. Its `init` is not called yet.
    ///
    /// ```
    /// use headwater::processor::prelude::*;
    /// use headwater::testing::MockProcessorContext;
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
    /// let mut mock = MockProcessorContext::<(), ()>::new();
    /// mock.add_state_store(StoreSpec::key_value("pieces"));
    /// let mut keep = mock.make(&|stores| Ok(Keep(stores.key_value(&StoreHandle::named("pieces"))?)))?;
    /// let (pens, headers) = ("pens".to_owned(), Headers::new());
    /// mock.with(|cx| keep.process(cx, Record::new(&pens, &3, 7.into(), &headers)))?;
    /// let kept = mock.with(|cx| keep.0.get(cx.task(), &pens))?;
    /// assert_eq!(kept.map(|kept| kept.value), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What the supplier said, and when a store cannot be opened.
    pub fn make<P>(&self, supplier: &impl ProcessorSupplier<P>) -> Result<P, DriverError> {
        let topology = self.topology()?;
        let stores = topology.stores().map(|(id, store)| {
            let opened = MemoryStores::new().open(&store.spec, OpenContext { task_directory: None })?;
            Ok::<_, DriverError>((id, SharedStore::own(opened)))
        });
        let stores: HashMap<StoreId, SharedStore> = stores.collect::<Result<_, _>>()?;
        let task = TaskId::new(0, 0);
        let mut nowhere = Nowhere;
        let mut wiring = Wiring::new(&topology, task, &mut nowhere, &stores, Rc::new(Budget::new(0)));
        let wired = |error| DriverError::Task(headwater_runtime::task::TaskError::Wiring { task, error });
        let node = topology.node_named(PROCESSOR).ok_or(DriverError::Closed)?;
        supplier(&mut StoreAccess::new(&mut wiring, node)).map_err(wired)
    }

    /// A topology of one processor that is connected to all stores.
    fn topology(&self) -> Result<Topology, DriverError> {
        struct Silent;
        impl Processor<(), (), (), ()> for Silent {
            fn process(
                &mut self,
                _: &mut ProcessorContext<'_, '_, (), ()>,
                _: Record<'_, (), ()>,
            ) -> Result<(), ProcessError> {
                Ok(())
            }
        }
        let builder = TopologyBuilder::new();
        let serdes = (<()>::default_serde(), <()>::default_serde());
        let source = builder.add_source("source", SourceSpec::topics(["input"], serdes.0, serdes.1));
        let silent = |_: &mut StoreAccess<'_, '_>| Ok(Silent);
        let _: NodeRef<(), ()> = builder.add_processor(PROCESSOR, silent, &[&source]);
        for store in &self.stores {
            builder.add_state_store(store.clone(), &[PROCESSOR]);
        }
        builder.build().map_err(|mistakes| DriverError::Setting {
            key: "stores".to_owned(),
            value: format!("{:?}", self.stores.iter().map(|store| &store.name).collect::<Vec<_>>()),
            reason: mistakes.to_string(),
        })
    }

    /// Runs `work` with the context: calls `process` or `punctuate` of a processor, or reads a store.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn with<R>(
        &self,
        work: impl FnOnce(&mut ProcessorContext<'_, '_, K, V>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.enter(false, work)
    }

    /// Runs `work`, which calls `init` of a processor: forwarding is refused meanwhile.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn init<R>(
        &self,
        work: impl FnOnce(&mut ProcessorContext<'_, '_, K, V>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        self.enter(true, work)
    }

    fn enter<R>(
        &self,
        in_init: bool,
        work: impl FnOnce(&mut ProcessorContext<'_, '_, K, V>) -> Result<R, ProcessError>,
    ) -> Result<R, ProcessError> {
        let (Ok(mut clock), Ok(mut out)) = (self.clock.try_borrow_mut(), self.out.try_borrow_mut()) else {
            return Err(ProcessError::user("the mock context is in use already"));
        };
        let (mut nowhere, handlers) = (Nowhere, ExceptionHandlers::defaults(None));
        let mut task = TaskContext::new(TaskId::new(0, 0), &mut clock, &mut nowhere, &handlers);
        task.within(self.input.borrow().clone(), |task| {
            work(&mut ProcessorContext::alone(task, &mut out, &self.schedules, in_init))
        })
    }

    /// Says where the record lies that is processed next.
    pub fn set_record_metadata(&self, topic: &str, partition: Partition, offset: Offset) {
        let mut input = self.input.borrow_mut();
        (input.topic, input.partition, input.offset) = (Some(Topic::from(topic)), partition, offset);
    }

    /// Sets the wall clock, in milliseconds since 1970.
    pub fn set_current_system_time(&self, now: impl Into<Timestamp>) {
        self.clock.borrow_mut().now = now.into();
    }

    /// Sets the stream time, in milliseconds since 1970; it is -1 until then.
    pub fn set_current_stream_time(&self, time: impl Into<Timestamp>) {
        self.clock.borrow_mut().stream_time = time.into();
    }

    /// What was forwarded so far.
    pub fn forwarded(&self) -> Vec<Forwarded<K, V>> {
        self.captured.borrow().clone()
    }

    /// What was forwarded so far that `child` has got: to it only, or to all.
    pub fn forwarded_to(&self, child: &str) -> Vec<Forwarded<K, V>> {
        let reaches = |forwarded: &&Forwarded<K, V>| forwarded.child.as_deref().is_none_or(|only| only == child);
        self.captured.borrow().iter().filter(reaches).cloned().collect()
    }

    /// Forgets what was forwarded.
    pub fn reset_forwards(&self) {
        self.captured.borrow_mut().clear();
    }

    /// What was scheduled, in order. To let one fire, call the processor's `punctuate` with its id; one with a closure is fired by
    /// `mock.with(|cx| cx.fire(id, time).unwrap_or(Ok(())))`.
    pub fn scheduled_punctuators(&self) -> Vec<Scheduled> {
        self.punctuations.borrow().scheduled()
    }

    /// Whether the processor asked for a commit.
    pub fn committed(&self) -> bool {
        self.clock.borrow().commit_requested
    }

    /// Forgets that it did.
    pub fn reset_commit(&self) {
        self.clock.borrow_mut().commit_requested = false;
    }

    /// How many records were left out.
    pub fn dropped_records(&self) -> u64 {
        self.clock.borrow().dropped
    }
}

impl<K: 'static, V: 'static> fmt::Debug for MockProcessorContext<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockProcessorContext").field("clock", &self.clock).finish_non_exhaustive()
    }
}

fn kept<K: Clone, V: Clone>(record: Record<'_, K, V>) -> TestRecord<K, V> {
    let headers: Headers = record.headers.clone();
    TestRecord::new(record.key.clone(), record.value.clone(), record.timestamp).with_headers(headers)
}

struct ToAll<K, V>(Captured<K, V>);

impl<K: Clone + 'static, V: Clone + 'static> Inlet<Stream<K, V>> for ToAll<K, V> {
    fn push(&mut self, _: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        self.0.borrow_mut().push(Forwarded { record: kept(record), child: None });
        Ok(())
    }
}

/// A processor alone writes to no topic; changes of its stores are not logged.
struct Nowhere;

fn no_topics() -> ProcessError {
    ProcessError::failed(FailureKind::Production, "a processor that is tested alone writes to no topic", None)
}

impl Emit for Nowhere {
    fn topic(&mut self, _: &str) -> Result<OutputTopic, ProcessError> {
        Err(no_topics())
    }
    fn partitions(&mut self, _: OutputTopic) -> Result<Partition, ProcessError> {
        Err(no_topics())
    }
    fn emit(&mut self, _: OutputTopic, _: Destination, _: RawRecord<'_>) -> Result<(), ProcessError> {
        Err(no_topics())
    }
    fn log(&mut self, _: StoreId, _: RawRecord<'_>) -> Result<(), ProcessError> {
        Ok(())
    }
}
