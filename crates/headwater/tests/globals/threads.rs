//! On threads of their own, by the machine's clock.
#![allow(clippy::disallowed_methods, reason = "a test beside an application with threads waits for it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::record::{Headers, Topic};
use headwater::runtime::{CloseOptions, State, SystemClock};

use crate::world::{APPLICATION, cities};

#[test]
fn two_threads_read_rows_whole_while_they_are_written() {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    for (topic, partitions) in [("shops", 2), ("sales", 4), ("sold", 1)] {
        cluster.create_topic(topic, partitions).unwrap();
    }
    let put = |topic: &str, key: &str, value: &str| {
        let time = Timestamp::from_millis(1);
        let topic = Topic::from(topic);
        cluster.produce(&topic, Some(key.as_bytes()), Some(value.as_bytes()), time, &Headers::new()).unwrap();
    };
    // Long values of one letter: a torn one would have two.
    let city = |round: usize| char::from(b'a' + (round % 26) as u8).to_string().repeat(2_000);
    (0..10).for_each(|shop| put("shops", &format!("shop{shop}"), &city(0)));
    let application = KafkaStreams::builder(cities())
        .application_id(APPLICATION)
        .on(&cluster)
        .set("dsl.store.suppliers.class", "in_memory")
        .threads(2)
        .start()
        .unwrap();
    let done = AtomicBool::new(false);
    let sold = || cluster.records(&Topic::from("sold"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !done.load(Ordering::Relaxed) {
                round += 1;
                (0..10).for_each(|shop| put("shops", &format!("shop{shop}"), &city(round)));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        (0..2_000).for_each(|sale| put("sales", &format!("shop{}", sale % 10), "pen"));
        while sold().len() < 2_000 && !application.state().is_final() {
            std::thread::sleep(Duration::from_millis(10));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(!application.state().is_final());
    for (_, record) in sold() {
        let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
        let city = value.strip_prefix("pen in ").unwrap();
        assert!(city.len() == 2_000 && city.chars().all(|letter| city.starts_with(letter)), "{value}");
    }
    application.close(CloseOptions::default().timeout(Duration::from_secs(30))).unwrap();
    assert_eq!(application.state(), State::NotRunning);
}

#[test]
fn an_application_without_its_topic_is_closed_in_time() {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    let application = KafkaStreams::builder(cities())
        .application_id(APPLICATION)
        .on(&cluster)
        .set("dsl.store.suppliers.class", "in_memory")
        .start()
        .unwrap();
    assert_eq!(application.state(), State::Rebalancing);
    application.close(CloseOptions::default().timeout(Duration::from_secs(30))).unwrap();
}
