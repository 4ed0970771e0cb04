//! What comes out of a record cache when the task commits.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use headwater_record::{Record, Timestamp};
use headwater_testing::TopologyTestDriver;
use headwater_topology::node::NodeSpec;
use headwater_topology::state::{FlushTo, KeyValueState};
use headwater_topology::{Inlet, Port, ProcessError, Table, TaskContext, Topology, Update};

use crate::graph::{Graph, Key, Text, counts};

/// Counts per key behind a cache.
struct CountBehindCache(Rc<KeyValueState<String, i64>>);

impl Inlet<Text> for CountBehindCache {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, Key, String>) -> Result<(), ProcessError> {
        let Some(key) = record.key else { return Ok(()) };
        let count = self.0.get(cx, key)?.map_or(0, |stamped| stamped.value) + 1;
        self.0.put(cx, key, Some(count), record.timestamp, record.headers)
    }
}

/// Fails on every second count.
struct FailOnTwo;

impl Inlet<Table<String, i64>> for FailOnTwo {
    fn push(&mut self, _cx: &mut TaskContext<'_>, update: Update<'_, String, i64>) -> Result<(), ProcessError> {
        match update.change.new {
            Some(2) => Err(ProcessError::user("failed on 2")),
            _ => Ok(()),
        }
    }
}

fn topology() -> Topology {
    let graph = Graph::default();
    let source = graph.source("source", &["in"]);
    let store = graph.store("counts");
    graph.draft.change_store(store, |store| store.spec.caching = true);
    let node = graph.draft.add_node(NodeSpec::processor("count", [source.node()]).with_store(store));
    let port: Port<Table<String, i64>> = Port::new(&graph.draft, node);
    source.port().listen(
        node,
        Arc::new(move |wiring| {
            let out = Rc::new(RefCell::new(wiring.outlet::<Table<String, i64>>(node)?));
            let state = KeyValueState::open(wiring, store, &counts("counts"))?;
            state.flush_to(FlushTo { out, send_old: false });
            Ok(Box::new(CountBehindCache(state)))
        }),
    );
    let below = graph.draft.add_node(NodeSpec::processor("below", [node]));
    port.listen(below, Arc::new(|_| Ok(Box::new(FailOnTwo))));
    graph.freeze()
}

#[test]
fn a_dead_letter_of_a_flush_carries_the_last_input_record() {
    let driver = TopologyTestDriver::builder(topology())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .setting("errors.dead.letter.queue.topic.name", "dead")
        .build()
        .unwrap();
    let input = driver.input_topic::<String, String>("in");
    input.pipe_at("a".to_owned(), "first".to_owned(), 1).unwrap();
    input.pipe_at("a".to_owned(), "second".to_owned(), 2).unwrap();
    let letters = driver.records("dead");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].key.as_deref(), letters[0].value.as_deref()), (Some(&b"a"[..]), Some(&b"second"[..])));
    assert_eq!(letters[0].timestamp, Timestamp::from_millis(2));
    assert_eq!(driver.dropped_records(), 1);
    let store = driver.key_value_store(&counts("counts")).unwrap();
    assert_eq!(store.get(&"a".to_owned()).unwrap(), Some(2), "the store keeps what the cache held");
}

#[test]
fn a_flush_that_fails_fails_the_step() {
    let driver = TopologyTestDriver::new(topology()).unwrap();
    let input = driver.input_topic::<String, String>("in");
    input.pipe("a".to_owned(), String::new()).unwrap();
    let error = input.pipe("a".to_owned(), String::new()).unwrap_err();
    assert!(error.to_string().contains("counts") && error.to_string().contains("failed on 2"), "{error}");
}
