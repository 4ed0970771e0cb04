//! Answering what a thread asks: the worker beside it does, and waits for the cluster.

mod plan;

use headwater_client::{Admin, ClientError, ErrorClass, GroupMembership, OffsetSpec, StartAt};
use headwater_record::{Offset, Partition, Timestamp, Topic, TopicPartition};
use headwater_topology::node::OffsetReset;

use super::context::ThreadContext;
use super::question::{Answer, Beginnings, Question};
use crate::Error;
use crate::config::Role;
use crate::internal_topics::{self, KnownTopics};
use crate::task::{Committed, TaskInput, TaskSpec};

/// The cluster, as one asks it who may wait.
pub(super) struct Cluster {
    cx: ThreadContext,
    admin: Box<dyn Admin>,
    /// To ask for committed offsets.
    connection: Box<dyn GroupMembership>,
}

impl Cluster {
    pub(super) fn new(cx: &ThreadContext) -> Result<Self, Error> {
        let (config, clients) = (cx.config(), &cx.instance.environment.clients);
        let name = cx.instance.thread_name(cx.number);
        let member = config.client(Role::Membership, &format!("{name}-consumer"));
        Ok(Cluster {
            cx: cx.clone(),
            admin: clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?,
            connection: clients.membership(config.application_id(), &member)?,
        })
    }

    /// Asks, and waits for the answer as long as one request may take.
    pub(super) fn answer(&mut self, question: Question, now: Timestamp) -> Answer {
        self.cx.instance.look_for_dead_letters(self.admin.as_mut(), self.cx.answer_by(now));
        match question {
            Question::Topics => Answer::Topics(self.survey(now)),
            Question::Plan { number, group } => Answer::Plan { number, plan: self.plan(&group, now) },
            Question::Beginnings { epoch, specs, outputs } => {
                let beginnings = self.beginnings(&specs, now);
                Answer::Beginnings { epoch, specs, beginnings, outputs: self.partitions(&outputs, now) }
            }
            Question::Partitions(topics) => Answer::Partitions(self.partitions(&topics, now)),
            Question::Resets { epoch, lost } => {
                let find = |(partition, offset, of_source): (TopicPartition, Offset, Option<OffsetReset>)| {
                    let to = self.reset(&partition, of_source, now);
                    (partition, offset, to)
                };
                Answer::Resets { epoch, found: lost.into_iter().map(find).collect() }
            }
            Question::Purge(before) => {
                self.purge(&before, now);
                Answer::Purged
            }
        }
    }

    /// What the topics are that the topology reads.
    pub(super) fn survey(&mut self, now: Timestamp) -> Result<KnownTopics, ClientError> {
        let instance = &self.cx.instance;
        let matches = |pattern: &str, topic: &str| instance.patterns.matches(pattern, topic);
        internal_topics::survey(self.admin.as_mut(), &instance.topology, &matches, self.cx.answer_by(now))
    }

    /// How many partitions these topics have, where they are there and the cluster says it. Others are asked for again with the first
    /// record that is written to them.
    fn partitions(&mut self, topics: &[Topic], now: Timestamp) -> Vec<(Topic, Partition)> {
        if topics.is_empty() {
            return Vec::new();
        }
        match self.admin.describe_topics(topics, self.cx.answer_by(now)) {
            Ok(described) => described.into_iter().flatten().map(|found| (found.topic, found.partitions)).collect(),
            Err(error) => {
                tracing::debug!(%error, "partitions of topics that are written to could not be counted");
                Vec::new()
            }
        }
    }

    fn purge(&mut self, before: &[(TopicPartition, Offset)], now: Timestamp) {
        match self.admin.delete_records(before, self.cx.answer_by(now)) {
            Err(error) if error.class() == ErrorClass::Retriable => {
                tracing::debug!(%error, "consumed repartition records could not be deleted; trying again later");
            }
            Err(error) => tracing::warn!(%error, "consumed repartition records could not be deleted"),
            Ok(()) => {}
        }
    }

    /// Where the inputs of these tasks begin: at what was committed, else as their sources or `auto.offset.reset` say.
    fn beginnings(&mut self, specs: &[TaskSpec], now: Timestamp) -> Result<Beginnings, ClientError> {
        let inputs: Vec<&TaskInput> = specs.iter().flat_map(|spec| &spec.inputs).collect();
        let partitions: Vec<TopicPartition> = inputs.iter().map(|input| input.partition.clone()).collect();
        let group = self.cx.config().application_id();
        let committed = self.connection.committed_offsets(group, &partitions, true, self.cx.answer_by(now))?;
        let mut beginnings = Beginnings::new();
        for (input, committed) in inputs.into_iter().zip(committed) {
            let beginning = match committed {
                Some(committed) => (StartAt::Offset(committed.offset), Some(Committed::of(&committed))),
                None => (self.reset(&input.partition, input.reset, now)?, None),
            };
            beginnings.insert(input.partition.clone(), beginning);
        }
        Ok(beginnings)
    }

    /// Where to read a partition of which nothing was committed, or whose position is not in the log any more.
    fn reset(
        &mut self,
        partition: &TopicPartition,
        of_source: Option<OffsetReset>,
        now: Timestamp,
    ) -> Result<StartAt, ClientError> {
        // A repartition topic is the application's own: everything in it counts.
        let internal = self.cx.is_repartition(partition);
        let reset = if internal { OffsetReset::Earliest } else { of_source.unwrap_or(self.cx.config().offset_reset()) };
        match reset {
            OffsetReset::Earliest => Ok(StartAt::Beginning),
            OffsetReset::Latest => Ok(StartAt::End),
            OffsetReset::ByDuration(duration) => {
                let since = now.millis().saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
                let spec = OffsetSpec::AtTimestamp(since.max(0));
                let offsets = self.admin.list_offsets(std::slice::from_ref(partition), spec, self.cx.answer_by(now))?;
                Ok(offsets.first().map_or(StartAt::End, |offset| StartAt::Offset(*offset)))
            }
            _ => Err(ClientError::Config(format!(
                "no offset is committed for {partition}, or it is not in the log any more, and auto.offset.reset is none: set it to earliest or latest, or commit an offset"
            ))),
        }
    }
}
