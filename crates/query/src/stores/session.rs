//! Session stores.

use std::sync::Arc;

use headwater_runtime::query::Queries;
use serde::Serialize;

use super::window::{entries, windowed};
use super::{Entries, Kind, Point, Span, Typed, Written, no_such_point};
use crate::server::Failure;

pub(crate) enum Session {}

impl<K: 'static, V: Serialize + 'static> Kind<K, V> for Session {
    const NAME: &'static str = "session";

    fn get(store: &Typed<K, V>, queries: &Queries, key: K, point: Point) -> Result<Option<Written>, Failure> {
        let Point::Session { start, end } = point else {
            return no_such_point("values without sessions: ask for /sessions of the key", "session");
        };
        let value = queries.session_store(&store.handle)?.fetch_session(&key, start, end)?;
        let entry = value.map(|value| {
            let (start, end) = (Some(start), Some(end));
            Ok(Written { start, end, ..store.entry(&key, &value)? })
        });
        entry.transpose()
    }

    fn scan(store: &Arc<Typed<K, V>>, queries: &Queries, span: &Span) -> Result<Entries, Failure> {
        if span.reverse {
            return no_such_point("reverse order", "session");
        }
        let read = queries.session_store(&store.handle)?;
        let last = span.last.as_ref().map(|last| windowed(store, last)).transpose()?;
        let found = read.find_sessions_after(store.keys(span)?, span.from(), span.to(), last.as_ref())?;
        Ok(entries(store, found))
    }
}
