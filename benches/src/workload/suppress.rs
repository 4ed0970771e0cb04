//! How often each key occurs in each minute, told once, when the minute has closed.

use headwater::prelude::*;

use super::Numbered;
use super::window_count::by_minute;

pub(super) fn suppress(stream: &Numbered, output: &str) {
    let closed = Suppressed::until_window_closes(BufferConfig::unbounded());
    by_minute(stream, "counts").suppress(closed).to_stream().to_with(output, Produced::inherited());
}
