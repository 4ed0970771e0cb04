//! Committed offsets, and who may commit.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, CommittedOffset, GroupError, OffsetCommit};
use headwater_record::{Timestamp, TopicPartition};

use super::{Group, GroupState, broker_error};

const OFFSET_METADATA_TOO_LARGE: i16 = 12;
/// The broker's default of `offset.metadata.max.bytes`.
const MAX_METADATA_BYTES: usize = 4096;

impl Group {
    /// `OffsetCommit` (v9).
    ///
    /// # Errors
    /// [`ClientError::Group`] when who commits is not a member of the present generation.
    pub(crate) fn commit(&mut self, now: Timestamp, commit: &OffsetCommit) -> Result<(), ClientError> {
        self.validate_commit(commit)?;
        if commit.offsets.iter().any(|(_, committed)| committed.metadata.len() > MAX_METADATA_BYTES) {
            return Err(broker_error(OFFSET_METADATA_TOO_LARGE, "an offset's metadata is over 4096 bytes"));
        }
        if let Some(member) = self.member_mut(&commit.identity.member_id) {
            member.heard(now);
        }
        self.committed.extend(commit.offsets.iter().cloned());
        Ok(())
    }

    fn validate_commit(&self, commit: &OffsetCommit) -> Result<(), GroupError> {
        if commit.identity.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        self.validate_generation(&commit.identity)?;
        if self.state == GroupState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// The committed offsets of `partitions`.
    pub(crate) fn committed_of(&self, partitions: &[TopicPartition]) -> Vec<Option<CommittedOffset>> {
        partitions.iter().map(|partition| self.committed.get(partition).cloned()).collect()
    }

    /// Forgets the offsets of a deleted topic.
    pub(crate) fn forget_topic(&mut self, topic: &headwater_record::Topic) {
        self.committed.retain(|partition, _| partition.topic != *topic);
    }
}
