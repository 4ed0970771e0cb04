//! A cluster whose clients are listened to.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use headwater_client::{
    Admin, ClientConfig, ClientError, ClientSupplier, Consumer, GroupMembership, NewTopic, OffsetSpec, Producer,
    RecordBatch, StartAt, TopicDescription, Wakeup, Watermarks,
};
use headwater_client_memory::Cluster;
use headwater_record::{Clock, Deadline, Offset, Topic, TopicPartition};

/// What was asked of the clients.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The longest that a poll of a consumer would have waited.
    pub(crate) longest_poll: Duration,
    /// The longest that an answer about topics was waited for.
    pub(crate) longest_question: Duration,
    /// How often partitions were paused.
    pub(crate) pauses: usize,
    /// Topics that were made.
    pub(crate) made: Vec<NewTopic>,
}

/// The clients of `cluster`.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    cluster: Cluster,
    heard: Arc<Mutex<Heard>>,
    /// The question that gets no answer for now, and how often it was asked meanwhile.
    held: Arc<(Mutex<(Option<&'static str>, usize)>, Condvar)>,
}

impl Recorder {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Recorder { cluster: cluster.clone(), heard: Arc::default(), held: Arc::default() }
    }

    /// This question gets no answer until [`Recorder::let_go`].
    pub(crate) fn hold(&self, question: &'static str) {
        *self.held.0.lock().unwrap() = (Some(question), 0);
    }

    pub(crate) fn let_go(&self) {
        *self.held.0.lock().unwrap() = (None, 0);
        self.held.1.notify_all();
    }

    /// Whether somebody waits for an answer that is held back.
    pub(crate) fn holds(&self) -> bool {
        self.held.0.lock().unwrap().1 > 0
    }

    fn wait(&self, question: &'static str) {
        let (held, changed) = &*self.held;
        let mut held = held.lock().unwrap();
        if held.0 == Some(question) {
            held.1 += 1;
        }
        drop(changed.wait_while(held, |held| held.0 == Some(question)).unwrap());
    }

    pub(crate) fn take(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

impl ClientSupplier for Recorder {
    fn clock(&self) -> Arc<dyn Clock> {
        self.cluster.clock().clone()
    }

    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError> {
        Ok(Box::new(Recorded { client: self.cluster.consumer(config)?, by: self.clone() }))
    }

    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError> {
        self.cluster.producer(config)
    }

    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError> {
        Ok(Box::new(Recorded { client: self.cluster.admin(config)?, by: self.clone() }))
    }

    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError> {
        self.cluster.membership(group, config)
    }
}

/// A client that is listened to.
#[derive(Debug)]
struct Recorded<C> {
    client: C,
    by: Recorder,
}

impl<C> Recorded<C> {
    fn hear(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.by.heard.lock().unwrap());
    }

    fn patience(&self, until: Deadline) -> Duration {
        until.remaining(self.by.cluster.clock().now())
    }
}

impl Consumer for Recorded<Box<dyn Consumer>> {
    fn assign(&mut self, partitions: &[(TopicPartition, StartAt)]) -> Result<(), ClientError> {
        self.client.assign(partitions)
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.client.unassign(partitions)
    }

    fn seek(&mut self, partition: &TopicPartition, to: StartAt) -> Result<(), ClientError> {
        self.client.seek(partition, to)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.hear(|heard| heard.pauses += partitions.len());
        self.client.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        self.client.resume(partitions)
    }

    fn poll(&mut self, until: Deadline, into: &mut Vec<Box<dyn RecordBatch>>) -> Result<(), ClientError> {
        let patience = self.patience(until);
        self.hear(|heard| heard.longest_poll = heard.longest_poll.max(patience));
        self.client.poll(until, into)
    }

    fn wakeup(&self) -> Wakeup {
        self.client.wakeup()
    }

    fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.client.position(partition)
    }

    fn watermarks(&self, partition: &TopicPartition) -> Option<Watermarks> {
        self.client.watermarks(partition)
    }
}

impl Admin for Recorded<Box<dyn Admin>> {
    fn describe_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Option<TopicDescription>>, ClientError> {
        let patience = self.patience(until);
        self.hear(|heard| heard.longest_question = heard.longest_question.max(patience));
        self.by.wait("describe_topics");
        self.client.describe_topics(topics, until)
    }

    fn list_topics(&mut self, until: Deadline) -> Result<Vec<Topic>, ClientError> {
        self.client.list_topics(until)
    }

    fn describe_configs(&mut self, topic: &Topic, until: Deadline) -> Result<BTreeMap<String, String>, ClientError> {
        self.client.describe_configs(topic, until)
    }

    fn create_topics(
        &mut self,
        topics: &[NewTopic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.hear(|heard| heard.made.extend_from_slice(topics));
        self.client.create_topics(topics, until)
    }

    fn delete_topics(
        &mut self,
        topics: &[Topic],
        until: Deadline,
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.client.delete_topics(topics, until)
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        until: Deadline,
    ) -> Result<Vec<Offset>, ClientError> {
        self.client.list_offsets(partitions, spec, until)
    }

    fn delete_records(&mut self, before: &[(TopicPartition, Offset)], until: Deadline) -> Result<(), ClientError> {
        self.by.wait("delete_records");
        self.client.delete_records(before, until)
    }
}
