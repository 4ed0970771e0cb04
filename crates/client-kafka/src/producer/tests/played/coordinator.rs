//! What the played broker says as a coordinator of transactions and of a group.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::api_versions_response::FinalizedFeatureKey;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
    InitProducerIdResponse, ProducerId, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::{Decodable, Request, StrBytes};

use super::{Answered, Reply, framed};

pub(in super::super) const INIT: i16 = InitProducerIdRequest::KEY;
pub(in super::super) const ADD_PARTITIONS: i16 = AddPartitionsToTxnRequest::KEY;
pub(in super::super) const ADD_OFFSETS: i16 = AddOffsetsToTxnRequest::KEY;
pub(in super::super) const COMMIT_OFFSETS: i16 = TxnOffsetCommitRequest::KEY;
pub(in super::super) const END: i16 = EndTxnRequest::KEY;

/// The coordinator's side of the play.
#[derive(Debug)]
pub(super) struct Script {
    /// The cluster's `transaction.version`.
    pub(super) transaction_version: i16,
    /// The newest version of each request that the broker speaks.
    pub(super) speaks: HashMap<i16, i16>,
    pub(super) replies: HashMap<i16, VecDeque<Reply>>,
    /// Where the coordinators are said to be, if not here.
    pub(super) elsewhere: Option<i32>,
    /// What came, in order.
    pub(super) asked: Vec<String>,
    epoch: i16,
}

impl Default for Script {
    fn default() -> Self {
        let speaks = [(FindCoordinatorRequest::KEY, 6), (INIT, 4), (ADD_PARTITIONS, 5), (ADD_OFFSETS, 4), (END, 5)];
        Script {
            transaction_version: 0,
            speaks: speaks.into_iter().chain([(COMMIT_OFFSETS, 5)]).collect(),
            replies: HashMap::new(),
            elsewhere: None,
            asked: Vec::new(),
            epoch: -1,
        }
    }
}

impl Script {
    pub(super) fn features(&self) -> Vec<FinalizedFeatureKey> {
        let feature = FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str("transaction.version"))
            .with_max_version_level(self.transaction_version);
        vec![feature]
    }

    /// Answers a request of these keys, `None` to others.
    pub(super) fn answer(&mut self, key: i16, version: i16, id: i32, frame: Bytes, port: i32) -> Option<Answered> {
        let asked = match key {
            FindCoordinatorRequest::KEY => {
                let request: FindCoordinatorRequest = decoded(frame, version);
                format!("FindCoordinator {} {}", request.key_type, &*request.coordinator_keys[0])
            }
            INIT => {
                let request: InitProducerIdRequest = decoded(frame, version);
                // Without a name it is asked for in other tests.
                let name = request.transactional_id?;
                let timeout = request.transaction_timeout_ms;
                format!("InitProducerId {} {timeout} ms, epoch {}", &*name.0, request.producer_epoch)
            }
            ADD_PARTITIONS => {
                let request: AddPartitionsToTxnRequest = decoded(frame, version);
                let topics = request.v3_and_below_topics.iter();
                let named: Vec<_> = topics.map(|topic| format!("{}{:?}", &*topic.name.0, topic.partitions)).collect();
                format!("AddPartitionsToTxn {}, epoch {}", named.join(" "), request.v3_and_below_producer_epoch)
            }
            ADD_OFFSETS => {
                let request: AddOffsetsToTxnRequest = decoded(frame, version);
                format!("AddOffsetsToTxn {}, epoch {}", &*request.group_id.0, request.producer_epoch)
            }
            COMMIT_OFFSETS => {
                let request: TxnOffsetCommitRequest = decoded(frame, version);
                let partition = &request.topics[0].partitions[0];
                format!(
                    "TxnOffsetCommit v{version} {} of {}, generation {}, {}, epoch {}: {} {}",
                    &*request.member_id,
                    &*request.group_id.0,
                    request.generation_id,
                    request.group_instance_id.as_deref().unwrap_or("not static"),
                    request.producer_epoch,
                    partition.committed_offset,
                    partition.committed_metadata.as_deref().unwrap_or_default(),
                )
            }
            END => {
                let request: EndTxnRequest = decoded(frame, version);
                let what = if request.committed { "commit" } else { "abort" };
                format!("EndTxn v{version} {what}, epoch {}", request.producer_epoch)
            }
            _ => return None,
        };
        self.asked.push(asked);
        let code = match self.replies.get_mut(&key).and_then(VecDeque::pop_front).unwrap_or(Reply::Store) {
            Reply::Nothing => return Some(Answered::Not),
            Reply::Close => return Some(Answered::Closed),
            Reply::Code(code) => code,
            Reply::Store => 0,
        };
        Some(self.said(key, version, id, code, port))
    }

    fn said(&mut self, key: i16, version: i16, id: i32, code: i16, port: i32) -> Answered {
        match key {
            FindCoordinatorRequest::KEY => {
                let found = Coordinator::default()
                    .with_host(StrBytes::from_static_str("127.0.0.1"))
                    .with_port(self.elsewhere.unwrap_or(port))
                    .with_error_code(code);
                framed(id, &FindCoordinatorResponse::default().with_coordinators(vec![found]), version)
            }
            INIT => {
                self.epoch += i16::from(code == 0);
                let named = InitProducerIdResponse::default()
                    .with_error_code(code)
                    .with_producer_id(ProducerId(7))
                    .with_producer_epoch(self.epoch);
                framed(id, &named, version)
            }
            ADD_PARTITIONS => {
                let partition = AddPartitionsToTxnPartitionResult::default().with_partition_error_code(code);
                let topic = AddPartitionsToTxnTopicResult::default().with_results_by_partition(vec![partition]);
                let added = AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(vec![topic]);
                framed(id, &added, version)
            }
            ADD_OFFSETS => framed(id, &AddOffsetsToTxnResponse::default().with_error_code(code), version),
            COMMIT_OFFSETS => {
                let partition = TxnOffsetCommitResponsePartition::default().with_error_code(code);
                let topic = TxnOffsetCommitResponseTopic::default().with_partitions(vec![partition]);
                framed(id, &TxnOffsetCommitResponse::default().with_topics(vec![topic]), version)
            }
            _ => {
                let mut ended = EndTxnResponse::default().with_error_code(code);
                if version >= 5 && code == 0 {
                    self.epoch += 1;
                    ended = ended.with_producer_id(ProducerId(7)).with_producer_epoch(self.epoch);
                }
                framed(id, &ended, version)
            }
        }
    }
}

fn decoded<R: Decodable>(mut frame: Bytes, version: i16) -> R {
    R::decode(&mut frame, version).expect("a request")
}
