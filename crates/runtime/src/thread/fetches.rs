//! Records in, and the start of tasks where their inputs were left.

use headwater_client::{ClientError, ErrorClass, StartAt};
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};

use super::StreamThread;
use super::question::{Beginnings, Question};
use crate::Error;
use crate::error::Trouble;
use crate::task::TaskSpec;

impl StreamThread {
    /// Polls records until `until`, and hands them on.
    pub(super) fn fetch(&mut self, until: Deadline) -> Result<(), Error> {
        self.find_positions();
        match self.fetcher.poll(until, &mut self.tasks) {
            Ok(()) => Ok(()),
            Err(Trouble::Client(error)) => self.fetch_failed(error),
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn fetch_failed(&mut self, error: ClientError) -> Result<(), Error> {
        let now = self.cx.now();
        match error {
            ClientError::OffsetOutOfRange { partition, offset } => {
                self.fetcher.lost_position(partition, offset);
                self.find_positions();
                Ok(())
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

    /// Asks where to go on where a position is not in the log any more.
    fn find_positions(&mut self) {
        let mut lost = Vec::new();
        for (partition, offset) in self.fetcher.lost_positions(self.cx.now()) {
            if let Some(task) = self.tasks.owner(&partition) {
                let of_source = task.spec().input(&partition).and_then(|input| input.reset);
                lost.push((partition, offset, of_source));
            }
        }
        if !lost.is_empty() && self.asker.ask(Question::Resets { epoch: self.tasks.epoch(), lost }) {
            self.fetcher.finding();
        }
    }

    /// Goes on where the cluster says. What it does not answer is asked again after a pause.
    pub(super) fn go_on_elsewhere(
        &mut self,
        epoch: u64,
        found: Vec<(TopicPartition, Offset, Result<StartAt, ClientError>)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.fetcher.found();
        if epoch != self.tasks.epoch() {
            return Ok(());
        }
        for (partition, offset, to) in found {
            match to {
                Ok(to) => {
                    tracing::warn!(%partition, %offset, ?to, "the position is not in the log any more; going on elsewhere");
                    self.fetcher.seek(&partition, to)?;
                }
                Err(error) if error.class() == ErrorClass::Retriable => {
                    self.member.note_silence(now, &error);
                    self.fetcher.find_later();
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Starts tasks whose stores are complete, where their inputs were left.
    pub(super) fn start_tasks(
        &mut self,
        specs: Vec<TaskSpec>,
        beginnings: Result<Beginnings, ClientError>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let beginnings = match beginnings {
            Ok(beginnings) => beginnings,
            Err(error) => return self.member.ask_later(error),
        };
        for spec in specs {
            self.tasks.start(spec, &beginnings, &mut self.collector, &mut self.fetcher, now)?;
        }
        Ok(())
    }
}
