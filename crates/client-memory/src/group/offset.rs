//! Committed offsets, and who may commit.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use headwater_client::{ClientError, CommittedOffset, GroupError, OffsetCommit};
use headwater_record::{Timestamp, TopicPartition};

use super::{Group, GroupState, broker_error};
use crate::partition_log::ProducerId;
use crate::transaction::TransactionEnd;

const OFFSET_METADATA_TOO_LARGE: i16 = 12;
/// The broker's default of `offset.metadata.max.bytes`.
const MAX_METADATA_BYTES: usize = 4096;

/// Offsets of one open transaction. `None` where somebody committed outside of it since: the later one counts.
pub(super) type Pending = BTreeMap<TopicPartition, Option<CommittedOffset>>;

impl Group {
    /// `OffsetCommit` (v9).
    ///
    /// # Errors
    /// [`ClientError::Group`] when who commits is not a member of the present generation.
    pub(crate) fn commit(&mut self, now: Timestamp, commit: &OffsetCommit) -> Result<(), ClientError> {
        self.validate_commit(commit)?;
        check_metadata(commit)?;
        if let Some(member) = self.member_mut(&commit.identity.member_id) {
            member.heard(now);
        }
        for pending in self.pending.values_mut() {
            for (partition, _) in &commit.offsets {
                pending.entry(partition.clone()).and_modify(|offset| *offset = None);
            }
        }
        self.committed.extend(commit.offsets.iter().cloned());
        Ok(())
    }

    /// `TxnOffsetCommit`: the offsets count when the producer's transaction is committed.
    ///
    /// # Errors
    /// As [`Group::commit`]; but between join and sync it is taken, and so is one of no member and no generation. It is no sign of life.
    pub(crate) fn commit_in_transaction(
        &mut self,
        producer: ProducerId,
        commit: &OffsetCommit,
    ) -> Result<(), ClientError> {
        let identity = &commit.identity;
        let of_nobody =
            identity.member_id.is_empty() && identity.instance_id.is_none() || self.state == GroupState::Empty;
        if identity.generation >= 0 || !of_nobody {
            self.validate_generation(identity)?;
        }
        check_metadata(commit)?;
        let offsets = commit.offsets.iter().cloned().map(|(partition, offset)| (partition, Some(offset)));
        self.pending.entry(producer).or_default().extend(offsets);
        Ok(())
    }

    /// The producer's transaction has ended.
    pub(crate) fn end_transaction(&mut self, producer: ProducerId, end: TransactionEnd) {
        let pending = self.pending.remove(&producer).unwrap_or_default();
        if end == TransactionEnd::Commit {
            let counts = pending.into_iter().filter_map(|(partition, offset)| Some((partition, offset?)));
            self.committed.extend(counts);
        }
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
    ///
    /// # Errors
    /// [`GroupError::UnstableOffsets`] with `require_stable`, while an open transaction may change one of them.
    pub(crate) fn committed_of(
        &self,
        partitions: &[TopicPartition],
        require_stable: bool,
    ) -> Result<Vec<Option<CommittedOffset>>, GroupError> {
        let is_pending = |partition| self.pending.values().any(|pending| pending.contains_key(partition));
        if require_stable && partitions.iter().any(is_pending) {
            return Err(GroupError::UnstableOffsets);
        }
        Ok(partitions.iter().map(|partition| self.committed.get(partition).cloned()).collect())
    }

    /// Forgets the offsets of a deleted topic.
    pub(crate) fn forget_topic(&mut self, topic: &headwater_record::Topic) {
        self.committed.retain(|partition, _| partition.topic != *topic);
        for pending in self.pending.values_mut() {
            pending.retain(|partition, _| partition.topic != *topic);
        }
    }
}

fn check_metadata(commit: &OffsetCommit) -> Result<(), ClientError> {
    if commit.offsets.iter().any(|(_, committed)| committed.metadata.len() > MAX_METADATA_BYTES) {
        return Err(broker_error(OFFSET_METADATA_TOO_LARGE, "an offset's metadata is over 4096 bytes"));
    }
    Ok(())
}
