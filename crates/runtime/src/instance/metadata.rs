//! Where state is: which instance has which stores, for those who send a question to the right one (Java's `StreamsMetadataState`).
//!
//! The leader of the group tells all members at each rebalance which partitions each host has. A host is an instance whose
//! `application.server` is set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::{Encoded, Partition, TopicPartition, partition_for_key};
use headwater_topology::node::{NodeKind, SourceTopics};
use headwater_topology::state::StoreHandle;
use headwater_topology::{StoreId, Topology};

use super::SourcePatterns;
use crate::assignment::HostPort;
use crate::membership::Assignment;
use crate::{Error, ErrorKind};

/// What an instance has (Java's `StreamsMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsMetadata {
    /// Its `application.server`.
    pub host: HostPort,
    /// Stores of which it has an active partition, and all global stores.
    pub stores: BTreeSet<String>,
    /// The input partitions of its active tasks.
    pub partitions: BTreeSet<TopicPartition>,
    /// Stores of which it has a standby.
    pub standby_stores: BTreeSet<String>,
    /// The input partitions of its standby tasks.
    pub standby_partitions: BTreeSet<TopicPartition>,
}

/// Who has a key (Java's `KeyQueryMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyQueryMetadata {
    /// The instance whose task is active; `None` while nobody's is.
    pub active: Option<HostPort>,
    /// Those that have a standby.
    pub standbys: BTreeSet<HostPort>,
    /// The partition that the key is in; `None` in a global store, which every instance has whole.
    pub partition: Option<Partition>,
}

/// Hosts and their partitions, as of the last assignment.
#[derive(Debug, Default)]
struct Hosts {
    active: BTreeMap<HostPort, BTreeSet<TopicPartition>>,
    standby: BTreeMap<HostPort, BTreeSet<TopicPartition>>,
}

impl Hosts {
    fn all(&self) -> BTreeSet<&HostPort> {
        self.active.keys().chain(self.standby.keys()).collect()
    }
}

/// What this instance was last told of where state is.
#[derive(Debug, Default)]
pub(crate) struct StreamsMetadataState {
    hosts: Mutex<Arc<Hosts>>,
}

/// Where state is in the group, as this instance was told at its last rebalance. It does not change: ask for another after that.
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::{ErrorKind, SystemClock};
///
/// let builder = StreamsBuilder::new();
/// let clicks = StoreHandle::<String, i64>::named("clicks");
/// builder.stream::<String, String>("visits").group_by_key().count_with(Materialized::named("clicks"));
///
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("visits", 2)?;
/// let streams = KafkaStreams::builder(builder.build()?)
///     .application_id("clicks")
///     .on(&cluster)
///     .set("dsl.store.suppliers.class", "in_memory")
///     .set("application.server", "10.0.0.7:8080")
///     .start()?;
/// // Until the first rebalance is over nobody knows.
/// let place = loop {
///     match streams.metadata().for_key(&clicks, &"alice".to_owned()) {
///         Ok(place) => break place,
///         Err(error) if error.kind() == ErrorKind::Unavailable => std::thread::yield_now(),
///         Err(error) => return Err(error.into()),
///     }
/// };
/// assert_eq!(place.active.map(|host| host.to_string()).as_deref(), Some("10.0.0.7:8080"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Metadata<'a> {
    topology: &'a Topology,
    patterns: &'a SourcePatterns,
    this_host: Option<HostPort>,
    hosts: Arc<Hosts>,
}

impl StreamsMetadataState {
    /// Takes in what the leader told with the tasks. Each thread is told the same.
    pub(crate) fn changed(&self, assignment: &Assignment) {
        let hosts = Hosts {
            active: assignment.partitions_by_host.clone(),
            standby: assignment.standby_partitions_by_host.clone(),
        };
        *self.hosts.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(hosts);
    }

    pub(crate) fn now<'a>(
        &self,
        topology: &'a Topology,
        patterns: &'a SourcePatterns,
        this_host: Option<HostPort>,
    ) -> Metadata<'a> {
        let hosts = Arc::clone(&self.hosts.lock().unwrap_or_else(PoisonError::into_inner));
        Metadata { topology, patterns, this_host, hosts }
    }
}

impl Metadata<'_> {
    /// What each instance of the group has that has an `application.server`, by name and port of it; empty while nothing is known
    /// (Java's `KafkaStreams#metadataForAllStreamsClients`).
    #[doc(alias = "metadataForAllStreamsClients")]
    pub fn all_clients(&self) -> Vec<StreamsMetadata> {
        let sources: Vec<_> = self.topology.stores().map(|(id, _)| (id, self.sources(id))).collect();
        let stores_in = |partitions: &BTreeSet<TopicPartition>| {
            let of_host = sources.iter().filter(|(_, sources)| partitions.iter().any(|at| sources.read(at)));
            of_host.filter_map(|(id, _)| self.name(*id)).collect::<BTreeSet<_>>()
        };
        let global = self.topology.stores().filter(|(_, store)| store.global).map(|(_, store)| store.spec.name.clone());
        let global: BTreeSet<String> = global.collect();
        let of_host = |host: &HostPort| {
            let partitions = self.hosts.active.get(host).cloned().unwrap_or_default();
            let standby_partitions = self.hosts.standby.get(host).cloned().unwrap_or_default();
            let mut stores = stores_in(&partitions);
            stores.extend(global.iter().cloned());
            StreamsMetadata {
                host: host.clone(),
                stores,
                standby_stores: stores_in(&standby_partitions),
                partitions,
                standby_partitions,
            }
        };
        self.hosts.all().into_iter().map(of_host).collect()
    }

    /// Those that have some of `store`, active or as a standby (Java's `KafkaStreams#streamsMetadataForStore`).
    #[doc(alias = "streamsMetadataForStore")]
    pub fn for_store(&self, store: &str) -> Vec<StreamsMetadata> {
        let has = |host: &StreamsMetadata| host.stores.contains(store) || host.standby_stores.contains(store);
        self.all_clients().into_iter().filter(has).collect()
    }

    /// Who has `key` in the store of `handle`, or would have it; the key may not be there. It is found as the default partitioner does,
    /// by the bytes of the key: in a windowed store by the key without its window (Java's `KafkaStreams#queryMetadataForKey`).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a store that is not in the topology, [`ErrorKind::User`] for a key that has no bytes,
    /// [`ErrorKind::Unavailable`] while nothing is known of the store's partitions.
    #[doc(alias = "queryMetadataForKey")]
    pub fn for_key<K, V>(&self, handle: &StoreHandle<K, V>, key: &K) -> Result<KeyQueryMetadata, Error> {
        self.find(handle, |partitions| self.default_partition(handle, key, partitions))
    }

    /// As [`Metadata::for_key`], where records went to partitions by other rules: `choose` is told how many partitions there are, and
    /// gives the one that the key is in, counted from 0.
    ///
    /// # Errors
    /// As [`Metadata::for_key`]; [`ErrorKind::User`] for a partition that is not there.
    pub fn for_key_by<K, V>(
        &self,
        handle: &StoreHandle<K, V>,
        choose: impl FnOnce(i32) -> Partition,
    ) -> Result<KeyQueryMetadata, Error> {
        self.find(handle, |partitions| match choose(partitions) {
            chosen if (0..partitions).contains(&chosen) => Ok(chosen),
            chosen => {
                let what = format!("partition {chosen} of {} was chosen, which has {partitions}", handle.name());
                Err(Error::new(ErrorKind::User, what))
            }
        })
    }

    fn find<K, V>(
        &self,
        handle: &StoreHandle<K, V>,
        choose: impl FnOnce(i32) -> Result<Partition, Error>,
    ) -> Result<KeyQueryMetadata, Error> {
        let unknown = || Error::config(self.topology.no_store(handle.name()));
        let id = self.topology.store_named(handle.name()).ok_or_else(unknown)?;
        if self.topology.store(id).is_some_and(|store| store.global) {
            let active = self.this_host.clone().or_else(|| self.hosts.all().first().map(|host| (*host).clone()));
            return Ok(KeyQueryMetadata { active, standbys: BTreeSet::new(), partition: None });
        }
        let sources = self.sources(id);
        let count = self.hosts.partition_count(&sources);
        if count == 0 {
            return Err(self.not_available());
        }
        let partition = choose(count)?;
        let has_key = |(_, partitions): &(&HostPort, &BTreeSet<TopicPartition>)| {
            partitions.iter().any(|at| at.partition == partition && sources.read(at))
        };
        Ok(KeyQueryMetadata {
            active: self.hosts.active.iter().find(has_key).map(|(host, _)| host.clone()),
            standbys: self.hosts.standby.iter().filter(has_key).map(|(host, _)| host.clone()).collect(),
            partition: Some(partition),
        })
    }

    fn default_partition<K, V>(
        &self,
        handle: &StoreHandle<K, V>,
        key: &K,
        partitions: i32,
    ) -> Result<Partition, Error> {
        let store = self.topology.store_named(handle.name());
        let topic = store.map_or_else(String::new, |store| self.topology.serde_topic(store));
        let mut bytes = Vec::new();
        let refused = |reason: String| {
            Error::new(ErrorKind::User, format!("a key of store {} has no place: {reason}", handle.name()))
        };
        match handle.key_serde().serialize(&topic, key, &mut bytes) {
            Ok(Encoded::Bytes) => Ok(partition_for_key(&bytes, partitions)),
            Ok(Encoded::Null) => Err(refused("it is null".to_owned())),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    fn not_available(&self) -> Error {
        let what = if self.this_host.is_none() {
            "nobody knows which instance has which state: set application.server to a host and port of each instance"
        } else {
            "it is not known yet which instance has which state; ask again after the rebalance"
        };
        Error::new(ErrorKind::Unavailable, what)
    }

    fn name(&self, store: StoreId) -> Option<String> {
        self.topology.store(store).map(|store| store.spec.name.clone())
    }

    fn sources(&self, store: StoreId) -> Sources<'_> {
        let kinds = self.topology.sources_of(store).into_iter().filter_map(|id| match &self.topology.node(id)?.kind {
            NodeKind::Source { topics, .. } => Some(topics),
            _ => None,
        });
        Sources { topics: kinds.collect(), patterns: self.patterns }
    }
}

/// What a store is filled from.
struct Sources<'a> {
    topics: Vec<&'a SourceTopics>,
    patterns: &'a SourcePatterns,
}

impl Sources<'_> {
    fn read(&self, partition: &TopicPartition) -> bool {
        let topic = partition.topic.as_str();
        self.topics.iter().any(|source| match source {
            SourceTopics::Named(topics) => topics.iter().any(|named| named == topic),
            SourceTopics::Pattern(pattern) => self.patterns.matches(pattern, topic),
        })
    }
}

impl Hosts {
    /// How many partitions the greatest of these topics has.
    fn partition_count(&self, sources: &Sources<'_>) -> i32 {
        let all = self.active.values().chain(self.standby.values()).flatten();
        all.filter(|at| sources.read(at)).map(|at| at.partition + 1).max().unwrap_or(0)
    }
}

impl std::fmt::Debug for Metadata<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata")
            .field("this_host", &self.this_host)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
