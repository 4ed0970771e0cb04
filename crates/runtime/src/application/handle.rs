//! What can be asked of a running application, by those who are not its owner.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::Partition;
use headwater_topology::Topology;

use super::{Explanation, Health, LagInfo, Metadata, Snapshot, State, ThreadMetadata};
use crate::instance::Instance;
use crate::query::Queries;
use crate::{Error, StreamsConfig};

/// What can be asked of a running application; [`KafkaStreams::handle`](super::KafkaStreams::handle) gives it. It may be cloned and sent to
/// any thread, cannot close the application, and does not keep it alive.
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::SystemClock;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").to("out");
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("in", 1)?;
/// cluster.create_topic("out", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?).application_id("copies").on(&cluster).start()?;
/// let handle = streams.handle();
/// let live = std::thread::spawn(move || handle.health().live);
/// assert!(live.join().expect("it does not panic"));
/// # streams.close(CloseOptions::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    instance: Arc<Instance>,
}

impl Handle {
    pub(crate) fn of(instance: &Arc<Instance>) -> Self {
        Handle { instance: Arc::clone(instance) }
    }

    /// Its settings.
    pub fn config(&self) -> &StreamsConfig {
        &self.instance.config
    }

    /// What it runs.
    pub fn topology(&self) -> &Topology {
        &self.instance.topology
    }

    /// As [`KafkaStreams::state`](super::KafkaStreams::state).
    pub fn state(&self) -> State {
        self.instance.status.state()
    }

    /// As [`KafkaStreams::queries`](super::KafkaStreams::queries).
    pub fn queries(&self) -> Queries {
        Queries::of(&self.instance)
    }

    /// As [`KafkaStreams::metadata`](super::KafkaStreams::metadata).
    pub fn metadata(&self) -> Metadata<'_> {
        self.instance.metadata()
    }

    /// As [`KafkaStreams::local_threads`](super::KafkaStreams::local_threads).
    pub fn local_threads(&self) -> Vec<ThreadMetadata> {
        self.instance.local_threads()
    }

    /// As [`KafkaStreams::local_store_lags`](super::KafkaStreams::local_store_lags).
    pub fn local_store_lags(&self) -> BTreeMap<String, BTreeMap<Partition, LagInfo>> {
        self.instance.threads.store_lags()
    }

    /// As [`KafkaStreams::health`](super::KafkaStreams::health).
    pub fn health(&self) -> Health {
        self.instance.health()
    }

    /// As [`KafkaStreams::snapshot`](super::KafkaStreams::snapshot).
    pub fn snapshot(&self) -> Snapshot {
        self.instance.snapshot()
    }

    /// As [`KafkaStreams::explain`](super::KafkaStreams::explain).
    ///
    /// # Errors
    /// [`ErrorKind::Topology`](crate::ErrorKind::Topology) when there is no such node.
    pub fn explain(&self, node: &str) -> Result<Explanation, Error> {
        self.instance.explain(node)
    }
}
