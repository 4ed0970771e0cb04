//! The requests of transactions, one after the other, with nothing decided but where to send them.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_client::{ClientError, CommittedOffset, GroupIdentity};
use headwater_record::TopicPartition;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, FindCoordinatorRequest, GroupId,
    InitProducerIdRequest, ProducerId, TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Request, StrBytes};

use super::codes::{Verdict, deciding, verdict};
use super::{Ask, Protocol, Said};
use crate::connection::Connection;
use crate::coordinator::Coordinator;
use crate::metadata::Brokers;
use crate::producer::sequences::Identity;

/// Offsets to commit with a transaction, and as whom.
#[derive(Clone, Debug)]
pub(in super::super) struct Offsets {
    pub(in super::super) member: GroupIdentity,
    pub(in super::super) offsets: Vec<(TopicPartition, CommittedOffset)>,
}

/// The coordinators that a transactional producer talks to.
#[derive(Debug)]
pub(in super::super) struct Coordinators {
    id: String,
    timeout: Duration,
    brokers: Arc<Brokers>,
    of_transaction: Coordinator,
    /// That of the group whose offsets were committed last.
    of_group: Mutex<Option<(String, Arc<Coordinator>)>>,
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

impl Coordinators {
    /// For a producer of `transactional.id` and `transaction.timeout.ms`.
    pub(in super::super) fn new(brokers: Arc<Brokers>, id: &str, timeout: Duration) -> Self {
        let of_transaction = Coordinator::of_transactions(Arc::clone(&brokers), id);
        Coordinators { id: id.to_owned(), timeout, brokers, of_transaction, of_group: Mutex::default() }
    }

    fn id(&self) -> TransactionalId {
        TransactionalId(text(&self.id))
    }

    fn of_group(&self, group: &str) -> Arc<Coordinator> {
        let mut known = self.of_group.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((name, coordinator)) if name == group => Arc::clone(coordinator),
            _ => {
                let coordinator = Arc::new(Coordinator::of_group(Arc::clone(&self.brokers), group));
                *known = Some((group.to_owned(), Arc::clone(&coordinator)));
                coordinator
            }
        }
    }

    /// Which protocol the cluster speaks.
    ///
    /// # Errors
    /// That it is too old for any, and those of finding the coordinator.
    pub(in super::super) async fn protocol(&self) -> Result<Protocol, ClientError> {
        is_new_enough(&*self.brokers.any().await?)?;
        let coordinator = self.of_transaction.connection().await?;
        is_new_enough(&coordinator)?;
        Ok(if coordinator.transaction_version() >= 2 { Protocol::Two } else { Protocol::One })
    }

    /// Asks who this producer is, or for its next epoch when it is `known`.
    pub(in super::super) async fn init(&self, ask: Ask, known: Option<Identity>) -> Said {
        let Identity { producer_id, epoch } = known.unwrap_or(Identity { producer_id: -1, epoch: -1 });
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(self.id()))
            .with_transaction_timeout_ms(i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX))
            .with_producer_id(ProducerId(producer_id))
            .with_producer_epoch(epoch);
        let answer = self.call(&self.of_transaction, &request, 5).await;
        self.told(ask, &self.of_transaction, answer, |answer| {
            let named = Identity { producer_id: answer.producer_id.0, epoch: answer.producer_epoch };
            (answer.error_code, Some(named))
        })
        .await
    }

    /// Makes partitions part of the transaction: all of them, or none.
    pub(in super::super) async fn add_partitions(&self, of: Identity, partitions: &[TopicPartition]) -> Said {
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            topics.entry(partition.topic.as_str()).or_default().push(partition.partition);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            AddPartitionsToTxnTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
        });
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.id())
            .with_v3_and_below_producer_id(ProducerId(of.producer_id))
            .with_v3_and_below_producer_epoch(of.epoch)
            .with_v3_and_below_topics(topics.collect());
        let answer = self.call(&self.of_transaction, &request, 3).await;
        self.told(Ask::AddPartitions, &self.of_transaction, answer, |answer| {
            let topics = answer.results_by_topic_v3_and_below.iter();
            let partitions = topics.flat_map(|topic| topic.results_by_partition.iter());
            (deciding(Ask::AddPartitions, partitions.map(|partition| partition.partition_error_code)), None)
        })
        .await
    }

    /// Makes a group's offsets part of the transaction.
    pub(in super::super) async fn add_offsets(&self, of: Identity, group: &str) -> Said {
        let request = AddOffsetsToTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerId(of.producer_id))
            .with_producer_epoch(of.epoch)
            .with_group_id(GroupId(text(group)));
        let answer = self.call(&self.of_transaction, &request, 4).await;
        self.told(Ask::AddOffsets, &self.of_transaction, answer, |answer| (answer.error_code, None)).await
    }

    /// Commits offsets with the transaction.
    pub(in super::super) async fn commit_offsets(&self, of: Identity, protocol: Protocol, offers: &Offsets) -> Said {
        let mut topics: BTreeMap<&str, Vec<TxnOffsetCommitRequestPartition>> = BTreeMap::new();
        for (partition, committed) in &offers.offsets {
            let entry = TxnOffsetCommitRequestPartition::default()
                .with_partition_index(partition.partition)
                .with_committed_offset(committed.offset.value())
                .with_committed_metadata(Some(text(&committed.metadata)));
            topics.entry(partition.topic.as_str()).or_default().push(entry);
        }
        let topics = topics.into_iter().map(|(name, partitions)| {
            TxnOffsetCommitRequestTopic::default().with_name(TopicName(text(name))).with_partitions(partitions)
        });
        let member = &offers.member;
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(self.id())
            .with_group_id(GroupId(text(&member.group)))
            .with_producer_id(ProducerId(of.producer_id))
            .with_producer_epoch(of.epoch)
            .with_generation_id(member.generation)
            .with_member_id(text(&member.member_id))
            .with_group_instance_id(member.instance_id.as_deref().map(text))
            .with_topics(topics.collect());
        let coordinator = self.of_group(&member.group);
        let newest = if protocol == Protocol::Two { 5 } else { 4 };
        let answer = self.call(&coordinator, &request, newest).await;
        self.told(Ask::CommitOffsets, &coordinator, answer, |answer| {
            let partitions = answer.topics.iter().flat_map(|topic| topic.partitions.iter());
            (deciding(Ask::CommitOffsets, partitions.map(|partition| partition.error_code)), None)
        })
        .await
    }

    /// Ends the transaction.
    pub(in super::super) async fn end(&self, of: Identity, protocol: Protocol, commit: bool) -> Said {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.id())
            .with_producer_id(ProducerId(of.producer_id))
            .with_producer_epoch(of.epoch)
            .with_committed(commit);
        let newest = if protocol == Protocol::Two { 5 } else { 4 };
        let answer = self.call(&self.of_transaction, &request, newest).await;
        self.told(Ask::End { commit }, &self.of_transaction, answer, |answer| {
            let next = Identity { producer_id: answer.producer_id.0, epoch: answer.producer_epoch };
            (answer.error_code, (protocol == Protocol::Two && answer.producer_id.0 >= 0).then_some(next))
        })
        .await
    }

    /// Asks in the version `newest`, or the newest before it that the broker knows.
    async fn call<R: Request>(&self, at: &Coordinator, request: &R, newest: i16) -> Result<R::Response, Said> {
        let connection = at.connection().await.map_err(Said::NotSent)?;
        let version = connection.version_of::<R>(newest).map_err(Said::NotSent)?;
        let limit = self.brokers.servers().request_timeout;
        connection.call_at(version, request, limit).await.map_err(Said::NotHeard)
    }

    /// What an answer says. After one that does not come from the coordinator, it is looked for again.
    async fn told<T>(
        &self,
        ask: Ask,
        at: &Coordinator,
        answer: Result<T, Said>,
        read: impl FnOnce(&T) -> (i16, Option<Identity>),
    ) -> Said {
        let said = match answer {
            Ok(answer) => {
                let (code, identity) = read(&answer);
                Said::Code(code, identity.filter(|_| code == 0))
            }
            Err(said) => said,
        };
        let stays = match &said {
            Said::Code(code, _) => !matches!(verdict(ask, *code), Verdict::Elsewhere(_)),
            Said::NotSent(_) | Said::NotHeard(_) => false,
        };
        if !stays {
            at.forget().await;
        }
        said
    }
}

/// Whether a broker knows what transactions with offsets of one's own group's generation need (KIP-447).
fn is_new_enough(broker: &Connection) -> Result<(), ClientError> {
    let knows = speaks::<FindCoordinatorRequest>(broker, 4)
        && speaks::<InitProducerIdRequest>(broker, 3)
        && speaks::<TxnOffsetCommitRequest>(broker, 3);
    if knows {
        return Ok(());
    }
    Err(ClientError::Broker {
        code: 35,
        message: format!(
            "the broker at {} is too old: exactly-once needs Kafka 3.0 or later; upgrade the cluster, or set \
             processing.guarantee=at_least_once",
            broker.address()
        ),
        retriable: false,
    })
}

fn speaks<R: Request>(broker: &Connection, least: i16) -> bool {
    broker.version_of::<R>(i16::MAX).is_ok_and(|newest| newest >= least)
}
