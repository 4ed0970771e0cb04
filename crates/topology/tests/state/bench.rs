//! A task with one source that works on a store as its records say, and one child that hears of the changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{
    DefaultSerde, Encoded, Headers, OwnedRecord, Partition, RawHeaders, RawRecord, Serde, SerdeError, SharedSerde,
    Timestamp, Topic,
};
use headwater_store::bytes::Order;
use headwater_store::cache::Budget;
use headwater_store::{RecordContext, RowFormat, Store, StoreKind, StoreSpec};
use headwater_topology::handler::{ErrorContext, HandlerResponse, ProductionErrorOrigin};
use headwater_topology::node::{NodeSpec, SourceTopics};
use headwater_topology::state::{FlushTo, KeyValueState, Stamped, StoreHandle};
use headwater_topology::{
    BoxError, Destination, Draft, Emit, Handlers, Inlet, NodeId, OutputTopic, Port, ProcessError, RawInlet,
    SharedStore, StoreId, Table, TaskClock, TaskContext, TaskGraph, TaskId, TopologySettings, Update,
};

use crate::store::MapStore;

/// Writes down what leaves the task.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Vec<String>);

fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
}

impl Emit for Recorder {
    fn topic(&mut self, _topic: &str) -> Result<OutputTopic, ProcessError> {
        Ok(OutputTopic::new(0))
    }
    fn partitions(&mut self, _topic: OutputTopic) -> Result<Partition, ProcessError> {
        Ok(1)
    }
    fn emit(&mut self, _: OutputTopic, _: Destination, record: RawRecord<'_>) -> Result<(), ProcessError> {
        self.0.push(format!("out {} {} @{}", text(record.key), text(record.value), record.timestamp.millis()));
        Ok(())
    }
    fn log(&mut self, _store: StoreId, record: RawRecord<'_>) -> Result<(), ProcessError> {
        self.0.push(format!("log {} {} @{}", text(record.key), text(record.value), record.timestamp.millis()));
        Ok(())
    }
}

/// Lets every failure of a node pass.
pub(crate) struct Resume;

impl Handlers for Resume {
    fn deserialization(&self, _: &ErrorContext<'_>, _: &OwnedRecord, _: &BoxError) -> HandlerResponse {
        HandlerResponse::fail()
    }
    fn processing(&self, _: &ErrorContext<'_>, _: &BoxError) -> HandlerResponse {
        HandlerResponse::resume()
    }
    fn production(
        &self,
        _: &ErrorContext<'_>,
        _: &str,
        _: &OwnedRecord,
        _: ProductionErrorOrigin,
        _: &BoxError,
    ) -> HandlerResponse {
        HandlerResponse::fail()
    }
}

type Texts = Rc<KeyValueState<String, String>>;

/// Values are commands: `=x` sets and nobody hears of it, `+x` appends, `!` fails and leaves the value, `!!` fails with it taken,
/// `?` tells the value, `-` deletes, `<` and `>` tell all entries backwards or forwards from the key.
struct Commands(Texts);

impl RawInlet for Commands {
    fn timestamp(
        &mut self,
        _: &mut TaskContext<'_>,
        raw: RawRecord<'_>,
        _: Timestamp,
    ) -> Result<Option<Timestamp>, ProcessError> {
        Ok(Some(raw.timestamp))
    }

    fn push_raw(&mut self, cx: &mut TaskContext<'_>, raw: RawRecord<'_>, at: Timestamp) -> Result<(), ProcessError> {
        let (key, command) = (text(raw.key), text(raw.value));
        work(&self.0, cx, &key, &command, at)
    }
}

fn work(
    state: &Texts,
    cx: &mut TaskContext<'_>,
    key: &String,
    command: &str,
    at: Timestamp,
) -> Result<(), ProcessError> {
    let headers = Headers::new();
    let (head, rest) = command.split_at(1);
    match head {
        "=" => state.put(cx, key, Some(rest.to_owned()), at, &headers),
        "+" => state.update(cx, key, at, &headers, Some(&|| Some("new".to_owned())), |slot| {
            let (old, before) = slot.as_ref().map_or(("", at), |old| (old.value.as_str(), old.timestamp));
            Ok(Stamped { value: Some(format!("{old}{rest}")), timestamp: at.max(before) })
        }),
        "-" => state.update(cx, key, at, &headers, None, |_| Ok(Stamped { value: None, timestamp: at })),
        "!" => state.update(cx, key, at, &headers, None, |slot| {
            if rest == "!" {
                slot.take();
            }
            Err(ProcessError::user("as told"))
        }),
        "?" => {
            let seen = state.with(cx, key, |found| found.map(|(value, at)| format!("{value} @{}", at.millis())))?;
            let copied = state.get(cx, key)?.map(|found| format!("{} @{}", found.value, found.timestamp.millis()));
            assert_eq!(seen, copied);
            tell(cx, key, &seen.unwrap_or("-".to_owned()))
        }
        "*" | "~" => {
            let order = if head == "~" { Order::Backward } else { Order::Forward };
            state.prefix(cx, key.as_bytes(), order, |cx, key, found| {
                tell(cx, &key, &found.value)?;
                Ok(if key == rest { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })
        }
        _ => {
            let order = if head == "<" { Order::Backward } else { Order::Forward };
            state.range(cx, Some(key), None, order, |cx, key, found| {
                tell(cx, &key, &found.value)?;
                Ok(ControlFlow::Continue(()))
            })
        }
    }
}

fn tell(cx: &mut TaskContext<'_>, key: &str, what: &str) -> Result<(), ProcessError> {
    let record = RawRecord {
        offset: headwater_record::Offset::UNKNOWN,
        timestamp: Timestamp::ZERO,
        key: Some(key.as_bytes()),
        value: Some(what.as_bytes()),
        headers: RawHeaders::NONE,
    };
    cx.emit().emit(OutputTopic::new(0), Destination::Partition(0), record)
}

/// Writes changes out; a new value that ends in `*` makes it write to the store it hears of.
struct Listener(Texts);

impl Inlet<Table<String, String>> for Listener {
    fn push(&mut self, cx: &mut TaskContext<'_>, update: Update<'_, String, String>) -> Result<(), ProcessError> {
        let offset = cx.input().2;
        let side = |side: &Option<String>| side.clone().unwrap_or("-".to_owned());
        let change = format!("{}<-{} from {offset:?}", side(update.change.new), side(update.change.old));
        let record = RawRecord {
            offset,
            timestamp: update.timestamp,
            key: Some(update.key.as_bytes()),
            value: Some(change.as_bytes()),
            headers: RawHeaders::NONE,
        };
        cx.emit().emit(OutputTopic::new(0), Destination::Partition(0), record)?;
        if update.change.new.as_ref().is_some_and(|new| new.ends_with('*')) {
            work(&self.0, cx, update.key, "=again", update.timestamp)?;
        }
        Ok(())
    }
}

/// Which store the task has.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) cache: Option<usize>,
    pub(crate) send_old: bool,
    pub(crate) owned: bool,
    /// Whether values tell their length without becoming bytes. Those that do not refuse a `#` at their end, and come
    /// not back from bytes that end with `%`.
    pub(crate) measured: bool,
}

/// Texts whose length only their bytes tell.
struct Unmeasured(SharedSerde<String>);

impl Serde<String> for Unmeasured {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        if value.ends_with('#') {
            return Err(SerdeError::Null { type_name: "a text" });
        }
        self.0.serialize(topic, value, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        if bytes.is_some_and(|bytes| bytes.ends_with(b"%")) {
            return Err(SerdeError::Null { type_name: "a text" });
        }
        self.0.deserialize(topic, bytes)
    }
}

/// The task.
pub(crate) struct Bench {
    graph: TaskGraph,
    source: NodeId,
    pub(crate) recorder: Recorder,
    clock: TaskClock,
    offset: i64,
    pub(crate) budget: Rc<Budget>,
}

impl Bench {
    pub(crate) fn new(setting: Setting) -> Self {
        let draft = Draft::new();
        let mut spec = StoreSpec::new("store", StoreKind::KeyValue);
        spec.format = RowFormat::Timestamped;
        spec.caching = setting.cache.is_some();
        let store = draft.add_store(spec);
        let topics = SourceTopics::Named(vec!["in".to_owned()]);
        let source = draft.add_node(NodeSpec::source("source", topics, None).with_store(store));
        let listener = draft.add_node(NodeSpec::processor("listener", [source]));
        let port: Port<Table<String, String>> = Port::new(&draft, source);
        let open = move |wiring: &mut headwater_topology::Wiring<'_>| {
            let texts = String::default_serde;
            let values = if setting.measured { texts() } else { Arc::new(Unmeasured(texts())) };
            KeyValueState::open(wiring, store, &StoreHandle::with("store", texts(), values))
        };
        port.listen(listener, Arc::new(move |wiring| Ok(Box::new(Listener(open(wiring)?)))));
        draft.add_source(
            source,
            Arc::new(move |wiring| {
                let state = open(wiring)?;
                if setting.owned {
                    let out = Rc::new(RefCell::new(wiring.outlet::<Table<String, String>>(source)?));
                    state.flush_to(FlushTo { out, send_old: setting.send_old });
                }
                Ok(Box::new(Commands(state)))
            }),
        );
        let topology = draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes");
        let opened = Store::KeyValue(Box::new(MapStore::new(RowFormat::Timestamped)));
        let stores = HashMap::from([(store, SharedStore::own(opened))]);
        let budget = Rc::new(Budget::new(setting.cache.unwrap_or_default()));
        let mut recorder = Recorder::default();
        let task = TaskId::new(0, 0);
        let graph = TaskGraph::wire(&topology, task, &[source], &mut recorder, &stores, Rc::clone(&budget))
            .expect("all is there");
        Bench { graph, source, recorder, clock: TaskClock::default(), offset: -1, budget }
    }

    /// Pushes one record through; returns what left the task meanwhile.
    pub(crate) fn push(&mut self, key: &str, command: &str, at: i64) -> Result<Vec<String>, ProcessError> {
        self.offset += 1;
        let timestamp = Timestamp::from_millis(at);
        let raw = RawRecord {
            offset: headwater_record::Offset::new(self.offset),
            timestamp,
            key: Some(key.as_bytes()),
            value: Some(command.as_bytes()),
            headers: RawHeaders::NONE,
        };
        let input = RecordContext {
            timestamp,
            offset: raw.offset,
            partition: 0,
            topic: Some(Topic::from("in")),
            headers: Headers::new(),
        };
        let mut cx = TaskContext::new(TaskId::new(0, 0), &mut self.clock, &mut self.recorder, &Resume);
        cx.at_input(input, raw);
        let result = self.graph.push(self.source, &mut cx, raw, timestamp);
        result.map(|()| std::mem::take(&mut self.recorder.0))
    }

    /// Flushes as a commit does; returns what left the task.
    pub(crate) fn flush(&mut self) -> Vec<String> {
        let mut cx = TaskContext::new(TaskId::new(0, 0), &mut self.clock, &mut self.recorder, &Resume);
        self.graph.flush(&mut cx).expect("nothing fails in a flush");
        std::mem::take(&mut self.recorder.0)
    }
}
