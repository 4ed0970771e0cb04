//! Word count, made with the Processor API: `lines` to words, by way of a repartition topic to counts, to `counts`.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{DefaultSerde, Headers, Record, Timestamp};
use headwater_store::{StoreKind, StoreSpec};
use headwater_topology::node::sink::SinkNode;
use headwater_topology::node::source::{SourceNode, TimestampExtractor};
use headwater_topology::node::{NodeSpec, OffsetReset, SinkTopic, SourceTopics};
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorNode, ProcessorSupplier, StoreAccess};
use headwater_topology::state::{KeyValueState, StoreHandle};
use headwater_topology::{
    Draft, Port, ProcessError, PunctuationType, ScheduleId, StoreId, Stream, Topology, TopologySettings, Wiring,
};

type Key = Option<String>;
type Text = Stream<Key, String>;
type Context<'a, 't> = ProcessorContext<'a, 't, Key, String>;

/// Where a node hands on.
type At = Port<Text>;

fn source(draft: &Draft, name: &str, topics: SourceTopics, reset: Option<OffsetReset>) -> At {
    let node = draft.add_node(NodeSpec::source(name, topics, reset));
    draft.add_source(
        node,
        Arc::new(move |wiring| {
            let (key, value) = (Key::default_serde(), String::default_serde());
            SourceNode::wire(wiring, node, key, value, TimestampExtractor::FailOnInvalid)
        }),
    );
    Port::new(draft, node)
}

fn process<P: Processor<Key, String, Key, String>>(
    draft: &Draft,
    name: &str,
    parent: &At,
    store: Option<StoreId>,
    supplier: impl ProcessorSupplier<P>,
) -> At {
    let spec = NodeSpec::processor(name, [parent.node()]);
    let node = draft.add_node(store.into_iter().fold(spec, NodeSpec::with_store));
    let make = move |wiring: &mut Wiring<'_>| ProcessorNode::<P, _, _, Key, String>::wire(wiring, node, &supplier);
    parent.listen(node, Arc::new(make));
    Port::new(draft, node)
}

fn sink(draft: &Draft, name: &str, parent: &At, topic: &str) {
    let node = draft.add_node(NodeSpec::sink(name, SinkTopic::Named(topic.to_owned()), [parent.node()]));
    parent.listen(
        node,
        Arc::new(move |wiring| {
            let (key, value) = (Key::default_serde(), String::default_serde());
            Ok(Box::new(SinkNode::wire(wiring, node, None, key, value, None)?))
        }),
    );
}

/// What a user's code does with a line besides.
pub(crate) type Work = Arc<dyn Fn(&str) + Send + Sync>;

/// Forwards each word of a line under the word as key; the word `boom` fails, and `panic` panics.
struct Split(Work);

impl Processor<Key, String, Key, String> for Split {
    fn process(&mut self, cx: &mut Context<'_, '_>, record: Record<'_, Key, String>) -> Result<(), ProcessError> {
        (self.0)(record.value);
        for word in record.value.split_whitespace() {
            if word == "boom" {
                return Err(ProcessError::user("the word is boom"));
            }
            assert_ne!(word, "panic", "the word is panic");
            let (key, value) = (Some(word.to_owned()), word.to_owned());
            cx.forward(Record::new(&key, &value, record.timestamp, record.headers))?;
        }
        Ok(())
    }
}

/// Counts per key, in a store and to its children, as text.
struct Count(Rc<KeyValueState<String, String>>);

impl Processor<Key, String, Key, String> for Count {
    fn process(&mut self, cx: &mut Context<'_, '_>, record: Record<'_, Key, String>) -> Result<(), ProcessError> {
        let Some(key) = record.key else { return Ok(()) };
        let before = self.0.get(cx.task(), key)?.map_or(0, |stamped| stamped.value.parse().unwrap_or(0));
        let text = (before + 1).to_string();
        self.0.put(cx.task(), key, Some(text.clone()), record.timestamp, record.headers)?;
        cx.forward(Record::new(record.key, &text, record.timestamp, record.headers))
    }
}

/// Does its work every 100 ms.
struct Tick(Work);

impl Processor<Key, String, Key, String> for Tick {
    fn init(&mut self, cx: &mut Context<'_, '_>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_millis(100), PunctuationType::WallClockTime)?;
        Ok(())
    }

    fn process(&mut self, _: &mut Context<'_, '_>, _: Record<'_, Key, String>) -> Result<(), ProcessError> {
        Ok(())
    }

    fn punctuate(&mut self, cx: &mut Context<'_, '_>, _: ScheduleId, _: Timestamp) -> Result<(), ProcessError> {
        (self.0)(&cx.task_id().to_string());
        Ok(())
    }
}

/// Notes that it has begun, before any record comes.
struct Begin(Rc<KeyValueState<String, String>>);

impl Processor<Key, String, Key, String> for Begin {
    fn init(&mut self, cx: &mut Context<'_, '_>) -> Result<(), ProcessError> {
        let (key, at) = ("begun".to_owned(), Timestamp::from_millis(1));
        self.0.put(cx.task(), &key, Some("1".to_owned()), at, &Headers::new())?;
        Ok(())
    }

    fn process(&mut self, _: &mut Context<'_, '_>, _: Record<'_, Key, String>) -> Result<(), ProcessError> {
        Ok(())
    }
}

/// A store `counts` that has a row as soon as a task of `lines` begins.
pub(crate) fn beginning() -> Topology {
    let draft = Draft::new();
    let lines = source(&draft, "lines", SourceTopics::Named(vec!["lines".to_owned()]), None);
    let store = draft.add_store(StoreSpec::new("counts", StoreKind::KeyValue));
    let handle: StoreHandle<String, String> = StoreHandle::named("counts");
    process(&draft, "begin", &lines, Some(store), move |stores: &mut StoreAccess<'_, '_>| {
        Ok(Begin(stores.key_value(&handle)?))
    });
    draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
}

/// Counts of the words in each partition of `lines`, which go nowhere.
pub(crate) fn counts_of_each_partition() -> Topology {
    let draft = Draft::new();
    let lines = source(&draft, "lines", SourceTopics::Named(vec!["lines".to_owned()]), None);
    let words = process(&draft, "split", &lines, None, |_: &mut StoreAccess<'_, '_>| Ok(Split(Arc::new(|_: &str| {}))));
    let store = draft.add_store(StoreSpec::new("counts", StoreKind::KeyValue));
    let handle: StoreHandle<String, String> = StoreHandle::named("counts");
    process(&draft, "count", &words, Some(store), move |stores: &mut StoreAccess<'_, '_>| {
        Ok(Count(stores.key_value(&handle)?))
    });
    draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
}

/// Nothing but `work` every 100 ms, for each partition of `lines`.
pub(crate) fn ticking(work: impl Fn(&str) + Send + Sync + 'static) -> Topology {
    let (draft, work): (_, Work) = (Draft::new(), Arc::new(work));
    let lines = source(&draft, "lines", SourceTopics::Named(vec!["lines".to_owned()]), None);
    process(&draft, "tick", &lines, None, move |_: &mut StoreAccess<'_, '_>| Ok(Tick(Arc::clone(&work))));
    draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
}

/// Word count of the topics that `lines` names.
pub(crate) fn word_count_of(lines: SourceTopics, reset: Option<OffsetReset>) -> Topology {
    count(lines, reset, Arc::new(|_: &str| {}))
}

/// Word count of the topic `lines` whose first operator does `work` for each line.
pub(crate) fn word_count_with(work: impl Fn(&str) + Send + Sync + 'static) -> Topology {
    count(SourceTopics::Named(vec!["lines".to_owned()]), None, Arc::new(work))
}

fn count(lines: SourceTopics, reset: Option<OffsetReset>, work: Work) -> Topology {
    let draft = Draft::new();
    let lines = source(&draft, "lines", lines, reset);
    let words = process(&draft, "split", &lines, None, move |_| Ok(Split(Arc::clone(&work))));
    draft.add_repartition_topic("words-repartition", None);
    sink(&draft, "words-out", &words, "words-repartition");
    let words = source(&draft, "words-in", SourceTopics::Named(vec!["words-repartition".to_owned()]), None);
    let store = draft.add_store(StoreSpec::new("counts", StoreKind::KeyValue));
    let handle: StoreHandle<String, String> = StoreHandle::named("counts");
    let counts = process(&draft, "count", &words, Some(store), move |stores: &mut StoreAccess<'_, '_>| {
        Ok(Count(stores.key_value(&handle)?))
    });
    sink(&draft, "counts-out", &counts, "counts");
    draft.freeze(&TopologySettings::new()).expect("the topology is without mistakes")
}

/// Word count of the topic `lines`.
pub(crate) fn word_count() -> Topology {
    word_count_of(SourceTopics::Named(vec!["lines".to_owned()]), None)
}
