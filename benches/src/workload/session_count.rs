//! How often each key occurs without a pause of more than 30 s.

use std::time::Duration;

use headwater::prelude::*;

use super::Numbered;

pub(super) fn session_count(stream: &Numbered, output: &str) {
    let sessions = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(30), Duration::from_secs(10));
    let counts = stream.group_by_key().windowed_by(sessions).count_with(Materialized::named("counts"));
    counts.to_stream().to_with(output, Produced::inherited());
}
