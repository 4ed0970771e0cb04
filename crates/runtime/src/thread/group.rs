//! Taking part in the group: answers go to the membership, and what it decides is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_client::{ClientError, GroupRequest, GroupResponse};
use headwater_record::{Deadline, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;

use super::registry::Place;
use super::{Ending, StreamThread};
use crate::assignment::LATEST_OFFSET;
use crate::membership::{Action, Assignment, Event, LostReason};
use crate::{Error, metric};

/// How often it is said that the cluster does not answer.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);

impl StreamThread {
    /// Answers that have come, timers, and the subscription when there is none yet.
    pub(super) fn group_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        if !self.subscribed && self.ending == Ending::No {
            self.subscribe(now)?;
        }
        while let Some(response) = self.heard.pop_front().or_else(|| self.connection.response(Deadline::NOW)) {
            self.hear(now, response)?;
        }
        if self.leading.is_due(now) {
            self.lead(now)?;
        }
        self.tell(now, Event::Tick)
    }

    /// Takes in an answer of the coordinator.
    pub(super) fn hear(&mut self, now: Timestamp, response: GroupResponse) -> Result<(), Error> {
        if let GroupResponse::Join(Err(error))
        | GroupResponse::Sync(Err(error))
        | GroupResponse::Heartbeat(Err(error)) = &response
        {
            self.note_silence(now, error);
        }
        self.tell(now, Event::Response(response))
    }

    /// Says now and then that the cluster does not answer; it is asked again in any case.
    pub(super) fn note_silence(&mut self, now: Timestamp, error: &ClientError) {
        if !matches!(error, ClientError::Unavailable { .. } | ClientError::TimedOut { .. })
            || self.silence_told.is_some_and(|at| now.since(at) < BETWEEN_WARNINGS)
        {
            return;
        }
        self.silence_told = Some(now);
        tracing::warn!(thread = self.number, %error, "the cluster does not answer; trying again");
    }

    /// Tells the membership what happened and does what it wants done; what these doings bring is told after them.
    pub(super) fn tell(&mut self, now: Timestamp, event: Event) -> Result<(), Error> {
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.membership.step(now, event) {
                if let Some(event) = self.act(now, action)? {
                    events.push_back(event);
                }
            }
        }
        Ok(())
    }

    fn act(&mut self, now: Timestamp, action: Action) -> Result<Option<Event>, Error> {
        match action {
            Action::Send(request) => {
                if let GroupRequest::Join(join) = &request {
                    let reason = join.reason.as_deref().unwrap_or("first join");
                    tracing::debug!(thread = self.number, reason, "joining the group");
                }
                self.connection.submit(request)?;
            }
            Action::KeepAlive(heartbeats) => self.connection.keep_alive(heartbeats),
            Action::DescribeTasks => return Ok(Some(Event::TasksDescribed { offset_sums: self.offset_sums() })),
            Action::Revoke { partitions } => {
                self.revoke(now, &partitions)?;
                return Ok(Some(Event::Revoked));
            }
            Action::Assign(assignment) => {
                self.leading.assigned();
                self.check(&assignment)?;
                self.assign(&assignment);
            }
            Action::Lost(reason) => {
                self.leading.lost();
                self.lost(reason)?;
            }
            Action::RunAssignor(group) => {
                self.leading.begin(group, now);
                return Ok(self.try_to_plan(now));
            }
            Action::Left => {
                self.leading.lost();
                self.left();
            }
            Action::Fail(error) => return Err(self.leading.explain(error, &self.instance, self.admin.as_mut(), now)),
        }
        Ok(None)
    }

    /// Subscribes to the topics of all sources; those named by patterns are asked for.
    fn subscribe(&mut self, now: Timestamp) -> Result<(), Error> {
        if now < self.ask_not_before {
            return Ok(());
        }
        let mut topics = self.instance.named_topics();
        if !self.instance.patterns.is_empty() {
            match self.survey(now) {
                Ok(known) => topics.extend(known.matches.into_values().flatten().map(Topic::from)),
                Err(error) => return self.ask_later(error),
            }
        }
        self.subscribed = true;
        self.tell(now, Event::Subscribe { topics })
    }

    /// How far this thread's tasks and the states that nobody has open are, for the leader.
    fn offset_sums(&self) -> BTreeMap<TaskId, i64> {
        let mut sums = self.instance.directory.noted_offset_sums().unwrap_or_else(|error| {
            tracing::warn!(%error, "what is in the state directory cannot be told to the group");
            BTreeMap::new()
        });
        sums.retain(|task, _| self.instance.topology.subtopology(task.subtopology).is_some());
        sums.extend(self.restore.offset_sums());
        for (task, entry) in self.registry.iter() {
            match &entry.place {
                Place::Active(active) if active.is_stateful() => sums.insert(task, LATEST_OFFSET),
                Place::Stopped(stores) | Place::Complete(stores) if !stores.changelogs.is_empty() => {
                    sums.insert(task, stores.offset_sum())
                }
                _ => None,
            };
        }
        sums
    }

    fn assign(&mut self, assignment: &Assignment) {
        let shown = |tasks: &BTreeMap<TaskId, BTreeSet<TopicPartition>>| {
            tasks.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        tracing::info!(
            thread = self.number,
            active = shown(&assignment.active),
            standby = shown(&assignment.standby),
            "tasks assigned"
        );
        self.registry.assign(assignment);
        metric::tasks_assigned(self.number, assignment.active.len(), assignment.standby.len());
    }

    /// Commits and stops what goes elsewhere. When the commit fails, what was done since the last one is done again there.
    fn revoke(&mut self, now: Timestamp, partitions: &BTreeSet<TopicPartition>) -> Result<(), Error> {
        let revoked = self.registry.revoke(partitions);
        let shown = revoked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::info!(thread = self.number, tasks = shown, "tasks revoked");
        self.commit_before_they_go(now, &revoked)?;
        for task in revoked {
            self.stop(task)?;
        }
        self.report_state();
        Ok(())
    }

    /// Closes all active tasks without commit: others have them by now.
    fn lost(&mut self, reason: LostReason) -> Result<(), Error> {
        tracing::warn!(thread = self.number, %reason, "all active tasks are lost; taking part in the group anew");
        for task in self.registry.lose() {
            self.stop(task)?;
            // What was not committed must not be built upon.
            if let Some(entry) = self.registry.entry(task)
                && matches!(entry.place, Place::Complete(_) | Place::Stopped(_))
            {
                entry.place = Place::Nowhere;
            }
        }
        self.report_state();
        Ok(())
    }

    /// Takes a task out of processing: its partitions are read no longer, its stores are kept.
    pub(super) fn stop(&mut self, task: TaskId) -> Result<(), Error> {
        let Some(entry) = self.registry.entry(task) else { return Ok(()) };
        if !matches!(entry.place, Place::Active(_)) {
            return Ok(());
        }
        let Place::Active(mut active) = std::mem::replace(&mut entry.place, Place::Nowhere) else { return Ok(()) };
        active.tell_dropped(&self.output);
        let partitions: Vec<TopicPartition> = active.spec().partitions().cloned().collect();
        self.output.release(task);
        entry.place = Place::after(active.close());
        for partition in &partitions {
            self.paused.remove(partition);
            self.lost_positions.remove(partition);
        }
        self.consumer.unassign(&partitions)?;
        Ok(())
    }
}
