//! A cluster under a virtual clock, with two streams that an application joins turn by turn.

use std::sync::Arc;
use std::time::Duration;

use headwater::KafkaStreams;
use headwater::dsl::{StreamJoined, StreamsBuilder};
use headwater::memory::{Cluster, ManualClock};
use headwater::processor::Topology;
use headwater::record::{Headers, Timestamp, Topic};
use headwater::runtime::{CloseOptions, Driven, State};
use headwater::window::JoinWindows;

const APPLICATION: &str = "pairs";

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) cluster: Cluster,
    windows: JoinWindows,
}

/// What of both sides came together, and what of either did not.
fn topology(windows: JoinWindows) -> Topology {
    let shown = |value: Option<&String>| value.map_or("-".to_owned(), String::clone);
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    let options = StreamJoined::by_type().with_store_name("kept");
    let pair =
        move |_: &String, left: Option<&String>, right: Option<&String>| format!("{} {}", shown(left), shown(right));
    left.outer_join_with(&right, pair, windows, options).to("out");
    builder.build().unwrap()
}

impl World {
    pub(crate) fn new(partitions: i32, windows: JoinWindows) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["left", "right", "out"] {
            cluster.create_topic(topic, partitions).unwrap();
        }
        World { clock, cluster, windows }
    }

    pub(crate) fn instance(&self, id: u128, threads: &str) -> Driven {
        let builder = KafkaStreams::builder(topology(self.windows)).application_id(APPLICATION).on(&self.cluster);
        let builder = builder.set("dsl.store.suppliers.class", "in_memory").set("commit.interval.ms", "100");
        builder.set("num.stream.threads", threads).process_id(id).drive().unwrap()
    }

    pub(crate) fn feed(&self, topic: &str, key: &str, value: &str, timestamp: i64) {
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let timestamp = Timestamp::from_millis(timestamp);
        self.cluster.produce(&Topic::from(topic), key, value, timestamp, &Headers::new()).unwrap();
    }

    /// Lets so much time pass that a join looks for closed windows again.
    pub(crate) fn let_look_again(&self) {
        self.clock.advance(Duration::from_secs(1));
    }

    /// What was handed on: key, both values, time.
    pub(crate) fn out(&self) -> Vec<String> {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        let records = self.cluster.records(&Topic::from("out"));
        let shown = records.iter().map(|(_, record)| {
            format!("{} {}@{}", text(record.key.as_deref()), text(record.value.as_deref()), record.timestamp)
        });
        shown.collect()
    }

    /// Gives each instance its turns until all of so many records are committed.
    pub(crate) fn commit(&self, instances: &mut [Driven], records: i64) {
        self.run_until(instances, "everything is committed", |_| {
            let committed = self.cluster.group(APPLICATION).committed;
            committed.values().map(|committed| committed.offset.value()).sum::<i64>() == records
        });
    }

    pub(crate) fn close(&self, instances: &mut Vec<Driven>, index: usize) {
        instances[index].begin_close(CloseOptions::default());
        let closed = |instances: &[Driven]| instances[index].state() == State::NotRunning;
        self.run_until(instances, "it is closed", closed);
        instances.remove(index);
    }

    /// The number of turns only ends a run that will never come to it.
    pub(crate) fn run_until(&self, instances: &mut [Driven], what: &str, done: impl Fn(&[Driven]) -> bool) {
        for _ in 0..10_000 {
            if done(instances) {
                return;
            }
            instances.iter_mut().for_each(Driven::turn);
            self.clock.advance(Duration::from_millis(20));
        }
        let states: Vec<State> = instances.iter().map(Driven::state).collect();
        panic!("it never came to this: {what}; {states:?}, out: {:?}", self.out());
    }
}
