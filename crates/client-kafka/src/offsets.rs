//! Committed offsets, written and read at the coordinator.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use headwater_client::{ClientError, CommittedOffset, OffsetCommit};
use headwater_record::{Offset, TopicPartition};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{GroupId, OffsetCommitRequest, OffsetFetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

use crate::coordinator::Coordinator;
use crate::error::About;

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(crate) async fn commit(coordinator: &Coordinator, commit: &OffsetCommit) -> Result<(), ClientError> {
    let result = commit_once(coordinator, commit).await;
    coordinator.after(result).await
}

async fn commit_once(coordinator: &Coordinator, commit: &OffsetCommit) -> Result<(), ClientError> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (partition, committed) in &commit.offsets {
        let entry = OffsetCommitRequestPartition::default()
            .with_partition_index(partition.partition)
            .with_committed_offset(committed.offset.value())
            .with_committed_metadata(Some(text(&committed.metadata)));
        topics.entry(partition.topic.as_str()).or_default().push(entry);
    }
    let topics = topics.into_iter().map(|(name, partitions)| {
        OffsetCommitRequestTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
    });
    let identity = &commit.identity;
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(text(&identity.group)))
        .with_generation_id_or_member_epoch(identity.generation)
        .with_member_id(text(&identity.member_id))
        .with_group_instance_id(identity.instance_id.as_deref().map(text))
        .with_topics(topics.collect());
    let connection = coordinator.connection().await?;
    let response = connection.call(&request, coordinator.servers().request_timeout).await?;
    // There is no code for the whole request: a fenced member sees its error on every partition.
    for topic in &response.topics {
        for partition in &topic.partitions {
            let of = TopicPartition::new(&*topic.name.0, partition.partition_index);
            coordinator.check(partition.error_code, About::Partition(&of, Offset::UNKNOWN)).await?;
        }
    }
    Ok(())
}

pub(crate) async fn fetch(
    coordinator: &Coordinator,
    group: &str,
    partitions: &[TopicPartition],
    require_stable: bool,
) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
    let result = fetch_once(coordinator, group, partitions, require_stable).await;
    coordinator.after(result).await
}

async fn fetch_once(
    coordinator: &Coordinator,
    group: &str,
    partitions: &[TopicPartition],
    require_stable: bool,
) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(partition.topic.as_str()).or_default().push(partition.partition);
    }
    let topics = topics.into_iter().map(|(name, indexes)| {
        OffsetFetchRequestTopics::default().with_name(TopicName(text(name))).with_partition_indexes(indexes)
    });
    let asked = OffsetFetchRequestGroup::default()
        .with_group_id(GroupId(text(group)))
        .with_member_id(None)
        .with_member_epoch(-1)
        .with_topics(Some(topics.collect()));
    let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(require_stable);
    let connection = coordinator.connection().await?;
    let response = connection.call(&request, coordinator.servers().request_timeout).await?;
    let mut found: HashMap<TopicPartition, CommittedOffset> = HashMap::new();
    for group in response.groups {
        coordinator.check(group.error_code, About::Request("OffsetFetch")).await?;
        for topic in group.topics {
            for partition in topic.partitions {
                let of = TopicPartition::new(&*topic.name.0, partition.partition_index);
                coordinator.check(partition.error_code, About::Partition(&of, Offset::UNKNOWN)).await?;
                if partition.committed_offset >= 0 {
                    let metadata = partition.metadata.map(|text| text.to_string()).unwrap_or_default();
                    found.insert(of, CommittedOffset { offset: Offset::new(partition.committed_offset), metadata });
                }
            }
        }
    }
    Ok(partitions.iter().map(|partition| found.remove(partition)).collect())
}
