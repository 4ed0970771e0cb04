//! Two streams, joined within a time: every pair once, whichever comes first.

use std::time::Duration;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::{outcome, texts};

const APART_MS: i64 = 40;

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let (clicks, views) = (builder.stream::<String, String>("clicks"), builder.stream::<String, String>("views"));
    // Whoever is ahead does not make the other late.
    let windows =
        JoinWindows::of_time_difference_and_grace(Duration::from_millis(APART_MS as u64), Duration::from_hours(1));
    clicks.join(&views, |_, click, view| format!("{click}+{view}"), windows).to("pairs");
    builder.build().unwrap()
}

fn records(name: &'static str) -> impl Fn(&mut Dice) -> Vec<InputRecord> {
    move |dice| {
        let record = |time: i64| InputRecord::text(format!("k{}", dice.below(8)), format!("{name}{time}"), time * 7);
        (0..60).map(record).collect()
    }
}

fn expected(fed: &Fed) -> Expected {
    let mut pairs = Vec::new();
    for (key, click, clicked) in texts(fed, "clicks") {
        for (_, view, _) in
            texts(fed, "views").filter(|(other, _, viewed)| *other == key && (viewed - clicked).abs() <= APART_MS)
        {
            pairs.push(outcome(key, &format!("{}+{}", click.unwrap_or_default(), view.unwrap_or_default())));
        }
    }
    Expected::from([("pairs".to_owned(), pairs)])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("clicks", 3, records("c")))
        .input(Input::topic("views", 3, records("v")))
        .output(Output::multiset("pairs"))
        .expect(expected)
}
