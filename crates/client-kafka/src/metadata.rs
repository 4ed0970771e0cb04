//! Topics and where their partitions are, and connections to the brokers that lead them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use headwater_client::ClientError;
use headwater_record::{Offset, Partition, Topic, TopicPartition};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Mutex;

use crate::config::Servers;
use crate::connection::Connection;
use crate::coordinator::any_broker;
use crate::error::{About, of_code};

const UNKNOWN_TOPIC: i16 = 3;

/// What the brokers say of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    /// Topics that exist, with the leader's address of each partition, where there is one.
    pub(crate) topics: BTreeMap<Topic, Vec<Option<String>>>,
    /// Those of them that belong to the broker itself.
    pub(crate) internal: Vec<Topic>,
}

impl Metadata {
    pub(crate) fn partitions(&self, topic: &Topic) -> Option<Partition> {
        self.topics.get(topic).map(|partitions| partitions.len() as Partition)
    }

    /// The address of the leader of `partition`.
    pub(crate) fn leader(&self, partition: &TopicPartition) -> Result<&str, ClientError> {
        let unknown = || ClientError::UnknownTopic { topic: partition.topic.clone() };
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

/// Connections to the brokers of a cluster, opened when they are needed.
#[derive(Debug)]
pub(crate) struct Brokers {
    servers: Servers,
    any: Mutex<Option<Arc<Connection>>>,
    by_address: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Brokers {
    pub(crate) fn new(servers: Servers) -> Self {
        Brokers { servers, any: Mutex::new(None), by_address: Mutex::default() }
    }

    pub(crate) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// A connection to any broker.
    pub(crate) async fn any(&self) -> Result<Arc<Connection>, ClientError> {
        let mut any = self.any.lock().await;
        if let Some(open) = any.as_ref().filter(|open| !open.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(any_broker(&self.servers).await?);
        *any = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// A connection to the broker at `address`.
    pub(crate) async fn at(&self, address: &str) -> Result<Arc<Connection>, ClientError> {
        let mut by_address = self.by_address.lock().await;
        if let Some(open) = by_address.get(address).filter(|open| !open.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(Connection::open(address, &self.servers).await?);
        by_address.insert(address.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    /// What the cluster has of `topics`, or of all. Topics that are not there are left out.
    pub(crate) async fn metadata(&self, topics: Option<&[Topic]>) -> Result<Metadata, ClientError> {
        let asked = topics.map(|topics| {
            let name = |topic: &Topic| TopicName(StrBytes::from_string(topic.as_str().to_owned()));
            topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic)))).collect()
        });
        let request = MetadataRequest::default().with_topics(asked).with_allow_auto_topic_creation(false);
        let response = self.any().await?.call(&request, self.servers.request_timeout).await?;
        let addresses: HashMap<i32, String> = response
            .brokers
            .iter()
            .map(|broker| (broker.node_id.0, format!("{}:{}", broker.host, broker.port)))
            .collect();
        let mut metadata = Metadata::default();
        for topic in response.topics {
            let Some(name) = topic.name.as_ref().map(|name| Topic::from(&*name.0)) else { continue };
            match topic.error_code {
                0 => {}
                UNKNOWN_TOPIC => continue,
                code => return Err(of_code(code, About::Topic(name.as_str())).unwrap_or(ClientError::Closed)),
            }
            let mut leaders = vec![None; topic.partitions.len()];
            for partition in &topic.partitions {
                let slot = usize::try_from(partition.partition_index).ok().and_then(|index| leaders.get_mut(index));
                if let Some(slot) = slot {
                    *slot = addresses.get(&partition.leader_id.0).cloned();
                }
            }
            if topic.is_internal {
                metadata.internal.push(name.clone());
            }
            metadata.topics.insert(name, leaders);
        }
        Ok(metadata)
    }
}
