//! The commands of `kv_commands`.

use std::ops::ControlFlow;

use headwater::processor::state::{KeyValueState, Stamped};
use headwater::processor::{ProcessError, TaskContext};
use headwater::record::Record;
use headwater::store::bytes::Order;

use crate::val::Val;

/// Does what the words say to a store; the answer.
pub(super) fn key_value(
    cx: &mut TaskContext<'_>,
    store: &KeyValueState<Val, Val>,
    record: Record<'_, Val, Val>,
    words: &[&str],
) -> Result<String, ProcessError> {
    let Record { key, timestamp, headers, .. } = record;
    let put = |cx: &mut TaskContext<'_>, key: &Val, value: Option<Val>| store.put(cx, key, value, timestamp, headers);
    let shown = |found: Option<Stamped<Val>>| found.map_or(Val::Null, |found| found.value).show();
    let ok = |()| "ok".to_owned();
    match words {
        ["put", value] => put(cx, key, Some(Val::text(*value))).map(ok),
        ["put_null"] => put(cx, key, None).map(ok),
        ["put_if_absent", value] => {
            store.put_if_absent(cx, key, Some(Val::text(*value)), timestamp, headers).map(shown)
        }
        ["put_all", value, other, other_value] => {
            put(cx, key, Some(Val::text(*value)))?;
            put(cx, &Val::text(*other), Some(Val::text(*other_value))).map(ok)
        }
        ["delete"] => store.delete(cx, key, timestamp, headers).map(shown),
        ["get"] => store.get(cx, key).map(shown),
        ["range", from, to] => range(cx, store, from, to, Order::Forward),
        ["reverse_range", from, to] => range(cx, store, from, to, Order::Backward),
        ["all"] => listed(|list| store.all(cx, Order::Forward, list)),
        ["reverse_all"] => listed(|list| store.all(cx, Order::Backward, list)),
        ["prefix", prefix] => listed(|list| store.prefix(cx, prefix.as_bytes(), Order::Forward, list)),
        ["count"] => Ok(store.approximate_len().to_string()),
        _ => Err(ProcessError::user(format!("unknown command {words:?}"))),
    }
}

fn range(
    cx: &mut TaskContext<'_>,
    store: &KeyValueState<Val, Val>,
    from: &str,
    to: &str,
    order: Order,
) -> Result<String, ProcessError> {
    let bound = |word: &str| (word != "-").then(|| Val::text(word));
    let (from, to) = (bound(from), bound(to));
    listed(|list| store.range(cx, from.as_ref(), to.as_ref(), order, list))
}

type Each<'l> = &'l mut dyn FnMut(&mut TaskContext<'_>, Val, Stamped<Val>) -> Result<ControlFlow<()>, ProcessError>;

fn listed(go: impl FnOnce(Each<'_>) -> Result<(), ProcessError>) -> Result<String, ProcessError> {
    let mut entries = Vec::new();
    go(&mut |_, key, found| {
        entries.push(format!("{}={}", key.show(), found.value.show()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(entries.join(","))
}
