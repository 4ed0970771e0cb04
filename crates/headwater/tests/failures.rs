//! Where and when a record failed, and what becomes of user code that panics.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{Consumed, Grouped, Materialized, Produced};
use headwater::dsl::{KStream, StreamsBuilder};
use headwater::processor::handler::{
    ErrorContext, HandlerResponse, ProcessingExceptionHandler, ProductionErrorOrigin, ProductionExceptionHandler,
};
use headwater::processor::state::StoreHandle;
use headwater::processor::{BoxError, ProcessError, PunctuationType, ScheduleId};
use headwater::processor::{Processor, ProcessorContext};
use headwater::record::{DefaultSerde, Encoded, Header, Headers, OwnedRecord, Record, Serde, SerdeError, Timestamp};
use headwater::testing::TopologyTestDriver;

/// A driver that goes on after failures of user code, with dead letters in `dead`.
fn driver(build: impl FnOnce(&StreamsBuilder)) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    build(&builder);
    TopologyTestDriver::builder(builder.build().unwrap())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .setting("errors.dead.letter.queue.topic.name", "dead")
        .build()
        .unwrap()
}

fn pipe(driver: &TopologyTestDriver, topic: &str, key: &str, value: &str, at: i64) {
    let headers: Headers = [header("old", "0")].into_iter().collect();
    let at = Timestamp::from_millis(at);
    driver.pipe(topic, Some(key.as_bytes()), Some(value.as_bytes()), at, &headers).unwrap();
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: Some(value.as_bytes().to_vec().into()) }
}

/// The time of a dead letter, and its headers but those that say why it is there.
fn told(letter: &OwnedRecord) -> (i64, Vec<String>) {
    let own = letter.headers.iter().filter(|header| !header.name.starts_with("__"));
    let text = |header: &Header| {
        format!("{}={}", header.name, String::from_utf8_lossy(header.value.as_deref().unwrap_or_default()))
    };
    (letter.timestamp.millis(), own.map(text).collect())
}

fn letters(driver: &TopologyTestDriver) -> Vec<(i64, Vec<String>)> {
    driver.records("dead").iter().map(told).collect()
}

fn words(driver: &TopologyTestDriver, topic: &str) -> Vec<String> {
    let records = driver.read_records(topic).into_iter();
    records.map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap()).collect()
}

#[test]
fn a_dead_letter_has_the_time_that_the_failing_node_saw() {
    let driver = driver(|builder| {
        let counts = builder.stream::<String, String>("in").group_by_key().count().to_stream();
        counts
            .try_map_values(|_, count| if *count == Some(2) { Err("two") } else { Ok(String::from("fine")) })
            .to("out");
    });
    pipe(&driver, "in", "k", "x", 9);
    pipe(&driver, "in", "k", "x", 3);
    let times: Vec<i64> = letters(&driver).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [9], "the count has the later time of its records");
}

/// Forwards at another time and with another header; a punctuation fails.
struct Elsewhere;

impl Processor<String, String, String, String> for Elsewhere {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, String, String>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_secs(15), PunctuationType::StreamTime).map(|_| ())
    }
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let headers: Headers = [header("new", "1")].into_iter().collect();
        cx.forward(Record::new(record.key, record.value, Timestamp::from_millis(77), &headers))
    }
    fn punctuate(
        &mut self,
        _: &mut ProcessorContext<'_, '_, String, String>,
        _: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        if time.millis() == 15_000 { Err(ProcessError::user("punctuated")) } else { Ok(()) }
    }
}

#[test]
fn a_dead_letter_has_time_and_headers_of_what_was_forwarded_or_of_the_punctuation() {
    let driver = driver(|builder| {
        let elsewhere: KStream<String, String> = builder.stream::<String, String>("in").process(|_| Ok(Elsewhere), &[]);
        elsewhere.try_filter(|_, value| if value == "bad" { Err("bad") } else { Ok(true) }).to("out");
    });
    pipe(&driver, "in", "k", "bad", 5);
    assert_eq!(letters(&driver), [(77, vec!["new=1".to_owned()])]);
    pipe(&driver, "in", "k", "good", 15_000);
    assert_eq!(letters(&driver).last(), Some(&(15_000, Vec::new())));
}

#[test]
fn a_panic_is_a_failure_of_its_operator_that_a_handler_lets_pass() {
    let driver = driver(|builder| {
        let texts = builder.stream::<String, String>("in");
        texts.map_values(|_, text| text[..2].to_owned()).to("starts");
        texts.to("copies");
    });
    pipe(&driver, "in", "k", "héé", 1);
    pipe(&driver, "in", "k", "hello", 2);
    assert_eq!(words(&driver, "starts"), ["he"]);
    assert_eq!(words(&driver, "copies"), ["héé", "hello"], "the other branch has both");
    assert_eq!((letters(&driver).len(), driver.dropped_records()), (1, 1));
}

#[test]
fn a_panic_of_an_aggregation_leaves_the_aggregate_as_it_was() {
    let driver = driver(|builder| {
        let grouped = builder.stream::<String, String>("in").group_by_key();
        let joined = grouped.aggregate(String::new, |_, value, so_far| {
            assert_ne!(value, "bad", "no bad values");
            so_far + value
        });
        joined.to_stream().to("out");
    });
    for (at, value) in ["a", "bad", "b"].into_iter().enumerate() {
        pipe(&driver, "in", "k", value, at as i64);
    }
    assert_eq!(words(&driver, "out"), ["a", "ab"]);
    assert_eq!(letters(&driver).len(), 1);
    driver.close().unwrap();
}

#[test]
fn without_a_handler_that_lets_it_pass_a_panic_names_its_operator_and_its_record() {
    let builder = StreamsBuilder::new();
    builder.values::<String>("in").map_values(|(), text| text[..2].to_owned()).named("cut").to("out");
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    let input = driver.input_topic::<(), String>("in");
    let error = input.pipe_at((), "éé".to_owned(), 1).map(|()| String::new());
    assert!(error.is_ok(), "two bytes are one letter here");
    let error = input.pipe_at((), "aé".to_owned(), 2).unwrap_err().to_string();
    for part in ["processor=cut", "topic=in, partition=0, offset=1", "panicked"] {
        assert!(error.contains(part), "{error}");
    }
}

/// Text that panics when it is written, if it is "bad".
struct Panics;

impl Serde<String> for Panics {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        assert_ne!(value, "bad", "no bad values");
        String::default_serde().serialize(topic, value, into)
    }
    fn encoded_len(&self, value: &String) -> Option<usize> {
        Some(value.len())
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        String::default_serde().deserialize(topic, bytes)
    }
}

/// Lets keys and values without bytes pass.
#[derive(Debug)]
struct LetsPass;

impl ProductionExceptionHandler for LetsPass {
    fn handle(
        &self,
        _: &ErrorContext<'_>,
        _: &str,
        _: &OwnedRecord,
        origin: ProductionErrorOrigin,
        _: &BoxError,
    ) -> HandlerResponse {
        if origin == ProductionErrorOrigin::Send { HandlerResponse::fail() } else { HandlerResponse::resume() }
    }
}

#[test]
fn a_serde_that_panics_at_a_sink_fails_there() {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("in");
    texts.to_with("out", Produced::with(String::default_serde(), Arc::new(Panics)));
    let driver = TopologyTestDriver::builder(builder.build().unwrap()).production_handler(LetsPass).build();
    let driver = driver.unwrap();
    pipe(&driver, "in", "k", "bad", 1);
    pipe(&driver, "in", "k", "good", 2);
    assert_eq!((words(&driver, "out"), driver.dropped_records()), (vec!["good".to_owned()], 1));
}

#[test]
fn what_goes_nowhere_needs_no_bytes() {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("in");
    let nowhere = Produced::with(String::default_serde(), Arc::new(Panics))
        .with_partitioner(|_, _, value: &String, _, _| Some(if value == "bad" { vec![] } else { vec![0] }));
    texts.to_with("out", nowhere);
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    pipe(&driver, "in", "k", "bad", 1);
    pipe(&driver, "in", "k", "good", 2);
    assert_eq!((words(&driver, "out"), driver.dropped_records()), (vec!["good".to_owned()], 1));
}

#[test]
fn a_serde_that_panics_as_a_cache_is_written_back_ends_nothing_but_its_record() {
    let builder = StreamsBuilder::new();
    let texts = builder.stream_with("in", Consumed::with(String::default_serde(), Arc::new(Panics)));
    let grouped = texts.group_by_key_with(Grouped::inherited());
    // No entry fits into the cache for long.
    let kept = Materialized::named("last").with_value_serde(Arc::new(Panics));
    grouped.reduce_with(|_, new| new.clone(), kept).to_stream().to("out");
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .setting("processing.exception.handler", "LogAndContinueProcessingExceptionHandler")
        .setting("statestore.cache.max.bytes", "1")
        .build();
    let driver = driver.unwrap();
    for (key, value) in [("a", "bad"), ("b", "good"), ("c", "bad"), ("d", "good")] {
        pipe(&driver, "in", key, value, 1);
    }
    let store = driver.key_value_store(&StoreHandle::<String, String>::named("last")).unwrap();
    let at = |key: &str| store.get(&key.to_owned()).unwrap();
    assert_eq!([at("b"), at("d")], [Some("good".to_owned()), Some("good".to_owned())]);
    assert_eq!(words(&driver, "out"), ["good", "good"], "what is good is written back and told");
}

/// Cannot decide the first time.
#[derive(Debug, Default)]
struct Undecided(std::sync::atomic::AtomicUsize);

impl ProcessingExceptionHandler for Undecided {
    fn handle(&self, _: &ErrorContext<'_>, _: &BoxError) -> HandlerResponse {
        let asked = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert!(asked > 0, "cannot decide");
        HandlerResponse::resume()
    }
}

#[test]
fn a_handler_that_panics_is_fatal_and_not_asked_again() {
    let builder = StreamsBuilder::new();
    let texts = builder.stream::<String, String>("in").map_values(|_, text| text.clone());
    texts.map_values(|_, text| text[..2].to_owned()).to("out");
    let driver =
        TopologyTestDriver::builder(builder.build().unwrap()).processing_handler(Undecided::default()).build().unwrap();
    let error = driver.input_topic::<String, String>("in").pipe("k".to_owned(), "a".to_owned()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Fatal user code error in processing error callback"), "{text}");
}

#[test]
fn closures_decide_about_input_records_and_output() {
    use headwater::runtime::handler::dead_letter;

    let builder = StreamsBuilder::new();
    let numbers = builder.stream::<String, i64>("in").try_map_values(|_, number| match number {
        1 => Err("one"),
        2 => Ok("bad".to_owned()),
        _ => Ok("good".to_owned()),
    });
    numbers.to_with("out", Produced::with(String::default_serde(), Arc::new(Panics)));
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .deserialization_handler_with(|context, raw, error| {
            let letter = dead_letter("not-read", raw.key.as_deref(), raw.value.as_deref(), context, error);
            HandlerResponse::resume().with_dead_letter(letter)
        })
        .processing_handler_with(|context, error| {
            HandlerResponse::resume().with_dead_letter(dead_letter("not-processed", None, None, context, error))
        })
        .production_handler_with(|context, topic, _record, origin, error| {
            assert_eq!((topic, origin), ("out", ProductionErrorOrigin::ValueSerialization));
            HandlerResponse::resume().with_dead_letter(dead_letter("not-written", None, None, context, error))
        })
        .build()
        .unwrap();
    pipe(&driver, "in", "k", "no number", 1);
    let numbers = driver.input_topic::<String, i64>("in");
    for number in [1, 2, 3] {
        numbers.pipe("k", number).unwrap();
    }
    let written = |topic: &str| driver.records(topic).len();
    assert_eq!(["not-read", "not-processed", "not-written", "out"].map(written), [1, 1, 1, 1]);
}
