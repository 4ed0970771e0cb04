//! What happens to a group as time passes. Nobody waits for it: every call first lets the past happen, in order.
#![forbid(unsafe_code)]

use headwater_record::Timestamp;

use super::{Effects, Group, GroupState};

impl Group {
    /// When something happens next if nobody calls.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let rebalance = self.rebalance.map(|rebalance| rebalance.deadline);
        let sessions = self.members.iter().filter_map(super::Member::expires_at);
        sessions.chain(rebalance).chain(self.sync_deadline).min()
    }

    /// Lets everything happen that was due up to `now`, each at its own time.
    pub(crate) fn advance(&mut self, now: Timestamp, out: &mut Effects) {
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            if self.rebalance.is_some_and(|rebalance| rebalance.deadline <= due) {
                self.rebalance_is_due(due, out);
            } else if let Some(id) = self.expired(due) {
                self.remove(due, &id, out);
            } else {
                self.expire_pending_sync(due, out);
            }
        }
    }

    fn expired(&self, now: Timestamp) -> Option<String> {
        let expired = |member: &&super::Member| member.expires_at().is_some_and(|at| at <= now);
        self.members.iter().find(expired).map(|member| member.id.clone())
    }

    /// Members that joined and never asked for their assignment are removed.
    fn expire_pending_sync(&mut self, now: Timestamp, out: &mut Effects) {
        self.sync_deadline = None;
        if matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable) {
            for id in std::mem::take(&mut self.pending_sync) {
                self.remove(now, &id, out);
            }
        }
    }
}
