//! Window stores.

use std::sync::Arc;

use headwater_runtime::query::{Queries, StoreIterator};
use headwater_window::{Window as Stretch, Windowed};
use serde::Serialize;

use super::{Entries, Kind, Point, Span, Typed, Written, no_such_point};
use crate::server::Failure;
use crate::token::Last;

pub(crate) enum Window {}

impl<K: 'static, V: Serialize + 'static> Kind<K, V> for Window {
    const NAME: &'static str = "window";

    fn get(store: &Typed<K, V>, queries: &Queries, key: K, point: Point) -> Result<Option<Written>, Failure> {
        let Point::Window { start } = point else {
            return no_such_point("values without windows: ask for /windows of the key", "window");
        };
        // Windows of a store have one length; a scan tells it.
        let read = queries.window_store(&store.handle)?;
        let Some(stamped) = read.fetch_with_timestamp(&key, start)? else { return Ok(None) };
        let timestamp = stamped.timestamp.is_known().then_some(stamped.timestamp.millis());
        let entry = store.entry(&key, &stamped.value)?;
        Ok(Some(Written { start: Some(start), timestamp, ..entry }))
    }

    fn scan(store: &Arc<Typed<K, V>>, queries: &Queries, span: &Span) -> Result<Entries, Failure> {
        let read = queries.window_store(&store.handle)?;
        let (from, to) = (span.from(), span.to());
        if span.reverse {
            let Some(key) = &span.key else { return no_such_point("reverse order over all keys", "window") };
            let to = match span.last.as_ref().and_then(|last| last.start) {
                // It was the earliest there can be.
                Some(i64::MIN..=0) => return Ok(Box::new(std::iter::empty())),
                Some(last) => to.min(last - 1),
                None => to,
            };
            return Ok(entries(store, read.backward_fetch_windows(&store.key(key)?, from, to)?));
        }
        let keys = store.keys(span)?;
        let found = match &span.last {
            Some(last) => read.fetch_keys_after(keys, from, to, &windowed(store, last)?)?,
            None => read.fetch_keys(keys, from, to)?,
        };
        Ok(entries(store, found))
    }
}

/// The window, or session, that a page ended with.
pub(super) fn windowed<K, V: Serialize>(store: &Typed<K, V>, last: &Last) -> Result<Windowed<K>, Failure> {
    let (Some(start), Some(end)) = (last.start, last.end) else {
        return Err(Failure::foreign_token());
    };
    Ok(Windowed::new(store.key(&last.key)?, Stretch::of_millis(start, end)))
}

pub(super) fn entries<K: 'static, V: Serialize + 'static>(
    store: &Arc<Typed<K, V>>,
    found: StoreIterator<(Windowed<K>, V)>,
) -> Entries {
    let store = Arc::clone(store);
    Box::new(found.map(move |entry| {
        let (windowed, value) = entry?;
        let (start, end) = (Some(windowed.start().millis()), Some(windowed.end().millis()));
        Ok(Written { start, end, ..store.entry(&windowed.key, &value)? })
    }))
}
