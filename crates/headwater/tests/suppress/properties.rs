//! The real thing against the model, record by record: what is handed on, what waits, and what the changelog makes of it.

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::{BufferConfig, Consumed, Materialized, StreamsBuilder, Suppressed};
use headwater::processor::Topology;
use headwater::record::{DefaultSerde, Encoded, Headers, OwnedRecord, Serde, SerdeError, SharedSerde, Timestamp};
use headwater::store::StateStore;
use headwater::store::suppress::SuppressBytes;
use headwater::testing::TopologyTestDriver;
use proptest::prelude::*;

use crate::model::{Input, Model, Output, Rules, Waiting, WhenFull};

const TOPIC: &str = "stock";
const CHANGELOG: &str = "app-few-store-changelog";

type Text = String;

/// Texts whose length only their bytes tell.
struct Opaque(SharedSerde<Text>);

impl Serde<Text> for Opaque {
    fn serialize(&self, topic: &str, value: &Text, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.0.serialize(topic, value, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Text, SerdeError> {
        self.0.deserialize(topic, bytes)
    }
}

fn topology(rules: Rules, opaque: bool) -> Topology {
    let value = Text::default_serde();
    let value: SharedSerde<Text> = if opaque { Arc::new(Opaque(value)) } else { value };
    let limit = Duration::from_millis(rules.wait_ms.unsigned_abs());
    let buffer =
        BufferConfig::unbounded().with_max_records(rules.max_records as u64).with_max_bytes(rules.max_bytes as u64);
    let suppressed = match rules.when_full {
        WhenFull::Emit => Suppressed::until_time_limit(limit, buffer.emit_early_when_full()),
        WhenFull::ShutDown => Suppressed::until_time_limit(limit, buffer),
    };
    let builder = StreamsBuilder::new();
    let consumed = Consumed::with(String::default_serde(), value);
    let table = builder.table_with(TOPIC, consumed, Materialized::inherited().with_caching_disabled());
    table.suppress(suppressed.with_name("few")).to_stream().to("out");
    builder.build().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn output(record: &OwnedRecord) -> Output {
    let header = |header: &headwater::record::Header| (header.name.to_string(), header.value.as_deref().map(text));
    Output {
        key: text(record.key.as_deref().unwrap()),
        value: record.value.as_deref().map(text),
        timestamp: record.timestamp.millis(),
        headers: record.headers.iter().map(header).collect(),
    }
}

/// What somebody would restore who reads the changelog now, in the order of keys.
fn restored(changelog: &[OwnedRecord]) -> Vec<Waiting> {
    let mut store = SuppressBytes::new("few-store");
    store.restore(&mut changelog.iter().map(OwnedRecord::view)).unwrap();
    let part = |bytes: &Option<Box<[u8]>>| bytes.as_deref().map(text);
    let entries = store.take();
    let waiting = entries.iter().map(|(key, entry)| Waiting {
        key: text(key),
        time: entry.time.millis(),
        prior: part(&entry.prior),
        old: part(&entry.old),
        new: part(&entry.new),
        timestamp: entry.context.timestamp.millis(),
        offset: entry.context.offset.value(),
        headers: entry
            .context
            .headers
            .to_vec()
            .iter()
            .map(|h| (h.name.to_string(), h.value.as_deref().map(text)))
            .collect(),
    });
    let mut waiting: Vec<Waiting> = waiting.collect();
    waiting.sort_by(|one, other| one.key.cmp(&other.key));
    waiting
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let header = ("[a-c]", prop::option::of("[a-z]{0,3}"));
    let input =
        ("[a-f]{1,2}", prop::option::weighted(0.8, "[a-c]{0,4}"), 0..60_i64, prop::collection::vec(header, 0..3));
    let input = input.prop_map(|(key, value, timestamp, headers)| Input { key, value, timestamp, headers });
    // Time goes on in the large and to and fro in the small.
    prop::collection::vec(input, 0..30).prop_map(|mut inputs| {
        for (index, input) in inputs.iter_mut().enumerate() {
            input.timestamp += 5 * index as i64;
        }
        inputs
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let when_full = prop_oneof![9 => Just(WhenFull::Emit), 1 => Just(WhenFull::ShutDown)];
    let max_records = prop_oneof![Just(usize::MAX), 0..8_usize];
    let max_bytes = prop_oneof![Just(usize::MAX), 0..400_usize];
    (0..120_i64, max_records, max_bytes, when_full).prop_map(|(wait_ms, max_records, max_bytes, when_full)| Rules {
        wait_ms,
        max_records,
        max_bytes,
        when_full,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_suppression_does_what_the_model_does(rules in rules(), opaque in any::<bool>(), inputs in inputs()) {
        let driver = TopologyTestDriver::builder(topology(rules, opaque)).setting("application.id", "app").build().unwrap();
        let mut model = Model::new(rules, TOPIC);
        for (index, input) in inputs.iter().enumerate() {
            let headers = Headers::new();
            for (name, value) in &input.headers {
                headers.add(name.as_str(), value.as_deref().map(str::as_bytes));
            }
            let (key, value) = (Some(input.key.as_bytes()), input.value.as_deref().map(str::as_bytes));
            let piped = driver.pipe(TOPIC, key, value, Timestamp::from_millis(input.timestamp), &headers);
            let (expected, too_full) = model.take(input);
            if too_full {
                let (records, bytes) = model.size();
                let error = piped.expect_err("the buffer is full").to_string();
                let bounds = |max: usize| max.min(i64::MAX as usize);
                let words = format!(
                    "few buffer exceeded its max capacity. Currently [{records}/{}] records and [{bytes}/{}] bytes.",
                    bounds(rules.max_records), bounds(rules.max_bytes)
                );
                prop_assert!(error.contains(&words), "{error}\n{words}");
                break;
            }
            piped.unwrap();
            let out: Vec<Output> = driver.read_records("out").iter().map(output).collect();
            prop_assert_eq!(out, expected);
            if index % 8 == 7 || index + 1 == inputs.len() {
                prop_assert_eq!(restored(&driver.records(CHANGELOG)), model.waiting());
            }
        }
    }
}
