//! The database of one task: a column family for the rows of each of its stores, and one that describes them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use headwater_store::{OpenContext, StoreError, StoreSpec};
use rocksdb::{
    BoundColumnFamily, ColumnFamilyDescriptor, DBWithThreadMode, MultiThreaded, Options, WriteBatch, WriteOptions,
};

use crate::error::{failed, no_folder};
use crate::layout::{self, META};
use crate::options::{self, Shared};
use crate::spare::Spare;

pub(crate) type Family<'a> = Arc<BoundColumnFamily<'a>>;

/// The databases of this process. The last store of a task that closes takes its database with it.
#[derive(Debug, Default)]
pub(crate) struct Databases {
    open: Mutex<HashMap<PathBuf, Weak<Database>>>,
}

impl Databases {
    /// The database of the task whose store `spec` is to be opened, which is made where there is none.
    pub(crate) fn of_task(
        &self,
        shared: &Shared,
        spec: &StoreSpec,
        context: OpenContext<'_>,
    ) -> Result<Arc<Database>, StoreError> {
        let directory = context.task_directory.ok_or_else(|| StoreError::Io {
            store: spec.name.clone(),
            reason: "it is kept on disk, and there is no state directory: set state.dir, or make it an in-memory store"
                .to_owned(),
        })?;
        let path = directory.join("rocksdb");
        // A task is opened by one thread, and several tasks are at a time: nobody waits for another's files.
        if let Some(database) = self.with(|open| open.get(&path).and_then(Weak::upgrade)) {
            return Ok(database);
        }
        let database = Arc::new(Database::open(shared, &spec.name, &path)?);
        self.with(|open| {
            open.retain(|_, database| database.strong_count() > 0);
            open.insert(path, Arc::downgrade(&database));
        });
        Ok(database)
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<PathBuf, Weak<Database>>) -> R) -> R {
        work(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The database of one task.
pub(crate) struct Database {
    pub(crate) db: DBWithThreadMode<MultiThreaded>,
    pub(crate) path: PathBuf,
    write: WriteOptions,
    /// How files of rows are made.
    pub(crate) row_files: Options,
    /// Of all databases.
    pub(crate) spare: Arc<Spare>,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    families: BTreeSet<String>,
    /// Stores that are open.
    stores: BTreeSet<String>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Database {
    fn open(shared: &Shared, store: &str, path: &Path) -> Result<Self, StoreError> {
        let failed = |error| failed(store, path, "opening", &error);
        std::fs::create_dir_all(path).map_err(|error| no_folder(store, path, &error))?;
        let options = shared.database();
        let found = if path.join("CURRENT").exists() {
            DBWithThreadMode::<MultiThreaded>::list_cf(&options, path).map_err(failed)?
        } else {
            Vec::new()
        };
        let families: BTreeSet<String> = found.into_iter().chain([META.to_owned()]).collect();
        let described = families.iter().map(|name| {
            let options = if name == META { shared.meta() } else { shared.rows() };
            ColumnFamilyDescriptor::new(name, options)
        });
        let db = DBWithThreadMode::open_cf_descriptors(&options, path, described).map_err(failed)?;
        Ok(Database {
            db,
            path: path.to_owned(),
            write: options::write(),
            row_files: shared.row_files(),
            spare: Arc::clone(&shared.spare),
            names: Mutex::new(Names { families, ..Names::default() }),
        })
    }

    /// Takes the store `name`, which is given back by [`Database::release`], and makes its column family where there is none.
    pub(crate) fn claim(&self, name: &str, shared: &Shared) -> Result<(), StoreError> {
        let mut names = self.names();
        if names.stores.contains(name) {
            let at = self.path.display();
            let reason = format!(
                "{at} is open in another process or by another instance in this one: end that one, or give each its own \
                 state.dir"
            );
            return Err(StoreError::Io { store: name.to_owned(), reason });
        }
        let family = layout::rows(name);
        if !names.families.contains(&family) {
            let made = self.db.create_cf(&family, &shared.rows());
            made.map_err(|error| failed(name, &self.path, "opening", &error))?;
            names.families.insert(family);
        }
        names.stores.insert(name.to_owned());
        Ok(())
    }

    pub(crate) fn release(&self, name: &str) {
        self.names().stores.remove(name);
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A column family that is there for as long as a store of it is open.
    pub(crate) fn family(&self, store: &str, family: &str) -> Result<Family<'_>, StoreError> {
        self.db.cf_handle(family).ok_or_else(|| StoreError::Io {
            store: store.to_owned(),
            reason: format!(
                "the database at {} has no column family {family}: delete that folder, and the stores in it are restored from \
                 their changelogs",
                self.path.display()
            ),
        })
    }

    pub(crate) fn write(&self, batch: WriteBatch) -> Result<(), rocksdb::Error> {
        self.db.write_opt(batch, &self.write)
    }

    /// Brings all families to disk together; returns when the files are there, or begins it.
    pub(crate) fn flush(&self, wait: bool) -> Result<(), rocksdb::Error> {
        let families: Vec<Family<'_>> =
            self.names().families.iter().filter_map(|name| self.db.cf_handle(name)).collect();
        self.db.flush_cfs_opt(&families.iter().collect::<Vec<_>>(), &options::flush(wait))
    }
}

// A clean close: the next start needs no restoring. Had the process been killed instead, an earlier commit would be found.
impl Drop for Database {
    fn drop(&mut self) {
        if let Err(error) = self.flush(true) {
            let error = failed("of a task", &self.path, "closing", &error);
            tracing::warn!(%error, "what was committed last will be restored from the changelogs");
        }
    }
}
