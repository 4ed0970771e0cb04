//! What a processor of the format is to do, read once.

use std::time::Duration;

use anyhow::{Result, bail};
use headwater::processor::PunctuationType;
use headwater::record::Timestamp;

use super::commands::StoreUse;
use crate::expr::{Expr, Predicate};
use crate::literal;
use crate::scenario::Spec;

/// What a processor is to do.
#[derive(Clone, Debug)]
pub(in super::super) struct Definition {
    pub(super) work: Work,
    pub(super) punctuation: Option<Punctuation>,
    /// The name of the store that it uses.
    pub(in super::super) store: Option<String>,
    pub(super) opens: StoreUse,
}

/// When its punctuator fires.
#[derive(Clone, Copy, Debug)]
pub(super) struct Punctuation {
    pub(super) start: Option<Timestamp>,
    pub(super) every: Duration,
    pub(super) kind: PunctuationType,
}

/// What a `header` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderAction {
    Add,
    Set,
    Remove,
}

/// What it does with a record, and in a punctuation.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Forward,
    Drop,
    Map { key: Option<Expr>, value: Option<Expr>, ts_plus: i64 },
    Emit { n: i64 },
    FailIf(Expr),
    Route { predicate: Predicate, yes: String, no: String },
    Header { action: HeaderAction, name: String, value: Option<Vec<u8>>, in_place: bool },
    Times,
    Metadata,
    Dedup,
    Counter,
    CountAndPunctuate { clear: bool },
    Tick { label: String, metadata: bool, cancel_after: Option<i64> },
    Ttl { ttl_ms: i64 },
    StoreWriter,
    TimestampedWriter,
    StoreReader,
    Commands,
}

impl Definition {
    /// Reads a processor's object.
    pub(in super::super) fn read(spec: Spec<'_>) -> Result<Definition> {
        let work = work(spec)?;
        let punctuates = matches!(work, Work::CountAndPunctuate { .. } | Work::Tick { .. } | Work::Ttl { .. });
        let punctuation = punctuates.then(|| punctuation(spec)).transpose()?;
        let opens = match spec.text("type") {
            Some("window_commands") => StoreUse::Window,
            Some("session_commands") => StoreUse::Session,
            Some("versioned_commands") => StoreUse::Versioned,
            _ => StoreUse::KeyValue,
        };
        Ok(Definition { work, punctuation, store: spec.text("store").map(str::to_owned), opens })
    }
}

fn punctuation(spec: Spec<'_>) -> Result<Punctuation> {
    Ok(Punctuation {
        start: spec.number("start_ms").map(Timestamp::from_millis),
        every: Duration::from_millis(u64::try_from(spec.need_number("interval_ms")?)?),
        kind: match spec.text("clock") {
            Some("stream") => PunctuationType::StreamTime,
            _ => PunctuationType::WallClockTime,
        },
    })
}

fn work(spec: Spec<'_>) -> Result<Work> {
    let expr = |name: &str| spec.text(name).map(Expr::parse).transpose();
    Ok(match spec.need("type")? {
        "forward" => Work::Forward,
        "drop" => Work::Drop,
        "map" => Work::Map { key: expr("key")?, value: expr("value")?, ts_plus: spec.number("ts_plus").unwrap_or(0) },
        "emit" => Work::Emit { n: spec.need_number("n")? },
        "fail_if" => Work::FailIf(Expr::parse(&format!("v > fail_if:{}", spec.need("value")?))?),
        "route" => Work::Route {
            predicate: Predicate::parse(spec.need("predicate")?)?,
            yes: spec.need("yes")?.to_owned(),
            no: spec.need("no")?.to_owned(),
        },
        "header" => Work::Header {
            action: match spec.need("action")? {
                "add" => HeaderAction::Add,
                "set" => HeaderAction::Set,
                "remove" => HeaderAction::Remove,
                other => bail!("no header action `{other}`"),
            },
            name: spec.need("name")?.to_owned(),
            value: spec.raw("value").map(literal::bytes).transpose()?.flatten(),
            in_place: spec.is("in_place"),
        },
        "times" => Work::Times,
        "metadata" => Work::Metadata,
        "dedup" => Work::Dedup,
        "counter" => Work::Counter,
        "count_and_punctuate" => Work::CountAndPunctuate { clear: spec.is("clear") },
        "tick" => Work::Tick {
            label: spec.text("label").unwrap_or("tick").to_owned(),
            metadata: spec.is("metadata"),
            cancel_after: spec.number("cancel_after"),
        },
        "ttl" => Work::Ttl { ttl_ms: spec.need_number("ttl_ms")? },
        "store_writer" => Work::StoreWriter,
        "timestamped_writer" => Work::TimestampedWriter,
        "store_reader" => Work::StoreReader,
        "kv_commands" | "window_commands" | "session_commands" | "versioned_commands" => Work::Commands,
        other => bail!("no processor `{other}`"),
    })
}
