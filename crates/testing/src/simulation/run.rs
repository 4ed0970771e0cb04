//! One seed from its beginning to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_client::NewTopic;
use headwater_record::Topic;

use super::input::{Fed, Input};
use super::output::Form;
use super::plan::Plan;
use super::report::{Kind, Report, Violation};
use super::stage::Stage;
use super::world::World;
use super::{Dice, InputRecord, Simulation};

impl Simulation {
    /// Runs the application with this seed. The same seed does the same, event by event.
    ///
    /// # Panics
    /// Where the application does: a panic on a stream thread would end it.
    pub fn run(&self, seed: u64) -> Report {
        let caches = self.outputs.iter().all(|output| matches!(output.form, Form::Last | Form::Left));
        let plan = Plan::draw(&mut Dice::new(seed), self.exactly_once, caches);
        let fed = self.fed(seed);
        let mut violations = Vec::new();
        let expected = if let Some(oracle) = &self.oracle {
            oracle(&fed)
        } else {
            let calm = Simulation { traced: false, ..self.clone() };
            let world = calm.play(Plan::calm(), &fed, seed, &mut violations);
            world.seen()
        };
        let world = self.play(plan, &fed, seed, &mut violations);
        if violations.is_empty() {
            world.close_all();
            world.check(&expected, &mut violations);
        }
        violations.extend(world.ledger.take_violations());
        world.tell_marks();
        if !violations.is_empty() {
            world.tell_topics();
        }
        let counts = &world.counts;
        Report {
            seed,
            world: world.plan.to_string(),
            violations,
            crashes: counts.crashes.get(),
            pauses: counts.pauses.get(),
            faults: counts.faults.get(),
            turns: counts.turns.get(),
            fed: fed.values().map(Vec::len).sum(),
            trace: world.take_trace(),
        }
    }

    /// What is fed with this seed.
    fn fed(&self, seed: u64) -> Fed {
        let mut dice = Dice::new(!seed);
        let mut fed = Fed::new();
        for input in &self.inputs {
            let mut records = (input.records)(&mut dice);
            records.sort_by_key(|record| record.timestamp);
            records.extend(
                input.last.iter().flat_map(|last| (0..input.partitions).map(|partition| last(partition).to(partition))),
            );
            fed.insert(input.topic.clone(), records);
        }
        fed
    }

    /// Makes a world and lets it come to rest.
    fn play(&self, plan: Plan, fed: &Fed, seed: u64, violations: &mut Vec<Violation>) -> Playing {
        let directory = Directory::new();
        let world = World::new(self, plan, Dice::new(seed.wrapping_mul(31).wrapping_add(1)), directory.0.clone());
        let playing = Playing { _stage: Stage::of(&world), world, _directory: directory };
        let world = &playing.world;
        world.tell(|| format!("seed {seed}: {}", world.plan));
        self.make_topics(world, violations);
        let mut later = Vec::new();
        for input in &self.inputs {
            let (records, _) = input.of(fed);
            let topic = Topic::from(input.topic.as_str());
            if input.first {
                for record in records {
                    world.write(&topic, record);
                }
            } else {
                later.extend(records.iter().map(|record| (topic.clone(), record.clone())));
            }
        }
        later.sort_by_key(|(_, record)| record.timestamp);
        *world.to_feed.borrow_mut() = later.into();
        world.start(0);
        if !world.plan.calm {
            self.go_wrong(world);
        }
        world.calm_down();
        world.feed(usize::MAX);
        if world.settle() {
            for input in &self.inputs {
                let (_, lasts) = input.of(fed);
                for record in lasts {
                    world.write(&Topic::from(input.topic.as_str()), record);
                }
            }
            world.settle();
        }
        violations.extend(world.ledger.take_violations());
        playing
    }

    fn go_wrong(&self, world: &World) {
        let all = world.to_feed.borrow().len();
        let each = all / self.steps.max(1) as usize + 1;
        for _ in 0..self.steps {
            world.disturb();
            if world.throw(|dice| !dice.one_in(4)) {
                world.feed(1 + world.throw(|dice| dice.index(2 * each)));
            }
            if world.slots.borrow().is_empty() {
                world.join();
            }
            let turns = 1 + world.throw(|dice| dice.below(12));
            world.turns(turns);
            world.watch_committed();
        }
    }

    fn make_topics(&self, world: &World, violations: &mut Vec<Violation>) {
        let partitions = self.inputs.iter().map(|input| input.partitions).max().unwrap_or(1);
        let inputs = self.inputs.iter().map(|input| (&input.topic, input.partitions, input.compacted));
        let outputs = self.outputs.iter().filter(|output| output.form != Form::Left);
        let outputs = outputs.map(|output| (&output.topic, partitions, false));
        for (topic, partitions, compacted) in inputs.chain(outputs) {
            let policy = if compacted { "compact" } else { "delete" };
            let configs = BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]);
            let topic = NewTopic { topic: Topic::from(topic.as_str()), partitions, replication_factor: 1, configs };
            if let Err(error) = world.cluster.create_topic_with(&topic) {
                violations.push(Violation { kind: Kind::Died, what: error.to_string() });
            }
        }
    }
}

impl Input {
    /// Its records, and those that come in the end.
    fn of<'a>(&self, fed: &'a Fed) -> (&'a [InputRecord], &'a [InputRecord]) {
        let records = fed.get(&self.topic).map(Vec::as_slice).unwrap_or_default();
        let lasts = if self.last.is_some() { self.partitions as usize } else { 0 };
        records.split_at(records.len().saturating_sub(lasts))
    }
}

/// A world on its stage, with its directory.
struct Playing {
    _stage: Stage,
    world: Rc<World>,
    _directory: Directory,
}

impl std::ops::Deref for Playing {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // Instances hold their directories.
        let slots = std::mem::take(&mut *self.world.slots.borrow_mut());
        for slot in &slots {
            slot.process.die();
        }
    }
}

/// A directory that is there as long as this.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Directory(std::env::temp_dir().join(format!("headwater-simulation-{}-{number}", std::process::id())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
