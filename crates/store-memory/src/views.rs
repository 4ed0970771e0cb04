//! Views of a store: copies that share what does not change.

use std::sync::Arc;

use headwater_record::Offset;
use headwater_store::{Committed, Store, StoreError, StoreViews, View};

/// What views of a store are made of.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Whether anybody ever asked. Until then a commit costs nothing more.
    wanted: bool,
    /// As of the last commit, until it is handed out.
    latest: Option<(Store, Option<Offset>)>,
}

/// Makes views of one store.
#[derive(Debug)]
pub(crate) struct Views(Arc<Committed<Source>>);

impl Views {
    pub(crate) fn of(store: &str) -> Self {
        Views(Arc::new(Committed::new(store, Source::default())))
    }

    pub(crate) fn share(&self) -> Arc<dyn StoreViews> {
        Arc::new(Views(Arc::clone(&self.0)))
    }

    /// Whether anybody wants to see commits.
    pub(crate) fn are_wanted(&self) -> bool {
        self.0.look(|source| source.wanted).unwrap_or_default()
    }

    /// The store has committed: views are of `copy`.
    pub(crate) fn committed(&self, copy: Store, offset: Option<Offset>) {
        self.0.change(|source| source.latest = Some((copy, offset)));
    }

    /// A view of `copy`, which nobody else sees.
    pub(crate) fn hand_out(&self, copy: Store, offset: Option<Offset>) -> Result<Arc<View>, StoreError> {
        self.0.hand_out(View::new(copy, offset))
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }
}

impl StoreViews for Views {
    fn committed(&self) -> Result<Option<Arc<View>>, StoreError> {
        self.0.view(|source| {
            source.wanted = true;
            Ok(source.latest.take().map(|(store, offset)| View::new(store, offset)))
        })
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}
