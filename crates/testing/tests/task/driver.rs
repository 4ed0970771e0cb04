//! The test driver behaves as Java's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use headwater_record::{Headers, OwnedRecord, Timestamp};
use headwater_testing::{DriverError, TestRecord, TopologyTestDriver};
use headwater_topology::handler::{
    DeserializationExceptionHandler, ErrorContext, HandlerResponse, ProcessingExceptionHandler,
};
use headwater_topology::node::SourceTopics;
use headwater_topology::node::source::TimestampExtractor;
use headwater_topology::{BoxError, PunctuationType};

use crate::graph::{FailOnBoom, Graph, Key, Times, count_by_value, counts, look_up_names, through};

fn forward() -> headwater_topology::Topology {
    through(|_| Ok(FailOnBoom))
}

fn times(kind: Option<PunctuationType>) -> headwater_topology::Topology {
    through(move |_| Ok(Times(kind)))
}

#[test]
fn a_record_passes_with_its_time_and_headers() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let input = driver.input_topic::<Key, String>("in");
    let output = driver.output_topic::<Key, String>("out");
    let headers = Headers::new();
    headers.add("trace", Some(b"7"));
    let record = TestRecord::new(Some("k".to_owned()), "v".to_owned(), 5).with_headers(headers);
    input.pipe_record(&record).unwrap();
    input.pipe_at(None, "w".to_owned(), 3).unwrap();
    assert_eq!(output.read_record().unwrap(), record);
    assert_eq!(output.read_record().unwrap(), TestRecord::new(None, "w".to_owned(), 3));
    assert!(matches!(output.read_record(), Err(DriverError::EmptyTopic { topic }) if topic == "out"));
}

#[test]
fn the_topics_own_time_goes_on_by_itself() {
    let driver = TopologyTestDriver::builder(forward()).start_time(1_000).build().unwrap();
    let input = driver.input_topic::<Key, String>("in");
    input.pipe_value("a".to_owned()).unwrap();
    let input = input.auto_advance(50, Duration::from_millis(10));
    input.pipe_values(["b".to_owned(), "c".to_owned()]).unwrap();
    let output = driver.output_topic::<Key, String>("out");
    let times: Vec<i64> = output.read_records().unwrap().iter().map(|record| record.timestamp.millis()).collect();
    assert_eq!(times, [1_000, 50, 60]);
}

#[test]
fn nothing_to_read_says_whether_anything_was_ever_written() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let output = driver.output_topic::<Key, String>("out");
    assert!(output.is_empty());
    assert!(matches!(output.read_value(), Err(DriverError::UninitializedTopic { topic, .. }) if topic == "out"));
    let error = driver.output_topic::<Key, String>("outs").read_value().unwrap_err();
    assert_eq!(
        error.to_string(),
        "Uninitialized topic: outs; of topics that a sink writes to, did you mean out? There is out"
    );
}

#[test]
fn a_topic_that_nobody_reads_is_an_error() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let error = driver.input_topic::<Key, String>("other").pipe_value("x".to_owned()).unwrap_err();
    assert_eq!(error.to_string(), "Unknown topic: other; of topics that the topology reads, there is in");
}

#[test]
fn a_negative_time_is_an_error() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let error = driver.input_topic::<Key, String>("in").pipe_at(None, "x".to_owned(), -1).unwrap_err();
    assert!(matches!(error, DriverError::NegativeTimestamp { .. }), "{error}");
}

#[test]
fn records_go_on_through_internal_topics_to_the_store_behind_them() {
    let driver = TopologyTestDriver::builder(count_by_value()).setting("application.id", "app").build().unwrap();
    let input = driver.input_topic::<Key, String>("in");
    for word in ["a", "b", "a"] {
        input.pipe_value(word.to_owned()).unwrap();
    }
    let output = driver.output_topic::<Key, String>("out");
    let counted = output.read_key_values().unwrap();
    let expected = [("a", "1"), ("b", "1"), ("a", "2")].map(|(word, count)| (Some(word.to_owned()), count.to_owned()));
    assert_eq!(counted, expected);

    let topics: Vec<String> = driver.produced_topics().iter().map(ToString::to_string).collect();
    assert_eq!(topics, ["app-counts-changelog", "app-counts-repartition", "out"]);
    let changes = driver.records("app-counts-changelog");
    assert_eq!(changes.len(), 3);
    assert_eq!(changes[2].value.as_deref(), Some(&2_i64.to_be_bytes()[..]));

    let store = driver.key_value_store(&counts("counts")).unwrap();
    assert_eq!(store.get(&"a".to_owned()).unwrap(), Some(2));
    assert_eq!(store.get(&"c".to_owned()).unwrap(), None);
    assert_eq!(store.all().unwrap(), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    let other = driver.window_store(&counts("counts"));
    assert!(matches!(other, Err(DriverError::StoreKind { kind: "key-value", wanted: "window", .. })));
}

#[test]
fn stores_are_committed_with_the_changelog_offset_after_each_record() {
    let driver = TopologyTestDriver::new(count_by_value()).unwrap();
    let input = driver.input_topic::<Key, String>("in");
    let offset = |driver: &TopologyTestDriver| {
        let offset = driver.with_store("counts", |store| store.state().committed_offset()).unwrap().unwrap();
        offset.map(headwater_record::Offset::value)
    };
    assert_eq!(offset(&driver), None);
    input.pipe_value("a".to_owned()).unwrap();
    assert_eq!(offset(&driver), Some(0));
    input.pipe_value("b".to_owned()).unwrap();
    assert_eq!(offset(&driver), Some(1));
}

#[test]
fn stream_time_punctuation_follows_the_records() {
    let driver = TopologyTestDriver::new(times(Some(PunctuationType::StreamTime))).unwrap();
    let input = driver.input_topic::<Key, String>("in");
    for at in [5, 8, 31] {
        input.pipe_at(None, "r".to_owned(), at).unwrap();
    }
    let output = driver.output_topic::<Key, String>("out");
    assert_eq!(
        output.read_values().unwrap(),
        [
            "r stream=5 wall=0",
            "tick stream=5 wall=0",
            "r stream=8 wall=0",
            "r stream=31 wall=0",
            "tick stream=31 wall=0"
        ]
    );
}

#[test]
fn wall_clock_punctuation_fires_once_however_far_the_clock_goes() {
    let driver =
        TopologyTestDriver::builder(times(Some(PunctuationType::WallClockTime))).start_time(100).build().unwrap();
    let output = driver.output_topic::<Key, String>("out");
    driver.advance_wall_clock(Duration::from_millis(9)).unwrap();
    assert!(output.is_empty());
    driver.advance_wall_clock(Duration::from_millis(1)).unwrap();
    driver.advance_wall_clock(Duration::from_millis(55)).unwrap();
    let ticks = output.read_records().unwrap();
    let seen: Vec<(&str, i64)> = ticks.iter().map(|tick| (tick.value.as_str(), tick.timestamp.millis())).collect();
    assert_eq!(seen, [("tick stream=-1 wall=110", 110), ("tick stream=-1 wall=165", 165)]);
    assert_eq!(driver.now(), Timestamp::from_millis(165));
}

#[test]
fn a_failing_node_fails_the_step_with_javas_words() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let input = driver.input_topic::<Key, String>("in");
    input.pipe_value("fine".to_owned()).unwrap();
    let error = input.pipe_value("boom".to_owned()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Exception caught in process. taskId=0_0, processor=processor, topic=in, partition=0, offset=1: failed on boom"
    );
}

#[test]
fn a_handler_that_continues_drops_the_record_and_keeps_it_as_a_dead_letter() {
    let driver = TopologyTestDriver::builder(forward())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .setting("errors.dead.letter.queue.topic.name", "dead")
        .build()
        .unwrap();
    let input = driver.input_topic::<Key, String>("in");
    for value in ["a", "boom", "b"] {
        input.pipe_at(Some("k".to_owned()), value.to_owned(), 7).unwrap();
    }
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["a", "b"]);
    assert_eq!(driver.dropped_records(), 1);
    let letters = driver.read_records("dead");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].key.as_deref(), letters[0].value.as_deref()), (Some(&b"k"[..]), Some(&b"boom"[..])));
    assert_eq!(letters[0].timestamp, Timestamp::from_millis(7));
    let headers: Headers = letters[0].headers.iter().cloned().collect();
    let message = headers.last("__streams.errors.message").and_then(|header| header.value);
    assert_eq!(message.as_deref(), Some(&b"failed on boom"[..]));
    assert!(driver.read_records("dead").is_empty());
}

#[test]
fn bytes_that_are_no_text_go_to_the_deserialization_handler() {
    let bad = |driver: &TopologyTestDriver| driver.pipe("in", None, Some(&[0xff]), Timestamp::ZERO, &Headers::new());
    let strict = TopologyTestDriver::new(forward()).unwrap();
    let error = bad(&strict).unwrap_err().to_string();
    assert!(error.starts_with("Deserialization exception handler is set to fail"), "{error}");

    let lenient = TopologyTestDriver::builder(forward())
        .setting("deserialization.exception.handler", "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler")
        .build()
        .unwrap();
    bad(&lenient).unwrap();
    lenient.input_topic::<Key, String>("in").pipe_value("ok".to_owned()).unwrap();
    assert_eq!(lenient.dropped_records(), 1);
    assert_eq!(lenient.output_topic::<Key, String>("out").read_values().unwrap(), ["ok"]);
}

/// Goes on without the record, and counts how often it was asked.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<AtomicU32>);

impl Asked {
    fn answer(&self) -> HandlerResponse {
        self.0.fetch_add(1, Ordering::Relaxed);
        HandlerResponse::resume()
    }
}

impl DeserializationExceptionHandler for Asked {
    fn handle(&self, _: &ErrorContext<'_>, _: &OwnedRecord, _: &BoxError) -> HandlerResponse {
        self.answer()
    }
}

impl ProcessingExceptionHandler for Asked {
    fn handle(&self, _: &ErrorContext<'_>, _: &BoxError) -> HandlerResponse {
        self.answer()
    }
}

#[test]
fn handlers_of_ones_own_are_asked_instead_of_those_of_the_settings() {
    let (input, processing) = (Asked::default(), Asked::default());
    let driver = TopologyTestDriver::builder(forward())
        .setting("processing.exception.handler", "LogAndFailProcessingExceptionHandler")
        .deserialization_handler(input.clone())
        .processing_handler(processing.clone())
        .build()
        .unwrap();
    driver.pipe("in", None, Some(&[0xff]), Timestamp::ZERO, &Headers::new()).unwrap();
    driver.input_topic::<Key, String>("in").pipe_values(["a", "boom", "boom", "b"]).unwrap();
    assert_eq!((input.0.load(Ordering::Relaxed), processing.0.load(Ordering::Relaxed)), (1, 2));
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["a", "b"]);
}

#[test]
fn with_task_idle_time_the_driver_waits_for_the_other_topic() {
    let graph = Graph::default();
    let source = graph.source("source", &["left", "right"]);
    graph.sink("sink", &source, "out");
    let driver = TopologyTestDriver::builder(graph.freeze()).setting("max.task.idle.ms", "50").build().unwrap();
    let output = driver.output_topic::<Key, String>("out");
    let (left, right) = (driver.input_topic::<Key, String>("left"), driver.input_topic::<Key, String>("right"));
    left.pipe_at(None, "l20".to_owned(), 20).unwrap();
    assert!(output.is_empty());
    right.pipe_at(None, "r10".to_owned(), 10).unwrap();
    assert_eq!(output.read_values().unwrap(), ["r10"], "the earlier record first; then the right topic is empty");
    driver.advance_wall_clock(Duration::from_millis(49)).unwrap();
    assert!(output.is_empty());
    driver.advance_wall_clock(Duration::from_millis(1)).unwrap();
    assert_eq!(output.read_values().unwrap(), ["l20"]);
}

#[test]
fn a_pattern_reads_every_topic_that_matches_all_of_it() {
    let graph = Graph::default();
    let topics = SourceTopics::Pattern("in-[0-9]+".to_owned());
    let source = graph.source_of("source", topics, TimestampExtractor::FailOnInvalid);
    graph.sink("sink", &source, "out");
    let driver = TopologyTestDriver::new(graph.freeze()).unwrap();
    for topic in ["in-1", "in-22", "in-1"] {
        driver.input_topic::<Key, String>(topic).pipe_value(topic.to_owned()).unwrap();
    }
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["in-1", "in-22", "in-1"]);
    let error = driver.input_topic::<Key, String>("in-x").pipe_value(String::new()).unwrap_err();
    assert_eq!(error.to_string(), "Unknown topic: in-x; of topics that the topology reads, there is /in-[0-9]+/");
}

#[test]
fn a_closed_driver_still_shows_its_output_and_takes_no_more() {
    let driver = TopologyTestDriver::new(forward()).unwrap();
    let input = driver.input_topic::<Key, String>("in");
    input.pipe_value("a".to_owned()).unwrap();
    driver.close().unwrap();
    driver.close().unwrap();
    assert!(matches!(input.pipe_value("b".to_owned()), Err(DriverError::Closed)));
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["a"]);
}

#[test]
fn a_custom_extractor_sees_each_record_of_several_topics_with_its_own_content() {
    let graph = Graph::default();
    let extract = TimestampExtractor::Custom(std::sync::Arc::new(
        |record: &headwater_topology::node::source::ConsumedRecord<'_, Key, String>, _: Timestamp| {
            Ok(Timestamp::from_millis(record.value.parse().unwrap_or(-1)))
        },
    ));
    let topics = SourceTopics::Named(vec!["left".to_owned(), "right".to_owned()]);
    let source = graph.source_of("source", topics, extract);
    graph.sink("sink", &source, "out");
    let driver = TopologyTestDriver::builder(graph.freeze()).setting("max.task.idle.ms", "50").build().unwrap();
    let (left, right) = (driver.input_topic::<Key, String>("left"), driver.input_topic::<Key, String>("right"));
    left.pipe_at(None, "20".to_owned(), 0).unwrap();
    left.pipe_at(None, "30".to_owned(), 0).unwrap();
    right.pipe_at(None, "25".to_owned(), 0).unwrap();
    driver.advance_wall_clock(Duration::from_millis(50)).unwrap();
    driver.advance_wall_clock(Duration::from_millis(50)).unwrap();
    let output = driver.output_topic::<Key, String>("out");
    let seen: Vec<(String, i64)> =
        output.read_records().unwrap().into_iter().map(|record| (record.value, record.timestamp.millis())).collect();
    assert_eq!(seen, [("20".to_owned(), 20), ("25".to_owned(), 25), ("30".to_owned(), 30)]);
}

#[test]
fn a_global_store_is_filled_at_once_and_read_by_all() {
    let driver = TopologyTestDriver::new(look_up_names()).unwrap();
    let names = driver.input_topic::<String, String>("names");
    let input = driver.input_topic::<Key, String>("in");
    input.pipe_value("1".to_owned()).unwrap();
    names.pipe("1".to_owned(), "one".to_owned()).unwrap();
    input.pipe_value("1".to_owned()).unwrap();
    driver.pipe("names", Some(b"2"), Some(&[0xff]), Timestamp::ZERO, &Headers::new()).unwrap();
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["none", "one"]);
    let handle = headwater_topology::state::StoreHandle::<String, String>::named("names");
    assert_eq!(driver.key_value_store(&handle).unwrap().all().unwrap(), [("1".to_owned(), "one".to_owned())]);
    assert!(driver.produced_topics().iter().all(|topic| topic.as_str() == "out"), "a global store has no changelog");
    assert_eq!(driver.dropped_records(), 1, "what cannot be decoded is left out");
}

#[test]
fn a_topic_that_the_topology_writes_and_reads_goes_round() {
    let graph = Graph::default();
    let first = graph.source("first", &["in"]);
    graph.sink("to-middle", &first, "middle");
    let second = graph.source("second", &["middle"]);
    graph.sink("to-out", &second, "out");
    let driver = TopologyTestDriver::new(graph.freeze()).unwrap();
    driver.input_topic::<Key, String>("in").pipe_at(None, "a".to_owned(), 1).unwrap();
    driver.input_topic::<Key, String>("middle").pipe_at(None, "b".to_owned(), 2).unwrap();
    assert_eq!(driver.output_topic::<Key, String>("out").read_values().unwrap(), ["a", "b"]);
    assert_eq!(driver.records("middle").len(), 1, "only what the topology wrote");
}
