//! Operators with stores on disk, while their tasks go to and fro between threads and instances, by seed.
#![cfg(test)]

mod dice;
mod draft;
mod processors;
mod streams;
mod tables;
mod world;

use dice::Dice;
use draft::Draft;
use world::World;

/// So often an instance closes and comes back.
const MOVES: usize = 20;

/// One without headers in stores, and one with them.
const SEEDS: [u64; 2] = [2, 1];

/// The same input with and without moves: what was told must be the same, and nothing of a closed task may be left.
fn stays_right_while_tasks_move(name: &str, write: fn(&Draft)) {
    for seed in SEEDS {
        let quiet = {
            let mut world = World::new(write, seed);
            world.start(0);
            for _ in 0..MOVES {
                world.feed();
                world.settle();
            }
            world.feed_last();
            world.told()
        };
        let (mut world, mut dice) = (World::new(write, seed), Dice::new(seed + 1_000));
        world.start(0);
        world.start(1);
        for _ in 0..MOVES {
            world.feed();
            world.turns(dice.below(20));
            let number = dice.below(2);
            world.close(number);
            world.turns(dice.below(60));
            world.start(number);
            if dice.below(2) == 0 {
                world.settle();
            }
        }
        world.settle();
        world.feed_last();
        let told = world.told();
        let missing: Vec<_> = quiet.iter().filter(|line| !told.contains(line)).collect();
        let unexpected: Vec<_> = told.iter().filter(|line| !quiet.contains(line)).collect();
        assert!(told == quiet, "{name}, seed {seed}: without {missing:?}, with {unexpected:?}");
        assert!(!told.is_empty(), "{name}, seed {seed}: nothing was told");
        world.close(0);
        world.close(1);
        assert_eq!(world.alive(), 0, "{name}, seed {seed}: nodes of closed tasks are left");
    }
}

macro_rules! moving {
    ($($module:ident: $($name:ident),*;)*) => {$($(
        #[test]
        fn $name() {
            stays_right_while_tasks_move(stringify!($name), $module::$name);
        }
    )*)*};
}

moving! {
    tables: aggregates_of_streams, aggregates_of_tables, joins_of_tables, joins_of_streams_with_tables, versioned_tables,
        joins_by_foreign_keys, kept_values, global_tables;
    streams: windows, sessions_of_activity, emitted_on_close, suppressions, joins_of_streams, aggregates_together;
    processors: stores_of_processors;
}
