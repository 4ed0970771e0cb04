//! Members come and go by seed, the cluster fails now and then, and nobody dies: then even at-least-once does nothing twice.
//!
//! Whoever dies, and whatever else goes wrong, is simulated (`cargo xtask simulate`).

use headwater_client::ClientError;
use headwater_client_memory::Api;
use headwater_runtime::{CloseOptions, Driven, State};
use headwater_testing::simulation::Dice;

use crate::world::World;

/// Not those that a producer gives up on: that a record cannot be written ends its thread.
const APIS: [Api; 8] = [
    Api::Fetch,
    Api::CreateTopics,
    Api::ListOffsets,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
    Api::OffsetCommit,
    Api::OffsetFetch,
];

struct Chaos {
    world: World,
    dice: Dice,
    instances: Vec<Driven>,
    next_id: u128,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut chaos = Chaos { world: World::new(), dice: Dice::new(seed), instances: Vec::new(), next_id: 1 };
        chaos.join();
        chaos
    }

    fn join(&mut self) {
        let builder = self.world.builder(self.next_id).set("num.standby.replicas", (self.next_id % 2).to_string());
        self.instances.push(builder.threads(1 + self.dice.below(2) as usize).drive().unwrap());
        self.next_id += 1;
    }

    fn victim(&mut self) -> usize {
        self.dice.below(self.instances.len() as u64) as usize
    }

    /// One step of what costs nothing: members join and leave, answers are late or lost.
    fn gentle_step(&mut self) {
        match self.dice.below(8) {
            0 if self.instances.len() < 4 => self.join(),
            1 if self.instances.len() > 1 => {
                let victim = self.victim();
                self.instances[victim].begin_close(CloseOptions::default());
            }
            2 => {
                let api = APIS[self.dice.below(8) as usize];
                let times = 1 + self.dice.below(3) as u32;
                let error = ClientError::TimedOut { request: "chaos".into() };
                self.world.cluster.faults().fail_next(api, times, error);
            }
            3 => self.world.cluster.faults().lose_responses(Api::OffsetCommit, 1),
            _ => {
                let lines = 1 + self.dice.below(20) as usize;
                self.world.feed(lines);
            }
        }
        let turns = 1 + self.dice.below(12) as usize;
        self.world.run(&mut self.instances, turns);
        self.instances.retain(|instance| !instance.state().is_final());
        if self.instances.is_empty() {
            self.join();
        }
    }

    /// Nothing goes wrong any more, and somebody works.
    fn calm_down(&mut self) {
        self.world.cluster.faults().clear();
        self.world.run_until(&mut self.instances, "those that close are closed", |instances| {
            !instances.iter().any(|instance| instance.state() == State::PendingShutdown)
        });
        self.instances.retain(|instance| !instance.state().is_final());
        if self.instances.is_empty() {
            self.join();
        }
        self.world.feed(5);
    }
}

/// Tasks are taken away and come back while they are restored, and before that is heard of (KAFKA-15690, KAFKA-16077, KAFKA-17098,
/// KAFKA-14299).
#[test]
fn no_word_is_lost_or_counted_twice_while_nobody_dies() {
    for seed in 0..25 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..60 {
            chaos.gentle_step();
        }
        chaos.calm_down();
        println!("seed {seed}");
        chaos.world.settle(&mut chaos.instances);
    }
}
