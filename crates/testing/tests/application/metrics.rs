//! What a recorder hears.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_record::{Headers, Timestamp, Topic};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::world::World;

/// Keeps counters by name and labels, and of histograms the greatest value.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<String, u64>>>, Arc<Mutex<BTreeMap<String, f64>>>);

impl Counters {
    /// What was counted by this name, whatever the labels.
    pub(crate) fn value(&self, name: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        let named = |key: &str| key.strip_prefix(name).is_some_and(|labels| labels.starts_with('{'));
        counters.iter().filter(|(key, _)| named(key)).map(|(_, value)| value).sum()
    }
}

struct Named(Counters, String);

impl CounterFn for Named {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
    fn absolute(&self, value: u64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl HistogramFn for Named {
    fn record(&self, value: f64) {
        let mut greatest = self.0.1.lock().unwrap();
        let before = greatest.entry(self.1.clone()).or_default();
        *before = before.max(value);
    }
}

impl Counters {
    fn named(&self, key: &Key) -> Arc<Named> {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Named(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.named(key))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.named(key))
    }
}

#[test]
fn it_is_told_how_long_a_commit_keeps_its_thread() {
    for answers_after in [0, 40] {
        let counters = Counters::default();
        metrics::with_local_recorder(&counters, || {
            let mut world = World::new();
            let mut instances = vec![world.builder(1).drive().unwrap()];
            world.settle(&mut instances);
            let delay = Duration::from_millis(answers_after);
            world.cluster.faults().delay_answers(&world.clock, delay);
            world.feed(3);
            world.run_until(&mut instances, "all is committed", |_| world.committed_lines() == 3);
        });
        let greatest = counters.1.lock().unwrap();
        let seconds = greatest.get("headwater_commit_seconds{thread=1}").copied().unwrap();
        assert_eq!(seconds >= 0.04, answers_after > 0, "{seconds}");
    }
}

#[test]
fn records_that_are_left_out_are_counted_by_task() {
    let counters = Counters::default();
    metrics::with_local_recorder(&counters, || {
        let mut world = World::new();
        world.cluster.create_topic("letters", 1).unwrap();
        let lenient = ("deserialization.exception.handler", "LogAndContinueExceptionHandler");
        let builder = world.builder(1).set("errors.dead.letter.queue.topic.name", "letters");
        let mut instances = vec![builder.set(lenient.0, lenient.1).drive().unwrap()];
        world.settle(&mut instances);
        let lines = Topic::from("lines");
        for _ in 0..3 {
            let unreadable = Some(&[0xff, 0xfe][..]);
            world.cluster.produce(&lines, Some(b"k"), unreadable, Timestamp::UNKNOWN, &Headers::new()).unwrap();
        }
        world.feed(1);
        world.run_until(&mut instances, "all is committed", |_| world.committed_lines() == 4);
    });
    assert_eq!(counters.value("headwater_dead_letters_total"), 3);
    let counters = counters.0.lock().unwrap();
    let dropped: Vec<_> = counters.iter().filter(|(name, _)| name.starts_with("headwater_dropped_records")).collect();
    let [(name, count)] = dropped.as_slice() else { panic!("{counters:?}") };
    assert!(name.starts_with("headwater_dropped_records_total{task=0_"), "{name}");
    assert_eq!(**count, 3);
}
