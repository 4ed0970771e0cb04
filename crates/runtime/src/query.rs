//! Reading an application's stores from any thread, while its tasks go on (Java's interactive queries, KIP-67).

mod ask;
mod entries;
mod key_value;
mod position;
mod questions;
mod request;
mod result;
mod session;
mod typed;
mod versioned;
mod views;
mod window;

use std::fmt;
use std::sync::{Arc, OnceLock};

use headwater_record::Partition;
use headwater_store::{Store, StoreError, StoreKind};
use headwater_topology::opened_by;
use headwater_topology::state::StoreHandle;

pub use self::entries::StoreIterator;
pub use self::key_value::ReadOnlyKeyValueStore;
pub use self::position::{Position, PositionBound};
pub use self::questions::{
    CustomQuery, KeyQuery, MultiVersionedKeyQuery, Query, RangeQuery, ReadOnlyRecord, TimestampedKeyQuery,
    TimestampedKeyWithHeadersQuery, TimestampedRangeQuery, TimestampedRangeWithHeadersQuery,
    TimestampedWindowKeyWithHeadersQuery, TimestampedWindowRangeWithHeadersQuery, VersionedKeyQuery, WindowKeyQuery,
    WindowRangeQuery,
};
pub use self::request::{InStore, StateQueryRequest};
pub use self::result::{FailureReason, QueryFailure, QueryResult, StateQueryResult};
pub use self::session::ReadOnlySessionStore;
use self::typed::Typed;
pub use self::versioned::{ReadOnlyVersionedStore, VersionedRecord};
pub use self::window::ReadOnlyWindowStore;
use crate::Error;
use crate::instance::Instance;

/// What is seen of a store of a task that processes (Java's `IsolationLevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IsolationLevel {
    /// All that was written until now: what the open transaction wrote, and what lies in the record cache, too. It may be taken back.
    ReadUncommitted,
    /// What was committed together with the offsets of its input.
    ReadCommitted,
}

/// Reads the stores of this instance from any thread, while its tasks go on; [`KafkaStreams::queries`](crate::KafkaStreams::queries)
/// gives it. It may be cloned and sent to wherever questions come from, and does not keep the application alive.
///
/// **What is read** `default.interactive.query.isolation.level` says, or [`Queries::with_isolation`]. [`IsolationLevel::ReadUncommitted`], the
/// default, shows a store as it is now. Its stream thread is asked for that, which answers between two records; should it not within five
/// seconds, the answer is [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable). A thread of an application cannot wait for such an answer.
/// [`IsolationLevel::ReadCommitted`] shows the store as of its last commit together with the offsets of its input, so within
/// `commit.interval.ms` of now, and holds up no record: in RocksDB it reads a snapshot, in memory a tree that is shared and never changed.
///
/// A store in memory is made such a tree when it is first asked for; later writes to it cost more (`docs/queries.md` has figures). Where only
/// commits are read, that first question waits for the next one, which comes at once.
///
/// Only what tasks have that process here is read. A partition that another instance has is not here: ask
/// [`Metadata::for_key`](crate::application::Metadata::for_key) who has it. While tasks are moved or restored an answer is
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), as in Java, and comes when asked again; [`Queries::with_stale`] reads standbys and stores that are being restored too
/// ([`KafkaStreams::local_store_lags`](crate::KafkaStreams::local_store_lags) says what they lack).
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::{CloseOptions, State, SystemClock};
///
/// let builder = StreamsBuilder::new();
/// let visits = StoreHandle::<String, i64>::named("visits");
/// builder.stream::<String, String>("clicks").group_by_key().count_with(Materialized::named("visits").in_memory());
///
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("clicks", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?)
///     .application_id("visits")
///     .on(&cluster)
///     .start()?;
/// while streams.state() != State::Running {
///     std::thread::sleep(std::time::Duration::from_millis(10));
/// }
/// let visits = streams.queries().key_value_store(&visits)?;
/// let asked = std::thread::spawn(move || visits.get(&"home".to_owned()));
/// assert_eq!(asked.join().expect("it does not panic")?, None);
/// streams.close(CloseOptions::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Queries {
    instance: Arc<Instance>,
    partition: Option<Partition>,
    stale: bool,
    isolation: IsolationLevel,
    bound: PositionBound,
    told: Option<Arc<OnceLock<Position>>>,
}

impl Queries {
    pub(crate) fn of(instance: &Arc<Instance>) -> Self {
        let isolation = instance.config.interactive_query_isolation_level();
        let (partition, stale, bound, told) = (None, false, PositionBound::unbounded(), None);
        Queries { instance: Arc::clone(instance), partition, stale, isolation, bound, told }
    }

    /// Reads this partition only (Java's `StoreQueryParameters#withPartition`). Where it is known, a key is found at once.
    #[must_use]
    pub fn with_partition(mut self, partition: Partition) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Reads standbys and stores that are being restored too: they may lack what was written last (Java's
    /// `StoreQueryParameters#enableStaleStores`).
    #[must_use]
    pub fn with_stale(mut self) -> Self {
        self.stale = true;
        self
    }

    /// Reads what this level shows, whatever the setting says.
    #[must_use]
    pub fn with_isolation(mut self, isolation: IsolationLevel) -> Self {
        self.isolation = isolation;
        self
    }

    /// Reads no partition that has seen less of its input than `bound`: meanwhile an answer is [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable). Of standbys, of
    /// stores that are being restored and of global stores nobody knows, so that none but an unbounded one admits them.
    #[must_use]
    pub fn with_position_bound(mut self, bound: PositionBound) -> Self {
        self.bound = bound;
        self
    }

    /// Puts into `told` how much of its input that has seen of which the first answer is read.
    #[must_use]
    pub fn with_position_told(mut self, told: &Arc<OnceLock<Position>>) -> Self {
        self.told = Some(Arc::clone(told));
        self
    }

    /// The key-value store of `handle`, kept tables among them (Java's `QueryableStoreTypes#keyValueStore`).
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a store that the topology does not have, or that is of another kind.
    pub fn key_value_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyKeyValueStore<K, V>, Error> {
        let is_it = |kind| matches!(kind, StoreKind::KeyValue | StoreKind::Lru { .. });
        Ok(ReadOnlyKeyValueStore(self.typed(handle, Some(("key-value", &is_it)))?))
    }

    /// The window store of `handle`; keys are those of the store, without their windows (Java's `QueryableStoreTypes#windowStore`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn window_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyWindowStore<K, V>, Error> {
        Ok(ReadOnlyWindowStore(self.typed(handle, Some(("window", &|kind| matches!(kind, StoreKind::Window { .. }))))?))
    }

    /// The session store of `handle`; keys are those of the store, without their sessions (Java's
    /// `QueryableStoreTypes#sessionStore`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn session_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlySessionStore<K, V>, Error> {
        Ok(ReadOnlySessionStore(
            self.typed(handle, Some(("session", &|kind| matches!(kind, StoreKind::Session { .. }))))?,
        ))
    }

    /// The versioned store of `handle` (Java's `VersionedKeyQuery` and `MultiVersionedKeyQuery`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn versioned_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyVersionedStore<K, V>, Error> {
        Ok(ReadOnlyVersionedStore(
            self.typed(handle, Some(("versioned", &|kind| matches!(kind, StoreKind::Versioned { .. }))))?,
        ))
    }

    fn typed<K, V>(
        &self,
        handle: &StoreHandle<K, V>,
        wanted: Option<(&str, &dyn Fn(StoreKind) -> bool)>,
    ) -> Result<Typed<K, V>, Error> {
        let (topology, name) = (&self.instance.topology, handle.name());
        let found = topology.store_named(name).and_then(|id| Some((id, topology.store(id)?)));
        let (id, node) = found.ok_or_else(|| Error::config(topology.no_store(name)))?;
        if let Some((wanted, _)) = wanted.filter(|(_, is_it)| !is_it(node.spec.kind)) {
            let kind = node.spec.kind.name();
            let cure = opened_by(kind, "_store");
            return Err(Error::config(format!("store {name} is no {wanted} store, but a {kind} store: {cure}")));
        }
        Ok(Typed {
            queries: self.clone(),
            id,
            name: name.into(),
            topic: topology.serde_topic(id),
            kind: node.spec.kind,
            format: node.spec.format,
            global: node.global,
            skips_cache: false,
            told: self.told.clone(),
            key: Arc::clone(handle.key_serde()),
            value: Arc::clone(handle.value_serde()),
        })
    }
}

impl fmt::Debug for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queries")
            .field("partition", &self.partition)
            .field("stale", &self.stale)
            .field("isolation", &self.isolation)
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

/// A store that cannot be: [`Queries`] has looked at what kind it is.
fn other_kind<R>(store: &Store) -> Result<R, StoreError> {
    Err(StoreError::Corrupt {
        reason: format!("store {} is of another kind than its topology says", store.state().name()),
    })
}
