//! Topics: asked about and changed over connections of our own.
#![forbid(unsafe_code)]

mod offsets;
mod topics;

pub(crate) use offsets::list as list_offsets;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use headwater_client::{Admin, ClientConfig, ClientError, ErrorClass, NewTopic, OffsetSpec, TopicDescription};
use headwater_record::{Clock, Deadline, Offset, Topic, TopicPartition};

use crate::clock::SystemClock;
use crate::config::Servers;
use crate::io::Io;
use crate::metadata::Brokers;

/// [`Admin`] of a real cluster.
#[derive(Debug)]
pub(crate) struct KafkaAdmin {
    io: Io,
    brokers: Arc<Brokers>,
}

impl KafkaAdmin {
    pub(crate) fn new(io: Io, config: &ClientConfig) -> Result<Self, ClientError> {
        Ok(KafkaAdmin { io, brokers: Arc::new(Brokers::new(Servers::of(config, "headwater-admin")?)) })
    }

    /// Asks, and asks again while the answer is one that passes, until `until`.
    fn ask<T, F>(
        &self,
        what: &str,
        until: Deadline,
        request: impl Fn(Arc<Brokers>) -> F + Send + 'static,
    ) -> Result<T, ClientError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ClientError>> + Send,
    {
        let brokers = Arc::clone(&self.brokers);
        self.io.wait(what, until, async move {
            loop {
                let pause = brokers.servers().retry_backoff;
                match request(Arc::clone(&brokers)).await {
                    Err(error)
                        if error.class() == ErrorClass::Retriable && !until.passed(SystemClock.now().plus(pause)) =>
                    {
                        tracing::debug!(%error, "asking again");
                        tokio::time::sleep(pause).await;
                    }
                    result => return result,
                }
            }
        })
    }
}

impl Admin for KafkaAdmin {
    fn describe_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        let topics = topics.to_vec();
        self.ask("Metadata", until, move |brokers| {
            let topics = topics.clone();
            async move { topics::describe(&brokers, &topics).await }
        })
    }

    fn list_topics(&mut self, until: Deadline) -> Result<Vec<Topic>, ClientError> {
        self.ask("Metadata", until, |brokers| async move { topics::list(&brokers).await })
    }

    fn describe_configs(&mut self, topic: &Topic, until: Deadline) -> Result<BTreeMap<String, String>, ClientError> {
        let topic = topic.clone();
        self.ask("DescribeConfigs", until, move |brokers| {
            let topic = topic.clone();
            async move { topics::configs(&brokers, &topic).await }
        })
    }

    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        let topics = topics.to_vec();
        self.ask("CreateTopics", until, move |brokers| {
            let topics = topics.clone();
            async move { topics::create(&brokers, &topics).await }
        })
    }

    fn delete_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        let topics = topics.to_vec();
        self.ask("DeleteTopics", until, move |brokers| {
            let topics = topics.clone();
            async move { topics::delete(&brokers, &topics).await }
        })
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        until: Deadline,
    ) -> Result<Vec<Offset>, ClientError> {
        let partitions = partitions.to_vec();
        self.ask("ListOffsets", until, move |brokers| {
            let partitions = partitions.clone();
            async move { offsets::list(&brokers, &partitions, spec).await }
        })
    }

    fn delete_records(&mut self, before: &[(TopicPartition, Offset)], until: Deadline) -> Result<(), ClientError> {
        let before = before.to_vec();
        self.ask("DeleteRecords", until, move |brokers| {
            let before = before.clone();
            async move { offsets::delete_records(&brokers, &before).await }
        })
    }
}
