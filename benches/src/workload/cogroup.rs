//! How often each key occurs in two streams together: the records whose values begin with an even byte, and the others.

use headwater::prelude::*;

use super::Numbered;

pub(super) fn cogroup(stream: &Numbered, output: &str) {
    let even = stream.filter(|_, value| value.first().is_some_and(|first| first % 2 == 0)).group_by_key();
    let odd = stream.filter(|_, value| value.first().is_some_and(|first| first % 2 == 1)).group_by_key();
    even.cogroup(|_, _, count: i64| count + 1)
        .cogroup(&odd, |_, _, count| count + 1)
        .aggregate_with(|| 0, Materialized::by_type().with_name("counts"))
        .to_stream()
        .to(output);
}
