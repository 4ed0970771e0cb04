//! A topology written down with the Processor API, in a running task.

use std::collections::HashMap;
use std::rc::Rc;

use headwater_record::{DefaultSerde, Offset, RawHeaders, RawRecord, Record, Timestamp};
use headwater_store::cache::Budget;
use headwater_topology::processor::{Processor, ProcessorContext, ProcessorWrapper, StoreAccess};
use headwater_topology::{
    NodeId, NodeRef, ProcessError, SinkSpec, SourceSpec, TaskClock, TaskContext, TaskGraph, TaskId, Topology,
    TopologyBuilder,
};

use crate::bench::{Recorder, Resume};

struct Append(&'static str);

impl Processor<String, String, String, String> for Append {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let value = format!("{}{}", record.value, self.0);
        cx.forward(Record::new(record.key, &value, record.timestamp, record.headers))
    }
}

/// What one record, `k` and `v` at 3, leads to.
fn one_record_through(topology: &Topology, source: NodeId) -> Vec<String> {
    let (mut recorder, mut clock, task) = (Recorder::default(), TaskClock::default(), TaskId::new(0, 0));
    let budget = Rc::new(Budget::new(0));
    let mut graph =
        TaskGraph::wire(topology, task, &[source], &mut recorder, &HashMap::new(), budget).expect("it can be wired");
    let raw = RawRecord {
        offset: Offset::new(0),
        timestamp: Timestamp::from_millis(3),
        key: Some(b"k"),
        value: Some(b"v"),
        headers: RawHeaders::NONE,
    };
    let mut cx = TaskContext::new(task, &mut clock, &mut recorder, &Resume);
    graph.push(source, &mut cx, raw, raw.timestamp).expect("no handler is needed");
    recorder.0
}

#[test]
fn nodes_with_several_parents_hear_each_of_them_in_the_order_of_addition() {
    let text = String::default_serde;
    let builder = TopologyBuilder::new();
    let source = builder.add_source("source", SourceSpec::topics(["in"], text(), text()));
    let append = |what: &'static str| move |_: &mut StoreAccess<'_, '_>| Ok(Append(what));
    let one: NodeRef<String, String> = builder.add_processor("one", append("1"), &[&source]);
    let two: NodeRef<String, String> = builder.add_processor("two", append("2"), &[&source]);
    let both: NodeRef<String, String> = builder.add_processor("both", append("!"), &[&one, &two]);
    builder.add_sink("sink", SinkSpec::topic("out", text(), text()), &[&both, &source]);
    let topology = builder.build().unwrap();

    let written = one_record_through(&topology, source.id());
    assert_eq!(written, ["out k v1! @3", "out k v2! @3", "out k v @3"]);
}

/// Notes whom it stands around, and leaves out what comes to `two`.
#[derive(Default)]
struct Watch(std::sync::Mutex<Vec<String>>);

impl ProcessorWrapper for Watch {
    fn process(
        &self,
        node: &str,
        cx: &mut TaskContext<'_>,
        process: &mut dyn FnMut(&mut TaskContext<'_>) -> Result<(), ProcessError>,
    ) -> Result<(), ProcessError> {
        self.0.lock().expect("nobody panicked").push(format!("{node} {}", cx.input().2));
        if node == "two" {
            return Ok(());
        }
        process(cx)
    }
}

#[test]
fn a_wrapper_stands_around_processors_only() {
    let text = String::default_serde;
    let watch = std::sync::Arc::new(Watch::default());
    let builder = TopologyBuilder::new();
    builder.wrap_processors(watch.clone());
    let source = builder.add_source("source", SourceSpec::topics(["in"], text(), text()));
    let append = |what: &'static str| move |_: &mut StoreAccess<'_, '_>| Ok(Append(what));
    let one: NodeRef<String, String> = builder.add_processor("one", append("1"), &[&source]);
    let two: NodeRef<String, String> = builder.add_processor("two", append("2"), &[&source]);
    builder.add_sink("sink", SinkSpec::topic("out", text(), text()), &[&one, &two]);
    let topology = builder.build().unwrap();

    let written = one_record_through(&topology, source.id());
    assert_eq!(written, ["out k v1 @3"]);
    assert_eq!(*watch.0.lock().expect("nobody panicked"), ["one -1", "two -1"]);
}
