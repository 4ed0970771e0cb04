//! Who the thread is in its group: its membership, the connection to the coordinator, its subscription, and what it decides as leader.

mod leader;

use std::collections::VecDeque;
use std::time::Duration;

use headwater_client::{ClientError, GroupIdentity, GroupMembership, GroupRequest, GroupResponse, Lease};
use headwater_record::{Deadline, Timestamp, Topic};

use self::leader::Leading;
use super::context::ThreadContext;
use super::question::Question;
use super::state_updater::Asker;
use crate::Error;
use crate::config::Role;
use crate::error::{TaskFailure, Trouble, decide};
use crate::internal_topics::KnownTopics;
use crate::membership::{Action, Event, MemberSettings, Membership};

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
    membership: Membership,
    leading: Leading,
    /// What the group said while something else was waited for; [`MOST_RESPONSES`] at most.
    responses: VecDeque<GroupResponse>,
    subscribed: bool,
    /// Whether it was asked what the topics are, and there is no answer yet.
    surveying: bool,
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
        let connection = clients.membership(config.application_id(), &member)?;
        cx.instance.watch.takes_part(cx.number, connection.lease());
        Ok(Member {
            cx: cx.clone(),
            connection,
            membership: Membership::new(settings(cx), now),
            leading: Leading::default(),
            responses: VecDeque::new(),
            subscribed: false,
            surveying: false,
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

    /// For how long its tasks are surely its own.
    pub(super) fn lease(&self) -> Lease {
        self.connection.lease()
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

    /// Subscribes to the topics of all sources, if that is to be done; those named by patterns are asked for first.
    pub(super) fn subscribe(&mut self, now: Timestamp, asker: &mut Asker) -> Option<Event> {
        if self.subscribed || self.surveying || !self.may_ask(now) {
            return None;
        }
        if !self.cx.instance.patterns.is_empty() {
            self.surveying = asker.ask(Question::Topics);
            return None;
        }
        self.subscribed = true;
        Some(Event::Subscribe { topics: self.cx.instance.named_topics() })
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

    /// A topic that is read is not there. One that was just made may not be known everywhere yet.
    pub(super) fn topic_is_gone(&mut self, topic: &Topic, now: Timestamp) -> Option<Event> {
        if self.missed_topic.is_some_and(|at| now.since(at) < BETWEEN_REPORTS) {
            return None;
        }
        self.missed_topic = Some(now);
        tracing::warn!(%topic, "a topic that is read has gone; asking the group's leader to look");
        Some(Event::Rejoin { reason: format!("topic {topic} has gone") })
    }

    /// Asks now and then whether source topics have other partitions than when the leader decided, and whether patterns match others.
    pub(super) fn look_at_topics(&mut self, now: Timestamp, asker: &mut Asker) {
        let looks = self.membership.is_leader() || !self.cx.instance.patterns.is_empty();
        let is_due = now.since(self.looked) >= self.cx.config().metadata_max_age();
        if looks && is_due && self.membership.is_stable() && !self.surveying && asker.ask(Question::Topics) {
            self.surveying = true;
            self.looked = now;
        }
    }

    /// What the topics are that the topology reads. Gives what the group is to hear of it.
    pub(super) fn topics_are(&mut self, known: Result<KnownTopics, ClientError>) -> Result<Vec<Event>, Error> {
        self.surveying = false;
        let known = match known {
            Ok(known) => known,
            Err(error) if !self.subscribed => return self.ask_later(error).map(|()| Vec::new()),
            Err(error) => {
                tracing::debug!(%error, "topics could not be looked at; trying again later");
                return Ok(Vec::new());
            }
        };
        let mut events = Vec::new();
        if self.membership.is_leader() && self.leading.would_decide_otherwise(&known) {
            tracing::info!("the partitions of source topics changed; asking for a rebalance");
            events.push(Event::Rejoin { reason: "the partitions of source topics changed".to_owned() });
        }
        if !self.cx.instance.patterns.is_empty() {
            let mut topics = self.cx.instance.named_topics();
            topics.extend(known.matches.into_values().flatten().map(Topic::from));
            self.subscribed = true;
            events.push(Event::Subscribe { topics });
        }
        Ok(events)
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
