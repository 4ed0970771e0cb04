//! What is done now and then: deleting consumed repartition records and abandoned state, and looking whether topics changed.

use headwater_client::ErrorClass;
use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};

use super::StreamThread;
use crate::Error;
use crate::membership::Event;
use crate::task::StreamTask;

/// When what was done last.
#[derive(Debug)]
pub(super) struct Upkeep {
    purged: Timestamp,
    cleaned: Timestamp,
    looked: Timestamp,
}

impl Upkeep {
    pub(super) fn new(now: Timestamp) -> Self {
        Upkeep { purged: now, cleaned: now, looked: now }
    }
}

impl StreamThread {
    /// Cleans the state directory (the first thread does, for all), and has the leader look whether topics changed.
    pub(super) fn upkeep_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        let delay = self.instance.config.state_cleanup_delay();
        if self.number == 1 && now.since(self.upkeep.cleaned) >= delay {
            self.upkeep.cleaned = now;
            if let Err(error) = self.instance.directory.delete_obsolete(now, delay) {
                tracing::warn!(%error, "state that nobody uses any more could not be deleted");
            }
        }
        let interval = self.instance.config.metadata_max_age();
        let looks = self.membership.is_leader() || !self.instance.patterns.is_empty();
        if looks && self.membership.is_stable() && now.since(self.upkeep.looked) >= interval {
            self.upkeep.looked = now;
            self.look_at_topics(now)?;
        }
        Ok(())
    }

    /// The leader asks for a rebalance when source topics have other partitions than when it decided.
    fn look_at_topics(&mut self, now: Timestamp) -> Result<(), Error> {
        let known = match self.survey(now) {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!(%error, "topics could not be looked at; trying again later");
                return Ok(());
            }
        };
        if !self.instance.patterns.is_empty() {
            self.subscribed = false;
        }
        if self.membership.is_leader() && self.leading.would_decide_otherwise(&known) {
            tracing::info!("the partitions of source topics changed; asking for a rebalance");
            return self.tell(now, Event::Rejoin { reason: "the partitions of source topics changed".to_owned() });
        }
        Ok(())
    }

    /// Deletes records of repartition topics that were consumed and committed. That it fails costs disk space, nothing else.
    pub(super) fn purge_if_due(&mut self, now: Timestamp) {
        if now.since(self.upkeep.purged) < self.instance.config.repartition_purge_interval() {
            return;
        }
        let committed = self.registry.actives().flat_map(StreamTask::committed_offsets);
        let before: Vec<(TopicPartition, Offset)> = committed
            .filter(|(partition, _)| self.is_repartition(partition))
            .map(|(partition, committed)| (partition.clone(), committed.offset))
            .collect();
        if before.is_empty() {
            self.upkeep.purged = now;
            return;
        }
        let until = Deadline::after(now, self.instance.config.request_timeout());
        if let Err(error) = self.admin.delete_records(&before, until) {
            if error.class() == ErrorClass::Retriable {
                tracing::debug!(%error, "consumed repartition records could not be deleted; trying again later");
            } else {
                tracing::warn!(%error, "consumed repartition records could not be deleted");
            }
        }
        self.upkeep.purged = self.now();
    }
}
