//! Taking part in the group: answers go to the membership, and what it decides is done.

use std::collections::{BTreeSet, VecDeque};

use headwater_client::{ClientError, ErrorClass, GroupResponse};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use super::StreamThread;
use super::shutdown::Ending;
use crate::Error;
use crate::membership::{Action, Event, LostReason};

impl StreamThread {
    /// Answers that have come, timers, and the subscription when there is none yet.
    pub(super) fn group_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.shutdown.ending == Ending::No
            && let Some(event) = self.member.subscribe(now)?
        {
            self.tell(now, event)?;
        }
        while let Some(response) = self.member.response(Deadline::NOW) {
            self.on_response(now, response)?;
        }
        if let Some(event) = self.member.go_on_leading(now) {
            self.tell(now, event)?;
        }
        self.tell(now, Event::Tick)
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
            Action::Send(request) => self.member.send(request)?,
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
                self.tasks.assign(&assignment)?;
            }
            Action::Lost(reason) => {
                self.member.lost();
                self.lost(reason)?;
            }
            Action::RunAssignor(group) => return Ok(self.member.lead(group, now)),
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
        for task in self.tasks.lose() {
            self.tasks.stop_uncommitted(task, &mut self.collector, &mut self.fetcher)?;
        }
        self.report_state();
        Ok(())
    }

    /// Polls records until `until`, and hands them on.
    pub(super) fn fetch(&mut self, until: Deadline) -> Result<(), Error> {
        self.find_positions()?;
        match self.fetcher.poll(until, &mut self.tasks) {
            Ok(()) => Ok(()),
            Err(crate::error::Trouble::Client(error)) => self.fetch_failed(error),
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn fetch_failed(&mut self, error: ClientError) -> Result<(), Error> {
        let now = self.cx.now();
        match error {
            ClientError::OffsetOutOfRange { partition, offset } => {
                self.fetcher.lost_position(partition, offset);
                self.find_positions()
            }
            ClientError::UnknownTopic { topic } => match self.member.topic_is_gone(&topic, now) {
                Some(event) => self.tell(now, event),
                None => Ok(()),
            },
            error if error.class() == ErrorClass::Retriable => {
                self.member.note_silence(now, &error);
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    /// Goes on elsewhere where a position is not in the log any more. What the cluster does not answer is asked again after a pause.
    fn find_positions(&mut self) -> Result<(), Error> {
        let now = self.cx.now();
        for (partition, offset) in self.fetcher.take_lost_positions(now) {
            let Some(task) = self.tasks.owner(&partition) else { continue };
            let of_source = task.spec().input(&partition).and_then(|input| input.reset);
            let to = match self.member.reset(&partition, of_source, now) {
                Ok(to) => to,
                Err(error) if error.class() == ErrorClass::Retriable => {
                    self.member.note_silence(now, &error);
                    self.fetcher.find_later(partition, offset);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(%partition, %offset, ?to, "the position is not in the log any more; going on elsewhere");
            self.fetcher.seek(&partition, to)?;
        }
        Ok(())
    }
}
