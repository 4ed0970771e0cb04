//! Topics: their settings and their partitions.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_client::{ClientError, NewTopic};
use headwater_record::{Offset, Partition, Timestamp, Topic};

use crate::partition_log::{BatchIdentity, PartitionLog};
use crate::payload::Payload;

const INVALID_TOPIC: i16 = 17;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_CONFIG: i16 = 40;
const INVALID_RECORD: i16 = 87;
/// The longest topic name.
const MAX_NAME_LENGTH: usize = 249;
/// The broker's default of `max.message.bytes`.
const MAX_MESSAGE_BYTES: usize = 1_048_588;

/// One topic.
#[derive(Debug)]
pub(crate) struct TopicState {
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) partitions: Vec<PartitionLog>,
    /// Where the next record without a key goes.
    pub(crate) turn: Partition,
    is_compacted: bool,
    is_deleted_by_age: bool,
    log_append_time: bool,
    max_message_bytes: usize,
}

impl TopicState {
    /// Checks what is asked for as the broker does.
    ///
    /// # Errors
    /// [`ClientError::Broker`] with Kafka's code for a name, a number of partitions or a setting that cannot be.
    pub(crate) fn new(wanted: &NewTopic, default_partitions: Partition) -> Result<Self, ClientError> {
        check_name(&wanted.topic)?;
        let count = if wanted.partitions == -1 { default_partitions } else { wanted.partitions };
        if count < 1 {
            return Err(refused(INVALID_PARTITIONS, "a topic has at least one partition".into()));
        }
        let policy = wanted.configs.get("cleanup.policy").map_or("delete", String::as_str);
        let policies: Vec<&str> = policy.split(',').map(str::trim).collect();
        if let Some(unknown) = policies.iter().find(|policy| !["delete", "compact"].contains(policy)) {
            return Err(refused(INVALID_CONFIG, format!("cleanup.policy cannot be {unknown:?}")));
        }
        let max_message_bytes = match wanted.configs.get("max.message.bytes") {
            None => MAX_MESSAGE_BYTES,
            Some(value) => {
                value.parse().map_err(|_| refused(INVALID_CONFIG, format!("max.message.bytes cannot be {value:?}")))?
            }
        };
        Ok(TopicState {
            configs: wanted.configs.clone(),
            partitions: (0..count).map(|_| PartitionLog::default()).collect(),
            turn: 0,
            is_compacted: policies.contains(&"compact"),
            is_deleted_by_age: policies.contains(&"delete"),
            log_append_time: wanted.configs.get("message.timestamp.type").is_some_and(|v| v == "LogAppendTime"),
            max_message_bytes,
        })
    }

    /// Adds partitions, so that there are `count`.
    pub(crate) fn widen(&mut self, count: Partition) -> Result<(), ClientError> {
        let has = self.partition_count();
        if count <= has {
            return Err(refused(INVALID_PARTITIONS, format!("the topic has {has} partitions: {count} is not more")));
        }
        self.partitions.extend((has..count).map(|_| PartitionLog::default()));
        Ok(())
    }

    pub(crate) fn partition_count(&self) -> Partition {
        self.partitions.len() as Partition
    }

    pub(crate) fn partition(&self, partition: Partition) -> Option<&PartitionLog> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, partition: Partition) -> Option<&mut PartitionLog> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// Whether only the last record of each key need stay.
    pub(crate) fn is_compacted(&self) -> bool {
        self.is_compacted
    }

    /// Whether the broker allows `DeleteRecords`: not where the policy is only to compact.
    pub(crate) fn allows_delete_records(&self) -> bool {
        self.is_deleted_by_age
    }

    /// Appends a batch as the broker does, checks included.
    ///
    /// # Errors
    /// [`ClientError::RecordTooLarge`], [`ClientError::UnknownTopic`], `INVALID_RECORD` (87) for a record without a key in a
    /// compacted topic, and as [`PartitionLog::append`].
    pub(crate) fn append(
        &mut self,
        topic: &Topic,
        partition: Partition,
        payload: &Arc<Payload>,
        now: Timestamp,
        identity: Option<BatchIdentity>,
    ) -> Result<Offset, ClientError> {
        if payload.largest_record() > self.max_message_bytes {
            return Err(ClientError::RecordTooLarge { topic: topic.clone(), bytes: payload.largest_record() });
        }
        if self.is_compacted && payload.has_null_key() {
            let message = format!("topic {topic} is compacted, so its records must have a key");
            return Err(refused(INVALID_RECORD, message));
        }
        let append_time = self.log_append_time.then(|| now.millis());
        self.partition_mut(partition).ok_or_else(|| ClientError::UnknownTopic { topic: topic.clone() })?.append(
            payload,
            append_time,
            identity,
        )
    }
}

fn check_name(topic: &Topic) -> Result<(), ClientError> {
    let name = topic.as_str();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name == "." || name == ".." || name.len() > MAX_NAME_LENGTH || !name.chars().all(legal) {
        let message = format!(
            "{name:?} cannot be a topic's name: use ASCII letters, digits, '.', '_' and '-', at most {MAX_NAME_LENGTH} of them"
        );
        return Err(refused(INVALID_TOPIC, message));
    }
    Ok(())
}

/// A refusal that asking again does not change.
pub(crate) fn refused(code: i16, message: String) -> ClientError {
    ClientError::Broker { code, message, retriable: false }
}
