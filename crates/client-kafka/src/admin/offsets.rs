//! Offsets of partitions, asked of the brokers that lead them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use headwater_client::{ClientError, Isolation, OffsetSpec};
use headwater_record::{Offset, Topic, TopicPartition};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::error::{About, of_code};
use crate::metadata::Brokers;

const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn topics_of(partitions: &[TopicPartition]) -> Vec<Topic> {
    let mut topics: Vec<Topic> = partitions.iter().map(|partition| partition.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// What is asked of each broker, by its address.
async fn by_leader<T: Clone>(
    brokers: &Brokers,
    asked: impl Iterator<Item = (&TopicPartition, T)>,
    topics: &[Topic],
) -> Result<BTreeMap<String, Vec<(TopicPartition, T)>>, ClientError> {
    let metadata = brokers.metadata(Some(topics)).await?;
    let mut by_leader: BTreeMap<String, Vec<(TopicPartition, T)>> = BTreeMap::new();
    for (partition, what) in asked {
        let leader = metadata.leader(partition)?.address.clone();
        by_leader.entry(leader).or_default().push((partition.clone(), what));
    }
    Ok(by_leader)
}

pub(crate) async fn list(
    brokers: &Brokers,
    partitions: &[TopicPartition],
    spec: OffsetSpec,
) -> Result<Vec<Offset>, ClientError> {
    let (timestamp, isolation) = match spec {
        OffsetSpec::Earliest => (EARLIEST, 0),
        OffsetSpec::Latest(Isolation::ReadUncommitted) => (LATEST, 0),
        OffsetSpec::Latest(Isolation::ReadCommitted) => (LATEST, 1),
        OffsetSpec::AtTimestamp(millis) => (millis, 0),
    };
    let found = list_at(brokers, partitions, timestamp, isolation).await?;
    // There may be no record at or after a time: then it is the end.
    let missing: Vec<TopicPartition> =
        partitions.iter().filter(|partition| found.get(*partition).is_none_or(|offset| *offset < 0)).cloned().collect();
    let ends = if missing.is_empty() { HashMap::new() } else { list_at(brokers, &missing, LATEST, isolation).await? };
    let offset = |partition: &TopicPartition| {
        let known = found.get(partition).copied().filter(|offset| *offset >= 0);
        known.or_else(|| ends.get(partition).copied()).map(Offset::new)
    };
    let unknown = |partition: &TopicPartition| ClientError::UnknownTopic { topic: partition.topic.clone() };
    partitions.iter().map(|partition| offset(partition).ok_or_else(|| unknown(partition))).collect()
}

async fn list_at(
    brokers: &Brokers,
    partitions: &[TopicPartition],
    timestamp: i64,
    isolation: i8,
) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let mut found = HashMap::new();
    let asked = partitions.iter().map(|partition| (partition, ()));
    for (leader, partitions) in by_leader(brokers, asked, &topics_of(partitions)).await? {
        let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for (partition, ()) in &partitions {
            topics.entry(partition.topic.as_str()).or_default().push(
                ListOffsetsPartition::default()
                    .with_partition_index(partition.partition)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(timestamp),
            );
        }
        let topics = topics
            .into_iter()
            .map(|(topic, partitions)| ListOffsetsTopic::default().with_name(name(topic)).with_partitions(partitions));
        let request = ListOffsetsRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_isolation_level(isolation)
            .with_topics(topics.collect());
        let response = brokers.at(&leader).await?.call(&request, brokers.servers().request_timeout).await?;
        for topic in response.topics {
            for partition in topic.partitions {
                let of = TopicPartition::new(&*topic.name.0, partition.partition_index);
                if let Some(error) = of_code(partition.error_code, About::Partition(&of, Offset::UNKNOWN)) {
                    return Err(error);
                }
                found.insert(of, partition.offset);
            }
        }
    }
    Ok(found)
}

pub(super) async fn delete_records(brokers: &Brokers, before: &[(TopicPartition, Offset)]) -> Result<(), ClientError> {
    let partitions: Vec<TopicPartition> = before.iter().map(|(partition, _)| partition.clone()).collect();
    let asked = before.iter().map(|(partition, offset)| (partition, *offset));
    for (leader, partitions) in by_leader(brokers, asked, &topics_of(&partitions)).await? {
        let mut topics: BTreeMap<&str, Vec<DeleteRecordsPartition>> = BTreeMap::new();
        for (partition, offset) in &partitions {
            topics.entry(partition.topic.as_str()).or_default().push(
                DeleteRecordsPartition::default().with_partition_index(partition.partition).with_offset(offset.value()),
            );
        }
        let topics = topics.into_iter().map(|(topic, partitions)| {
            DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(partitions)
        });
        let timeout = i32::try_from(brokers.servers().request_timeout.as_millis()).unwrap_or(i32::MAX);
        let request = DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(timeout);
        let response = brokers.at(&leader).await?.call(&request, brokers.servers().request_timeout).await?;
        for topic in response.topics {
            for partition in topic.partitions {
                let of = TopicPartition::new(&*topic.name.0, partition.partition_index);
                let wanted = partitions.iter().find(|(partition, _)| *partition == of);
                let offset = wanted.map_or(Offset::UNKNOWN, |(_, offset)| *offset);
                if let Some(error) = of_code(partition.error_code, About::Partition(&of, offset)) {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}
