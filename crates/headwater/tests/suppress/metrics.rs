//! What a recorder hears of suppressions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::dsl::{BufferConfig, KTable, StreamsBuilder, Suppressed};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp};
use headwater::testing::TopologyTestDriver;
use headwater::window::TimeWindows;
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Level, Metadata, Recorder, SharedString, Unit,
};

/// Keeps what was told, by name and labels: of counters the sum, of histograms every value.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct Meter(Heard, String);

impl CounterFn for Meter {
    fn increment(&self, value: u64) {
        self.0.0.lock().unwrap().get_mut(&self.1).unwrap()[0] += value as f64;
    }
    fn absolute(&self, _: u64) {
        panic!("{} is counted up", self.1);
    }
}

impl HistogramFn for Meter {
    fn record(&self, value: f64) {
        self.0.0.lock().unwrap().get_mut(&self.1).unwrap().push(value);
    }
}

impl Heard {
    fn meter(&self, key: &Key, metadata: &Metadata<'_>, first: &[f64]) -> Arc<Meter> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        if name.starts_with("headwater_suppression") {
            assert_eq!(metadata.level(), &Level::DEBUG, "{name}");
        }
        self.0.lock().unwrap().entry(name.clone()).or_insert(first.to_vec());
        Arc::new(Meter(self.clone(), name))
    }

    fn of(&self, name: &str) -> Vec<f64> {
        let heard = self.0.lock().unwrap();
        heard.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", heard.keys())).clone()
    }
}

impl Recorder for Heard {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.meter(key, metadata, &[0.0]))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.meter(key, metadata, &[]))
    }
}

/// What is heard while these records (key, timestamp) go through.
fn heard(topology: Topology, records: &[(&str, i64)]) -> Heard {
    let heard = Heard::default();
    metrics::with_local_recorder(&heard, || {
        let driver = TopologyTestDriver::new(topology).unwrap();
        for (key, timestamp) in records {
            let timestamp = Timestamp::from_millis(*timestamp);
            driver.pipe("in", Some(key.as_bytes()), Some(b"x"), timestamp, &Headers::new()).unwrap();
        }
    });
    heard
}

#[test]
fn what_waits_is_told_after_each_change_and_what_is_handed_on_is_counted() {
    let builder = StreamsBuilder::new();
    let at_most_two = BufferConfig::max_records(2).emit_early_when_full();
    let suppressed = Suppressed::until_time_limit(Duration::from_millis(100), at_most_two).with_name("few");
    let table: KTable<String, String> = builder.table("in");
    table.suppress(suppressed).to_stream().to("out");
    // The third is one too many; with the fourth two have waited for long enough; the fifth changes what waits already.
    let records = [("a", 0), ("b", 1), ("c", 2), ("d", 150), ("d", 151)];
    let heard = heard(builder.build().unwrap(), &records);
    let waiting = heard.of("headwater_suppression_buffer_records{task=0_0,store=few-store}");
    assert_eq!(waiting, [0.0, 1.0, 2.0, 3.0, 2.0, 3.0, 1.0, 1.0]);
    let bytes = heard.of("headwater_suppression_buffer_bytes{task=0_0,store=few-store}");
    let of_one = bytes[1];
    assert!(of_one > 0.0);
    // The last change has a value before it, one byte long.
    let expected: Vec<f64> = waiting[..7].iter().map(|count| count * of_one).chain([of_one + 1.0]).collect();
    assert_eq!(bytes, expected);
    assert_eq!(heard.of("headwater_suppression_emit_total{task=0_0,node=few}"), [3.0]);
}

#[test]
fn a_deletion_that_nobody_needs_to_hear_is_not_counted_as_handed_on() {
    let builder = StreamsBuilder::new();
    let visits = builder.stream::<String, String>("in").group_by_key();
    let counts = visits.windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10))).count();
    let once = counts.filter(|_, count| *count < 2);
    let suppressed = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("final");
    let _ = once.suppress(suppressed).to_stream();
    // `a` comes twice in its window, `b` once in its own; `c` closes both.
    let heard = heard(builder.build().unwrap(), &[("a", 0), ("a", 1), ("b", 2), ("c", 20)]);
    let waiting = heard.of("headwater_suppression_buffer_records{task=0_0,store=final-store}");
    assert_eq!(waiting, [0.0, 1.0, 1.0, 2.0, 3.0, 1.0]);
    assert_eq!(heard.of("headwater_suppression_emit_total{task=0_0,node=final}"), [1.0]);
}
