//! Taking part in the group: answers go to the membership, and what it decides is done.

use std::collections::{BTreeSet, VecDeque};

use headwater_client::{GroupRequest, GroupResponse};
use headwater_record::{Deadline, Partition, Timestamp, Topic, TopicPartition};

use super::StreamThread;
use super::question::Answer;
use super::shutdown::Ending;
use crate::Error;
use crate::membership::{Action, Event, LostReason};

impl StreamThread {
    /// Answers that have come, timers, and the subscription when there is none yet.
    pub(super) fn group_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.shutdown.ending == Ending::No
            && let Some(event) = self.member.subscribe(now, &mut self.asker)
        {
            self.tell(now, event)?;
        }
        while let Some(answer) = self.asker.answer() {
            self.on_answer(now, answer)?;
        }
        while let Some(response) = self.member.response(Deadline::NOW) {
            self.on_response(now, response)?;
        }
        self.member.ask_for_plan(now, &mut self.asker);
        self.tell(now, Event::Tick)
    }

    /// Takes in what the cluster answered to a question of an earlier turn.
    fn on_answer(&mut self, now: Timestamp, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Topics(known) => {
                for event in self.member.topics_are(known)? {
                    self.tell(now, event)?;
                }
                Ok(())
            }
            Answer::Plan { number, plan } => match self.member.planned(number, plan, now) {
                Some(event) => self.tell(now, event),
                None => Ok(()),
            },
            Answer::Partitions(outputs) => {
                self.note_partitions(&outputs);
                Ok(())
            }
            Answer::Beginnings { epoch, specs, beginnings, outputs } => {
                self.note_partitions(&outputs);
                if !self.tasks.beginnings_heard(epoch) {
                    return Ok(());
                }
                self.start_tasks(specs, beginnings, now)
            }
            Answer::Resets { epoch, found } => self.go_on_elsewhere(epoch, found, now),
            Answer::Purged => {
                self.committer.purges(false, now);
                Ok(())
            }
        }
    }

    fn note_partitions(&mut self, outputs: &[(Topic, Partition)]) {
        for (topic, partitions) in outputs {
            self.collector.counted(topic, *partitions);
        }
    }

    /// Takes in an answer of the coordinator.
    pub(super) fn on_response(&mut self, now: Timestamp, response: GroupResponse) -> Result<(), Error> {
        self.member.note(now, &response);
        self.tell(now, Event::Response(response))
    }

    /// Tells the membership what happened and does what it wants done; what these doings bring is told after them.
    pub(super) fn tell(&mut self, now: Timestamp, event: Event) -> Result<(), Error> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.member.step(now, event) {
                events.extend(self.act(now, action)?);
            }
        }
        Ok(())
    }

    fn act(&mut self, now: Timestamp, action: Action) -> Result<Option<Event>, Error> {
        match action {
            Action::Send(request) => {
                if let GroupRequest::Join(join) = &request {
                    self.rebalances.joins(join.reason.as_deref().unwrap_or("first join"), now);
                }
                self.member.send(request)?;
            }
            Action::KeepAlive(heartbeats) => self.member.connection().keep_alive(heartbeats),
            Action::DescribeTasks => {
                return Ok(Some(Event::TasksDescribed { offset_sums: self.tasks.offset_sums() }));
            }
            Action::Revoke { partitions } => {
                self.revoke(now, &partitions)?;
                return Ok(Some(Event::Revoked));
            }
            Action::Assign(assignment) => {
                self.member.assigned();
                self.cx.instance.hosts_are(&assignment);
                self.tasks.assign(&assignment)?;
            }
            Action::Lost(reason) => {
                self.member.lost();
                self.lost(reason)?;
            }
            Action::RunAssignor(group) => self.member.lead(group, now),
            Action::Left => {
                self.member.lost();
                tracing::debug!(thread = self.cx.number, "left the group");
                self.member.connection().keep_alive(None);
            }
            Action::Fail(error) => return Err(self.member.explain(error, now)),
        }
        Ok(None)
    }

    /// Commits and stops what goes elsewhere. When the commit fails, what was done since the last one is done again there.
    fn revoke(&mut self, now: Timestamp, partitions: &BTreeSet<TopicPartition>) -> Result<(), Error> {
        let revoked = self.tasks.revoke(partitions);
        let shown = revoked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        tracing::info!(thread = self.cx.number, tasks = shown, "tasks revoked");
        self.commit_last(&revoked, now)?;
        for task in revoked {
            self.tasks.stop(task, &mut self.collector, &mut self.fetcher)?;
        }
        self.report_state();
        Ok(())
    }

    /// Closes all active tasks without commit: others have them by now.
    fn lost(&mut self, reason: LostReason) -> Result<(), Error> {
        tracing::warn!(thread = self.cx.number, %reason, "all active tasks are lost; taking part in the group anew");
        if self.collector.is_in_transaction() {
            self.give_up_transaction()?;
        }
        for task in self.tasks.lose() {
            self.tasks.stop_uncommitted(task, &mut self.collector, &mut self.fetcher)?;
        }
        self.collector.abandon();
        self.report_state();
        Ok(())
    }
}
