//! The commands of `kv_commands`.

use headwater::processor::state::{KeyValueState, Stamped};
use headwater::processor::{ProcessError, TaskContext};
use headwater::record::Record;
use headwater::store::bytes::Order;

use super::{bound, listed, shown, unknown};
use crate::val::Val;

/// Does what the words say to a store; the answer.
pub(super) fn answer(
    cx: &mut TaskContext<'_>,
    store: &KeyValueState<Val, Val>,
    record: Record<'_, Val, Val>,
    words: &[&str],
) -> Result<String, ProcessError> {
    let Record { key, timestamp, headers, .. } = record;
    let put = |cx: &mut TaskContext<'_>, key: &Val, value: Option<Val>| store.put(cx, key, value, timestamp, headers);
    let ok = |()| "ok".to_owned();
    match words {
        ["put", value] => put(cx, key, Some(Val::text(*value))).map(ok),
        ["put_null"] => put(cx, key, None).map(ok),
        ["put_if_absent", value] => {
            store.put_if_absent(cx, key, Some(Val::text(*value)), timestamp, headers).map(shown)
        }
        ["put_all", value, other, other_value] => {
            let entries = [(key.clone(), Some(Val::text(*value))), (Val::text(*other), Some(Val::text(*other_value)))];
            store.put_all(cx, entries, &record).map(ok)
        }
        ["delete"] => store.delete(cx, key, timestamp, headers).map(shown),
        ["get"] => store.get(cx, key).map(shown),
        ["range", from, to] => range(cx, store, from, to, Order::Forward),
        ["reverse_range", from, to] => range(cx, store, from, to, Order::Backward),
        ["all"] => listed(show, |list| store.all(cx, Order::Forward, list)),
        ["reverse_all"] => listed(show, |list| store.all(cx, Order::Backward, list)),
        ["prefix", prefix] => listed(show, |list| store.prefix(cx, prefix.as_bytes(), Order::Forward, list)),
        ["count"] => Ok(store.approximate_len().to_string()),
        _ => Err(unknown(words)),
    }
}

fn range(
    cx: &mut TaskContext<'_>,
    store: &KeyValueState<Val, Val>,
    from: &str,
    to: &str,
    order: Order,
) -> Result<String, ProcessError> {
    let (from, to) = (bound(from), bound(to));
    listed(show, |list| store.range(cx, from.as_ref(), to.as_ref(), order, list))
}

fn show(key: Val, found: Stamped<Val>) -> String {
    format!("{}={}", key.show(), found.value.show())
}
