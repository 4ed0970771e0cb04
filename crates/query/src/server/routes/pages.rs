//! Questions whose answer has many entries: a page of one partition at a time, each from where the one before ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::{MatchedPath, Path, Query, State};
use headwater_record::Partition;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::super::place::{Asked, AtLeast, Freshness};
use super::{Answer, Failure, Parameters, Segments, Server, Shared};
use crate::stores::{Entries, Span, Written};
use crate::token::{Last, Token};
use crate::wire::{Code, Page};

type Values = Page<Box<RawValue>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysAsked {
    from: Option<String>,
    to: Option<String>,
    prefix: Option<String>,
    #[serde(default)]
    reverse: bool,
    limit: Option<usize>,
    after: Option<String>,
    partition: Option<Partition>,
    max_lag: Option<u64>,
    #[serde(default)]
    at_least: AtLeast,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfKeyAsked {
    from: Option<i64>,
    to: Option<i64>,
    #[serde(default)]
    reverse: bool,
    limit: Option<usize>,
    after: Option<String>,
    max_lag: Option<u64>,
    #[serde(default)]
    at_least: AtLeast,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AllAsked {
    from_key: Option<String>,
    to_key: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    limit: Option<usize>,
    after: Option<String>,
    partition: Option<Partition>,
    max_lag: Option<u64>,
    #[serde(default)]
    at_least: AtLeast,
}

/// A part of a long answer.
struct Part {
    limit: Option<usize>,
    after: Option<String>,
    partition: Option<Partition>,
    freshness: Freshness,
}

pub(super) async fn keys(
    State(shared): Server,
    path: Segments<String>,
    asked: Parameters<KeysAsked>,
) -> Answer<Values> {
    let (Path(store), Query(asked)) = (path?, asked?);
    if asked.prefix.is_some() && (asked.from.is_some() || asked.to.is_some() || asked.reverse) {
        return Err(Failure::bad_request("prefix goes without from, to and reverse"));
    }
    let (from_key, to_key) = (asked.from, asked.to);
    let span = Span { from_key, to_key, prefix: asked.prefix, reverse: asked.reverse, ..Span::default() };
    let freshness = Freshness { max_lag: asked.max_lag, at_least: asked.at_least };
    let part = Part { limit: asked.limit, after: asked.after, partition: asked.partition, freshness };
    page(shared, store, span, "key-value", part).await
}

/// Windows, sessions or versions of a key.
pub(super) async fn of_key(
    State(shared): Server,
    route: MatchedPath,
    path: Segments<(String, String)>,
    asked: Parameters<OfKeyAsked>,
) -> Answer<Values> {
    let (Path((store, key)), Query(asked)) = (path?, asked?);
    let span = Span { key: Some(key), from: asked.from, to: asked.to, reverse: asked.reverse, ..Span::default() };
    let freshness = Freshness { max_lag: asked.max_lag, at_least: asked.at_least };
    let part = Part { limit: asked.limit, after: asked.after, partition: None, freshness };
    page(shared, store, span, kind_of(&route), part).await
}

/// Windows or sessions of all keys.
pub(super) async fn all(
    State(shared): Server,
    route: MatchedPath,
    path: Segments<String>,
    asked: Parameters<AllAsked>,
) -> Answer<Values> {
    let (Path(store), Query(asked)) = (path?, asked?);
    let (from_key, to_key) = (asked.from_key, asked.to_key);
    let span = Span { from_key, to_key, from: asked.from, to: asked.to, ..Span::default() };
    let freshness = Freshness { max_lag: asked.max_lag, at_least: asked.at_least };
    let part = Part { limit: asked.limit, after: asked.after, partition: asked.partition, freshness };
    page(shared, store, span, kind_of(&route), part).await
}

/// Of which kind a store must be that is asked at this path.
fn kind_of(route: &MatchedPath) -> &'static str {
    match route.as_str().rsplit('/').next() {
        Some("windows") => "window",
        Some("sessions") => "session",
        _ => "versioned",
    }
}

async fn page(shared: Arc<Shared>, store: String, span: Span, kind: &'static str, part: Part) -> Answer<Values> {
    let deadline = Instant::now() + shared.limits.request_time.mul_f32(0.8);
    let reading = Arc::clone(&shared);
    shared.guard.read(move || read(&reading, &store, span, kind, &part, deadline).map(Json)).await
}

fn read(
    shared: &Shared,
    name: &str,
    mut span: Span,
    kind: &str,
    part: &Part,
    deadline: Instant,
) -> Result<Values, Failure> {
    let asked = Asked::of(shared, name, part.freshness.clone())?;
    if asked.store.kind() != kind {
        let what = format!("store {name} is a {} store: this is asked of a {kind} store", asked.store.kind());
        return Err(Failure::bad_request(what));
    }
    let token = part.after.as_deref().map(|text| Token::read(text).ok_or_else(Failure::foreign_token)).transpose()?;
    let partition = match (&span.key, &token, part.partition) {
        (Some(key), ..) => asked.store.owner_of_key(&shared.handle.metadata(), key)?.partition,
        (None, Some(token), _) => token.partition,
        (None, None, wanted) => first_partition(&asked, wanted)?,
    };
    if part.partition.is_some_and(|wanted| Some(wanted) != partition)
        || token.as_ref().is_some_and(|token| token.partition != partition)
    {
        return Err(Failure::foreign_token());
    }
    span.last = token.and_then(|token| token.last);
    let room = Room {
        entries: part.limit.map_or(shared.limits.page_entries, |limit| limit.clamp(1, shared.limits.page_entries)),
        bytes: shared.limits.page_bytes,
        deadline,
    };
    let ((entries, last), source) = asked.read(partition, |queries| room.fill(asked.store.scan(queries, &span)?))?;
    let mut next = last.map(|last| Token { partition, last: Some(last) });
    if let (None, None, None, Some(done)) = (&next, &span.key, part.partition, partition) {
        let following = asked.local_partition(done + 1)?;
        next = following.map(|partition| Token { partition: Some(partition), last: None });
    }
    Ok(Page { entries, source, next: next.map(|token| token.write()) })
}

/// Where an answer begins that names no partition.
fn first_partition(asked: &Asked<'_>, wanted: Option<Partition>) -> Result<Option<Partition>, Failure> {
    let partitions = asked.store.partitions(&asked.shared.handle.metadata())?;
    match wanted {
        _ if partitions == 0 => Ok(None),
        Some(wanted) if (0..partitions).contains(&wanted) => Ok(Some(wanted)),
        Some(wanted) => {
            let name = asked.name;
            Err(Failure::bad_request(format!("store {name} has no partition {wanted}, but {partitions} from 0 on")))
        }
        None => match asked.local_partition(0)? {
            Some(first) => Ok(Some(first)),
            None => Err(Failure::new(
                Code::Unavailable,
                "this instance has none of it: GET /v1/stores/{store} tells who has",
            )),
        },
    }
}

/// What a page has room for.
struct Room {
    entries: usize,
    bytes: usize,
    deadline: Instant,
}

impl Room {
    /// The entries that there is room for; with the last of them where there are more.
    fn fill(&self, entries: Entries) -> Result<(Vec<Written>, Option<Last>), Failure> {
        let (mut page, mut bytes) = (Vec::<Written>::new(), 0);
        for entry in entries {
            let entry = entry?;
            bytes += entry.key.len() + entry.value.get().len();
            let is_full = page.len() >= self.entries || bytes > self.bytes || Instant::now() > self.deadline;
            if let Some(last) = page.last().filter(|_| is_full) {
                let last = Last::of(last);
                return Ok((page, Some(last)));
            }
            page.push(entry);
        }
        Ok((page, None))
    }
}
