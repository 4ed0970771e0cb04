//! The leader's work: topics are looked at and made, tasks are derived and handed out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_client::{Admin, Isolation, OffsetSpec};
use headwater_record::{Deadline, Offset, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

use super::Member;
use crate::Error;
use crate::assignment::{
    AssignorError, Difference, GroupView, LeaderTopics, StickyAssignor, SubtopologyView, TaskView, derive_tasks, plan,
    plan_error,
};
use crate::error::Trouble;
use crate::instance::Instance;
use crate::internal_topics::{self, InternalTopicsError, InternalTopicsPlan, KnownTopics};
use crate::membership::{Event, MembershipError};
use crate::task::TaskSpec;

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
}

/// A decision that is to be made.
#[derive(Debug)]
struct Pending {
    /// The group that waits for it.
    group: GroupView,
    since: Timestamp,
    /// When to try again.
    next: Timestamp,
    /// What the last attempt failed with.
    failure: Option<InternalTopicsError>,
}

impl Leading {
    fn begin(&mut self, group: GroupView, now: Timestamp) {
        self.pending = Some(Pending { group, since: now, next: now, failure: None });
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

    fn is_due(&self, now: Timestamp) -> bool {
        self.pending.as_ref().is_some_and(|pending| now >= pending.next)
    }

    pub(super) fn would_decide_otherwise(&self, known: &KnownTopics) -> bool {
        self.decided_by.as_ref().is_some_and(|decided_by| decided_by != known)
    }

    /// The error of a membership that cannot go on, in the words of whoever knows most about it.
    fn explain(&mut self, error: MembershipError, instance: &Instance, admin: &mut dyn Admin, now: Timestamp) -> Error {
        match (&error, self.error.take()) {
            (MembershipError::MissingSourceTopics | MembershipError::AssignmentFailed, Some(known)) => known,
            (MembershipError::MissingSourceTopics, None) => match missing_sources(instance, admin, now) {
                Some(missing) => missing.into(),
                None => error.into(),
            },
            _ => error.into(),
        }
    }
}

/// Which source topics are missing, as this member sees it.
fn missing_sources(instance: &Instance, admin: &mut dyn Admin, now: Timestamp) -> Option<InternalTopicsError> {
    let matches = |pattern: &str, topic: &str| instance.patterns.matches(pattern, topic);
    let until = Deadline::after(now, instance.config.request_timeout());
    let known = internal_topics::survey(admin, &instance.topology, &matches, until).ok()?;
    internal_topics::plan(&instance.topology, &instance.config.internal_topics(), &known).err()
}

impl Member {
    /// The group waits for this member's decision.
    pub(in crate::thread) fn lead(&mut self, group: GroupView, now: Timestamp) -> Option<Event> {
        self.leading.begin(group, now);
        self.try_to_plan(now)
    }

    /// Goes on with a decision that could not be made yet, when it is time.
    pub(in crate::thread) fn go_on_leading(&mut self, now: Timestamp) -> Option<Event> {
        if self.leading.is_due(now) { self.try_to_plan(now) } else { None }
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
        self.leading.explain(error, &self.cx.instance, self.admin.as_mut(), now)
    }

    /// Decides, if the cluster answers and has the source topics; else tries again later, as long as that may help.
    fn try_to_plan(&mut self, now: Timestamp) -> Option<Event> {
        let Pending { group, since, failure, .. } = self.leading.pending.take()?;
        let error = match self.decide_for(&group, now) {
            Ok(assignments) => {
                self.leading.sources_missing_since = None;
                return Some(Event::Planned { assignments });
            }
            Err(error) => error,
        };
        let config = &self.cx.instance.config;
        if self.leading.tried_for(&error, since, now) < patience(&error, config.max_poll_interval()) {
            if failure.as_ref() == Some(&error) {
                tracing::debug!(%error, "tasks cannot be assigned yet; trying again");
            } else {
                let seconds = patience(&error, config.max_poll_interval()).as_secs();
                tracing::warn!(%error, "tasks cannot be assigned yet; trying again, for up to {seconds} s");
            }
            let next = now.plus(config.retry_backoff());
            self.leading.pending = Some(Pending { group, since, next, failure: Some(error) });
            return None;
        }
        let code = match &error {
            InternalTopicsError::MissingSources(_) => AssignorError::IncompleteSourceTopicMetadata,
            _ => AssignorError::AssignmentError,
        };
        tracing::error!(%error, "tasks cannot be assigned; all members of the group are told to stop");
        self.leading.error = Some(error.into());
        Some(Event::Planned { assignments: plan_error(&group, code).assignments })
    }

    fn decide_for(&mut self, group: &GroupView, now: Timestamp) -> Result<Vec<(String, Vec<u8>)>, InternalTopicsError> {
        let known = self.survey(now)?;
        let (topology, config) = (&self.cx.instance.topology, &self.cx.instance.config);
        let topics = internal_topics::plan(topology, &config.internal_topics(), &known)?;
        let until = Deadline::after(now, config.request_timeout());
        let made = internal_topics::create(self.admin.as_mut(), &topics, until)?;
        let mut tasks = derive(&self.cx.instance, &topics)?;
        self.fill_in_ends(&mut tasks, &made, now);
        self.leading.decided_by = Some(known);
        tracing::info!(
            thread = self.cx.number,
            members = group.members.len(),
            "this member leads the group and assigns its tasks"
        );
        let differences = self.differences(group);
        let settings = self.cx.instance.config.assignment();
        Ok(plan(group, tasks, &differences, settings, &StickyAssignor, now).assignments)
    }

    /// Says whose topologies are not this member's, as far as it can be seen.
    fn differences(&self, group: &GroupView) -> Vec<Difference> {
        let instance = &self.cx.instance;
        let matches = |topic: &Topic| instance.patterns.match_any(topic.as_str());
        let differences = Difference::all(group, LeaderTopics { named: &instance.named_topics(), matches: &matches });
        for member in &differences {
            if member.is_another_application() {
                tracing::error!(
                    thread = self.cx.number,
                    "{member}, other than the topology of this member, which leads: it gets no tasks, and is told to end. Give every application an application.id of its own"
                );
            } else {
                tracing::warn!(
                    thread = self.cx.number,
                    "{member}, other than the topology of this member, which leads: it gets no tasks of topics that it does not read, and topics that only it reads are not read as long as this member leads. All instances of an application run the same topology once an upgrade is through"
                );
            }
        }
        differences
    }

    /// How long the changelogs of stateful tasks are; where the cluster does not say, it stays unknown.
    fn fill_in_ends(&mut self, tasks: &mut BTreeMap<TaskId, TaskView>, made: &[Topic], now: Timestamp) {
        let (mut own, mut sources) = (BTreeSet::new(), BTreeSet::new());
        let mut changelogs: Vec<(TaskId, Vec<TopicPartition>)> = Vec::new();
        for task in tasks.iter().filter(|(_, task)| task.stateful).map(|(id, _)| *id) {
            let Some(spec) = TaskSpec::of(&self.cx.instance.topology, task, &|_| Vec::new()) else { continue };
            for store in &spec.stores {
                let Some(partition) = &store.changelog else { continue };
                if store.source_changelog {
                    sources.insert(partition.clone());
                } else if !made.contains(&partition.topic) {
                    own.insert(partition.clone());
                }
            }
            changelogs.push((task, spec.stores.into_iter().filter_map(|store| store.changelog).collect()));
        }
        let ends = match self.ends(own.into_iter().collect(), sources.into_iter().collect(), now) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(error = %error, "the ends of changelogs are not known; tasks stay where they are");
                return;
            }
        };
        for (task, partitions) in changelogs {
            if let Some(view) = tasks.get_mut(&task) {
                let end_of = |partition| ends.get(partition).copied().unwrap_or(Offset::ZERO);
                view.end_offset_sum = Some(crate::directory::offset_sum(partitions.iter().map(end_of)));
            }
        }
    }

    fn ends(
        &mut self,
        own: Vec<TopicPartition>,
        sources: Vec<TopicPartition>,
        now: Timestamp,
    ) -> Result<BTreeMap<TopicPartition, Offset>, Trouble> {
        let until = self.cx.answer_by(now);
        let mut ends = BTreeMap::new();
        if !own.is_empty() {
            let latest = OffsetSpec::Latest(Isolation::ReadUncommitted);
            let offsets = self.admin.list_offsets(&own, latest, until)?;
            ends.extend(own.into_iter().zip(offsets));
        }
        if !sources.is_empty() {
            let group = self.cx.instance.config.application_id();
            let committed = self.connection.committed_offsets(group, &sources, false, until)?;
            let committed = committed.into_iter().map(|committed| committed.map_or(Offset::ZERO, |it| it.offset));
            ends.extend(sources.into_iter().zip(committed));
        }
        Ok(ends)
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

/// The tasks of the topology, with the topics as they are now.
fn derive(instance: &Instance, topics: &InternalTopicsPlan) -> Result<BTreeMap<TaskId, TaskView>, InternalTopicsError> {
    let parts = SubtopologyView::all(&instance.topology, &topics.sources);
    derive_tasks(&parts, &topics.partitions).map_err(|_| {
        let sources = parts.iter().flat_map(|part| &part.source_topics);
        let missing = sources.filter(|topic| !topics.partitions.contains_key(topic.as_str()));
        InternalTopicsError::MissingSources(missing.cloned().collect())
    })
}
