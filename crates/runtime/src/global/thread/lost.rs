//! A topic that was there and is gone: the stores keep what they have until it is back, and are filled anew then.

use std::time::Duration;

use headwater_client::{ClientError, StartAt};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use super::{GlobalThread, Phase};
use crate::Error;

/// How often a topic that is gone is looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl GlobalThread {
    /// The consumer does not find a topic. A broker that has just started may not have heard of it: somebody else is asked.
    pub(super) fn topic_lost(&mut self, error: &ClientError, now: Timestamp) {
        tracing::warn!(%error, "a topic of global stores is gone; looking for it");
        self.phase = Phase::Lost { confirmed: false, filling: self.phase == Phase::Filling };
        self.not_before = now.plus(self.instance.config.retry_backoff());
    }

    pub(super) fn look_for_lost(&mut self, now: Timestamp) -> Result<(), Error> {
        let Phase::Lost { confirmed, filling } = self.phase else { return Ok(()) };
        let until = Deadline::after(now, self.instance.config.request_timeout());
        match self.counts(until) {
            Ok(_) if confirmed => {
                self.begin_anew(now, "a topic was deleted and is there again");
                Ok(())
            }
            Ok(_) => self.go_on(filling),
            Err(error @ ClientError::UnknownTopic { .. }) if self.instance.globals.is_filled() => {
                if !confirmed {
                    tracing::error!(%error, "a topic of global stores was deleted; they keep what they have until it is there again");
                }
                self.phase = Phase::Lost { confirmed: true, filling };
                self.not_before = now.plus(LOOK_INTERVAL);
                Ok(())
            }
            // Nobody reads the stores yet: as at the start.
            Err(error @ ClientError::UnknownTopic { .. }) => {
                self.begin_anew(now, &error.to_string());
                Ok(())
            }
            Err(error) => self.bear(error, now),
        }
    }

    /// It was a false alarm: reads on from where it was.
    fn go_on(&mut self, filling: bool) -> Result<(), Error> {
        self.let_go();
        let Some(fill) = &self.fill else { return Ok(()) };
        let begins =
            fill.readings.iter().map(|(partition, reading)| (partition.clone(), StartAt::Offset(reading.next)));
        let begins: Vec<(TopicPartition, StartAt)> = begins.collect();
        self.consumer.assign(&begins)?;
        self.assigned = begins.into_iter().map(|(partition, _)| partition).collect();
        self.phase = if filling { Phase::Filling } else { Phase::Following };
        Ok(())
    }
}
