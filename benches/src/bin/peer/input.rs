//! How much input there is, and how much of it the group has committed.

use std::time::Duration;

use anyhow::{Context, Result};
use headwater::client::{ClientConfig, ClientSupplier, ErrorClass, Isolation, OffsetSpec};
use headwater::kafka::KafkaClients;
use headwater::record::{Deadline, Offset, Partition, Topic, TopicPartition};

use crate::arguments::Arguments;

const PATIENCE: Duration = Duration::from_secs(30);
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The input as it was when the contender started.
#[derive(Debug)]
pub(crate) struct Input {
    clients: KafkaClients,
    config: ClientConfig,
    group: String,
    partitions: Vec<TopicPartition>,
    ends: Vec<Offset>,
}

impl Input {
    /// Asks the cluster.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        let clients = KafkaClients::new();
        let config = ClientConfig::new().with("bootstrap.servers", &arguments.bootstrap);
        let until = Deadline::after(clients.clock().now(), PATIENCE);
        let mut admin = clients.admin(&config)?;
        let topics: Vec<Topic> = arguments.inputs.iter().map(|name| Topic::from(name.as_str())).collect();
        let mut partitions = Vec::new();
        for (topic, description) in topics.iter().zip(admin.describe_topics(&topics, until)?) {
            let description = description.with_context(|| format!("there is no topic {topic}"))?;
            partitions.extend(
                (0..description.partitions).map(|partition| TopicPartition { topic: topic.clone(), partition }),
            );
        }
        let ends = admin.list_offsets(&partitions, OffsetSpec::Latest(Isolation::ReadCommitted), until)?;
        Ok(Input { clients, config, group: arguments.application.clone(), partitions, ends })
    }

    /// How many partitions `topic` has.
    pub(crate) fn partitions_of(&self, topic: &str) -> Partition {
        self.partitions.iter().filter(|partition| partition.topic.as_str() == topic).count() as Partition
    }

    /// Records between what the group has committed, nothing at first, and the ends.
    pub(crate) fn lag(&self) -> Result<u64> {
        let until = Deadline::after(self.clients.clock().now(), PATIENCE);
        let mut membership = self.clients.membership(&self.group, &self.config)?;
        let committed = loop {
            match membership.committed_offsets(&self.group, &self.partitions, false, until) {
                // A new cluster makes the topic of committed offsets when it is first asked.
                Err(error) if error.class() == ErrorClass::Retriable && !until.passed(self.clients.clock().now()) => {
                    std::thread::sleep(ASK_AGAIN_AFTER);
                }
                answer => break answer?,
            }
        };
        let lag: i64 = self
            .ends
            .iter()
            .zip(committed)
            .map(|(end, committed)| end.value() - committed.map_or(0, |committed| committed.offset.value()))
            .sum();
        u64::try_from(lag).context("the group has committed more than there was")
    }
}
