//! Tasks that move between threads and instances take what they keep along.

use std::collections::BTreeSet;
use std::time::Duration;

use headwater::window::JoinWindows;

use crate::world::World;

const KEYS: i64 = 40;
const ROUNDS: i64 = 6;

/// Tasks shared what a join knows of time, and left results out (KAFKA-14862).
#[test]
fn every_record_finds_its_partners_wherever_its_task_is() {
    let minute = Duration::from_mins(1);
    let world = World::new(6, JoinWindows::of_time_difference_and_grace(minute, Duration::ZERO));
    let mut instances = vec![world.instance(1, "2")];
    let (mut fed, mut expected) = (0, BTreeSet::new());
    for round in 0..ROUNDS {
        match round {
            2 => instances.push(world.instance(2, "2")),
            4 => world.close(&mut instances, 0),
            _ => {}
        }
        // The left stream and the right come by turns, so that partners come after tasks have moved; every fourth has none.
        for key in 0..KEYS {
            let topic = if round % 2 == 0 { "left" } else { "right" };
            let time = 1000 * round;
            if topic == "right" && key % 4 == 0 {
                continue;
            }
            world.feed(topic, &format!("k{key}"), &round.to_string(), time);
            fed += 1;
            for before in (0..round).filter(|before| before % 2 != round % 2 && key % 4 != 0) {
                let (left, right) = if topic == "left" { (round, before) } else { (before, round) };
                expected.insert(format!("k{key} {left} {right}@{time}"));
            }
        }
        world.commit(&mut instances, fed);
    }
    // Much later each partition has a record, and nothing waits any more but those.
    world.let_look_again();
    for number in 0..200 {
        world.feed("left", &format!("end{number}"), "end", 1_000_000);
        fed += 1;
    }
    world.commit(&mut instances, fed);
    for key in (0..KEYS).filter(|key| key % 4 == 0) {
        expected.extend(
            (0..ROUNDS).filter(|round| round % 2 == 0).map(|round| format!("k{key} {round} -@{}", 1000 * round)),
        );
    }
    let out = world.out();
    assert_eq!(out.len(), expected.len(), "nothing comes twice");
    assert_eq!(out.into_iter().collect::<BTreeSet<_>>(), expected);
}
