//! Stores of one instance that may be struck at every call, are kept on the simulated disk, and show at the end what they hold.

mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_record::{Offset, OwnedRecord, Partition, RawRecord};
use headwater_store::{
    Asked, OpenContext, StateStore, Store, StoreError, StoreKind, StoreSpec, StoreSupplier, StoreViews, View,
};

use self::kinds::Rows;
use super::disk::{Disk, Journal};
use super::process::{Call, Process};

/// What a store held when it was closed.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) spec: StoreSpec,
    /// The partition of its task, where that is known.
    pub(crate) partition: Option<Partition>,
    /// The last changelog record that it says it contains.
    pub(crate) offset: Option<Offset>,
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whose rows they are, where a store does not tell.
    pub(crate) keys: BTreeSet<Vec<u8>>,
}

/// What stores held when they were closed, as long as somebody wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Witness(Arc<Mutex<Option<Vec<Held>>>>);

impl Witness {
    /// From here on all stores that are closed in good order show what they hold.
    pub(crate) fn listen(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    pub(crate) fn take(&self) -> Vec<Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    fn note(&self, held: impl FnOnce() -> Option<Held>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = heard.as_mut() {
            heard.extend(held());
        }
    }
}

/// Opens the stores of one instance.
#[derive(Clone, Debug)]
pub(crate) struct WatchedStores {
    pub(crate) inner: Arc<dyn StoreSupplier>,
    /// Where they are kept, unless `inner` does that itself or they are in memory.
    pub(crate) disk: Option<Disk>,
    pub(crate) process: Arc<Process>,
    pub(crate) witness: Witness,
}

/// A store that is watched.
pub(crate) struct Watched<S: StateStore + Rows + ?Sized> {
    inner: Box<S>,
    journal: Option<Journal>,
    of: WatchedStores,
    spec: StoreSpec,
    partition: Option<Partition>,
    /// Whether it holds what is not committed.
    dirty: bool,
    /// The keys that this life of a versioned store has met.
    keys: BTreeSet<Vec<u8>>,
}

impl<S: StateStore + Rows + ?Sized> Watched<S> {
    fn open(
        of: &WatchedStores,
        mut inner: Box<S>,
        spec: &StoreSpec,
        context: OpenContext<'_>,
    ) -> Result<Self, StoreError> {
        let (mut journal, mut keys) = (None, BTreeSet::new());
        if let (Some(disk), Some(directory)) = (&of.disk, context.task_directory) {
            let path = directory.join(&spec.name);
            let replay = |record: &OwnedRecord| {
                keys.extend(record.key.as_ref().filter(|_| is_versioned(spec)).map(|key| key.to_vec()));
                inner.restore(&mut std::iter::once(record.view()))
            };
            journal = Some(Journal::open(disk, of.process.name(), &path, replay)?);
        }
        let task = context.task_directory.and_then(|directory| directory.file_name()?.to_str()?.rsplit('_').next());
        let partition = task.and_then(|number| number.parse().ok());
        Ok(Watched { inner, journal, of: of.clone(), spec: spec.clone(), partition, dirty: false, keys })
    }

    fn call<T>(&self, call: Call, act: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.of.process.call(call, || act(&self.inner)).unwrap_or_else(|| Err(dead(&self.spec)))
    }

    /// A write, which goes to the journal as the changelog record that would restore it.
    fn write<T>(
        &mut self,
        act: impl FnOnce(&mut S, Option<&mut Journal>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Watched { inner, journal, of, spec, dirty, .. } = self;
        *dirty = true;
        of.process.call(Call::StorePut, || act(inner, journal.as_mut())).unwrap_or_else(|| Err(dead(spec)))
    }
}

fn is_versioned(spec: &StoreSpec) -> bool {
    matches!(spec.kind, StoreKind::Versioned { .. })
}

fn dead(spec: &StoreSpec) -> StoreError {
    StoreError::Io { store: spec.name.clone(), reason: "the process is dead".to_owned() }
}

impl StoreSupplier for WatchedStores {
    fn is_persistent(&self) -> bool {
        self.disk.is_some() || self.inner.is_persistent()
    }

    fn open(&self, spec: &StoreSpec, context: OpenContext<'_>) -> Result<Store, StoreError> {
        let open = || {
            Ok(match self.inner.open(spec, context)? {
                Store::KeyValue(inner) => Store::KeyValue(Box::new(Watched::open(self, inner, spec, context)?)),
                Store::Window(inner) => Store::Window(Box::new(Watched::open(self, inner, spec, context)?)),
                Store::Session(inner) => Store::Session(Box::new(Watched::open(self, inner, spec, context)?)),
                Store::Versioned(inner) => Store::Versioned(Box::new(Watched::open(self, inner, spec, context)?)),
                other @ Store::Suppress(_) => other,
            })
        };
        self.process.call(Call::StoreOpen, open).unwrap_or_else(|| Err(dead(spec)))
    }
}

impl<S: StateStore + Rows + ?Sized> StateStore for Watched<S> {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn is_persistent(&self) -> bool {
        self.journal.is_some() || self.inner.is_persistent()
    }
    fn does_as_on_disk(&self) -> bool {
        self.inner.does_as_on_disk()
    }
    fn committed_offset(&self) -> Result<Option<Offset>, StoreError> {
        match &self.journal {
            Some(journal) => Ok(journal.contained.offset),
            None => self.inner.committed_offset(),
        }
    }
    fn commit(&mut self, changelog: Option<Offset>) -> Result<(), StoreError> {
        let Watched { inner, journal, of, spec, dirty, .. } = self;
        let commit = || {
            inner.commit(changelog)?;
            *dirty = false;
            journal.as_mut().map_or(Ok(()), |journal| {
                journal.contained.offset = changelog.or(journal.contained.offset);
                journal.commit()
            })
        };
        of.process.call(Call::StoreCommit, commit).unwrap_or_else(|| Err(dead(spec)))
    }
    fn committed_offsets(&self) -> Result<BTreeMap<Partition, Offset>, StoreError> {
        match &self.journal {
            Some(journal) => Ok(journal.contained.of_partitions.clone()),
            None => self.inner.committed_offsets(),
        }
    }
    fn commit_offsets(&mut self, offsets: &BTreeMap<Partition, Offset>) -> Result<(), StoreError> {
        let Watched { inner, journal, of, spec, .. } = self;
        let commit = || {
            inner.commit_offsets(offsets)?;
            journal.as_mut().map_or(Ok(()), |journal| {
                journal.contained.of_partitions.extend(offsets);
                journal.commit()
            })
        };
        of.process.call(Call::StoreCommit, commit).unwrap_or_else(|| Err(dead(spec)))
    }
    fn sync(&mut self) -> Result<(), StoreError> {
        let Watched { inner, journal, of, spec, .. } = self;
        let sync = || {
            if let Some(journal) = journal {
                journal.sync();
            }
            inner.sync()
        };
        of.process.call(Call::StoreSync, sync).unwrap_or_else(|| Err(dead(spec)))
    }
    fn restore(&mut self, records: &mut dyn Iterator<Item = RawRecord<'_>>) -> Result<(), StoreError> {
        let Watched { inner, journal, of, spec, dirty, keys, .. } = self;
        *dirty = true;
        let restore = || {
            inner.restore(&mut records.inspect(|record| {
                keys.extend(record.key.filter(|_| is_versioned(spec)).map(<[u8]>::to_vec));
                if let Some(journal) = journal.as_mut() {
                    journal.change(record);
                }
            }))
        };
        of.process.call(Call::StoreRestore, restore).unwrap_or_else(|| Err(dead(spec)))
    }
    fn views(&self) -> Option<Arc<dyn StoreViews>> {
        self.inner.views()
    }
    fn uncommitted(
        &mut self,
        asked: &Asked<'_>,
        amend: &mut dyn FnMut(&mut Store),
    ) -> Result<Option<Arc<View>>, StoreError> {
        self.inner.uncommitted(asked, amend)
    }
    fn pending_bytes(&self) -> usize {
        self.journal.as_ref().map_or_else(|| self.inner.pending_bytes(), Journal::pending_bytes)
    }
}

impl<S: StateStore + Rows + ?Sized> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.of.process.is_dead() || self.dirty {
            return;
        }
        self.of.witness.note(|| {
            let offset = self.committed_offset().ok()?;
            let (rows, keys) = (self.inner.rows(&self.keys)?, self.keys.clone());
            Some(Held { spec: self.spec.clone(), partition: self.partition, offset, rows, keys })
        });
    }
}

/// What a store of `spec` would hold, of `keys` where it does not tell which it has, that contains these changelog records; `None` for kinds that cannot be compared.
pub(crate) fn fold(
    make: &dyn StoreSupplier,
    spec: &StoreSpec,
    keys: &BTreeSet<Vec<u8>>,
    records: &mut dyn Iterator<Item = RawRecord<'_>>,
) -> Result<Option<BTreeMap<Vec<u8>, Vec<u8>>>, StoreError> {
    if matches!(spec.kind, StoreKind::Suppress | StoreKind::Lru { .. }) {
        return Ok(None);
    }
    let mut store = make.open(spec, OpenContext { task_directory: None })?;
    for record in records {
        store.state_mut().restore(&mut std::iter::once(record))?;
    }
    Ok(match store {
        Store::KeyValue(store) => store.rows(keys),
        Store::Window(store) => store.rows(keys),
        Store::Session(store) => store.rows(keys),
        Store::Versioned(store) => store.rows(keys),
        Store::Suppress(_) => None,
    })
}
