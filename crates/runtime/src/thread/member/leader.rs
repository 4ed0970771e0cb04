//! The leader's work: who waits for which decision, and for how long it is tried.

use std::time::Duration;

use headwater_record::Timestamp;

use super::Member;
use crate::Error;
use crate::assignment::{AssignorError, GroupView, plan_error};
use crate::internal_topics::{self, InternalTopicsError, KnownTopics};
use crate::membership::{Event, MembershipError};
use crate::thread::cluster::Cluster;
use crate::thread::context::ThreadContext;
use crate::thread::question::{Plan, Question};
use crate::thread::state_updater::Asker;

/// How long source topics may be missing before the group is told to stop: a broker can hear of a topic some time after whoever
/// made it was told that it is there. Java's `StreamsPartitionAssignor` looks once; under the protocol of KIP-1071 Java's members
/// wait for `max.poll.interval.ms`.
const PATIENCE_WITH_SOURCES: Duration = Duration::from_secs(10);

/// What a leader is at.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// The decision that is to be made.
    pending: Option<Pending>,
    /// Since when source topics are missing, over all decisions that could not be made because of it.
    sources_missing_since: Option<Timestamp>,
    /// The partitions of source topics at the last decision.
    decided_by: Option<KnownTopics>,
    /// Why the last decision was an error.
    error: Option<Error>,
    /// How many decisions were to be made.
    decisions: u64,
}

/// A decision that is to be made.
#[derive(Debug)]
struct Pending {
    number: u64,
    /// The group that waits for it.
    group: GroupView,
    since: Timestamp,
    /// When to try again.
    next: Timestamp,
    /// What the last attempt failed with.
    failure: Option<InternalTopicsError>,
    /// Whether it is asked and has no answer yet.
    asked: bool,
}

impl Leading {
    fn begin(&mut self, group: GroupView, now: Timestamp) {
        self.decisions += 1;
        let number = self.decisions;
        self.pending = Some(Pending { number, group, since: now, next: now, failure: None, asked: false });
        self.error = None;
    }

    /// The place in the group is gone: whoever leads next begins anew.
    fn lost(&mut self) {
        self.pending = None;
        self.sources_missing_since = None;
    }

    /// The group has its tasks, whoever decided.
    fn assigned(&mut self) {
        self.sources_missing_since = None;
    }

    /// For how long it has been tried at `now` what fails with `error`: of missing source topics as long as nobody has seen them.
    fn tried_for(&mut self, error: &InternalTopicsError, since: Timestamp, now: Timestamp) -> Duration {
        let since = match error {
            InternalTopicsError::MissingSources(_) => *self.sources_missing_since.get_or_insert(now),
            _ => since,
        };
        now.since(since)
    }

    pub(super) fn would_decide_otherwise(&self, known: &KnownTopics) -> bool {
        self.decided_by.as_ref().is_some_and(|decided_by| decided_by != known)
    }

    /// The error of a membership that cannot go on, in the words of whoever knows most about it.
    fn explain(&mut self, error: MembershipError, cx: &ThreadContext, now: Timestamp) -> Error {
        match (&error, self.error.take()) {
            (MembershipError::MissingSourceTopics | MembershipError::AssignmentFailed, Some(known)) => known,
            (MembershipError::MissingSourceTopics, None) => match missing_sources(cx, now) {
                Some(missing) => missing.into(),
                None => error.into(),
            },
            _ => error.into(),
        }
    }
}

/// Which source topics are missing, as this member sees it. The thread is at its end: it may wait.
fn missing_sources(cx: &ThreadContext, now: Timestamp) -> Option<InternalTopicsError> {
    let known = Cluster::new(cx).ok()?.survey(now).ok()?;
    internal_topics::plan(&cx.instance.topology, &cx.config().internal_topics(), &known).err()
}

impl Member {
    /// The group waits for this member's decision.
    pub(in crate::thread) fn lead(&mut self, group: GroupView, now: Timestamp) {
        self.leading.begin(group, now);
    }

    /// Asks for a decision that is to be made, when it is time.
    pub(in crate::thread) fn ask_for_plan(&mut self, now: Timestamp, asker: &mut Asker) {
        if let Some(pending) = &mut self.leading.pending
            && !pending.asked
            && now >= pending.next
        {
            pending.asked = asker.ask(Question::Plan { number: pending.number, group: pending.group.clone() });
        }
    }

    /// The group has its tasks, whoever decided.
    pub(in crate::thread) fn assigned(&mut self) {
        self.leading.assigned();
    }

    /// The place in the group is gone: whoever leads next begins anew.
    pub(in crate::thread) fn lost(&mut self) {
        self.leading.lost();
    }

    /// The error of a membership that cannot go on, in the words of whoever knows most about it.
    pub(in crate::thread) fn explain(&mut self, error: MembershipError, now: Timestamp) -> Error {
        self.leading.explain(error, &self.cx, now)
    }

    /// The decision was made, or could not be made yet: then it is tried again later, as long as that may help.
    pub(in crate::thread) fn planned(
        &mut self,
        number: u64,
        plan: Result<Plan, InternalTopicsError>,
        now: Timestamp,
    ) -> Option<Event> {
        let mut pending = self.leading.pending.take_if(|pending| pending.number == number)?;
        let error = match plan {
            Ok(Plan { assignments, decided_by }) => {
                self.leading.sources_missing_since = None;
                self.leading.decided_by = Some(decided_by);
                return Some(Event::Planned { assignments });
            }
            Err(error) => error,
        };
        let config = &self.cx.instance.config;
        let patience = patience(&error, config.max_poll_interval());
        if self.leading.tried_for(&error, pending.since, now) < patience {
            if pending.failure.as_ref() == Some(&error) {
                tracing::debug!(%error, "tasks cannot be assigned yet; trying again");
            } else {
                let seconds = patience.as_secs();
                tracing::warn!(%error, "tasks cannot be assigned yet; trying again, for up to {seconds} s");
            }
            pending.next = now.plus(config.retry_backoff());
            (pending.failure, pending.asked) = (Some(error), false);
            self.leading.pending = Some(pending);
            return None;
        }
        let code = match &error {
            InternalTopicsError::MissingSources(_) => AssignorError::IncompleteSourceTopicMetadata,
            _ => AssignorError::AssignmentError,
        };
        tracing::error!(%error, "tasks cannot be assigned; all members of the group are told to stop");
        self.leading.error = Some(error.into());
        Some(Event::Planned { assignments: plan_error(&pending.group, code).assignments })
    }
}

/// For how long it may help to try again after `error`. The group waits meanwhile: half of `max.poll.interval.ms` at most.
fn patience(error: &InternalTopicsError, max_poll_interval: Duration) -> Duration {
    let most = max_poll_interval / 2;
    match error {
        InternalTopicsError::MissingSources(_) => PATIENCE_WITH_SOURCES.min(most),
        error if error.is_retriable() => most,
        _ => Duration::ZERO,
    }
}
