//! Clients of one instance that may be struck at every call, and are watched.

mod group;
mod producer;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_client::{
    Admin, ClientConfig, ClientError, ClientSupplier, Consumer, GroupMembership, NewTopic, OffsetSpec, Producer,
    RecordBatch, StartAt, TopicDescription, Wakeup, Watermarks,
};
use headwater_client_memory::Cluster;
use headwater_record::{Clock, Deadline, Offset, Topic, TopicPartition};

use self::group::WatchedMembership;
use self::producer::WatchedProducer;
use super::ledger::Ledger;
use super::process::{Call, Process};
use super::report::Kind;

/// Makes the clients of one instance.
#[derive(Clone, Debug)]
pub(crate) struct WatchedClients {
    pub(crate) cluster: Cluster,
    pub(crate) process: Arc<Process>,
    pub(crate) ledger: Arc<Ledger>,
    /// The `application.id`.
    pub(crate) application: Arc<str>,
}

impl WatchedClients {
    fn watched(&self, config: &ClientConfig) -> WatchedClients {
        self.process.client(config.value("client.id").unwrap_or_default());
        self.clone()
    }

    /// Does `act`, unless the process is dead or dies at it.
    fn call<T>(&self, call: Call, act: impl FnOnce() -> Result<T, ClientError>) -> Result<T, ClientError> {
        self.process.call(call, act).unwrap_or(Err(ClientError::Closed))
    }
}

impl ClientSupplier for WatchedClients {
    fn clock(&self) -> Arc<dyn Clock> {
        self.cluster.clock().clone()
    }

    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError> {
        let of = self.watched(config);
        // The restore consumer reads topics that are input too.
        let is_main =
            config.value("client.id").is_some_and(|id| id.ends_with("-consumer") && !id.ends_with("-restore-consumer"));
        Ok(Box::new(WatchedConsumer { inner: self.cluster.consumer(config)?, of, is_main }))
    }

    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError> {
        let of = self.watched(config);
        Ok(Box::new(WatchedProducer::new(self.cluster.producer(config)?, of, config)))
    }

    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError> {
        let of = self.watched(config);
        Ok(Box::new(WatchedAdmin { inner: self.cluster.admin(config)?, of }))
    }

    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError> {
        let of = self.watched(config);
        Ok(Box::new(WatchedMembership { inner: self.cluster.membership(group, config)?, of }))
    }
}

struct WatchedConsumer {
    inner: Box<dyn Consumer>,
    of: WatchedClients,
    is_main: bool,
}

impl Consumer for WatchedConsumer {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        let Self { inner, of, is_main } = self;
        let result = of.call(Call::Position, || inner.assign(partitions));
        for (partition, _) in partitions.iter().filter(|_| *is_main) {
            if let Some(position) = inner.position(partition) {
                of.process.polled(partition, position);
            }
        }
        result
    }
    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.of.call(Call::Position, || self.inner.unassign(partitions))
    }
    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        self.of.call(Call::Position, || self.inner.seek(partition, to))
    }
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.of.call(Call::Position, || self.inner.pause(partitions))
    }
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.of.call(Call::Position, || self.inner.resume(partitions))
    }
    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let before = into.len();
        let Self { inner, of, is_main } = self;
        let result = of.call(Call::Fetch, || inner.poll(until, into));
        for batch in into.iter().skip(before).filter(|_| *is_main) {
            if let Some(position) = inner.position(batch.partition()) {
                of.process.polled(batch.partition(), position);
            }
        }
        result
    }
    fn wakeup(&self) -> Wakeup {
        self.inner.wakeup()
    }
    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        let position = self.inner.position(partition)?;
        if self.is_main {
            self.of.process.polled(partition, position);
        }
        Some(position)
    }
    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.inner.watermarks(partition)
    }
}

struct WatchedAdmin {
    inner: Box<dyn Admin>,
    of: WatchedClients,
}

impl Admin for WatchedAdmin {
    fn describe_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        self.of.call(Call::Admin, || self.inner.describe_topics(topics, until))
    }
    fn list_topics(&mut self, until: Deadline) -> Result<Vec<Topic>, ClientError> {
        self.of.call(Call::Admin, || self.inner.list_topics(until))
    }
    fn describe_configs(&mut self, topic: &Topic, until: Deadline) -> Result<BTreeMap<String, String>, ClientError> {
        self.of.call(Call::Admin, || self.inner.describe_configs(topic, until))
    }
    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.of.call(Call::Admin, || self.inner.create_topics(topics, until))
    }
    fn delete_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.of.call(Call::Admin, || self.inner.delete_topics(topics, until))
    }
    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        until: Deadline,
    ) -> Result<Vec<Offset>, ClientError> {
        self.of.call(Call::Admin, || self.inner.list_offsets(partitions, spec, until))
    }
    fn delete_records(&mut self, before: &[(TopicPartition, Offset)], until: Deadline) -> Result<(), ClientError> {
        let Self { inner, of } = self;
        of.call(Call::Admin, || {
            let committed = of.cluster.group(&of.application).committed;
            for (partition, offset) in before {
                let in_group = committed.get(partition).map_or(Offset::ZERO, |committed| committed.offset);
                let kept_from = of.ledger.committed_offset(partition).map_or(in_group, |offset| offset.max(in_group));
                if *offset > kept_from {
                    let name = of.process.name();
                    let what = format!("{name} deletes {partition} before {offset}, committed is {kept_from}");
                    of.ledger.violated(Kind::Purged, what);
                }
            }
            inner.delete_records(before, until)
        })
    }
}
