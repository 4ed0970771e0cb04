//! Joins with tables: each result is the first 8 bytes of the left value, then those of the right.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use headwater::prelude::*;
use headwater::record::DefaultSerde;

use super::{HEAD, Numbered, Rows, first_bytes};

/// What stands for a right value that is missing.
const NOTHING: [u8; HEAD] = [0; HEAD];

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

fn heads(left: &Bytes, right: Option<&Bytes>) -> Result<Bytes> {
    let right = right.map(|right| first_bytes(right)).transpose()?.unwrap_or(&NOTHING);
    Ok([*first_bytes(left)?, *right].concat().into())
}
