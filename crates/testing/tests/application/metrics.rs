//! What a recorder hears.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use headwater_record::{Headers, Timestamp, Topic};
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::world::World;

/// Keeps counters by name and labels.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<String, u64>>>);

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

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Counter::from_arc(Arc::new(Named(self.clone(), format!("{}{{{}}}", key.name(), labels.join(",")))))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn records_that_are_left_out_are_counted_by_task() {
    let counters = Counters::default();
    metrics::with_local_recorder(&counters, || {
        let mut world = World::new();
        let lenient = ("deserialization.exception.handler", "LogAndContinueExceptionHandler");
        let mut instances = vec![world.builder(1).set(lenient.0, lenient.1).drive().unwrap()];
        world.settle(&mut instances);
        let lines = Topic::from("lines");
        for _ in 0..3 {
            let unreadable = Some(&[0xff, 0xfe][..]);
            world.cluster.produce(&lines, Some(b"k"), unreadable, Timestamp::UNKNOWN, &Headers::new()).unwrap();
        }
        world.feed(1);
        world.run_until(&mut instances, "all is committed", |_| world.committed_lines() == 4);
    });
    let counters = counters.0.lock().unwrap();
    let dropped: Vec<_> = counters.iter().filter(|(name, _)| name.starts_with("headwater_dropped_records")).collect();
    let [(name, count)] = dropped.as_slice() else { panic!("{counters:?}") };
    assert!(name.starts_with("headwater_dropped_records_total{task=0_"), "{name}");
    assert_eq!(**count, 3);
}
