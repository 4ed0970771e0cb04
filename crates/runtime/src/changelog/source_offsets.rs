//! How far the application has read topics that serve as changelogs.

use std::fmt;

use headwater_client::{ClientError, GroupMembership};
use headwater_record::{Deadline, Offset, TopicPartition};

/// Tells the committed offsets of the application.
pub trait SourceOffsets: Send {
    /// The next offset to read of each partition, in the order of `partitions`; `None` where nothing was committed.
    ///
    /// # Errors
    /// As [`GroupMembership::committed_offsets`].
    fn committed(&mut self, partitions: &[TopicPartition], until: Deadline)
    -> Result<Vec<Option<Offset>>, ClientError>;
}

/// The committed offsets of a group, asked for over a connection that is used for nothing else.
pub struct GroupOffsets {
    group: String,
    connection: Box<dyn GroupMembership>,
}

impl GroupOffsets {
    /// Of `group`.
    pub fn new(group: impl Into<String>, connection: Box<dyn GroupMembership>) -> Self {
        GroupOffsets { group: group.into(), connection }
    }
}

impl fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOffsets").field("group", &self.group).finish_non_exhaustive()
    }
}

impl SourceOffsets for GroupOffsets {
    fn committed(
        &mut self,
        partitions: &[TopicPartition],
        until: Deadline,
    ) -> Result<Vec<Option<Offset>>, ClientError> {
        let committed = self.connection.committed_offsets(&self.group, partitions, true, until)?;
        Ok(committed.into_iter().map(|committed| committed.map(|committed| committed.offset)).collect())
    }
}
