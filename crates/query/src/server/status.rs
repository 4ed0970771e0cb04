//! How the instance and its group are.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_record::TopicPartition;
use headwater_runtime::application::{Handle, Health, State, StreamsMetadata};

use super::place::owner_of;
use super::{Failure, Shared};
use crate::stores::Served;
use crate::wire;

pub(crate) fn health(handle: &Handle) -> wire::Health {
    health_of(handle.state(), handle.health())
}

pub(crate) fn health_of(state: State, health: Health) -> wire::Health {
    wire::Health { state: state.to_string(), live: health.live, ready: health.ready, reasons: health.reasons }
}

pub(crate) fn stores(shared: &Shared) -> wire::Stores {
    let name = |(name, store): (&String, &Arc<dyn Served>)| wire::StoreName {
        name: name.clone(),
        kind: store.kind().to_owned(),
    };
    wire::Stores { stores: shared.stores.iter().map(name).collect() }
}

pub(crate) fn layout(shared: &Shared, name: &str) -> Result<wire::Layout, Failure> {
    let (store, metadata) = (shared.store(name)?, shared.handle.metadata());
    let owner = |partition| Ok(owner_of(&store.owner_of_partition(&metadata, partition)?));
    let partitions = (0..store.partitions(&metadata)?).map(owner).collect::<Result<_, Failure>>()?;
    let hosts = metadata.for_store(name).iter().map(|host| host.host.to_string()).collect();
    Ok(wire::Layout { name: name.to_owned(), kind: store.kind().to_owned(), partitions, hosts })
}

pub(crate) fn hosts(handle: &Handle) -> wire::Hosts {
    wire::Hosts { hosts: handle.metadata().all_clients().into_iter().map(host).collect() }
}

fn host(host: StreamsMetadata) -> wire::Host {
    let names = |partitions: BTreeSet<TopicPartition>| partitions.iter().map(ToString::to_string).collect();
    wire::Host {
        host: host.host.to_string(),
        stores: host.stores,
        partitions: names(host.partitions),
        standby_stores: host.standby_stores,
        standby_partitions: names(host.standby_partitions),
    }
}

pub(crate) fn lags(handle: &Handle) -> wire::Lags {
    let lags = handle.local_store_lags().into_iter().flat_map(|(store, partitions)| {
        partitions.into_iter().map(move |(partition, lag)| wire::Lag {
            store: store.clone(),
            partition,
            position: Some(lag.current_offset.value()),
            committed: Some(lag.committed_offset.value()),
            end: Some(lag.end_offset.value()),
            lag: Some(lag.offset_lag()),
        })
    });
    wire::Lags { lags: lags.collect() }
}
