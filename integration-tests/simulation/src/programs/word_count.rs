//! Words of lines, counted after a repartition; each count goes to two topics.

use std::collections::BTreeMap;

use headwater::prelude::*;
use headwater::testing::simulation::{Dice, Expected, Fed, Input, InputRecord, Output, Simulation};

use super::{number, texts};

#[expect(clippy::unwrap_used, reason = "the topology is whole")]
fn topology() -> Topology {
    let builder = StreamsBuilder::new();
    let words = |line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let lines = builder.values::<String>("lines").flat_map_values(move |(), line| words(line));
    let counts = lines.group_by(|(), word| word.clone()).count().to_stream();
    counts.to("counts");
    counts.map_values(|_, count| count.map(|count| -count)).to("negative");
    builder.build().unwrap()
}

fn lines(dice: &mut Dice) -> Vec<InputRecord> {
    let line = |dice: &mut Dice| format!("w{} v{}", dice.below(5), dice.below(9));
    (0..80).map(|time| InputRecord::new::<Option<String>, _>(None, line(dice), time)).collect()
}

fn expected(fed: &Fed) -> Expected {
    let (mut counts, mut last) = (Vec::new(), BTreeMap::new());
    for word in texts(fed, "lines").flat_map(|(_, line, _)| line.unwrap_or_default().split(' ')) {
        let count = last.entry(word).or_insert(0);
        *count += 1;
        counts.push((word, *count));
    }
    let of = |sign: i64| counts.iter().map(|(word, count)| number(word, sign * count)).collect();
    Expected::from([("counts".to_owned(), of(1)), ("negative".to_owned(), of(-1))])
}

pub(super) fn simulation() -> Simulation {
    Simulation::of(topology)
        .input(Input::topic("lines", 3, lines))
        .output(Output::sequence("counts").reached(|expected: &i64, seen: &i64| seen >= expected))
        .output(Output::sequence("negative").reached(|expected: &i64, seen: &i64| seen <= expected))
        .together(["counts", "negative"])
        .expect(expected)
}
