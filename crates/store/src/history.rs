//! What a versioned store decides: which version a put shortens, what a read finds, what is forgotten.
//!
//! Of each key a store keeps the latest version and, apart from it, the *spans* that have ended: from when to when a value was
//! valid, or that there was none. Spans of a key do not overlap. Each lies in the segment of its end, so that a segment is forgotten
//! whole. How all that lies in memory or on disk is the business of the [`Versions`]; what becomes of it is decided here, once, as
//! Java's `RocksDBVersionedStore` does.
//!
//! A tombstone that nothing follows is a span without length. It lets an earlier version, put later, know when it ends.

use std::ops::RangeInclusive;
use std::time::Duration;

use headwater_record::Timestamp;

use crate::bytes::{Order, Scan, Version, VersionQuery, VersionedPut};
use crate::{RowBuf, StoreError};

/// A stretch of a key's history that has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// From when on.
    pub from: Timestamp,
    /// Until when, excluded; equal to `from` for a tombstone that nothing followed.
    pub to: Timestamp,
    /// What was valid; `None` when nothing was.
    pub value: Option<RowBuf>,
}

/// The time of a store that forgets by segments, and how far back it remembers.
///
/// ```
/// use std::time::Duration;
/// use headwater::record::Timestamp;
/// use headwater::store::history::HistoryTime;
/// let mut time = HistoryTime::new(Duration::from_millis(100), Duration::from_millis(30), Timestamp::UNKNOWN);
/// time.observe(Timestamp::from_millis(250));
/// assert_eq!(time.horizon(), Timestamp::from_millis(150));
/// assert_eq!(time.oldest_segment(), 5);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HistoryTime {
    retention_ms: i64,
    interval_ms: i64,
    observed: i64,
}

impl HistoryTime {
    /// Of a store whose latest timestamp so far is `observed`; -1 when it is new.
    pub fn new(retention: Duration, segment_interval: Duration, observed: Timestamp) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let interval_ms = millis(segment_interval).max(1);
        HistoryTime { retention_ms: millis(retention), interval_ms, observed: observed.millis() }
    }

    /// The latest timestamp so far.
    pub fn observed(&self) -> Timestamp {
        Timestamp::from_millis(self.observed)
    }

    /// Takes note of a write at `timestamp`.
    pub fn observe(&mut self, timestamp: Timestamp) {
        self.observed = self.observed.max(timestamp.millis());
    }

    /// The earliest time that belongs to the history.
    pub fn horizon(&self) -> Timestamp {
        Timestamp::from_millis(self.observed.saturating_sub(self.retention_ms))
    }

    /// In which segment `time` lies; a span lies where its end does.
    pub fn segment_of(&self, time: Timestamp) -> i64 {
        time.millis() / self.interval_ms
    }

    /// The earliest time of a segment.
    pub fn start_of(&self, segment: i64) -> Timestamp {
        Timestamp::from_millis(segment.saturating_mul(self.interval_ms))
    }

    /// Segments before this one are forgotten.
    pub fn oldest_segment(&self) -> i64 {
        self.segment_of(self.horizon())
    }
}

/// The rows of a versioned store.
pub trait Versions {
    /// The store's time.
    fn time(&self) -> HistoryTime;

    /// Takes note of a put at `timestamp`, and forgets the segments that are too old now.
    fn observe(&mut self, timestamp: Timestamp);

    /// The latest version of `key`; its timestamp is that from which it is valid.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupt`].
    fn latest(&self, key: &[u8]) -> Result<Option<RowBuf>, StoreError>;

    /// Sets or removes the latest version of `key`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn set_latest(&mut self, key: &[u8], version: Option<(&[u8], Timestamp)>) -> Result<(), StoreError>;

    /// Hands the spans of `key` that end within `ends`, and in one of `segments`, to `take` until it says no: forward by their ends.
    ///
    /// # Errors
    /// As [`Versions::latest`].
    fn spans(
        &self,
        key: &[u8],
        ends: RangeInclusive<Timestamp>,
        segments: RangeInclusive<i64>,
        order: Order,
        take: &mut dyn FnMut(Span) -> bool,
    ) -> Result<(), StoreError>;

    /// Sets the span of `key` that ends at `to`.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn set_span(&mut self, key: &[u8], from: Timestamp, to: Timestamp, value: Option<&[u8]>) -> Result<(), StoreError>;
}

/// The first span of `key` that ends at `end` or later.
fn first_span<V: Versions>(versions: &V, key: &[u8], end: Timestamp) -> Result<Option<Span>, StoreError> {
    let mut first = None;
    let segments = versions.time().segment_of(end)..=i64::MAX;
    versions.spans(key, end..=Timestamp::MAX, segments, Order::Forward, &mut |span| {
        first = Some(span);
        false
    })?;
    Ok(first)
}

/// The first span of `key` that ends after `time`: of all its spans, the one that may contain it.
fn span_around<V: Versions>(versions: &V, key: &[u8], time: Timestamp) -> Result<Option<Span>, StoreError> {
    match time.millis().checked_add(1) {
        Some(after) => first_span(versions, key, Timestamp::from_millis(after)),
        None => Ok(None),
    }
}

/// As [`crate::bytes::VersionedBytes::put`].
///
/// # Errors
/// As [`Versions::latest`].
pub fn put<V: Versions>(
    versions: &mut V,
    key: &[u8],
    value: Option<&[u8]>,
    at: Timestamp,
) -> Result<VersionedPut, StoreError> {
    if at < versions.time().horizon() {
        return Ok(VersionedPut::Expired);
    }
    versions.observe(at);
    let latest = versions.latest(key)?;
    if let Some(latest) = &latest
        && latest.timestamp() <= at
    {
        if latest.timestamp() < at {
            versions.set_span(key, latest.timestamp(), at, Some(latest.value()))?;
        }
        versions.set_latest(key, value.map(|value| (value, at)))?;
        return Ok(VersionedPut::Latest);
    }
    let valid_to = match (span_around(versions, key, at)?, latest) {
        (Some(Span { from, to, value: before }), _) if from <= at => {
            if from < at {
                versions.set_span(key, from, at, before.as_ref().map(RowBuf::value))?;
            }
            to
        }
        (Some(later), _) => later.from,
        (None, Some(latest)) => latest.timestamp(),
        (None, None) => {
            put_newest(versions, key, value, at)?;
            return Ok(VersionedPut::Latest);
        }
    };
    versions.set_span(key, at, valid_to, value)?;
    Ok(VersionedPut::ValidTo(valid_to))
}

/// Puts what nothing follows, where there is no latest version.
fn put_newest<V: Versions>(
    versions: &mut V,
    key: &[u8],
    value: Option<&[u8]>,
    at: Timestamp,
) -> Result<(), StoreError> {
    if value.is_some() {
        return versions.set_latest(key, value.map(|value| (value, at)));
    }
    // A span that ends here says already that a tombstone follows it.
    if first_span(versions, key, at)?.is_none() { versions.set_span(key, at, at, None) } else { Ok(()) }
}

/// As [`crate::bytes::VersionedBytes::get`].
///
/// # Errors
/// As [`Versions::latest`].
pub fn get<V: Versions>(versions: &V, key: &[u8]) -> Result<Option<Version>, StoreError> {
    Ok(versions.latest(key)?.map(|row| Version { row, valid_to: None }))
}

/// As [`crate::bytes::VersionedBytes::get_as_of`].
///
/// # Errors
/// As [`Versions::latest`].
pub fn get_as_of<V: Versions>(versions: &V, key: &[u8], as_of: Timestamp) -> Result<Option<Version>, StoreError> {
    let latest = get(versions, key)?.filter(|latest| latest.valid_from() <= as_of);
    if latest.is_some() || as_of < versions.time().horizon() {
        return Ok(latest);
    }
    let around = span_around(versions, key, as_of)?.filter(|span| span.from <= as_of);
    Ok(around.and_then(version))
}

/// `None` for a span of which nothing was valid.
fn version(span: Span) -> Option<Version> {
    Some(Version { row: span.value?, valid_to: Some(span.to) })
}

/// As [`crate::bytes::VersionedBytes::scan`].
///
/// # Errors
/// As [`Versions::latest`].
pub fn scan<V: Versions>(
    versions: &V,
    query: VersionQuery<'_>,
    order: Order,
    after: Option<&Version>,
    limit: usize,
    into: &mut Vec<Version>,
) -> Result<Scan, StoreError> {
    let mut found = Batch { full: into.len().saturating_add(limit), into, end: Scan::Done };
    // The latest comes last, or first; it has been read when the entry to go on from is the latest, or there is one at all.
    let read_latest = match order {
        Order::Forward => after.is_some_and(|after| after.valid_to.is_none()),
        Order::Backward => after.is_some(),
    };
    let latest = || -> Result<Option<Version>, StoreError> {
        let latest = if read_latest { None } else { get(versions, query.key)? };
        Ok(latest.filter(|latest| latest.valid_from() <= query.to))
    };
    if order == Order::Backward
        && let Some(latest) = latest()?
        && !found.push(latest)
    {
        return Ok(found.end);
    }
    if query.to >= versions.time().horizon() && !(read_latest && order == Order::Forward) {
        scan_spans(versions, query, order, after, &mut found)?;
    }
    if order == Order::Forward
        && found.end == Scan::Done
        && let Some(latest) = latest()?
    {
        found.push(latest);
    }
    Ok(found.end)
}

struct Batch<'a> {
    full: usize,
    into: &'a mut Vec<Version>,
    end: Scan,
}

impl Batch<'_> {
    /// Whether there was room.
    fn push(&mut self, version: Version) -> bool {
        if self.into.len() >= self.full {
            self.end = Scan::More;
            return false;
        }
        self.into.push(version);
        true
    }
}

fn scan_spans<V: Versions>(
    versions: &V,
    query: VersionQuery<'_>,
    order: Order,
    after: Option<&Version>,
    found: &mut Batch<'_>,
) -> Result<(), StoreError> {
    let step = |time: Timestamp, by: i64| Timestamp::from_millis(time.millis().saturating_add(by));
    let (mut first, mut last) = (step(query.from, 1), Timestamp::MAX);
    match (after.and_then(|after| after.valid_to), order) {
        (Some(end), Order::Forward) => first = first.max(step(end, 1)),
        (Some(end), Order::Backward) => last = step(end, -1),
        (None, _) => {}
    }
    let time = versions.time();
    let segments = time.segment_of(first)..=time.segment_of(last).min(time.segment_of(query.to));
    versions.spans(query.key, first..=last, segments, order, &mut |span| {
        let wanted = span.from <= query.to;
        version(span).filter(|_| wanted).is_none_or(|version| found.push(version))
    })
}
