//! The commands of `versioned_commands`.

use headwater::processor::state::{Stamped, VersionedState};
use headwater::processor::{ProcessError, TaskContext};
use headwater::record::Record;

use super::{time, unknown};
use crate::val::Val;

/// Does what the words say to a store; the answer.
pub(super) fn answer(
    cx: &mut TaskContext<'_>,
    store: &VersionedState<Val, Val>,
    record: Record<'_, Val, Val>,
    words: &[&str],
) -> Result<String, ProcessError> {
    let Record { key, timestamp, .. } = record;
    let put = |cx: &mut TaskContext<'_>, value: Option<Val>| {
        store.put(cx, key, value, timestamp).map(|put| put.return_code().to_string())
    };
    match words {
        ["put", value] => put(cx, Some(Val::text(*value))),
        ["put_null"] => put(cx, None),
        ["delete"] => store.delete(cx, key, timestamp).map(shown),
        ["get"] => store.get(key).map(shown),
        ["get", as_of] => store.get_as_of(key, time(as_of)?).map(shown),
        other => Err(unknown(other)),
    }
}

/// Java's reads never say until when a version is valid.
fn shown(version: Option<Stamped<Val>>) -> String {
    version.map_or("none".to_owned(), |version| format!("{}@{}/-", version.value.show(), version.timestamp.millis()))
}
