//! A connection to the coordinator.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{
    ClientConfig, ClientError, CommittedOffset, GroupError, GroupIdentity, GroupMembership, GroupRequest,
    GroupResponse, KeepAlive, Lease, OffsetCommit,
};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use crate::client::Client;
use crate::cluster::{Shared, State};
use crate::fault::{Api, Verdict, lost};
use crate::group::{Effects, Token};
use crate::leases::Leased;

/// Nobody's connection: answers to it are lost.
const NOBODY: Token = Token(0);

/// Heartbeats that are sent for the caller.
#[derive(Debug)]
struct Kept {
    heartbeats: KeepAlive,
    next: Timestamp,
}

/// [`GroupMembership`] of the in-process cluster.
#[derive(Debug)]
pub(crate) struct MemoryMembership {
    client: Client,
    group: String,
    token: Token,
    kept: Option<Kept>,
    lease: Lease,
    /// When it last asked something, and, of a join, how long a session and a rebalance may last.
    asked: Timestamp,
    terms: (Duration, Duration),
    /// Answers that are under way, and when they come.
    late: VecDeque<(Timestamp, GroupResponse)>,
}

impl MemoryMembership {
    pub(crate) fn new(shared: Arc<Shared>, group: &str, config: &ClientConfig) -> Self {
        let lease = Lease::new(Arc::clone(&shared.clock));
        let token = shared.lock().connect();
        let client = Client::new(shared, config, "consumer");
        let leased = Leased {
            lease: lease.clone(),
            client_id: client.id.clone(),
            group: group.to_owned(),
            identity: GroupIdentity::default(),
            kept_until: None,
            waits: false,
        };
        client.shared.lock().leases.insert(token, leased);
        MemoryMembership {
            asked: lease.now(),
            client,
            group: group.to_owned(),
            token,
            kept: None,
            lease,
            terms: Default::default(),
            late: VecDeque::new(),
        }
    }

    /// What an answer says of the member's place.
    fn note(&self, response: &GroupResponse) {
        let (lease, asked) = (&self.lease, self.asked);
        let mut state = self.client.shared.lock();
        if let Some(leased) = state.leases.get_mut(self.token) {
            leased.waits &= !matches!(response, GroupResponse::Join(_) | GroupResponse::Sync(_));
            if let GroupResponse::Join(Ok(joined)) = response {
                leased.identity = joined.identity.clone();
            }
        }
        match response {
            GroupResponse::Join(Ok(_)) => lease.granted(asked, self.terms.0, self.terms.1),
            GroupResponse::Sync(Ok(_)) => lease.confirmed(asked, false),
            GroupResponse::Heartbeat(answer) => lease.heartbeat(asked, answer),
            GroupResponse::Join(Err(error)) | GroupResponse::Sync(Err(error)) => lease.refused(error),
            GroupResponse::Leave(_) => {}
        }
    }
}

impl GroupMembership for MemoryMembership {
    fn submit(&mut self, request: GroupRequest) -> Result<(), ClientError> {
        let now = self.client.shared.clock.now();
        let mut state = self.client.shared.lock();
        state.advance(now);
        beat(&mut self.kept, &mut state, now, &self.client.id, &self.group, self.token, &self.lease);
        let api = api_of(&request);
        self.asked = now;
        if let Some(leased) = state.leases.get_mut(self.token) {
            leased.waits = matches!(request, GroupRequest::Join(_) | GroupRequest::Sync { .. });
        }
        match &request {
            GroupRequest::Join(join) => self.terms = (join.session_timeout, join.rebalance_timeout),
            GroupRequest::Leave { .. } => self.lease.end(),
            GroupRequest::Sync { .. } | GroupRequest::Heartbeat(_) => {}
        }
        match state.faults.verdict(api, &self.client.id) {
            Verdict::Pass | Verdict::Repeat(_) => {
                answer(&mut state, now, self.token, &self.client.id, &self.group, request);
            }
            Verdict::Fail(error) => state.deliver(vec![(self.token, failure(api, error))]),
            Verdict::Delay(_) => state.deliver(vec![(self.token, failure(api, lost(api)))]),
            Verdict::LoseResponse => {
                answer(&mut state, now, NOBODY, &self.client.id, &self.group, request);
                state.deliver(vec![(self.token, failure(api, lost(api)))]);
            }
        }
        drop(state);
        self.client.shared.notify();
        Ok(())
    }

    fn response(&mut self, until: Deadline) -> Option<GroupResponse> {
        let MemoryMembership { client, group, token, kept, lease, late, .. } = self;
        let attempt = |state: &mut State, now| {
            beat(kept, state, now, &client.id, group, *token, lease);
            let delay = state.faults.delay(&client.id);
            if delay.is_some() || !late.is_empty() {
                let due = delay.map_or(now, |delay| delay.due());
                let come = state.inbox(*token).into_iter().flat_map(|inbox| inbox.drain(..));
                late.extend(come.map(|response| (due, response)));
            }
            let response = match late.front() {
                Some((due, _)) if *due > now => None,
                Some(_) => late.pop_front().map(|(_, response)| response),
                None => state.inbox(*token).and_then(VecDeque::pop_front),
            };
            let goes_on = |kept: &&Kept| !kept.heartbeats.until.passed(kept.next);
            response.ok_or_else(|| kept.as_ref().filter(goes_on).map(|kept| kept.next))
        };
        let response = client.shared.wait_for(until, attempt);
        response.inspect(|response| self.note(response))
    }

    fn lease(&self) -> Lease {
        self.lease.clone()
    }

    fn keep_alive(&mut self, heartbeats: Option<KeepAlive>) {
        let now = self.client.shared.clock.now();
        let mut state = self.client.shared.lock();
        state.advance(now);
        let cut_off = state.faults.is_cut_off(&self.client.id);
        state.settle_leases(now);
        if let Some(leased) = state.leases.get_mut(self.token) {
            leased.kept_until = heartbeats.as_ref().map(|heartbeats| heartbeats.until.time());
            if let Some(heartbeats) = &heartbeats {
                leased.identity = heartbeats.identity.clone();
            }
        }
        if let Some(group) = state.groups.get_mut(&self.group) {
            if let Some(kept) = &self.kept {
                group.keep_alive(now, &kept.heartbeats.identity, None, cut_off);
            }
            if let Some(heartbeats) = &heartbeats {
                group.keep_alive(now, &heartbeats.identity, Some(heartbeats.until.time()), cut_off);
            }
        }
        // Those that are prolonged go on.
        let goes_on = |kept: &Kept, heartbeats: &KeepAlive| {
            (&kept.heartbeats.identity, kept.heartbeats.interval) == (&heartbeats.identity, heartbeats.interval)
        };
        self.kept = heartbeats.map(|heartbeats| {
            let due = self.kept.as_ref().filter(|kept| goes_on(kept, &heartbeats)).map(|kept| kept.next);
            Kept { next: due.unwrap_or_else(|| now.plus(heartbeats.interval)), heartbeats }
        });
    }

    fn commit_offsets(&mut self, commit: &OffsetCommit, until: Deadline) -> Result<(), ClientError> {
        let (group_id, asked) = (&self.group, self.lease.now());
        let committed = self.client.request(Api::OffsetCommit, until, |state, now| {
            for (partition, _) in &commit.offsets {
                state.log(partition)?;
            }
            if commit.identity.generation < 0 {
                return state.group_or_new(group_id).commit(now, commit);
            }
            match state.groups.get_mut(group_id) {
                Some(group) => group.commit(now, commit),
                None => Err(GroupError::IllegalGeneration.into()),
            }
        });
        match &committed {
            Ok(()) => self.lease.confirmed(asked, true),
            Err(error) => self.lease.refused(error),
        }
        committed
    }

    fn committed_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        until: Deadline,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        self.client.request(Api::OffsetFetch, until, |state, _| match state.groups.get(group) {
            Some(group) => Ok(group.committed_of(partitions, require_stable)?),
            None => Ok(vec![None; partitions.len()]),
        })
    }
}

impl Drop for MemoryMembership {
    fn drop(&mut self) {
        self.keep_alive(None);
        self.client.shared.lock().disconnect(self.token);
    }
}

/// What the coordinator does with a request that arrives.
fn answer(state: &mut State, now: Timestamp, token: Token, client_id: &str, group_id: &str, request: GroupRequest) {
    let mut effects = Effects::new();
    let unknown = || ClientError::Group(GroupError::UnknownMember);
    match request {
        GroupRequest::Join(request) if request.identity.member_id.is_empty() => {
            state.group_or_new(group_id).join(now, token, client_id, &request, &mut effects);
        }
        request => match (state.groups.get_mut(group_id), request) {
            (Some(group), GroupRequest::Join(request)) => group.join(now, token, client_id, &request, &mut effects),
            (Some(group), GroupRequest::Sync { identity, protocol_type, protocol, assignments }) => {
                group.sync(now, token, &identity, (&protocol_type, &protocol), &assignments, &mut effects);
            }
            (Some(group), GroupRequest::Heartbeat(identity)) => {
                let result = group.heartbeat(now, &identity).map_err(ClientError::from);
                effects.push((token, GroupResponse::Heartbeat(result)));
            }
            (Some(group), GroupRequest::Leave { identity, .. }) => {
                let result = group.leave(now, &identity, &mut effects).map_err(ClientError::from);
                effects.push((token, GroupResponse::Leave(result)));
            }
            (None, request) => effects.push((token, failure(api_of(&request), unknown()))),
        },
    }
    state.deliver(effects);
}

/// Sends the heartbeat that is due by now, if one is; only failures are told, and the same one not twice in a row.
fn beat(
    kept: &mut Option<Kept>,
    state: &mut State,
    now: Timestamp,
    client_id: &str,
    group_id: &str,
    token: Token,
    lease: &Lease,
) {
    state.settle_leases(now);
    let Some(kept) = kept.as_mut().filter(|kept| now >= kept.next && !kept.heartbeats.until.passed(now)) else {
        return;
    };
    kept.next = now.plus(kept.heartbeats.interval.max(Duration::from_millis(1)));
    let identity = &kept.heartbeats.identity;
    let result = match state.faults.verdict(Api::Heartbeat, client_id) {
        Verdict::Fail(error) => Err(error),
        Verdict::LoseResponse | Verdict::Delay(_) => Err(lost(Api::Heartbeat)),
        Verdict::Pass | Verdict::Repeat(_) => heartbeat(state, now, group_id, identity),
    };
    lease.heartbeat(now, &result);
    if let Err(error) = result
        && let Some(inbox) = state.inbox(token)
        && !matches!(inbox.back(), Some(GroupResponse::Heartbeat(Err(last))) if *last == error)
    {
        inbox.push_back(GroupResponse::Heartbeat(Err(error)));
    }
}

fn heartbeat(state: &mut State, now: Timestamp, group_id: &str, identity: &GroupIdentity) -> Result<(), ClientError> {
    let group = state.groups.get_mut(group_id).ok_or(GroupError::UnknownMember)?;
    Ok(group.heartbeat(now, identity)?)
}

fn api_of(request: &GroupRequest) -> Api {
    match request {
        GroupRequest::Join(_) => Api::JoinGroup,
        GroupRequest::Sync { .. } => Api::SyncGroup,
        GroupRequest::Heartbeat(_) => Api::Heartbeat,
        GroupRequest::Leave { .. } => Api::LeaveGroup,
    }
}

fn failure(api: Api, error: ClientError) -> GroupResponse {
    match api {
        Api::JoinGroup => GroupResponse::Join(Err(error)),
        Api::SyncGroup => GroupResponse::Sync(Err(error)),
        Api::LeaveGroup => GroupResponse::Leave(Err(error)),
        _ => GroupResponse::Heartbeat(Err(error)),
    }
}
