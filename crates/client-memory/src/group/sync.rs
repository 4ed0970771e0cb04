//! What members ask once they have joined: their assignment, whether all is well, and to go.
#![forbid(unsafe_code)]

use headwater_client::{GroupError, GroupIdentity, GroupResponse};
use headwater_record::Timestamp;

use super::member::KeptAlive;
use super::{Effects, Group, GroupState, Token};

impl Group {
    /// `SyncGroup`. A follower's answer waits for the leader's assignment.
    pub(crate) fn sync(
        &mut self,
        now: Timestamp,
        token: Token,
        identity: &GroupIdentity,
        protocol: (&str, &str),
        assignments: &[(String, Vec<u8>)],
        out: &mut Effects,
    ) {
        match self.try_sync(now, token, identity, protocol, assignments, out) {
            Ok(None) => {}
            Ok(Some(assignment)) => out.push((token, GroupResponse::Sync(Ok(assignment)))),
            Err(error) => out.push((token, GroupResponse::Sync(Err(error.into())))),
        }
    }

    fn try_sync(
        &mut self,
        now: Timestamp,
        token: Token,
        identity: &GroupIdentity,
        (protocol_type, protocol): (&str, &str),
        assignments: &[(String, Vec<u8>)],
        out: &mut Effects,
    ) -> Result<Option<Vec<u8>>, GroupError> {
        self.validate_generation(identity)?;
        if protocol_type != self.protocol_type || protocol != self.protocol {
            return Err(GroupError::InconsistentProtocol);
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Stable => {
                self.pending_sync.remove(&identity.member_id);
                Ok(self.member_mut(&identity.member_id).map(|member| {
                    member.heard(now);
                    member.assignment.clone()
                }))
            }
            GroupState::CompletingRebalance => {
                self.pending_sync.remove(&identity.member_id);
                if let Some(member) = self.member_mut(&identity.member_id) {
                    member.syncing = Some(token);
                }
                if self.is_leader(&identity.member_id) {
                    self.assign(now, assignments, out);
                }
                Ok(None)
            }
        }
    }

    /// The leader has decided.
    fn assign(&mut self, now: Timestamp, assignments: &[(String, Vec<u8>)], out: &mut Effects) {
        self.state = GroupState::Stable;
        for member in &mut self.members {
            let assigned = assignments.iter().find(|(id, _)| *id == member.id);
            member.assignment = assigned.map(|(_, bytes)| bytes.clone()).unwrap_or_default();
            if let Some(waiting) = member.syncing.take() {
                member.heard(now);
                out.push((waiting, GroupResponse::Sync(Ok(member.assignment.clone()))));
            }
        }
    }

    /// `Heartbeat`.
    ///
    /// # Errors
    /// [`GroupError::RebalanceInProgress`] while a rebalance is prepared, and when the member is none.
    pub(crate) fn heartbeat(&mut self, now: Timestamp, identity: &GroupIdentity) -> Result<(), GroupError> {
        self.validate_generation(identity)?;
        if let Some(member) = self.member_mut(&identity.member_id) {
            member.heard(now);
        }
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => Ok(()),
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::Empty | GroupState::Dead => Err(GroupError::UnknownMember),
        }
    }

    /// `LeaveGroup`.
    ///
    /// # Errors
    /// When the member is none.
    pub(crate) fn leave(
        &mut self,
        now: Timestamp,
        identity: &GroupIdentity,
        out: &mut Effects,
    ) -> Result<(), GroupError> {
        self.validate_member(identity)?;
        self.remove(now, &identity.member_id, out);
        Ok(())
    }

    /// Takes a member out, which starts a rebalance among the others or lets one end.
    pub(super) fn remove(&mut self, now: Timestamp, id: &str, out: &mut Effects) {
        let Some(index) = self.members.iter().position(|member| member.id == id) else {
            return;
        };
        let member = self.members.remove(index);
        if let Some(waiting) = member.joining {
            out.push((waiting, GroupResponse::Join(Err(GroupError::UnknownMember.into()))));
        }
        if let Some(waiting) = member.syncing {
            out.push((waiting, GroupResponse::Sync(Err(GroupError::UnknownMember.into()))));
        }
        self.pending_sync.remove(id);
        if self.is_leader(id) {
            self.leader = self.members.first().map(|first| first.id.clone());
        }
        self.rebalance_or_complete(now, out);
    }

    /// The member's client sends heartbeats by itself until `until`, or, with `None`, no longer. When it is cut off, none gets
    /// through for the time being.
    pub(crate) fn keep_alive(
        &mut self,
        now: Timestamp,
        identity: &GroupIdentity,
        until: Option<Timestamp>,
        cut_off: bool,
    ) {
        if self.validate_generation(identity).is_err() {
            return;
        }
        if let Some(member) = self.member_mut(&identity.member_id) {
            member.settle_kept_alive(now);
            if until.is_some() && !cut_off {
                member.heard(now);
            }
            member.kept_alive = until.map(|until| KeptAlive { until, cut_off });
        }
    }

    /// Heartbeats of this client (all clients when `None`) get through again, or do so no longer.
    pub(crate) fn connect(&mut self, now: Timestamp, client_id: Option<&str>, connected: bool) {
        for member in &mut self.members {
            if client_id.is_none_or(|client_id| member.client_id == client_id) {
                member.settle_kept_alive(now);
                if let Some(kept) = &mut member.kept_alive {
                    if connected && kept.cut_off {
                        member.last_heard = member.last_heard.max(now.min(kept.until));
                    }
                    kept.cut_off = !connected;
                }
            }
        }
    }
}
