//! An aggregate of another crate's type has no default serde: the error names one to pass.

use std::time::Duration;

use headwater_dsl::StreamsBuilder;

fn main() {
    let builder = StreamsBuilder::new();
    let waits = builder.stream::<String, i64>("waits").group_by_key();
    waits.aggregate(|| Duration::ZERO, |_, wait, sum| sum + Duration::from_millis(*wait as u64));
}
