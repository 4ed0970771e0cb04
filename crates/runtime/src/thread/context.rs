//! Which thread it is, of which application: what all its parts know.

use std::sync::Arc;

use headwater_client::Producer;
use headwater_record::{Deadline, Timestamp, TopicPartition};

use crate::commit::ProcessingGuarantee;
use crate::config::Role;
use crate::instance::Instance;
use crate::{Error, StreamsConfig};

/// Which thread it is, of which application.
#[derive(Clone, Debug)]
pub(super) struct ThreadContext {
    pub(super) instance: Arc<Instance>,
    pub(super) number: usize,
}

impl ThreadContext {
    pub(super) fn config(&self) -> &StreamsConfig {
        &self.instance.config
    }

    /// The time now: what went before in a turn may have taken some.
    pub(super) fn now(&self) -> Timestamp {
        self.instance.environment.clock.now()
    }

    /// How long the answer to a request that is made `now` is waited for.
    pub(super) fn answer_by(&self, now: Timestamp) -> Deadline {
        Deadline::after(now, self.config().request_timeout())
    }

    pub(super) fn is_repartition(&self, partition: &TopicPartition) -> bool {
        self.instance.topology.is_repartition_topic(partition.topic.as_str())
    }

    /// A producer of the thread's own.
    pub(super) fn producer(&self) -> Result<Box<dyn Producer>, Error> {
        let name = format!("{}-producer", self.instance.thread_name(self.number));
        let mut config = self.config().client(Role::Producer, &name);
        if self.config().guarantee() == ProcessingGuarantee::ExactlyOnceV2 {
            // As Java's `StreamsProducer`: whoever has the process's identity goes on where it was.
            let process = self.instance.directory.process_id();
            config.set("transactional.id", format!("{}-{process}-{}", self.config().application_id(), self.number));
        }
        Ok(self.instance.environment.clients.producer(&config)?)
    }
}
