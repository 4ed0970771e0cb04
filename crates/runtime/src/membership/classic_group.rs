//! The steps of the classic protocol.

use std::time::Duration;

use headwater_client::{
    ClientError, ErrorClass, GroupError, GroupRequest, GroupResponse, JoinRequest, Joined, KeepAlive,
};
use headwater_record::{Deadline, Timestamp};

use super::received::{self, FollowUp};
use super::{
    Action, Event, LostReason, Membership, MembershipError, PROTOCOL, PROTOCOL_TYPE, Phase, Silence, renewal_of,
};
use crate::assignment::{AssignmentInfo, AssignorError, ConsumerAssignment, GroupView, Subscriber};

/// How much longer than the rebalance time-out an answer to a join or sync may take (Java's `JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_SLACK: Duration = Duration::from_secs(5);

impl Membership {
    pub(super) fn take(&mut self, now: Timestamp, event: Event, out: &mut Vec<Action>) {
        self.check_poll_interval(now, out);
        match event {
            Event::Subscribe { topics } => {
                let changed = self.topics != topics;
                self.topics = topics;
                if self.phase == Phase::Idle {
                    self.describe(out);
                } else if changed {
                    self.want_rejoin("the set of source topics changed", out);
                }
            }
            Event::Response(GroupResponse::Join(result)) => self.joined(now, result, out),
            Event::Response(GroupResponse::Sync(result)) => self.synced(now, result, out),
            Event::Response(GroupResponse::Heartbeat(result)) => self.heartbeat(now, result, out),
            Event::Response(GroupResponse::Leave(_)) => {
                if matches!(self.phase, Phase::Leaving { joining: false, .. }) {
                    self.left(out);
                }
            }
            Event::Tick => self.timers(now, out),
            Event::TasksDescribed { offset_sums } => {
                if self.phase == Phase::Describing {
                    self.join(now, self.described(offset_sums), out);
                }
            }
            Event::Revoked => {
                if let Phase::Revoking { assignment } = &mut self.phase {
                    let assignment = std::mem::take(assignment);
                    self.rejoin.get_or_insert_with(|| "need to revoke partitions and re-join".to_owned());
                    self.assigned(&assignment, out);
                }
            }
            Event::Planned { assignments } => {
                if self.phase == Phase::Planning {
                    self.sync(now, assignments, out);
                }
            }
            Event::CommitRefused(error) => self.refused(error, out),
            Event::Rejoin { reason } => self.want_rejoin(&reason, out),
            Event::ShutDownApplication => {
                self.shutdown = true;
                self.want_rejoin("the application is to close", out);
            }
            Event::Close { leave } => self.close(now, leave, out),
        }
    }

    /// A thread that was away for too long has lost its place, whatever the coordinator has noticed of it.
    fn check_poll_interval(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        let away = now.since(self.last_turn);
        self.last_turn = self.last_turn.max(now);
        let in_group = !matches!(self.phase, Phase::Idle | Phase::Leaving { .. } | Phase::Ended);
        if !in_group || away <= self.settings.max_poll_interval || self.identity.member_id.is_empty() {
            return;
        }
        match self.phase {
            Phase::Joining { .. } => self.stale_joins += 1,
            Phase::Syncing { .. } => self.stale_syncs += 1,
            _ => {}
        }
        if self.identity.instance_id.is_none() {
            let reason = "consumer poll timeout has expired".to_owned();
            out.push(Action::Send(GroupRequest::Leave { identity: self.identity.clone(), reason }));
        }
        self.lose(LostReason::PollIntervalExceeded, out);
    }

    /// Asks for another rebalance: now, or once the present one is through.
    fn want_rejoin(&mut self, reason: &str, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Stable => {
                self.rejoin = Some(reason.to_owned());
                self.describe(out);
            }
            // The join that is about to be sent will say what there is to say.
            Phase::Idle | Phase::Describing | Phase::Pausing { .. } | Phase::Leaving { .. } | Phase::Ended => {}
            Phase::Joining { .. } | Phase::Planning | Phase::Syncing { .. } | Phase::Revoking { .. } => {
                self.rejoin = Some(reason.to_owned());
            }
        }
    }

    fn describe(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Describing;
        self.follow_up = None;
        out.push(Action::DescribeTasks);
    }

    fn join(&mut self, now: Timestamp, subscription: Vec<u8>, out: &mut Vec<Action>) {
        self.unique = self.unique.wrapping_add(1);
        self.silence = None;
        self.keep_alive(None, out);
        out.push(Action::Send(GroupRequest::Join(JoinRequest {
            identity: self.identity.clone(),
            session_timeout: self.settings.session_timeout,
            rebalance_timeout: self.settings.max_poll_interval,
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![(PROTOCOL.to_owned(), subscription)],
            reason: self.rejoin.take(),
        })));
        self.phase = Phase::Joining { until: self.patience(now) };
    }

    /// Until when an answer that waits for other members may take.
    fn patience(&self, now: Timestamp) -> Timestamp {
        now.plus(self.settings.max_poll_interval + JOIN_SLACK)
    }

    fn joined(&mut self, now: Timestamp, result: Result<Joined, ClientError>, out: &mut Vec<Action>) {
        if self.stale_joins > 0 {
            self.stale_joins -= 1;
            return;
        }
        if let Phase::Leaving { until, joining: true } = self.phase {
            match result {
                Ok(joined) => {
                    self.phase = Phase::Leaving { until, joining: false };
                    self.identity = joined.identity;
                    self.leave(out);
                }
                // There is nothing to leave.
                Err(_) => self.left(out),
            }
            return;
        }
        if !matches!(self.phase, Phase::Joining { .. }) {
            return;
        }
        match result {
            Err(error) => self.failed(now, error, out),
            Ok(joined) if joined.protocol != PROTOCOL => {
                self.identity = joined.identity;
                self.fail(MembershipError::Refused(GroupError::InconsistentProtocol.into()), out);
            }
            Ok(joined) => {
                self.identity = joined.identity.clone();
                self.leads = joined.is_leader();
                self.keep_alive(Some(now), out);
                if joined.is_leader() && !joined.skip_assignment {
                    self.lead(joined, out);
                } else {
                    self.sync(now, Vec::new(), out);
                }
            }
        }
    }

    fn lead(&mut self, joined: Joined, out: &mut Vec<Action>) {
        let members = joined.members.into_iter();
        let decoded: Result<Vec<_>, _> =
            members.map(|(id, instance, metadata)| Subscriber::decode(id, instance, &metadata)).collect();
        match decoded {
            Err(error) => self.fail(error.into(), out),
            Ok(mut members) => {
                members.sort_by(|one, other| one.member_id.cmp(&other.member_id));
                self.phase = Phase::Planning;
                out.push(Action::RunAssignor(GroupView { leader_process: self.settings.process_id, members }));
            }
        }
    }

    fn sync(&mut self, now: Timestamp, assignments: Vec<(String, Vec<u8>)>, out: &mut Vec<Action>) {
        out.push(Action::Send(GroupRequest::Sync {
            identity: self.identity.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocol: PROTOCOL.to_owned(),
            assignments,
        }));
        self.phase = Phase::Syncing { until: self.patience(now) };
    }

    fn synced(&mut self, now: Timestamp, result: Result<Vec<u8>, ClientError>, out: &mut Vec<Action>) {
        if self.stale_syncs > 0 {
            self.stale_syncs -= 1;
            return;
        }
        if !matches!(self.phase, Phase::Syncing { .. }) {
            return;
        }
        let bytes = match result {
            Ok(bytes) => bytes,
            Err(ClientError::Group(GroupError::RebalanceInProgress)) => {
                self.rejoin = Some("the group began another rebalance".to_owned());
                return self.describe(out);
            }
            Err(error) => return self.failed(now, error, out),
        };
        match ConsumerAssignment::decode(&bytes) {
            Err(error) => self.fail(error.into(), out),
            Ok(assignment) => {
                let stay = assignment.partitions.iter().collect::<std::collections::BTreeSet<_>>();
                let go = self.owned.iter().filter(|partition| !stay.contains(partition)).cloned();
                let partitions: std::collections::BTreeSet<_> = go.collect();
                if partitions.is_empty() {
                    self.assigned(&assignment, out);
                } else {
                    self.phase = Phase::Revoking { assignment };
                    out.push(Action::Revoke { partitions });
                }
            }
        }
    }

    /// The round is through: nothing is left that is not in the assignment.
    fn assigned(&mut self, assignment: &ConsumerAssignment, out: &mut Vec<Action>) {
        let user_data = assignment.user_data.as_deref().unwrap_or_default();
        let info = match AssignmentInfo::decode(user_data) {
            Ok(info) => info,
            Err(error) => return self.fail(error.into(), out),
        };
        match AssignorError::from_code(info.error_code) {
            Err(error) => return self.fail(error.into(), out),
            Ok(Some(error)) if error != AssignorError::VersionProbing => {
                self.owned = assignment.partitions.iter().cloned().collect();
                return self.fail(received::error(error, &info, &self.topics), out);
            }
            Ok(_) => {}
        }
        let (tasks, follow_up) = match received::interpret(&self.settings, &mut self.version, assignment, info) {
            Ok(understood) => understood,
            Err(error) => return self.fail(error.into(), out),
        };
        self.owned = assignment.partitions.iter().cloned().collect();
        self.phase = Phase::Stable;
        out.push(Action::Assign(tasks));
        match follow_up {
            FollowUp::None => self.follow_up = None,
            FollowUp::At(at) => self.follow_up = Some(at),
            // At once, it could come before those whose tasks this member waits for have synced: they would be told of a rebalance
            // instead of their assignment, give nothing up, and the next round would be as this one, for ever.
            FollowUp::Soon => self.follow_up = Some(self.last_turn.plus(self.settings.retry_backoff)),
            FollowUp::Now(reason) => {
                self.rejoin.get_or_insert_with(|| reason.to_owned());
            }
        }
        if self.rejoin.is_some() {
            self.describe(out);
        }
    }

    fn heartbeat(&mut self, now: Timestamp, result: Result<(), ClientError>, out: &mut Vec<Action>) {
        match result {
            Ok(()) => self.silence = None,
            Err(ClientError::Group(error)) => {
                self.silence = None;
                // While it joins, its answer may be about the generation before.
                if !matches!(self.phase, Phase::Describing | Phase::Joining { .. } | Phase::Pausing { .. })
                    || error == GroupError::FencedInstance
                {
                    self.refused(error, out);
                }
            }
            Err(error) if error.class() == ErrorClass::Retriable => {
                let next_probe = now.plus(self.settings.heartbeat_interval);
                let since = self.silence.map_or(now, |silence| silence.since);
                if self.kept_alive_until.is_some() {
                    self.silence = Some(Silence { since, next_probe });
                }
            }
            Err(error) => self.refuse_for_good(error, out),
        }
    }

    /// The coordinator said so of a heartbeat or a commit.
    fn refused(&mut self, error: GroupError, out: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Idle | Phase::Leaving { .. } | Phase::Ended) {
            return;
        }
        match error {
            GroupError::RebalanceInProgress => {
                if matches!(self.phase, Phase::Stable | Phase::Revoking { .. }) {
                    self.want_rejoin("group is already rebalancing", out);
                }
            }
            GroupError::UnstableOffsets | GroupError::Unconfirmed => {}
            GroupError::UnknownMember => self.lose_unless_joining(LostReason::UnknownMember, out),
            GroupError::IllegalGeneration | GroupError::StaleEpoch => {
                self.lose_unless_joining(LostReason::IllegalGeneration, out);
            }
            other => self.refuse_for_good(other.into(), out),
        }
    }

    /// A join that is under way will be answered, and must not be sent twice.
    fn lose_unless_joining(&mut self, reason: LostReason, out: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Joining { .. }) {
            self.drop_tasks(reason, out);
        } else {
            self.lose(reason, out);
        }
    }

    /// A join or a sync failed.
    fn failed(&mut self, now: Timestamp, error: ClientError, out: &mut Vec<Action>) {
        match error {
            ClientError::Group(GroupError::UnknownMember) => self.lose(LostReason::UnknownMember, out),
            ClientError::Group(GroupError::IllegalGeneration | GroupError::StaleEpoch) => {
                self.lose(LostReason::IllegalGeneration, out);
            }
            error if error.class() == ErrorClass::Retriable => {
                self.phase = Phase::Pausing { until: now.plus(self.settings.retry_backoff) };
            }
            error => self.refuse_for_good(error, out),
        }
    }

    /// The place is lost: the tasks are gone, and the member joins anew.
    fn lose(&mut self, reason: LostReason, out: &mut Vec<Action>) {
        self.identity.generation = -1;
        self.leads = false;
        if reason != LostReason::IllegalGeneration {
            self.identity.member_id.clear();
        }
        self.drop_tasks(reason, out);
        self.keep_alive(None, out);
        self.silence = None;
        self.rejoin = Some(reason.to_string());
        self.describe(out);
    }

    fn drop_tasks(&mut self, reason: LostReason, out: &mut Vec<Action>) {
        if !self.owned.is_empty() {
            self.owned.clear();
            out.push(Action::Lost(reason));
        }
    }

    fn refuse_for_good(&mut self, error: ClientError, out: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Idle | Phase::Leaving { .. } | Phase::Ended) {
            if error == ClientError::Group(GroupError::FencedInstance) {
                // The place is another's now, who must not be made to leave.
                self.identity.member_id.clear();
            }
            self.fail(MembershipError::Refused(error), out);
        }
    }

    fn fail(&mut self, error: MembershipError, out: &mut Vec<Action>) {
        self.keep_alive(None, out);
        self.silence = None;
        self.phase = Phase::Ended;
        out.push(Action::Fail(error));
    }

    fn timers(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        match self.phase {
            Phase::Pausing { until } if now >= until => self.describe(out),
            Phase::Joining { until } | Phase::Syncing { until } if now >= until => {
                // Its answer may still come, and is none to what is sent next.
                let request = if matches!(self.phase, Phase::Joining { .. }) {
                    self.stale_joins += 1;
                    "JoinGroup"
                } else {
                    self.stale_syncs += 1;
                    "SyncGroup"
                };
                self.failed(now, ClientError::TimedOut { request: request.to_owned() }, out);
            }
            Phase::Leaving { until, .. } if now >= until => self.left(out),
            Phase::Stable if self.follow_up.is_some_and(|at| now >= at) => {
                self.want_rejoin("Scheduled probing rebalance", out);
            }
            _ => {}
        }
        if self.kept_alive_until.is_some_and(|until| now >= renewal_of(until, &self.settings)) {
            self.keep_alive(Some(now), out);
        }
        if let Some(silence) = &mut self.silence
            && now >= silence.next_probe
        {
            silence.next_probe = now.plus(self.settings.heartbeat_interval);
            out.push(Action::Send(GroupRequest::Heartbeat(self.identity.clone())));
        }
    }

    /// Heartbeats by the client from `since` on, or none.
    fn keep_alive(&mut self, since: Option<Timestamp>, out: &mut Vec<Action>) {
        let until = since.map(|since| since.plus(self.settings.max_poll_interval));
        if until.is_none() && self.kept_alive_until.is_none() {
            return;
        }
        self.kept_alive_until = until;
        out.push(Action::KeepAlive(until.map(|until| KeepAlive {
            identity: self.identity.clone(),
            interval: self.settings.heartbeat_interval,
            until: Deadline::at(until),
        })));
    }

    fn close(&mut self, now: Timestamp, leave: bool, out: &mut Vec<Action>) {
        if matches!(self.phase, Phase::Leaving { .. }) {
            return;
        }
        let joining = matches!(self.phase, Phase::Joining { .. }) && self.identity.member_id.is_empty();
        self.keep_alive(None, out);
        self.silence = None;
        self.owned.clear();
        if !leave || (self.identity.member_id.is_empty() && !joining) {
            return self.left(out);
        }
        self.phase = Phase::Leaving { until: now.plus(self.settings.request_timeout), joining };
        if !joining {
            self.leave(out);
        }
    }

    fn leave(&mut self, out: &mut Vec<Action>) {
        let reason = "the consumer is being closed".to_owned();
        out.push(Action::Send(GroupRequest::Leave { identity: self.identity.clone(), reason }));
    }

    fn left(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Ended;
        self.identity.member_id.clear();
        self.identity.generation = -1;
        out.push(Action::Left);
    }
}
