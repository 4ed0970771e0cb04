//! Topics and where their partitions are, and connections to the brokers that lead them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use headwater_client::ClientError;
use headwater_record::{Offset, Partition, Topic, TopicPartition};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Mutex;

use crate::config::Servers;
use crate::connection::Connection;
use crate::error::{About, of_code, unavailable};

const UNKNOWN_TOPIC: i16 = 3;

/// The broker that leads a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub(crate) address: String,
    /// Its reign. A request that names an older one than the broker knows is refused, so that nobody reads from one deposed.
    pub(crate) epoch: i32,
}

/// What the brokers say of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// Topics that exist, with the leader of each partition, where there is one.
    pub(crate) topics: BTreeMap<Topic, Vec<Option<Leader>>>,
    /// What tells a topic from another of its name that was there before; brokers before 2.8 do not say it.
    pub(crate) ids: BTreeMap<Topic, u128>,
    /// Those of them that belong to the broker itself.
    pub(crate) internal: Vec<Topic>,
    /// Why nothing is said of a topic that may exist.
    pub(crate) errors: BTreeMap<Topic, ClientError>,
    /// The addresses of brokers by their numbers.
    pub(crate) brokers: HashMap<i32, String>,
}

impl Metadata {
    pub(crate) fn partitions(&self, topic: &Topic) -> Option<Partition> {
        self.topics.get(topic).map(|partitions| partitions.len() as Partition)
    }

    /// The leader of `partition`.
    pub(crate) fn leader(&self, partition: &TopicPartition) -> Result<&Leader, ClientError> {
        let unknown = || ClientError::UnknownTopic { topic: partition.topic.clone() };
        if let Some(error) = self.errors.get(&partition.topic) {
            return Err(error.clone());
        }
        let partitions = self.topics.get(&partition.topic).ok_or_else(unknown)?;
        let index = usize::try_from(partition.partition).map_err(|_| unknown())?;
        match partitions.get(index) {
            None => Err(unknown()),
            Some(Some(leader)) => Ok(leader),
            // LEADER_NOT_AVAILABLE
            Some(None) => Err(of_code(5, About::Partition(partition, Offset::UNKNOWN)).unwrap_or_else(unknown)),
        }
    }
}

/// Where a connection is, or will be; whoever opens it holds up those who want the same one.
type Slot = Arc<Mutex<Option<Arc<Connection>>>>;

/// Connections to the brokers of a cluster, opened when they are needed.
#[derive(Debug)]
pub(crate) struct Brokers {
    servers: Servers,
    by_address: std::sync::Mutex<HashMap<String, Slot>>,
    /// Brokers that were heard of, which may be there when those that were configured are not.
    known: std::sync::Mutex<Vec<String>>,
    /// Whom to ask what any broker can answer.
    turn: AtomicUsize,
}

impl Brokers {
    pub(crate) fn new(servers: Servers) -> Self {
        let (by_address, known, turn) = Default::default();
        Brokers { servers, by_address, known, turn }
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// A connection to any broker: to the same one while it can be had.
    ///
    /// # Errors
    /// [`ClientError::Unavailable`], which names the configured servers, when no broker answers.
    pub(crate) async fn any(&self) -> Result<Arc<Connection>, ClientError> {
        let mut reasons = Vec::new();
        for address in self.to_ask() {
            match self.at(&address).await {
                Ok(connection) => return Ok(connection),
                Err(ClientError::Unavailable { reason, .. }) => reasons.push(reason),
                Err(ClientError::TimedOut { request }) => {
                    reasons.push(format!("{address} does not answer to {request}"));
                }
                Err(error) => reasons.push(error.to_string()),
            }
            self.elsewhere();
        }
        reasons.dedup();
        Err(unavailable(&self.servers.text(), reasons.join("; ")))
    }

    /// Whoever answered last was of no help: another one is asked next.
    pub(crate) fn elsewhere(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    /// The brokers that were heard of, then those that were configured, each of them in turn.
    fn to_ask(&self) -> Vec<String> {
        let turn = self.turn.load(Ordering::Relaxed);
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut configured = self.servers.addresses.clone();
        for addresses in [&mut all, &mut configured] {
            let first = turn.checked_rem(addresses.len()).unwrap_or(0);
            addresses.rotate_left(first);
        }
        configured.retain(|address| !all.contains(address));
        all.append(&mut configured);
        all
    }

    /// A connection to the broker at `address`.
    pub(crate) async fn at(&self, address: &str) -> Result<Arc<Connection>, ClientError> {
        let slot = {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(by_address.entry(address.to_owned()).or_default())
        };
        // Only those who want this very broker wait for it.
        let mut slot = slot.lock().await;
        if let Some(open) = slot.as_ref().filter(|open| !open.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(Connection::open(address, &self.servers).await?);
        *slot = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// As [`Brokers::look`], where something must be known of all topics that exist.
    pub(crate) async fn metadata(&self, topics: Option<&[Topic]>) -> Result<Metadata, ClientError> {
        let metadata = self.look(topics).await?;
        metadata.errors.first_key_value().map_or(Ok(()), |(_, error)| Err(error.clone()))?;
        Ok(metadata)
    }

    /// What the cluster has of `topics`, or of all. Topics that are not there are left out. When the broker that is asked does not
    /// answer, the next question goes to another.
    pub(crate) async fn look(&self, topics: Option<&[Topic]>) -> Result<Metadata, ClientError> {
        let asked = topics.map(|topics| {
            let name = |topic: &Topic| TopicName(StrBytes::from_string(topic.as_str().to_owned()));
            topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic)))).collect()
        });
        let request = MetadataRequest::default().with_topics(asked).with_allow_auto_topic_creation(false);
        let answer = self.any().await?.call(&request, self.servers.request_timeout).await;
        let response = answer.inspect_err(|_| self.elsewhere())?;
        let brokers: HashMap<i32, String> = response
            .brokers
            .iter()
            .map(|broker| (broker.node_id.0, format!("{}:{}", broker.host, broker.port)))
            .collect();
        self.heard_of(brokers.values().cloned().collect());
        let mut metadata = Metadata::default();
        for topic in response.topics {
            let Some(name) = topic.name.as_ref().map(|name| Topic::from(&*name.0)) else { continue };
            match topic.error_code {
                0 => {}
                UNKNOWN_TOPIC => continue,
                code => {
                    let error = of_code(code, About::Topic(name.as_str())).unwrap_or(ClientError::Closed);
                    metadata.errors.insert(name, error);
                    continue;
                }
            }
            let mut leaders = vec![None; topic.partitions.len()];
            for partition in &topic.partitions {
                let slot = usize::try_from(partition.partition_index).ok().and_then(|index| leaders.get_mut(index));
                if let Some(slot) = slot {
                    let address = brokers.get(&partition.leader_id.0).cloned();
                    *slot = address.map(|address| Leader { address, epoch: partition.leader_epoch });
                }
            }
            if topic.is_internal {
                metadata.internal.push(name.clone());
            }
            if !topic.topic_id.is_nil() {
                metadata.ids.insert(name.clone(), topic.topic_id.as_u128());
            }
            metadata.topics.insert(name, leaders);
        }
        metadata.brokers = brokers;
        Ok(metadata)
    }

    /// These are the brokers now; connections to others are of no more use.
    fn heard_of(&self, mut brokers: Vec<String>) {
        brokers.sort_unstable();
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        by_address.retain(|address, _| brokers.contains(address) || self.servers.addresses.contains(address));
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = brokers;
    }
}
