//! The leader's decision: topics are looked at and made, tasks are derived and handed out.

use std::collections::{BTreeMap, BTreeSet};

use headwater_client::{ClientError, Isolation, OffsetSpec};
use headwater_record::{Offset, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

use super::Cluster;
use crate::assignment::{Difference, GroupView, LeaderTopics, SubtopologyView, TaskView, derive_tasks, plan};
use crate::instance::Instance;
use crate::internal_topics::{self, InternalTopicsError, InternalTopicsPlan};
use crate::task::TaskSpec;
use crate::thread::question::Plan;

impl Cluster {
    /// Decides, if the cluster answers and has the source topics.
    pub(super) fn plan(&mut self, group: &GroupView, now: Timestamp) -> Result<Plan, InternalTopicsError> {
        let known = self.survey(now)?;
        let (topology, config) = (&self.cx.instance.topology, &self.cx.instance.config);
        let (settings, assignor) = (config.assignment(), config.task_assignor());
        let topics = internal_topics::plan(topology, &config.internal_topics(), &known)?;
        let made = internal_topics::create(self.admin.as_mut(), &topics, self.cx.answer_by(now))?;
        let mut tasks = derive(&self.cx.instance, &topics)?;
        self.fill_in_ends(&mut tasks, &made, now);
        tracing::info!(
            thread = self.cx.number,
            members = group.members.len(),
            "this member leads the group and assigns its tasks"
        );
        let differences = self.differences(group);
        let assignments = plan(group, tasks, &differences, settings, assignor, now).assignments;
        Ok(Plan { assignments, decided_by: known })
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
    ) -> Result<BTreeMap<TopicPartition, Offset>, ClientError> {
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

/// The tasks of the topology, with the topics as they are now.
fn derive(instance: &Instance, topics: &InternalTopicsPlan) -> Result<BTreeMap<TaskId, TaskView>, InternalTopicsError> {
    let parts = SubtopologyView::all(&instance.topology, &topics.sources);
    derive_tasks(&parts, &topics.partitions).map_err(|_| {
        let sources = parts.iter().flat_map(|part| &part.source_topics);
        let missing = sources.filter(|topic| !topics.partitions.contains_key(topic.as_str()));
        InternalTopicsError::MissingSources(missing.cloned().collect())
    })
}
