//! Batches that are too large, and many partitions.

use anyhow::{Result, ensure};
use headwater::client::ClientError;
use headwater::record::{Topic, TopicPartition};
use headwater_integration_tests::cluster::Cluster;
use headwater_integration_tests::traffic::{Answer, Reader, Writer, compare};

use crate::{make, on_cluster};

/// Java's producer halves a batch that the topic does not take, until it does.
#[test]
fn small_records_arrive_though_their_batch_is_too_large_for_the_topic() -> Result<()> {
    on_cluster("small_records_arrive_though_their_batch_is_too_large_for_the_topic", |cluster| {
        let broker = cluster.broker().clone();
        let all = make(cluster, "small", 2, 3, &[("max.message.bytes", "20000")])?;
        let mut writer = Writer::new(&broker, &all, &[("batch.size", "200000"), ("linger.ms", "500")])?;
        writer.bytes = 500;
        writer.write(1_000)?;
        writer.settle()?;
        writer.nothing_failed()?;
        let mut reader = Reader::new(&broker, &all, &[])?;
        reader.read_to(&writer)?;
        let seen = compare(&broker, &writer, &mut reader)?;
        ensure!(seen.records == 2_000, "{seen:?}");
        Ok(())
    })
}

#[test]
fn a_record_that_is_too_large_for_the_topic_comes_back_and_others_arrive() -> Result<()> {
    on_cluster("a_record_that_is_too_large_for_the_topic_comes_back_and_others_arrive", |cluster| {
        let broker = cluster.broker().clone();
        let all = make(cluster, "large", 1, 3, &[("max.message.bytes", "20000")])?;
        let mut writer = Writer::new(&broker, &all, &[])?;
        for (bytes, count) in [(500, 10), (25_000, 3), (500, 10)] {
            writer.bytes = bytes;
            writer.write(count)?;
            writer.settle()?;
        }
        for (number, answer) in writer.answers(0).iter().enumerate() {
            let too_large = matches!(answer, Answer::Failed(ClientError::RecordTooLarge { bytes: 25_000.., .. }));
            let stored = matches!(answer, Answer::Stored(Some(_)));
            ensure!(
                if (10..13).contains(&number) { too_large } else { stored },
                "of record {number} became {answer:?}"
            );
        }
        let mut reader = Reader::new(&broker, &all, &[])?;
        reader.read_to(&writer)?;
        compare(&broker, &writer, &mut reader)?;
        Ok(())
    })
}

fn read_all(cluster: &Cluster, all: &[TopicPartition]) -> Result<()> {
    let broker = cluster.broker();
    let mut writer = Writer::new(broker, all, &[])?;
    writer.write(3)?;
    writer.settle()?;
    writer.nothing_failed()?;
    let mut reader = Reader::new(broker, all, &[])?;
    reader.read_to(&writer)?;
    ensure!(reader.told.is_empty(), "polls failed: {:?}", reader.told);
    let seen = compare(broker, &writer, &mut reader)?;
    ensure!(seen.records == 3_000, "{seen:?}");
    Ok(())
}

#[test]
fn a_thousand_partitions_are_written_and_read() -> Result<()> {
    on_cluster("a_thousand_partitions_are_written_and_read", |cluster| {
        let mut all = Vec::new();
        for topic in 0..20 {
            all.extend(make(cluster, &format!("many-{topic}"), 50, 1, &[("min.insync.replicas", "1")])?);
        }
        let outcome = read_all(cluster, &all);
        // Nodes that come back are spared them.
        let mut topics: Vec<Topic> = all.into_iter().map(|partition| partition.topic).collect();
        topics.dedup();
        let mut admin = cluster.broker().admin()?;
        admin.delete_topics(&topics, cluster.broker().soon())?.into_iter().collect::<Result<(), _>>()?;
        outcome
    })
}
