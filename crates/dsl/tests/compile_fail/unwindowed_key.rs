//! A table without windows has none that close.
use headwater_dsl::{BufferConfig, StreamsBuilder, Suppressed};

fn main() {
    let table = StreamsBuilder::new().table::<String, i64>("stock");
    let _ = table.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()));
}
