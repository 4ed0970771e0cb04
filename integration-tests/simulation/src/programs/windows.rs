//! Counts of tumbling windows, handed on when the windows close.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::{number, texts};

const SIZE_MS: i64 = 100;
const DAY_MS: i64 = 86_400_000;

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(SIZE_MS as u64), Duration::from_millis(30));
    let counts = builder.stream::<String, String>("visits").group_by_key().windowed_by(windows);
    // What a restored store has beyond the committed input hides, after a shorter retention, windows whose records come again: under
    // at-least-once their counts would begin anew, in Java too.
    let counts = counts.count_with(Materialized::named("visits-of-windows").with_retention(Duration::from_hours(1)));
    let finals =
        counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("closed")).to_stream();
    let finals = finals.map(|page, count| (format!("{}@{}", page.key, page.window.start.millis()), *count));
    finals.to_with("finals", Produced::by_type());
    builder.build().unwrap()
}

fn visits(dice: &mut Dice) -> Vec<InputRecord> {
    (0..160).map(|time| InputRecord::text(format!("p{}", dice.below(6)), "", time * 8)).collect()
}

fn expected(fed: &Fed) -> Expected {
    let mut counts = BTreeMap::new();
    for (page, _, time) in texts(fed, "visits").filter(|(page, ..)| *page != "end") {
        *counts.entry(format!("{page}@{}", time / SIZE_MS * SIZE_MS)).or_insert(0) += 1;
    }
    // The windows of the last records stay open.
    let day = DAY_MS / SIZE_MS * SIZE_MS;
    let open = ([&b"end"[..], &day.to_be_bytes()].concat(), Vec::new());
    Expected::from([
        ("finals".to_owned(), counts.iter().map(|(window, count)| number(window, *count)).collect()),
        ("simulated-closed-store-changelog".to_owned(), vec![(Some(open.0), Some(open.1))]),
    ])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("visits", 3, visits).last(|_| InputRecord::text("end", "", DAY_MS)))
        .output(Output::sequence("finals").reached(|expected: &i64, seen: &i64| seen >= expected))
        // What was handed on is gone from the buffer, and nothing else.
        .output(Output::left("simulated-closed-store-changelog"))
        .expect(expected)
}
