//! The commands of `window_commands`.

use headwater::processor::state::{Keys, Stamped, WindowState};
use headwater::processor::{ProcessError, TaskContext};
use headwater::record::{Record, Timestamp};
use headwater::window::Windowed;

use super::{bound, direction, listed, shown, time, unknown};
use crate::val::Val;

/// Does what the words say to a store; the answer.
pub(super) fn answer(
    cx: &mut TaskContext<'_>,
    store: &WindowState<Val, Val>,
    record: Record<'_, Val, Val>,
    words: &[&str],
) -> Result<String, ProcessError> {
    let Record { key, timestamp, headers, .. } = record;
    let put = |cx: &mut TaskContext<'_>, start: Timestamp, value: Option<Val>| {
        store.put(cx, key, start, value, timestamp, headers).map(|()| "ok".to_owned())
    };
    let (order, words) = direction(words);
    match words.as_slice() {
        ["put", value] => put(cx, timestamp, Some(Val::text(*value))),
        ["put_null"] => put(cx, timestamp, None),
        ["put_at", value, start] => put(cx, time(start)?, Some(Val::text(*value))),
        ["get", start] => store.fetch(key, time(start)?).map(shown),
        ["fetch", from, to] => {
            let (from, to) = (time(from)?, time(to)?);
            listed(by_start, |list| store.scan(cx, Keys::One(key), from, to, order, list))
        }
        ["fetch_range", low, high, from, to] => {
            let (low, high, from, to) = (bound(low), bound(high), time(from)?, time(to)?);
            listed(by_key, |list| store.scan(cx, Keys::Between(low.as_ref(), high.as_ref()), from, to, order, list))
        }
        ["fetch_all", from, to] => {
            let (from, to) = (time(from)?, time(to)?);
            listed(by_key, |list| store.scan(cx, Keys::Between(None, None), from, to, order, list))
        }
        ["all"] => listed(by_key, |list| store.all(cx, order, list)),
        other => Err(unknown(other)),
    }
}

fn by_start(key: Windowed<Val>, found: Stamped<Val>) -> String {
    format!("{}={}", key.window.start, found.value.show())
}

fn by_key(key: Windowed<Val>, found: Stamped<Val>) -> String {
    format!("{}={}", Val::from(&key).show(), found.value.show())
}
