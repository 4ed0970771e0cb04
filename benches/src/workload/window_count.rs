//! How often each key occurs in each minute.

use std::time::Duration;

use headwater::prelude::*;

use super::Numbered;

/// The counts by tumbling windows of one minute that take records for 10 s more, kept in `store`.
pub(super) fn by_minute(stream: &Numbered, store: &str) -> KTable<Windowed<i64>, i64> {
    let minutes = TimeWindows::of_size_and_grace(Duration::from_mins(1), Duration::from_secs(10));
    stream.group_by_key().windowed_by(minutes).count_with(Materialized::named(store))
}

pub(super) fn window_count(stream: &Numbered, output: &str) {
    by_minute(stream, "counts").to_stream().to_with(output, Produced::inherited());
}
