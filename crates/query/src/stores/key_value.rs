//! Key-value stores.

use std::ops::Bound;
use std::sync::Arc;

use headwater_runtime::query::{Queries, ReadOnlyKeyValueStore, StoreIterator};
use serde::Serialize;

use super::{Entries, Kind, Point, Span, Typed, Written, no_such_point};
use crate::server::Failure;

pub(crate) enum KeyValue {}

impl<K: 'static, V: Serialize + 'static> Kind<K, V> for KeyValue {
    const NAME: &'static str = "key-value";

    fn get(store: &Typed<K, V>, queries: &Queries, key: K, point: Point) -> Result<Option<Written>, Failure> {
        if point != Point::Latest {
            return no_such_point("windows, sessions or versions", "key-value");
        }
        let found = queries.key_value_store(&store.handle)?.get_with_timestamp(&key)?;
        let entry = found.map(|found| {
            let timestamp = found.timestamp.is_known().then_some(found.timestamp.millis());
            Ok(Written { timestamp, ..store.entry(&key, &found.value)? })
        });
        entry.transpose()
    }

    fn scan(store: &Arc<Typed<K, V>>, queries: &Queries, span: &Span) -> Result<Entries, Failure> {
        if span.key.is_some() {
            return no_such_point("windows, sessions or versions", "key-value");
        }
        let read = queries.key_value_store(&store.handle)?;
        let last = span.last.as_ref().map(|last| store.key(&last.key)).transpose()?;
        if let Some(prefix) = &span.prefix {
            return with_prefix(store, &read, prefix, last);
        }
        let (from, to) = store.keys(span)?;
        let found = match (last, span.reverse) {
            (None, false) => read.range((from, to))?,
            (None, true) => read.reverse_range((from, to))?,
            (Some(last), false) => read.range((Bound::Excluded(last), to))?,
            (Some(last), true) => read.reverse_range((from, Bound::Excluded(last)))?,
        };
        Ok(entries(store, found))
    }
}

fn with_prefix<K: 'static, V: Serialize + 'static>(
    store: &Arc<Typed<K, V>>,
    read: &ReadOnlyKeyValueStore<K, V>,
    prefix: &str,
    last: Option<K>,
) -> Result<Entries, Failure> {
    let prefix = store.bytes(&store.key(prefix)?)?;
    let Some(last) = last else { return Ok(entries(store, read.prefix_scan(&prefix)?)) };
    let (found, typed) = (read.range((Bound::Excluded(last), Bound::Unbounded))?, Arc::clone(store));
    let found = found.map(move |entry| {
        let (key, value) = entry?;
        let begins = typed.bytes(&key)?.starts_with(&prefix);
        begins.then(|| typed.entry(&key, &value)).transpose()
    });
    Ok(Box::new(found.map_while(Result::transpose)))
}

fn entries<K: 'static, V: Serialize + 'static>(store: &Arc<Typed<K, V>>, found: StoreIterator<(K, V)>) -> Entries {
    let store = Arc::clone(store);
    Box::new(found.map(move |entry| {
        let (key, value) = entry?;
        store.entry(&key, &value)
    }))
}
