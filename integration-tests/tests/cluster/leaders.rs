//! The leaders of partitions crash, stop, freeze, and move without reason.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater::client::NewTopic;
use headwater::record::TopicPartition;
use headwater_integration_tests::cluster::{Cluster, View};
use headwater_integration_tests::traffic::{Reader, Seen, Writer, compare, partitions, while_records_flow};

use crate::{make, on_cluster, tell};

/// How often a new topic is written at once: few of them meet a broker that does not know them yet.
const ROUNDS: usize = 8;

fn told(test: &str, seen: &Seen) {
    let Seen { records, without_offset } = seen;
    tell(test, &format!("{records} records, {without_offset} of them acknowledged without their offset"));
}

#[test]
fn every_record_is_there_once_and_in_order_though_leaders_crash_and_stop() -> Result<()> {
    let test = "every_record_is_there_once_and_in_order_though_leaders_crash_and_stop";
    on_cluster(test, |cluster| {
        let all = make(cluster, "crashes", 6, 3, &[])?;
        let topic = all[0].topic.to_string();
        let seen = while_records_flow(&cluster.broker().clone(), &all, &[], |traffic| {
            let crashed = cluster.leader(&topic, 0)?;
            cluster.kill(crashed)?;
            traffic.wait_until_all_go_on("a crash of a leader")?;
            cluster.heal()?;
            let stopped = cluster.leader(&topic, 1)?;
            cluster.stop(stopped)?;
            traffic.wait_until_all_go_on("a leader's stop")?;
            cluster.heal()?;
            traffic.wait_until_all_go_on("the return of both")
        })?;
        told(test, &seen);
        Ok(())
    })
}

/// A broker that has heard of a topic a moment late refuses the first batch and takes those that were sent behind it: of a producer
/// that it does not know, it takes any sequence.
#[test]
fn the_first_records_of_a_new_topic_keep_their_order() -> Result<()> {
    on_cluster("the_first_records_of_a_new_topic_keep_their_order", |cluster| {
        let broker = cluster.broker().clone();
        for round in 0..ROUNDS {
            let name = format!("new-{round}-{}", broker.clients().clock().now());
            let topic = NewTopic {
                topic: name.as_str().into(),
                partitions: 12,
                replication_factor: 3,
                configs: BTreeMap::new(),
            };
            broker.admin()?.create_topics(&[topic], broker.soon())?.into_iter().collect::<Result<(), _>>()?;
            // At once, in as many batches as can be.
            let all = partitions(&name, 12);
            let mut writer = Writer::new(&broker, &all, &[("linger.ms", "0")])?;
            for _ in 0..20 {
                writer.write(1)?;
                writer.hear(Duration::from_millis(1))?;
            }
            writer.settle()?;
            writer.nothing_failed()?;
            let mut reader = Reader::new(&broker, &all, &[])?;
            reader.read_to(&writer)?;
            compare(&broker, &writer, &mut reader)?;
        }
        Ok(())
    })
}

/// Partitions by number, each with where it shall be, as Kafka's tool reads it.
fn plan(wanted: &[(TopicPartition, Vec<i32>)]) -> String {
    let each = wanted.iter().map(|(partition, replicas)| {
        let TopicPartition { topic, partition } = partition;
        format!("{{\"topic\":\"{topic}\",\"partition\":{partition},\"replicas\":{replicas:?}}}")
    });
    format!("{{\"version\":1,\"partitions\":[{}]}}", each.collect::<Vec<_>>().join(","))
}

fn replicas(view: &View, partition: &TopicPartition) -> Option<Vec<i32>> {
    Some(view.partitions.get(&(partition.topic.to_string(), partition.partition))?.all.clone())
}

/// Has each partition led by the next of its replicas; one with fewer replicas than there are nodes leaves its leader's node.
fn move_leaders(cluster: &mut Cluster, all: &[TopicPartition]) -> Result<()> {
    let view = cluster.view()?;
    let mut wanted = Vec::new();
    for partition in all {
        let mut next = replicas(&view, partition).context("a partition")?;
        let elsewhere = view.brokers.iter().find(|node| !next.contains(node));
        next.rotate_left(1);
        if let (Some(elsewhere), Some(last)) = (elsewhere, next.last_mut()) {
            *last = *elsewhere;
        }
        wanted.push((partition.clone(), next));
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("plan.json");
    std::fs::write(&file, plan(&wanted))?;
    let file = file.display().to_string();
    let broker = cluster.broker().clone();
    let tool = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
    broker.tool(tool, &["--reassignment-json-file", &file, "--execute"])?;
    cluster.wait_for("all replicas are where they shall be", |view| {
        let there = |(partition, next): &(TopicPartition, Vec<i32>)| replicas(view, partition).as_ref() == Some(next);
        wanted.iter().all(there).then_some(())
    })?;
    cluster.wait_until_whole()?;
    let tool = "org.apache.kafka.tools.LeaderElectionCommand";
    broker.tool(tool, &["--election-type", "PREFERRED", "--all-topic-partitions"])?;
    cluster.wait_for("each partition is led by its first replica", |view| {
        let leads = |(partition, next): &(TopicPartition, Vec<i32>)| {
            let place = view.partitions.get(&(partition.topic.to_string(), partition.partition));
            place.is_some_and(|place| Some(&place.leader) == next.first())
        };
        wanted.iter().all(leads).then_some(())
    })
}

#[test]
fn every_record_is_there_once_and_in_order_though_leaders_move() -> Result<()> {
    let test = "every_record_is_there_once_and_in_order_though_leaders_move";
    on_cluster(test, |cluster| {
        // These stay on all nodes; those leave their leader's node, which then knows nothing of them.
        let mut all = make(cluster, "led-elsewhere", 3, 3, &[])?;
        all.extend(make(cluster, "moved", 3, 2, &[("min.insync.replicas", "1")])?);
        let seen = while_records_flow(&cluster.broker().clone(), &all, &[], |traffic| {
            for round in ["the first move", "the second move"] {
                move_leaders(cluster, &all)?;
                traffic.wait_until_all_go_on(round)?;
            }
            Ok(())
        })?;
        told(test, &seen);
        Ok(())
    })
}

#[test]
fn every_record_is_there_once_and_in_order_though_a_leader_freezes() -> Result<()> {
    let test = "every_record_is_there_once_and_in_order_though_a_leader_freezes";
    on_cluster(test, |cluster| {
        let all = make(cluster, "freezes", 6, 3, &[])?;
        let topic = all[0].topic.to_string();
        let settings = [("request.timeout.ms", "2000")];
        let seen = while_records_flow(&cluster.broker().clone(), &all, &settings, |traffic| {
            // Too short for another leader: what was not answered in time is sent again to the same one, which had it already.
            let frozen = cluster.leader(&topic, 0)?;
            cluster.freeze(frozen)?;
            std::thread::sleep(Duration::from_secs(4));
            cluster.thaw(frozen)?;
            traffic.wait_until_all_go_on("a short freeze")?;
            cluster.wait_until_whole()?;
            // Until others lead; the one that wakes still takes itself for the leader.
            let frozen = cluster.leader(&topic, 1)?;
            cluster.freeze(frozen)?;
            cluster.leader_other_than(frozen, &topic, 1)?;
            traffic.wait_until_all_go_on("a long freeze")?;
            cluster.thaw(frozen)?;
            cluster.wait_until_whole()?;
            traffic.wait_until_all_go_on("the thaw")
        })?;
        told(test, &seen);
        Ok(())
    })
}
