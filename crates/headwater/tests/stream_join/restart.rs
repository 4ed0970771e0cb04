//! What a join keeps outlives its task: it is restored from the changelogs.

use std::time::Duration;

use headwater::window::JoinWindows;

use crate::world::World;

fn within(difference_ms: u64, grace_ms: u64) -> JoinWindows {
    let ms = Duration::from_millis;
    JoinWindows::of_time_difference_and_grace(ms(difference_ms), ms(grace_ms))
}

#[test]
fn records_meet_partners_that_came_before_a_restart() {
    let world = World::new(1, within(10, 0));
    let mut instances = vec![world.instance(1, "1")];
    world.feed("left", "a", "1", 100);
    world.commit(&mut instances, 1);
    world.close(&mut instances, 0);

    instances.push(world.instance(2, "1"));
    world.feed("right", "a", "2", 105);
    world.feed("left", "b", "3", 105);
    world.commit(&mut instances, 3);
    assert_eq!(world.out(), ["a 1 2@105"]);
    world.let_look_again();
    world.feed("right", "z", "4", 200);
    world.commit(&mut instances, 4);
    assert_eq!(world.out(), ["a 1 2@105", "b 3 -@105"], "what met a partner is not handed on without one");
}

#[test]
fn what_waits_is_handed_on_without_partner_by_the_next_instance() {
    // Without reach and grace a task that begins knows of nothing that waits unless it looks.
    let world = World::new(1, within(0, 0));
    let mut instances = vec![world.instance(1, "1")];
    world.feed("left", "a", "1", 100);
    world.feed("right", "b", "2", 100);
    world.commit(&mut instances, 2);
    assert!(world.out().is_empty());
    drop(instances.remove(0));
    world.clock.advance(Duration::from_mins(1));

    instances.push(world.instance(2, "1"));
    world.feed("left", "c", "3", 200);
    world.commit(&mut instances, 3);
    assert_eq!(world.out(), ["b - 2@100", "a 1 -@100"]);
    world.close(&mut instances, 0);

    instances.push(world.instance(3, "1"));
    world.let_look_again();
    world.feed("left", "d", "4", 300);
    world.commit(&mut instances, 4);
    assert_eq!(world.out().split_off(2), ["c 3 -@200"], "what was handed on is gone from the changelog");
}

/// Their keys in the changelog were the same (KAFKA-5804).
#[test]
fn records_of_one_key_and_time_stay_apart_across_restarts() {
    let world = World::new(1, within(10, 0));
    let mut instances = Vec::new();
    for (id, value) in [(1, "1"), (2, "2"), (3, "3")] {
        instances.push(world.instance(id, "1"));
        world.feed("left", "a", value, 100);
        world.commit(&mut instances, i64::try_from(id).unwrap());
        world.close(&mut instances, 0);
    }
    instances.push(world.instance(4, "1"));
    world.feed("right", "a", "x", 100);
    world.commit(&mut instances, 4);
    assert_eq!(world.out(), ["a 1 x@100", "a 2 x@100", "a 3 x@100"]);
}
