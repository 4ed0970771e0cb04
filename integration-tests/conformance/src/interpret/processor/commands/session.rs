//! The commands of `session_commands`.

use headwater::processor::state::{Keys, SessionState};
use headwater::processor::{ProcessError, TaskContext};
use headwater::record::Record;
use headwater::window::{Window, Windowed};

use super::{bound, direction, listed, time, unknown};
use crate::val::Val;

/// Does what the words say to a store; the answer.
pub(super) fn answer(
    cx: &mut TaskContext<'_>,
    store: &SessionState<Val, Val>,
    record: Record<'_, Val, Val>,
    words: &[&str],
) -> Result<String, ProcessError> {
    let Record { key, timestamp, headers, .. } = record;
    let (order, words) = direction(words);
    match words.as_slice() {
        ["put", value, start, end] => {
            let (window, value) = (Window::new(time(start)?, time(end)?), Some(Val::text(*value)));
            store.put(cx, key, window, value, timestamp, headers).map(|()| "ok".to_owned())
        }
        ["remove", start, end] => {
            let window = Window::new(time(start)?, time(end)?);
            store.remove(cx, key, window, timestamp, headers).map(|()| "ok".to_owned())
        }
        ["get", start, end] => {
            let found = store.fetch(key, Window::new(time(start)?, time(end)?))?;
            Ok(found.unwrap_or_default().show())
        }
        ["fetch"] => listed(show, |list| store.all(cx, Keys::One(key), order, list)),
        ["fetch_range", from, to] => {
            let (from, to) = (bound(from), bound(to));
            listed(show, |list| store.all(cx, Keys::Between(from.as_ref(), to.as_ref()), order, list))
        }
        ["find", end, start] => {
            let (end, start) = (time(end)?, time(start)?);
            listed(show, |list| store.scan(cx, Keys::One(key), end, start, order, list))
        }
        ["find_range", from, to, end, start] => {
            let (from, to, end, start) = (bound(from), bound(to), time(end)?, time(start)?);
            listed(show, |list| store.scan(cx, Keys::Between(from.as_ref(), to.as_ref()), end, start, order, list))
        }
        other => Err(unknown(other)),
    }
}

fn show(key: Windowed<Val>, value: Val) -> String {
    format!("{}={}", Val::from(&key).show(), value.show())
}
