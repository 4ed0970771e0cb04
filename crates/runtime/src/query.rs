//! Reading an application's stores from any thread, while its tasks go on (Java's interactive queries, KIP-67).

mod entries;
mod key_value;
mod session;
mod versioned;
mod window;

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Encoded, Partition, SharedSerde, Timestamp};
use headwater_store::{RowBuf, Store, StoreError, StoreKind, View};
use headwater_topology::StoreId;
use headwater_topology::state::{Stamped, StoreHandle};

pub use self::entries::StoreIterator;
pub use self::key_value::ReadOnlyKeyValueStore;
pub use self::session::ReadOnlySessionStore;
pub use self::versioned::{ReadOnlyVersionedStore, VersionedRecord};
pub use self::window::ReadOnlyWindowStore;
use crate::instance::{Instance, OpenStore, TaskRole};
use crate::{Error, ErrorKind};

/// How long is waited for the commit after which a store has its first view.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the stores of this instance from any thread, while its tasks go on; [`KafkaStreams::queries`](crate::KafkaStreams::queries)
/// gives it. It may be cloned and sent to wherever questions come from, and does not keep the application alive.
///
/// **What is read is what was committed** (Java's `READ_COMMITTED`): the store as of its last commit together with the offsets of its
/// input, so within `commit.interval.ms` of now. Nothing of an open transaction, or of a record cache, is ever seen. Reading holds up no
/// record: in RocksDB it reads a snapshot, in memory a tree that is shared and never changed. A store in memory is made such a tree
/// when it is first asked for; that first question waits for the next commit, which comes at once, and later writes to it
/// cost more (`docs/queries.md` has figures).
///
/// Only what tasks have that process here is read. A partition that another instance has is not here: ask
/// [`Metadata::for_key`](crate::application::Metadata::for_key) who has it. While tasks are moved or restored an answer is
/// [`ErrorKind::Unavailable`], as in Java, and comes when asked again; [`Queries::with_stale`] reads standbys and stores that are being restored too
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
}

impl Queries {
    pub(crate) fn of(instance: &Arc<Instance>) -> Self {
        Queries { instance: Arc::clone(instance), partition: None, stale: false }
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

    /// The key-value store of `handle`, kept tables among them (Java's `QueryableStoreTypes#keyValueStore`).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a store that the topology does not have, or that is of another kind.
    pub fn key_value_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyKeyValueStore<K, V>, Error> {
        let is_it = |kind| matches!(kind, StoreKind::KeyValue | StoreKind::Lru { .. });
        Ok(ReadOnlyKeyValueStore(self.typed(handle, "key-value", is_it)?))
    }

    /// The window store of `handle`; keys are those of the store, without their windows (Java's `QueryableStoreTypes#windowStore`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn window_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyWindowStore<K, V>, Error> {
        Ok(ReadOnlyWindowStore(self.typed(handle, "window", |kind| matches!(kind, StoreKind::Window { .. }))?))
    }

    /// The session store of `handle`; keys are those of the store, without their sessions (Java's
    /// `QueryableStoreTypes#sessionStore`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn session_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlySessionStore<K, V>, Error> {
        Ok(ReadOnlySessionStore(self.typed(handle, "session", |kind| matches!(kind, StoreKind::Session { .. }))?))
    }

    /// The versioned store of `handle` (Java's `VersionedKeyQuery` and `MultiVersionedKeyQuery`).
    ///
    /// # Errors
    /// As [`Queries::key_value_store`].
    pub fn versioned_store<K, V>(&self, handle: &StoreHandle<K, V>) -> Result<ReadOnlyVersionedStore<K, V>, Error> {
        Ok(ReadOnlyVersionedStore(self.typed(handle, "versioned", |kind| matches!(kind, StoreKind::Versioned { .. }))?))
    }

    fn typed<K, V>(
        &self,
        handle: &StoreHandle<K, V>,
        wanted: &str,
        is_it: impl Fn(StoreKind) -> bool,
    ) -> Result<Typed<K, V>, Error> {
        let (topology, name) = (&self.instance.topology, handle.name());
        let found = topology.store_named(name).and_then(|id| Some((id, topology.store(id)?)));
        let (id, node) = found.ok_or_else(|| Error::config(format!("there is no store {name} in the topology")))?;
        if !is_it(node.spec.kind) {
            return Err(Error::config(format!("store {name} is no {wanted} store, but {:?}", node.spec.kind)));
        }
        Ok(Typed {
            queries: self.clone(),
            id,
            name: name.into(),
            topic: topology.serde_topic(id),
            kind: node.spec.kind,
            global: node.global,
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
            .finish_non_exhaustive()
    }
}

/// A store of the instance with its serdes: which of its partitions are here is looked up with each question.
struct Typed<K, V> {
    queries: Queries,
    id: StoreId,
    name: Arc<str>,
    /// What serdes are told.
    topic: String,
    kind: StoreKind,
    global: bool,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K, V> Clone for Typed<K, V> {
    fn clone(&self) -> Self {
        Typed {
            queries: self.queries.clone(),
            id: self.id,
            name: Arc::clone(&self.name),
            topic: self.topic.clone(),
            kind: self.kind,
            global: self.global,
            key: Arc::clone(&self.key),
            value: Arc::clone(&self.value),
        }
    }
}

impl<K, V> Typed<K, V> {
    fn key_bytes(&self, key: &K) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        match self.key.serialize(&self.topic, key, &mut bytes).map_err(|error| self.unreadable(&error))? {
            Encoded::Bytes => Ok(bytes),
            Encoded::Null => Err(Error::new(ErrorKind::User, format!("store {}: null is no key", self.name))),
        }
    }

    fn key_bound(&self, key: Bound<&K>) -> Result<Bound<Vec<u8>>, Error> {
        Ok(match key {
            Bound::Included(key) => Bound::Included(self.key_bytes(key)?),
            Bound::Excluded(key) => Bound::Excluded(self.key_bytes(key)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    }

    /// The bytes between which those of `keys` lie.
    fn between(&self, keys: &impl RangeBounds<K>) -> Result<(Bound<Vec<u8>>, Bound<Vec<u8>>), Error> {
        Ok((self.key_bound(keys.start_bound())?, self.key_bound(keys.end_bound())?))
    }

    /// The same of one key.
    fn only(&self, key: &K) -> Result<(Bound<Vec<u8>>, Bound<Vec<u8>>), Error> {
        let key = self.key_bytes(key)?;
        Ok((Bound::Included(key.clone()), Bound::Included(key)))
    }

    fn key(&self, bytes: &[u8]) -> Result<K, Error> {
        self.key.deserialize(&self.topic, Some(bytes)).map_err(|error| self.unreadable(&error))
    }

    fn value(&self, row: &RowBuf) -> Result<V, Error> {
        self.value.deserialize(&self.topic, Some(row.value())).map_err(|error| self.unreadable(&error))
    }

    fn stamped(&self, row: &RowBuf) -> Result<Stamped<V>, Error> {
        Ok(Stamped { value: self.value(row)?, timestamp: row.timestamp() })
    }

    fn unreadable(&self, error: &dyn fmt::Display) -> Error {
        Error::new(ErrorKind::Data, format!("store {}: {error}", self.name))
    }

    /// Asks one partition after the other until one has an answer.
    fn first<R>(&self, ask: impl Fn(&Store) -> Result<Option<R>, StoreError>) -> Result<Option<R>, Error> {
        for view in self.views()? {
            if let Some(found) = view.read(&ask)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The views to be read: one of each partition that is here.
    fn views(&self) -> Result<Vec<Arc<View>>, Error> {
        let instance = &self.queries.instance;
        let look = || if self.global { self.global_views() } else { self.task_views() };
        if let Some(views) = look()? {
            return Ok(views);
        }
        instance.stores.ask_for_commit();
        // Whoever takes the turns by hand would wait for themselves.
        let patience = if instance.is_driven { Duration::ZERO } else { PATIENCE };
        let mut found = Ok(None);
        instance.stores.gate().wait_until(Some(patience), || {
            found = look();
            !matches!(found, Ok(None))
        });
        found?.ok_or_else(|| self.unavailable("its first view is there after the next commit: ask again"))
    }

    /// `None`: some are there only after a commit.
    fn task_views(&self) -> Result<Option<Vec<Arc<View>>>, Error> {
        let stores = &self.queries.instance.stores;
        let mut here = stores.of(&self.name, self.queries.partition);
        here.retain(|(_, open)| self.queries.stale || open.role != TaskRole::Standby);
        if let Some((partition, open)) = here.iter().find(|(_, open)| !self.may_read(open)) {
            return Err(self.unavailable(&format!("partition {partition} is {}", open.phase)));
        }
        let mut views = Some(Vec::new());
        for (partition, open) in here {
            let of_store = open.views.ok_or_else(|| self.without_views())?;
            match of_store.committed() {
                Ok(Some(view)) => views.iter_mut().for_each(|views| views.push(Arc::clone(&view))),
                // The others are to hear of it too.
                Ok(None) => views = None,
                Err(StoreError::Closed { .. }) => stores.is_closed(&self.name, partition, &of_store),
                Err(error) => return Err(error.into()),
            }
        }
        match views {
            Some(views) if views.is_empty() => Err(self.unavailable("this instance has no task with it")),
            views => Ok(views),
        }
    }

    fn may_read(&self, open: &OpenStore) -> bool {
        self.queries.stale || open.is_active()
    }

    fn global_views(&self) -> Result<Option<Vec<Arc<View>>>, Error> {
        let globals = &self.queries.instance.globals;
        if !globals.is_filled() {
            return Err(self.unavailable("it is not filled yet"));
        }
        let place = globals.places().get(&self.id).ok_or_else(|| self.unavailable("it is not open"))?;
        let views = place.read(|store| Ok(store.state().views()))?;
        let views = views.ok_or_else(|| self.without_views())?;
        if let Some(view) = views.committed()? {
            return Ok(Some(vec![view]));
        }
        // What it holds has been committed in its topic: nothing has to be waited for.
        place.write(|store| store.state_mut().commit(None))?;
        let view = views.committed()?;
        Ok(view.map(|view| vec![view]))
    }

    fn without_views(&self) -> Error {
        let name = &self.name;
        Error::config(format!("store {name} is of a make that only its task can read: it needs StateStore::views"))
    }

    fn unavailable(&self, why: &str) -> Error {
        let state = self.queries.instance.status.state();
        let what = format!("store {} cannot be read here now: {why} (the application is {state})", self.name);
        Error::new(ErrorKind::Unavailable, what)
    }
}

impl<K, V> fmt::Debug for Typed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

/// A store that cannot be: [`Queries`] has looked at what kind it is.
fn other_kind<R>(store: &Store) -> Result<R, StoreError> {
    Err(StoreError::Corrupt {
        reason: format!("store {} is of another kind than its topology says", store.state().name()),
    })
}

/// Times from `from` to `to`, both included.
fn times(from: impl Into<Timestamp>, to: impl Into<Timestamp>) -> (Timestamp, Timestamp) {
    (from.into(), to.into())
}
