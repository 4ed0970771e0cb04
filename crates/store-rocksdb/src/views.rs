//! Views of a store: RocksDB's snapshots, which cost next to nothing and hold up nobody.

use std::sync::Arc;

use headwater_record::Offset;
use headwater_store::{Committed, StoreError, StoreSpec, StoreViews, View};
use rocksdb::{DBWithThreadMode, MultiThreaded, ReadOptions, SnapshotWithThreadMode};

use crate::database::Database;
use crate::store_of;
use crate::table::{Marks, Table};

type DatabaseSnapshot<'a> = SnapshotWithThreadMode<'a, DBWithThreadMode<MultiThreaded>>;

self_cell::self_cell!(
    /// A database as it was at one moment.
    pub(crate) struct Snapshot {
        owner: Arc<Database>,
        #[not_covariant]
        dependent: DatabaseSnapshot,
    }
);

impl Snapshot {
    pub(crate) fn of(database: &Arc<Database>) -> Self {
        Snapshot::new(Arc::clone(database), |database| database.db.snapshot())
    }

    /// Has `read` see this moment.
    pub(crate) fn set(&self, read: &mut ReadOptions) {
        self.with_dependent(|_, snapshot| read.set_snapshot(snapshot));
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({:?})", self.borrow_owner())
    }
}

/// What views of a store are made of, as of its last commit.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) spec: StoreSpec,
    pub(crate) database: Arc<Database>,
    pub(crate) offset: Option<Offset>,
    pub(crate) marks: Marks,
    /// Of the last commit, once somebody has asked.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

impl Source {
    /// The moment of the last commit.
    pub(crate) fn snapshot(&mut self) -> Arc<Snapshot> {
        let snapshot = self.snapshot.get_or_insert_with(|| Arc::new(Snapshot::of(&self.database)));
        Arc::clone(snapshot)
    }
}

/// Makes views of one store.
#[derive(Debug)]
pub(crate) struct Views(pub(crate) Arc<Committed<Source>>);

impl StoreViews for Views {
    fn committed(&self) -> Result<Option<Arc<View>>, StoreError> {
        self.0.view(|source| {
            let table = Table::view(source);
            Ok(Some(View::new(store_of(&source.spec, table)?, source.offset)))
        })
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
