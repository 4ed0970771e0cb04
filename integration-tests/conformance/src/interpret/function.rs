//! The functions of a statement, as closures for the library.

use std::sync::Arc;

use anyhow::Result;
use headwater::processor::ProcessError;
use headwater::processor::node::source::{ConsumedRecord, TimestampExtractor};
use headwater::record::{Headers, Timestamp};

use super::key::Key;
use crate::expr::{Aggregator, Expr, Initializer, ListExpr, Predicate, Reducer, Scope, UserError};
use crate::scenario::Spec;
use crate::val::{Val, whole_number};

/// A test of a key and a value.
pub(super) fn predicate<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val) -> Result<bool, UserError> + Clone + Send + Sync + use<K>> {
    let predicate = Predicate::parse(statement.need("predicate")?)?;
    Ok(move |key: &K, value: &Val| predicate.test(Scope::kv(&key.seen(), value)))
}

/// An expression that sees key and value.
pub(super) fn of_key_and_value<K: Key>(
    statement: Spec<'_>,
    field: &str,
) -> Result<impl Fn(&K, &Val) -> Result<Val, UserError> + Send + Sync + use<K>> {
    let expr = Expr::parse(statement.need(field)?)?;
    Ok(move |key: &K, value: &Val| expr.eval(Scope::kv(&key.seen(), value)))
}

/// The expression `value`, which sees the key where the statement says `with_key`.
pub(super) fn of_value<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val) -> Result<Val, UserError> + Send + Sync + use<K>> {
    let expr = Expr::parse(statement.need("value")?)?;
    let with_key = statement.is("with_key");
    Ok(
        move |key: &K, value: &Val| {
            if with_key { expr.eval(Scope::kv(&key.seen(), value)) } else { expr.eval(Scope::value(value)) }
        },
    )
}

/// The list of a `flat_map_values`.
pub(super) fn values<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val) -> Result<Vec<Val>, UserError> + Send + Sync + use<K>> {
    let list = ListExpr::parse(statement.need("list")?)?;
    let with_key = statement.is("with_key");
    Ok(
        move |key: &K, value: &Val| {
            if with_key { list.list(Scope::kv(&key.seen(), value)) } else { list.list(Scope::value(value)) }
        },
    )
}

/// The keys and values of a `flat_map`.
pub(super) fn pairs<K: Key>(
    statement: Spec<'_>,
) -> Result<impl Fn(&K, &Val) -> Result<Vec<(Val, Val)>, UserError> + Send + Sync + use<K>> {
    let list = ListExpr::parse(statement.need("list")?)?;
    let (to_key, to_value) = (Expr::parse(statement.need("key")?)?, Expr::parse(statement.need("value")?)?);
    Ok(move |key: &K, value: &Val| {
        let key = key.seen();
        let scope = Scope::kv(&key, value);
        let pair = |element: Val| {
            let scope = scope.element(&element);
            Ok((to_key.eval(scope)?, to_value.eval(scope)?))
        };
        list.list(scope)?.into_iter().map(pair).collect()
    })
}

/// The partitioner of an option: null leaves the choice to the key's hash, `none` sends the record nowhere.
pub(super) fn partitioner<K: Key>(
    option: Option<Spec<'_>>,
) -> Result<Option<impl Fn(&str, &K, &Val, &Headers, i32) -> Option<Vec<i32>> + Send + Sync + use<K>>> {
    let expr = option.and_then(|option| option.text("partitioner")).map(Expr::parse).transpose()?;
    Ok(expr.map(|expr| {
        move |topic: &str, key: &K, value: &Val, headers: &Headers, _partitions: i32| {
            let key = key.seen();
            let header = last_header(headers);
            match expr.eval(Scope { topic: Some(topic), header: Some(&header), ..Scope::kv(&key, value) }) {
                Ok(Val::Null) | Err(_) => None,
                Ok(chosen) if chosen.show() == "none" => Some(Vec::new()),
                Ok(chosen) => Some(chosen.show().split(',').filter_map(|number| number.parse().ok()).collect()),
            }
        }
    }))
}

/// What an aggregation starts from.
pub(super) fn initializer(statement: Spec<'_>) -> Result<impl Fn() -> Val + Send + Sync + use<>> {
    let initializer = Initializer::parse(statement.need("initializer")?)?;
    Ok(move || initializer.start())
}

/// The aggregator in a field.
pub(super) fn aggregator<K: Key>(
    statement: Spec<'_>,
    field: &str,
) -> Result<impl Fn(&K, &Val, &Val) -> Result<Val, UserError> + Send + Sync + use<K>> {
    let aggregator = Aggregator::parse(statement.need(field)?)?;
    Ok(move |key: &K, value: &Val, aggregate: &Val| aggregator.apply(&key.seen(), value, aggregate))
}

/// The reducer in a field.
pub(super) fn reducer(
    statement: Spec<'_>,
    field: &str,
) -> Result<impl Fn(&Val, &Val) -> Result<Val, UserError> + Send + Sync + use<>> {
    let reducer = Reducer::parse(statement.need(field)?)?;
    Ok(move |x: &Val, y: &Val| reducer.apply(x, y))
}

/// The last header of a name, as expressions ask for it.
pub(super) fn last_header(headers: &Headers) -> impl Fn(&str) -> Option<Vec<u8>> {
    |name| headers.last(name).and_then(|header| header.value).map(|value| value.to_vec())
}

/// A timestamp extractor by its name; see FORMAT.md, section 7.
pub(super) fn extractor(name: &str) -> Result<TimestampExtractor<Val, Val>> {
    let (kind, argument) = name.split_once(':').unwrap_or((name, ""));
    let argument = argument.to_owned();
    let after = |otherwise: fn(Timestamp) -> Timestamp| {
        let mark = argument.clone();
        custom(move |record, partition_time| {
            let shown = record.value.show();
            let number = shown.split_once(mark.as_str()).and_then(|(_, tail)| whole_number(tail));
            Ok(number.map_or(otherwise(partition_time), Timestamp::from_millis))
        })
    };
    Ok(match kind {
        "fail_on_invalid" => TimestampExtractor::FailOnInvalid,
        "log_and_skip" => TimestampExtractor::LogAndSkip,
        "use_partition_time" => TimestampExtractor::UsePartitionTime,
        "value_after" => after(|_| Timestamp::UNKNOWN),
        "value_after_or_partition_time" => after(|partition_time| partition_time),
        "plus" => {
            let by: i64 = argument.parse()?;
            custom(move |record, _| Ok(Timestamp::from_millis(record.timestamp.millis().wrapping_add(by))))
        }
        "fixed" => {
            let time = Timestamp::from_millis(argument.parse()?);
            custom(move |_, _| Ok(time))
        }
        "fail_if" => custom(move |record, _| {
            if record.value.show() == argument {
                return Err(ProcessError::user(UserError(format!("failed on {argument}"))));
            }
            Ok(record.timestamp)
        }),
        _ => anyhow::bail!("no timestamp extractor `{name}`"),
    })
}

fn custom(
    extract: impl Fn(&ConsumedRecord<'_, Val, Val>, Timestamp) -> Result<Timestamp, ProcessError> + Send + Sync + 'static,
) -> TimestampExtractor<Val, Val> {
    TimestampExtractor::Custom(Arc::new(extract))
}
