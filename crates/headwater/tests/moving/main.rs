//! Operators with stores on disk, while their tasks go to and fro between threads and instances.
#![cfg(test)]

mod operators;
mod world;

use world::World;

/// So often an instance closes and comes back.
const MOVES: usize = 20;

/// The same input with and without moves: what was written last for each key must be the same, and nothing of a closed task may
/// be left.
fn stays_right_while_tasks_move(name: &str) {
    let quiet = {
        let mut world = World::new(name);
        world.start(0);
        for round in 0..MOVES {
            world.feed(round);
            world.settle();
        }
        world.feed_last();
        world.last()
    };
    let mut world = World::new(name);
    world.start(0);
    world.start(1);
    let mut alive = Vec::new();
    for round in 0..MOVES {
        world.feed(round);
        world.settle();
        world.restart(round % 2);
        world.settle();
        alive.push(world.alive());
    }
    world.feed_last();
    assert_eq!(world.last(), quiet, "{name}");
    let most = alive[MOVES / 2..].iter().max();
    assert!(most <= alive[..MOVES / 2].iter().max(), "{name}: nodes of closed tasks are left: {alive:?}");
}

macro_rules! moving {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            stays_right_while_tasks_move(stringify!($name));
        }
    )*};
}

moving!(
    aggregates_of_streams,
    aggregates_of_tables,
    joins_of_tables,
    joins_of_streams_with_tables,
    versioned_tables,
    windows,
    sessions,
    suppressions,
);
