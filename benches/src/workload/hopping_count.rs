//! How often each key occurs in ten minutes, from every tenth second on: each record is in 60 windows.

use std::time::Duration;

use headwater::prelude::*;

use super::Numbered;

pub(super) fn hopping_count(stream: &Numbered, output: &str) {
    let ten_seconds = Duration::from_secs(10);
    let windows = TimeWindows::of_size_and_grace(Duration::from_mins(10), ten_seconds).advance_by(ten_seconds);
    let counts = stream.group_by_key().windowed_by(windows).count_with(Materialized::named("counts"));
    counts.to_stream().to_with(output, Produced::inherited());
}
