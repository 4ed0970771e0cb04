//! How often each key occurs.

use headwater::prelude::*;

use super::Numbered;

pub(super) fn count(stream: &Numbered, output: &str) {
    stream.group_by_key().count_with(Materialized::named("counts")).to_stream().to(output);
}
