//! Who the thread is in its group: its membership, the connection to the coordinator, and what it asks of the cluster for both.

mod beginnings;
mod leader;

use std::collections::VecDeque;
use std::time::Duration;

use headwater_client::{Admin, ClientError, GroupIdentity, GroupMembership, GroupRequest, GroupResponse};
use headwater_record::{Deadline, Timestamp, Topic};

use self::leader::Leading;
use super::context::ThreadContext;
use crate::Error;
use crate::config::Role;
use crate::error::{TaskFailure, Trouble, decide};
use crate::internal_topics::{self, KnownTopics};
use crate::membership::{Action, Event, MemberSettings, Membership};

pub(super) use self::beginnings::Beginnings;

/// How often it is said that the cluster does not answer.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);
/// How long it is waited for a topic to appear again before the group is asked once more to look for it.
const BETWEEN_REPORTS: Duration = Duration::from_secs(30);
/// So many answers may come while something else is waited for. A member has one join or sync and one heartbeat under way.
const MOST_RESPONSES: usize = 16;

/// A thread as a member of its group.
pub(super) struct Member {
    cx: ThreadContext,
    connection: Box<dyn GroupMembership>,
    admin: Box<dyn Admin>,
    membership: Membership,
    leading: Leading,
    /// What the group said while something else was waited for; [`MOST_RESPONSES`] at most.
    responses: VecDeque<GroupResponse>,
    subscribed: bool,
    /// Nothing that concerns Kafka's answers about tasks is asked before this time.
    ask_not_before: Timestamp,
    /// When it was last said that the cluster does not answer.
    silence_told: Option<Timestamp>,
    /// When the group was last asked to look for a topic that had gone.
    missed_topic: Option<Timestamp>,
    /// When it was last looked whether topics changed.
    looked: Timestamp,
}

impl Member {
    pub(super) fn new(cx: &ThreadContext, now: Timestamp) -> Result<Self, Error> {
        let (config, clients) = (cx.config(), &cx.instance.environment.clients);
        let name = cx.instance.thread_name(cx.number);
        let member = config.client(Role::Membership, &format!("{name}-consumer"));
        Ok(Member {
            cx: cx.clone(),
            connection: clients.membership(config.application_id(), &member)?,
            admin: clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?,
            membership: Membership::new(settings(cx), now),
            leading: Leading::default(),
            responses: VecDeque::new(),
            subscribed: false,
            ask_not_before: now,
            silence_told: None,
            missed_topic: None,
            looked: now,
        })
    }

    /// What the membership wants done about `event`.
    pub(super) fn step(&mut self, now: Timestamp, event: Event) -> Vec<Action> {
        self.membership.step(now, event)
    }

    /// What the membership decided, where it is done here. `Some` is what it brings about.
    pub(super) fn send(&mut self, request: GroupRequest) -> Result<(), Error> {
        if let GroupRequest::Join(join) = &request {
            let reason = join.reason.as_deref().unwrap_or("first join");
            tracing::debug!(thread = self.cx.number, reason, "joining the group");
        }
        Ok(self.connection.submit(request)?)
    }

    pub(super) fn connection(&mut self) -> &mut dyn GroupMembership {
        self.connection.as_mut()
    }

    /// Where offsets are committed, and as whom.
    pub(super) fn group(&mut self) -> (&mut dyn GroupMembership, &GroupIdentity) {
        (self.connection.as_mut(), self.membership.identity())
    }

    /// The next answer of the coordinator, waiting until `until` for one.
    pub(super) fn response(&mut self, until: Deadline) -> Option<GroupResponse> {
        self.responses.pop_front().or_else(|| self.connection.response(until))
    }

    /// Waits for the time `end`, in the middle of a turn, and gives the time then. What the group says meanwhile is heard afterwards.
    /// Where time stands still, as in a simulation's turn, it goes on as if that had come.
    pub(super) fn pause(&mut self, end: Timestamp) -> Timestamp {
        while self.responses.len() < MOST_RESPONSES {
            match self.connection.response(Deadline::at(end)) {
                Some(response) => self.responses.push_back(response),
                None => break,
            }
        }
        end.max(self.cx.now())
    }

    /// Takes note of an answer that says that the cluster does not answer.
    pub(super) fn note(&mut self, now: Timestamp, response: &GroupResponse) {
        if let GroupResponse::Join(Err(error))
        | GroupResponse::Sync(Err(error))
        | GroupResponse::Heartbeat(Err(error)) = response
        {
            self.note_silence(now, error);
        }
    }

    /// Says now and then that the cluster does not answer; it is asked again in any case.
    pub(super) fn note_silence(&mut self, now: Timestamp, error: &ClientError) {
        if !matches!(error, ClientError::Unavailable { .. } | ClientError::TimedOut { .. })
            || self.silence_told.is_some_and(|at| now.since(at) < BETWEEN_WARNINGS)
        {
            return;
        }
        self.silence_told = Some(now);
        tracing::warn!(thread = self.cx.number, %error, "the cluster does not answer; trying again");
    }

    /// Subscribes to the topics of all sources, if that is to be done; those named by patterns are asked for.
    pub(super) fn subscribe(&mut self, now: Timestamp) -> Result<Option<Event>, Error> {
        if self.subscribed || !self.may_ask(now) {
            return Ok(None);
        }
        let mut topics = self.cx.instance.named_topics();
        if !self.cx.instance.patterns.is_empty() {
            match self.survey(now) {
                Ok(known) => topics.extend(known.matches.into_values().flatten().map(Topic::from)),
                Err(error) => return self.ask_later(error).map(|()| None),
            }
        }
        self.subscribed = true;
        Ok(Some(Event::Subscribe { topics }))
    }

    /// Whether the cluster may be asked about tasks.
    pub(super) fn may_ask(&self, now: Timestamp) -> bool {
        now >= self.ask_not_before
    }

    /// The cluster did not answer about tasks: asks again after a pause what may be asked again.
    pub(super) fn ask_later(&mut self, error: ClientError) -> Result<(), Error> {
        match decide(&Trouble::Client(error.clone()), self.cx.config().retry_backoff()) {
            TaskFailure::Retry { after } => {
                tracing::warn!(thread = self.cx.number, %error, "the cluster does not answer; trying again");
                self.ask_not_before = self.cx.now().plus(after);
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// What the topics are that the topology reads.
    fn survey(&mut self, now: Timestamp) -> Result<KnownTopics, ClientError> {
        let instance = &self.cx.instance;
        let matches = |pattern: &str, topic: &str| instance.patterns.matches(pattern, topic);
        internal_topics::survey(self.admin.as_mut(), &instance.topology, &matches, self.cx.answer_by(now))
    }

    /// A topic that is read is not there. One that was just made may not be known everywhere yet.
    pub(super) fn topic_is_gone(&mut self, topic: &Topic, now: Timestamp) -> Option<Event> {
        if self.missed_topic.is_some_and(|at| now.since(at) < BETWEEN_REPORTS) {
            return None;
        }
        self.missed_topic = Some(now);
        tracing::warn!(%topic, "a topic that is read has gone; asking the group's leader to look");
        Some(Event::Rejoin { reason: format!("topic {topic} has gone") })
    }

    /// Looks now and then whether source topics have other partitions than when the leader decided, and whether patterns match others.
    pub(super) fn look_at_topics(&mut self, now: Timestamp) -> Option<Event> {
        let has_patterns = !self.cx.instance.patterns.is_empty();
        let looks = self.membership.is_leader() || has_patterns;
        if !looks || !self.membership.is_stable() || now.since(self.looked) < self.cx.config().metadata_max_age() {
            return None;
        }
        self.looked = now;
        let known = match self.survey(now) {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!(%error, "topics could not be looked at; trying again later");
                return None;
            }
        };
        if has_patterns {
            self.subscribed = false;
        }
        if !self.membership.is_leader() || !self.leading.would_decide_otherwise(&known) {
            return None;
        }
        tracing::info!("the partitions of source topics changed; asking for a rebalance");
        Some(Event::Rejoin { reason: "the partitions of source topics changed".to_owned() })
    }

    pub(super) fn may_commit(&self) -> bool {
        self.membership.may_commit()
    }

    pub(super) fn is_stable(&self) -> bool {
        self.membership.is_stable()
    }

    pub(super) fn is_ended(&self) -> bool {
        self.membership.is_ended()
    }

    pub(super) fn wake_at(&self) -> Deadline {
        self.membership.wake_at()
    }
}

/// Who the thread is to its group.
fn settings(cx: &ThreadContext) -> MemberSettings {
    let config = cx.config();
    MemberSettings {
        instance_id: config.group_instance_id().map(|id| format!("{id}-{}", cx.number)),
        end_point: config.application_server(),
        client_tags: config.client_tags(),
        rack: config.rack().map(str::to_owned),
        session_timeout: config.session_timeout(),
        heartbeat_interval: config.heartbeat_interval(),
        max_poll_interval: config.max_poll_interval(),
        retry_backoff: config.retry_backoff(),
        request_timeout: config.request_timeout(),
        ..MemberSettings::new(config.application_id(), cx.instance.directory.process_id())
    }
}
