//! What a recorder hears of the global thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use headwater::client::ClientError;
use headwater::memory::Api;
use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::world::World;

/// Keeps gauges by name and labels.
#[derive(Clone, Default)]
struct Gauges(Arc<Mutex<BTreeMap<String, f64>>>);

struct Named(Gauges, String);

impl GaugeFn for Named {
    fn increment(&self, value: f64) {
        *self.0.0.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
    fn decrement(&self, value: f64) {
        self.increment(-value);
    }
    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Gauge::from_arc(Arc::new(Named(self.clone(), format!("{}{{{}}}", key.name(), labels.join(",")))))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn the_lag_of_each_partition_is_a_gauge() {
    let gauges = Gauges::default();
    let lag = |partition: i32| {
        let name = format!("headwater_global_lag_records{{topic=shops,partition={partition}}}");
        gauges.0.lock().unwrap().get(&name).copied()
    };
    metrics::with_local_recorder(&gauges.clone(), || {
        let world = World::new();
        (0..40).for_each(|number| world.shop(&format!("shop{number}"), Some("Rome")));
        let late = ClientError::TimedOut { request: "Fetch".to_owned() };
        world.cluster.faults().fail_next(Api::Fetch, 5, late);
        let mut instances = [world.instance(1)];
        world.run(&mut instances, 2);
        assert!(lag(0) > Some(0.0) && lag(1) > Some(0.0), "{:?} {:?}", lag(0), lag(1));
        world.run_until_running(&mut instances);
        world.run_until_read(&mut instances);
        assert_eq!((lag(0), lag(1)), (Some(0.0), Some(0.0)));
    });
}
