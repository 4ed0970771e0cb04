//! Joins: each result is the first 8 bytes of the left value, then those of the right.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use headwater::prelude::*;
use headwater::record::DefaultSerde;

use super::{HEAD, Numbered, Rows, first_bytes, head};

/// What stands for a right value that is missing.
const NOTHING: [u8; HEAD] = [0; HEAD];

pub(super) fn stream_stream_join(left: &Numbered, right: &Numbered, output: &str) {
    let ten_seconds = Duration::from_secs(10);
    let windows = JoinWindows::of_time_difference_and_grace(ten_seconds, ten_seconds);
    let options = StreamJoined::by_type();
    left.try_join_with(right, |_, left, right| heads(left, Some(right)), windows, options).to(output);
}

pub(super) fn stream_table_join(stream: &Numbered, table: &Rows, output: &str) {
    stream.try_join_table(table, |_, left, right| heads(left, Some(right))).to(output);
}

/// Each record with the version that its key had at its time: its own, unless one of the same time came after it.
pub(super) fn versioned_join(stream: &Numbered, grace: Option<Duration>, output: &str) {
    let kept = Materialized::versioned("versions", Duration::from_mins(1));
    let versions: Rows = stream.to_table_with(kept);
    let joined = match grace {
        Some(grace) => Joined::inherited().with_grace_period(grace),
        None => Joined::inherited(),
    };
    stream.try_join_table_with(&versions, |_, left, right| heads(left, Some(right)), joined).to(output);
}

pub(super) fn table_table_join(left: &Rows, right: &Rows, output: &str) {
    let kept = Materialized::named("joined").with_value_serde(Bytes::default_serde());
    left.try_left_join(right, heads, Some(kept)).to_stream().to(output);
}

/// So many rows the right table of a foreign-key join has.
const RIGHT_ROWS: u64 = 100_000;

pub(super) fn foreign_key_join(left: &Rows, right: &Rows, output: &str) {
    let kept = Materialized::named("joined").with_value_serde(Bytes::default_serde());
    let foreign_key = |_: &i64, row: &Bytes| head(row).map(|head| (head.cast_unsigned() % RIGHT_ROWS).cast_signed());
    let join = |left: &Bytes, right: &Bytes| heads(left, Some(right));
    left.try_join_on_with(right, foreign_key, join, TableJoined::inherited(), kept).to_stream().to(output);
}

fn heads(left: &Bytes, right: Option<&Bytes>) -> Result<Bytes> {
    let right = right.map(|right| first_bytes(right)).transpose()?.unwrap_or(&NOTHING);
    Ok([*first_bytes(left)?, *right].concat().into())
}
