//! Joining: who takes part in the next generation.
#![forbid(unsafe_code)]

use headwater_client::{GroupError, GroupResponse, JoinRequest, Joined};
use headwater_record::Timestamp;

use super::{Effects, Group, GroupState, Member, Rebalance, Token, broker_error};

const INVALID_SESSION_TIMEOUT: i16 = 26;

impl Group {
    /// `JoinGroup`. The answer may wait for the other members.
    pub(crate) fn join(
        &mut self,
        now: Timestamp,
        token: Token,
        client_id: &str,
        request: &JoinRequest,
        out: &mut Effects,
    ) {
        let timeouts = self.settings.min_session_timeout..=self.settings.max_session_timeout;
        if !timeouts.contains(&request.session_timeout) {
            let message = "session.timeout.ms is not between the broker's group.min and group.max.session.timeout.ms";
            out.push((token, GroupResponse::Join(Err(broker_error(INVALID_SESSION_TIMEOUT, message)))));
            return;
        }
        let is_new = request.identity.member_id.is_empty();
        let answer = if is_new && self.members.len() >= self.settings.max_size {
            Err(GroupError::Full)
        } else if !self.supports_protocols(request) {
            Err(GroupError::InconsistentProtocol)
        } else if is_new {
            Ok(self.join_new(now, token, client_id, request, out))
        } else {
            self.join_again(now, token, request, out)
        };
        match answer {
            Ok(None) => {}
            Ok(Some(joined)) => out.push((token, GroupResponse::Join(Ok(joined)))),
            Err(error) => out.push((token, GroupResponse::Join(Err(error.into())))),
        }
    }

    /// The members must share a protocol with who joins.
    fn supports_protocols(&self, request: &JoinRequest) -> bool {
        let offered = |name: &str| request.protocols.iter().any(|(offered, _)| offered == name);
        let others = || self.members.iter().filter(|member| member.id != request.identity.member_id);
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return false;
        }
        let Some(one) = others().next() else {
            return true;
        };
        self.protocol_type == request.protocol_type
            && one.protocols.iter().any(|(name, _)| offered(name) && others().all(|m| m.metadata(name).is_some()))
    }

    fn join_new(
        &mut self,
        now: Timestamp,
        token: Token,
        client_id: &str,
        request: &JoinRequest,
        out: &mut Effects,
    ) -> Option<Joined> {
        self.members_ever += 1;
        let instance_id = request.identity.instance_id.as_deref();
        let id = format!("{}-{:06}", instance_id.unwrap_or(client_id), self.members_ever);
        let replaced = instance_id.and_then(|instance_id| self.static_member(instance_id)).map(|old| old.id.clone());
        if let Some(old) = replaced {
            return self.replace_static(now, &old, id, token, request, out);
        }
        let mut member = Member::new(id, client_id, request, now);
        member.joining = Some(token);
        if self.members.is_empty() {
            self.protocol_type.clone_from(&request.protocol_type);
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.members.push(member);
        if let Some(rebalance) = &mut self.rebalance {
            rebalance.member_added = true;
        }
        self.rebalance_or_complete(now, out);
        None
    }

    /// A static member came back under its instance id: its place and assignment are the new one's, the old one is fenced.
    fn replace_static(
        &mut self,
        now: Timestamp,
        old: &str,
        id: String,
        token: Token,
        request: &JoinRequest,
        out: &mut Effects,
    ) -> Option<Joined> {
        let was_leader = self.is_leader(old);
        self.pending_sync.remove(old);
        let member = self.member_mut(old)?;
        if let Some(waiting) = member.joining.take() {
            out.push((waiting, GroupResponse::Join(Err(GroupError::FencedInstance.into()))));
        }
        if let Some(waiting) = member.syncing.take() {
            out.push((waiting, GroupResponse::Sync(Err(GroupError::FencedInstance.into()))));
        }
        member.id.clone_from(&id);
        member.kept_alive = None;
        member.heard(now);
        member.join_again(request, token);
        if was_leader {
            self.leader = Some(id.clone());
        }
        if self.state == GroupState::Stable && self.select_protocol() == self.protocol {
            let mut joined = self.present_generation(&id)?;
            joined.skip_assignment = was_leader;
            return Some(joined);
        }
        self.rebalance_or_complete(now, out);
        None
    }

    fn join_again(
        &mut self,
        now: Timestamp,
        token: Token,
        request: &JoinRequest,
        out: &mut Effects,
    ) -> Result<Option<Joined>, GroupError> {
        self.validate_member(&request.identity)?;
        let id = &request.identity.member_id;
        let same = self.member(id).is_some_and(|member| member.protocols == request.protocols);
        let unchanged = match self.state {
            GroupState::PreparingRebalance => false,
            // Its first answer may have been lost.
            GroupState::CompletingRebalance => same,
            // A leader that joins asks for a rebalance.
            GroupState::Stable => same && !self.is_leader(id),
            GroupState::Empty | GroupState::Dead => return Err(GroupError::UnknownMember),
        };
        if let Some(member) = self.member_mut(id) {
            member.heard(now);
        }
        if unchanged {
            return Ok(self.present_generation(id));
        }
        if let Some(member) = self.member_mut(id) {
            member.settle_kept_alive(now);
            member.join_again(request, token);
        }
        self.rebalance_or_complete(now, out);
        Ok(None)
    }

    /// What a member is told of the generation that there is.
    fn present_generation(&mut self, id: &str) -> Option<Joined> {
        let leads = self.is_leader(id);
        self.member_mut(id)?.joining = None;
        let member = self.member(id)?;
        Some(Joined {
            identity: self.identity_of(member),
            leader: self.leader.clone().unwrap_or_default(),
            protocol: self.protocol.clone(),
            members: if leads { self.subscriptions() } else { Vec::new() },
            skip_assignment: false,
        })
    }

    fn subscriptions(&self) -> Vec<(String, Option<String>, Vec<u8>)> {
        self.members
            .iter()
            .map(|member| {
                let metadata = member.metadata(&self.protocol).unwrap_or_default().to_vec();
                (member.id.clone(), member.instance_id.clone(), metadata)
            })
            .collect()
    }

    /// Starts a rebalance where none is under way, and ends it when everybody has joined.
    pub(super) fn rebalance_or_complete(&mut self, now: Timestamp, out: &mut Effects) {
        if self.rebalance.is_none() {
            self.prepare_rebalance(now, out);
        }
        let initial = self.rebalance.is_some_and(|rebalance| rebalance.initial_until.is_some());
        if !initial && self.members.iter().all(|member| member.joining.is_some()) {
            self.complete_join(now, out);
        }
    }

    fn prepare_rebalance(&mut self, now: Timestamp, out: &mut Effects) {
        self.sync_deadline = None;
        self.pending_sync.clear();
        for member in &mut self.members {
            if self.state == GroupState::CompletingRebalance {
                member.assignment.clear();
            }
            if let Some(waiting) = member.syncing.take() {
                member.last_heard = member.last_heard.max(now);
                out.push((waiting, GroupResponse::Sync(Err(GroupError::RebalanceInProgress.into()))));
            }
        }
        let whole = now.plus(self.rebalance_timeout());
        let delay = self.settings.initial_rebalance_delay;
        let initial = self.state == GroupState::Empty && !delay.is_zero();
        self.state = GroupState::PreparingRebalance;
        self.rebalance = Some(if initial {
            Rebalance { deadline: whole.min(now.plus(delay)), initial_until: Some(whole), member_added: false }
        } else {
            Rebalance { deadline: whole, initial_until: None, member_added: false }
        });
    }

    /// The rebalance has waited long enough.
    pub(super) fn rebalance_is_due(&mut self, now: Timestamp, out: &mut Effects) {
        let delay = self.settings.initial_rebalance_delay;
        if let Some(rebalance) = &mut self.rebalance
            && let Some(until) = rebalance.initial_until
            && std::mem::take(&mut rebalance.member_added)
            && now < until
        {
            rebalance.deadline = until.min(now.plus(delay));
            return;
        }
        self.complete_join(now, out);
    }

    /// The next generation is of those who have joined. Static members keep their place though they have not.
    fn complete_join(&mut self, now: Timestamp, out: &mut Effects) {
        self.members.retain(|member| member.joining.is_some() || member.instance_id.is_some());
        if !self.elect_leader() && !self.members.is_empty() {
            let deadline = now.plus(self.rebalance_timeout());
            self.rebalance = Some(Rebalance { deadline, initial_until: None, member_added: false });
            return;
        }
        self.rebalance = None;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.pending_sync.clear();
        if self.members.is_empty() {
            self.state = GroupState::Empty;
            self.protocol.clear();
            return;
        }
        self.protocol = self.select_protocol();
        self.state = GroupState::CompletingRebalance;
        self.sync_deadline = Some(now.plus(self.rebalance_timeout()));
        let ids: Vec<String> = self.members.iter().map(|member| member.id.clone()).collect();
        for id in ids {
            if let Some(member) = self.member_mut(&id) {
                member.is_new = false;
                member.kept_alive = None;
                member.heard(now);
                if let Some(waiting) = member.joining.take()
                    && let Some(joined) = self.present_generation(&id)
                {
                    out.push((waiting, GroupResponse::Join(Ok(joined))));
                }
            }
            self.pending_sync.insert(id);
        }
    }

    /// The leader stays if it has joined, else the first who has takes over.
    fn elect_leader(&mut self) -> bool {
        let joined = |member: &&Member| member.joining.is_some();
        let stays = self.leader.as_deref().and_then(|id| self.member(id)).filter(joined);
        let leader = stays.or_else(|| self.members.iter().find(joined)).map(|member| member.id.clone());
        let elected = leader.is_some();
        if elected || self.members.is_empty() {
            self.leader = leader;
        }
        elected
    }

    /// Of the protocols that all have, the one that most prefer; of equals, the first by name.
    fn select_protocol(&self) -> String {
        let common = |name: &str| self.members.iter().all(|member| member.metadata(name).is_some());
        let mut votes = std::collections::BTreeMap::<&str, usize>::new();
        for member in &self.members {
            if let Some((name, _)) = member.protocols.iter().find(|(name, _)| common(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max().unwrap_or_default();
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned()).unwrap_or_default()
    }
}
