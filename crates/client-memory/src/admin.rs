//! The administrator.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_client::{Admin, ClientConfig, ClientError, Isolation, NewTopic, OffsetSpec, TopicDescription};
use headwater_record::{Deadline, Offset, Topic, TopicPartition};

use crate::client::Client;
use crate::cluster::Shared;
use crate::fault::Api;
use crate::topic::refused;

const POLICY_VIOLATION: i16 = 44;

/// [`Admin`] of the in-process cluster. It never waits.
#[derive(Debug)]
pub(crate) struct MemoryAdmin {
    client: Client,
}

impl MemoryAdmin {
    pub(crate) fn new(shared: Arc<Shared>, config: &ClientConfig) -> Self {
        MemoryAdmin { client: Client::new(shared, config, "admin") }
    }
}

impl Admin for MemoryAdmin {
    fn describe_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        self.client.request(Api::Metadata, until, |state, _| {
            let describe = |topic: &Topic| {
                let found = state.topics.get(topic)?;
                Some(TopicDescription { topic: topic.clone(), partitions: found.partition_count() })
            };
            Ok(topics.iter().map(describe).collect())
        })
    }

    fn list_topics(&mut self, until: Deadline) -> Result<Vec<Topic>, ClientError> {
        self.client.request(Api::Metadata, until, |state, _| Ok(state.topics.keys().cloned().collect()))
    }

    fn describe_configs(&mut self, topic: &Topic, until: Deadline) -> Result<BTreeMap<String, String>, ClientError> {
        self.client.request(Api::DescribeConfigs, until, |state, _| {
            let found = state.topics.get(topic).ok_or_else(|| ClientError::UnknownTopic { topic: topic.clone() })?;
            Ok(found.configs.clone())
        })
    }

    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.client.request(Api::CreateTopics, until, |state, _| {
            Ok(topics.iter().map(|topic| state.create_topic(topic)).collect())
        })
    }

    fn delete_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.client.request(Api::DeleteTopics, until, |state, _| {
            Ok(topics.iter().map(|topic| state.delete_topic(topic)).collect())
        })
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        until: Deadline,
    ) -> Result<Vec<Offset>, ClientError> {
        self.client.request(Api::ListOffsets, until, |state, _| {
            let offset = |partition| {
                let log = state.log(partition)?;
                Ok(match spec {
                    OffsetSpec::Earliest => log.watermarks().low,
                    OffsetSpec::Latest(Isolation::ReadUncommitted) => log.high_watermark(),
                    OffsetSpec::Latest(Isolation::ReadCommitted) => log.last_stable_offset(),
                    OffsetSpec::AtTimestamp(time) => log.offset_at(time).unwrap_or_else(|| log.high_watermark()),
                })
            };
            partitions.iter().map(offset).collect()
        })
    }

    fn delete_records(&mut self, before: &[(TopicPartition, Offset)], until: Deadline) -> Result<(), ClientError> {
        self.client.request(Api::DeleteRecords, until, |state, _| {
            let mut first_error = None;
            for (partition, offset) in before {
                if let Err(error) = delete_before(state, partition, *offset) {
                    first_error.get_or_insert(error);
                }
            }
            first_error.map_or(Ok(()), Err)
        })
    }
}

fn delete_before(
    state: &mut crate::cluster::State,
    partition: &TopicPartition,
    offset: Offset,
) -> Result<(), ClientError> {
    let unknown = || ClientError::UnknownTopic { topic: partition.topic.clone() };
    let topic = state.topics.get_mut(&partition.topic).ok_or_else(unknown)?;
    if !topic.allows_delete_records() {
        let message = format!("records of {partition} cannot be deleted: cleanup.policy is not delete");
        return Err(refused(POLICY_VIOLATION, message));
    }
    let log = topic.partition_mut(partition.partition).ok_or_else(unknown)?;
    // -1 stands for the high watermark, as in Kafka.
    let offset = if offset == Offset::UNKNOWN { log.high_watermark() } else { offset };
    if offset.value() < 0 || offset > log.high_watermark() {
        return Err(ClientError::OffsetOutOfRange { partition: partition.clone(), offset });
    }
    log.delete_before(offset);
    Ok(())
}
