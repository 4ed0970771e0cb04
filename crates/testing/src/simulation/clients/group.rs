//! A membership that may be struck, and whose commits are watched.

use headwater_client::{
    ClientError, CommittedOffset, GroupMembership, GroupRequest, GroupResponse, KeepAlive, Lease, OffsetCommit,
};
use headwater_record::{Deadline, TopicPartition};

use super::WatchedClients;
use crate::simulation::process::Call;
use crate::simulation::report::Kind;
use crate::simulation::stage;

pub(super) struct WatchedMembership {
    pub(super) inner: Box<dyn GroupMembership>,
    pub(super) of: WatchedClients,
}

/// Nobody commits what was not handed out to it.
pub(super) fn watch_offsets(of: &WatchedClients, offsets: &[(TopicPartition, CommittedOffset)]) {
    for (partition, committed) in offsets {
        if let Some(position) = of.process.position(partition)
            && committed.offset > position
        {
            let (name, offset) = (of.process.name(), committed.offset);
            let what = format!("{name} commits {offset} of {partition}, of which it read up to {position}");
            of.ledger.violated(Kind::CommittedOffset, what);
        }
    }
}

/// The offsets of a commit, for the trace.
pub(super) fn shown(offsets: &[(TopicPartition, CommittedOffset)]) -> String {
    let each = offsets.iter().map(|(partition, committed)| format!("{partition}={}", committed.offset));
    each.collect::<Vec<_>>().join(" ")
}

/// A request, for the trace.
fn told(request: &GroupRequest) -> String {
    match request {
        GroupRequest::Join(join) => {
            let why = join.reason.as_deref().unwrap_or("for no reason");
            format!("joins as {:?} of generation {}: {why}", join.identity.member_id, join.identity.generation)
        }
        GroupRequest::Sync { identity, .. } => format!("syncs as {:?}", identity.member_id),
        GroupRequest::Heartbeat(identity) => format!("beats as {:?}", identity.member_id),
        GroupRequest::Leave { identity, reason } => format!("leaves as {:?}: {reason}", identity.member_id),
    }
}

impl GroupMembership for WatchedMembership {
    fn submit(&mut self, request: GroupRequest) -> Result<(), ClientError> {
        let Self { inner, of } = self;
        of.call(Call::JoinOrSync, || {
            stage::tell(|| format!("{} {}", of.process.name(), told(&request)));
            inner.submit(request)
        })
    }

    fn response(&mut self, until: Deadline) -> Option<GroupResponse> {
        self.of.process.call(Call::Response, || self.inner.response(until)).flatten()
    }

    fn lease(&self) -> Lease {
        self.inner.lease()
    }

    fn keep_alive(&mut self, heartbeats: Option<KeepAlive>) {
        self.of.process.call(Call::KeepAlive, || self.inner.keep_alive(heartbeats));
    }

    fn commit_offsets(&mut self, commit: &OffsetCommit, until: Deadline) -> Result<(), ClientError> {
        let Self { inner, of } = self;
        of.call(Call::CommitOffsets, || {
            watch_offsets(of, &commit.offsets);
            let result = inner.commit_offsets(commit, until);
            stage::tell(|| format!("{} commits {}: {result:?}", of.process.name(), shown(&commit.offsets)));
            result
        })
    }

    fn committed_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        until: Deadline,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        self.of.call(Call::CommittedOffsets, || self.inner.committed_offsets(group, partitions, require_stable, until))
    }
}
