//! Versioned stores.

use std::sync::Arc;

use headwater_record::Timestamp;
use headwater_runtime::query::{Queries, VersionedRecord};
use serde::Serialize;

use super::{Entries, Kind, Point, Span, Typed, Written, no_such_point};
use crate::server::Failure;

pub(crate) enum Versioned {}

impl<K: 'static, V: Serialize + 'static> Kind<K, V> for Versioned {
    const NAME: &'static str = "versioned";

    fn get(store: &Typed<K, V>, queries: &Queries, key: K, point: Point) -> Result<Option<Written>, Failure> {
        let read = queries.versioned_store(&store.handle)?;
        let found = match point {
            Point::Latest => read.get(&key)?,
            Point::AsOf(time) => read.get_as_of(&key, time)?,
            Point::Window { .. } | Point::Session { .. } => return no_such_point("windows or sessions", "versioned"),
        };
        found.map(|found| entry(store, &key, &found)).transpose()
    }

    fn scan(store: &Arc<Typed<K, V>>, queries: &Queries, span: &Span) -> Result<Entries, Failure> {
        let Some(text) = &span.key else { return no_such_point("order over all keys: ask for one", "versioned") };
        if span.reverse {
            return no_such_point("reverse order", "versioned");
        }
        // The version after the last one was valid from that one's end on.
        let from = match &span.last {
            Some(last) => last.end.ok_or_else(Failure::foreign_token)?,
            None => span.from(),
        };
        if from > span.to() {
            return Ok(Box::new(std::iter::empty()));
        }
        let key = store.key(text)?;
        let found = queries.versioned_store(&store.handle)?.versions(&key, from, span.to())?;
        let store = Arc::clone(store);
        Ok(Box::new(found.map(move |version| entry(&store, &key, &version?))))
    }
}

fn entry<K, V: Serialize>(store: &Typed<K, V>, key: &K, version: &VersionedRecord<V>) -> Result<Written, Failure> {
    let (timestamp, valid_to) = (Some(version.timestamp.millis()), version.valid_to.map(Timestamp::millis));
    Ok(Written { timestamp, valid_to, ..store.entry(key, &version.value)? })
}
