//! A buffer that hands on early cannot keep a window's changes until it closes.
use std::time::Duration;

use headwater_dsl::{BufferConfig, StreamsBuilder, Suppressed};
use headwater_window::TimeWindows;

fn main() {
    let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    let counts = StreamsBuilder::new().stream::<String, String>("visits").group_by_key().windowed_by(minutes).count();
    let _ = counts.suppress(Suppressed::until_window_closes(BufferConfig::max_records(10)));
}
