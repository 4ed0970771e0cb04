//! A cluster under a virtual clock and an instance that takes its turns.

use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::{Headers, Topic};
use headwater::runtime::{Driven, State, TaskExplanation};

const APPLICATION: &str = "seen";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) cluster: Cluster,
    pub(crate) instance: Driven,
}

impl World {
    /// With topics `left`, `right` and `out` of one partition, and an instance of `topology`.
    pub(crate) fn new(topology: Topology, settings: &[(&str, &str)]) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["left", "right", "out"] {
            cluster.create_topic(topic, 1).unwrap();
        }
        let builder = KafkaStreams::builder(topology).application_id(APPLICATION).on(&cluster).process_id(1);
        let builder = builder.set("dsl.store.suppliers.class", "in_memory").set("commit.interval.ms", "100");
        let builder = settings.iter().fold(builder, |builder, (key, value)| builder.set(*key, *value));
        let instance = builder.drive().unwrap();
        let mut world = World { clock, cluster, instance };
        world.run(Duration::from_secs(3));
        assert_eq!(world.instance.state(), State::Running);
        world
    }

    pub(crate) fn feed(&self, topic: &str, key: &str, time: i64) {
        let (topic, time) = (Topic::from(topic), Timestamp::from_millis(time));
        self.cluster.produce(&topic, Some(key.as_bytes()), Some(b"v"), time, &Headers::new()).unwrap();
    }

    /// Turns for so long: what changes with each record is told within a second.
    pub(crate) fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 20 {
            self.instance.turn();
            self.clock.advance(Duration::from_millis(20));
        }
    }

    pub(crate) fn out(&self) -> usize {
        self.cluster.records(&Topic::from("out")).len()
    }

    /// Of the only task that has the node, and the text.
    pub(crate) fn explain(&self, node: &str) -> (TaskExplanation, String) {
        let explanation = self.instance.explain(node).unwrap();
        let [task] = &explanation.tasks[..] else { panic!("{explanation}") };
        (task.clone(), explanation.to_string())
    }
}
