//! Reading `expected`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::{Failure, Kind, Outcome, Phase, Record, Store, Subtopology, TopicSettings};

impl Outcome {
    /// Reads a scenario's `expected`.
    ///
    /// # Errors
    /// When it is not of the form that FORMAT.md gives it.
    pub fn parse(value: &Value) -> Result<Outcome> {
        let fields = object(value)?;
        let mut outcome = Outcome::default();
        for (name, value) in fields {
            match name.as_str() {
                "describe" => outcome.describe = Some(texts(value)?),
                "branches" => outcome.branches = by_name(value, text)?,
                "subtopologies" => outcome.subtopologies = list(value, subtopology)?,
                "copartition" => outcome.copartition = list(value, texts)?,
                "steps" => outcome.steps = Some(list(value, |step| by_name(step, |topic| list(topic, record)))?),
                "stores" => outcome.stores = by_name(value, store)?,
                "dropped" => outcome.dropped = Some(value.as_i64().context("`dropped` is a number")?),
                "printed" => outcome.printed = list(value, texts)?,
                "error" => outcome.error = Some(failure(value)?),
                _ => bail!("unknown field `{name}`"),
            }
        }
        Ok(outcome)
    }
}

fn object(value: &Value) -> Result<&Map<String, Value>> {
    value.as_object().with_context(|| format!("an object, not {value}"))
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("text, not {value}"))
}

fn list<T>(value: &Value, item: impl Fn(&Value) -> Result<T>) -> Result<Vec<T>> {
    value.as_array().with_context(|| format!("a list, not {value}"))?.iter().map(item).collect()
}

fn texts(value: &Value) -> Result<Vec<String>> {
    list(value, text)
}

fn by_name<T>(value: &Value, item: impl Fn(&Value) -> Result<T>) -> Result<BTreeMap<String, T>> {
    object(value)?.iter().map(|(name, value)| Ok((name.clone(), item(value)?))).collect()
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value.get(name).with_context(|| format!("`{name}` is missing in {value}"))
}

fn subtopology(value: &Value) -> Result<Subtopology> {
    Ok(Subtopology {
        id: field(value, "id")?.as_i64().context("`id` is a number")?,
        sources: texts(field(value, "sources")?)?,
        sinks: texts(field(value, "sinks")?)?,
        repartition: by_name(field(value, "repartition")?, topic_settings)?,
        changelog: by_name(field(value, "changelog")?, topic_settings)?,
    })
}

fn topic_settings(value: &Value) -> Result<TopicSettings> {
    by_name(value, |setting| match setting {
        Value::String(text) => Ok(text.clone()),
        other => Ok(other.to_string()),
    })
}

fn record(value: &Value) -> Result<Record> {
    let fields = value.as_array().map(Vec::as_slice);
    let Some([key, content, timestamp] | [key, content, timestamp, _]) = fields else { bail!("a record, not {value}") };
    let nullable = |value: &Value| value.as_str().map(str::to_owned);
    let headers = fields.and_then(|fields| fields.get(3)).map(|headers| {
        list(headers, |pair| Ok((text(pair.get(0).context("a header has a name")?)?, pair.get(1).and_then(nullable))))
    });
    Ok(Record {
        key: nullable(key),
        value: nullable(content),
        timestamp: timestamp.as_i64(),
        headers: headers.transpose()?.unwrap_or_default(),
    })
}

fn store(value: &Value) -> Result<Store> {
    Ok(Store {
        kind: text(field(value, "kind")?)?,
        timestamped: value.get("timestamped") == Some(&Value::Bool(true)),
        entries: list(field(value, "entries")?, |entry| list(entry, |part| Ok(part.clone())))?,
    })
}

fn failure(value: &Value) -> Result<Failure> {
    let phase = match field(value, "phase")?.as_str() {
        Some("build") => Phase::Build,
        Some("start") => Phase::Start,
        Some("step") => Phase::Step(field(value, "step")?.as_u64().context("`step` is a number")? as usize),
        _ => bail!("unknown phase in {value}"),
    };
    let cause = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(class), Value::String(message)]) => Ok((Kind::of_java(class), message.clone())),
        _ => bail!("a cause is a class and a message, not {pair}"),
    };
    Ok(Failure {
        phase,
        kind: Kind::of_java(&text(field(value, "class")?)?),
        message: text(field(value, "message")?)?,
        causes: list(field(value, "causes")?, cause)?,
    })
}
