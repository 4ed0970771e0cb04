//! Going through many entries, a page at a time.

use std::fmt;
use std::sync::Arc;

use headwater_store::bytes::Scan;
use headwater_store::{Store, StoreError, View};

use crate::Error;

/// So many entries are read at once: whoever closes a store waits for no more.
const PAGE: usize = 256;

/// Entries of a store, of one partition after the other. All of a partition are of one moment, however long it takes to go through
/// them; writing goes on meanwhile.
///
/// After an error there is nothing more: what is missing is to be asked for again.
pub struct StoreIterator<T>(Box<dyn Iterator<Item = Result<T, Error>> + Send>);

impl<T> Iterator for StoreIterator<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<T> fmt::Debug for StoreIterator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreIterator")
    }
}

impl<T: 'static> StoreIterator<T> {
    /// What `read` finds in the `views`, page by page, each from the entry before on; `typed` gives what is handed out, if anything.
    pub(super) fn over<E: Clone + Send + 'static>(
        views: Vec<Arc<View>>,
        read: impl Fn(&Store, Option<&E>, usize, &mut Vec<E>) -> Result<Scan, StoreError> + Send + 'static,
        typed: impl Fn(E) -> Result<Option<T>, Error> + Send + 'static,
    ) -> Self {
        Self::after(None, views, read, typed)
    }

    /// The same, of the first view only what comes after `last`.
    pub(super) fn after<E: Clone + Send + 'static>(
        last: Option<E>,
        views: Vec<Arc<View>>,
        read: impl Fn(&Store, Option<&E>, usize, &mut Vec<E>) -> Result<Scan, StoreError> + Send + 'static,
        typed: impl Fn(E) -> Result<Option<T>, Error> + Send + 'static,
    ) -> Self {
        let pages = Pages { views: views.into_iter(), view: None, page: Vec::new().into_iter(), last, read };
        let mut has_failed = false;
        let entries = pages.map(move |entry| entry.and_then(&typed)).filter_map(Result::transpose);
        StoreIterator(Box::new(entries.map_while(move |entry| {
            let goes_on = !has_failed;
            has_failed = entry.is_err();
            goes_on.then_some(entry)
        })))
    }
}

struct Pages<E, R> {
    views: std::vec::IntoIter<Arc<View>>,
    /// The one that is read, unless its end was seen.
    view: Option<Arc<View>>,
    page: std::vec::IntoIter<E>,
    last: Option<E>,
    read: R,
}

impl<E, R> Iterator for Pages<E, R>
where
    E: Clone,
    R: Fn(&Store, Option<&E>, usize, &mut Vec<E>) -> Result<Scan, StoreError>,
{
    type Item = Result<E, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            if self.view.is_none() {
                self.view = Some(self.views.next()?);
            }
            let view = self.view.as_ref()?;
            let mut page = Vec::new();
            match view.read(|store| (self.read)(store, self.last.as_ref(), PAGE, &mut page)) {
                Ok(Scan::More) => {}
                Ok(Scan::Done) => self.view = None,
                Err(error) => {
                    (self.view, self.views) = (None, Vec::new().into_iter());
                    return Some(Err(error.into()));
                }
            }
            self.last = self.view.as_ref().and(page.last().cloned());
            self.page = page.into_iter();
        }
    }
}
