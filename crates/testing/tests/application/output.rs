//! What a thread does not wait for on its way out.

use std::time::Duration;

use headwater_client::ClientError;
use headwater_client_memory::Api;
use headwater_record::Clock;
use headwater_runtime::{Driven, State};

use crate::world::{APPLICATION, World};

/// The name of the producer of a lone thread.
fn producer(world: &World) -> String {
    let group = world.cluster.group(APPLICATION);
    group.members[0].client_id.replace("-consumer", "-producer")
}

fn running(world: &World, settings: &[(&str, &str)]) -> Vec<Driven> {
    let builder = settings.iter().fold(world.builder(1), |builder, (key, value)| builder.set(*key, *value));
    let mut instances = vec![builder.drive().unwrap()];
    world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
    instances
}

#[test]
fn nobody_waits_for_the_number_of_partitions_of_an_output() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.run_until(&mut instances, "it is a member", |_| !world.cluster.group(APPLICATION).members.is_empty());
    let answers_late = ClientError::TimedOut { request: "Metadata".into() };
    // Whoever asks with the first record, or once more when the answer is old, has a thread that waits.
    world.cluster.faults().of_client(producer(&world)).fail_next(Api::Metadata, u32::MAX, answers_late);
    world.feed(40);
    world.settle(&mut instances);
    for _ in 0..7 {
        world.clock.advance(Duration::from_mins(1));
        world.run(&mut instances, 2);
    }
    world.feed(40);
    world.settle(&mut instances);
}

#[test]
fn partitions_that_are_added_to_an_output_are_found_beside_the_thread() {
    let mut world = World::new();
    let mut instances = running(&world, &[]);
    world.feed(40);
    world.settle(&mut instances);
    let answers_late = ClientError::TimedOut { request: "Metadata".into() };
    world.cluster.faults().of_client(producer(&world)).fail_next(Api::Metadata, u32::MAX, answers_late);
    world.cluster.add_partitions(&"counts".into(), 6).unwrap();
    for _ in 0..7 {
        world.clock.advance(Duration::from_mins(1));
        world.run(&mut instances, 2);
    }
    world.feed(200);
    world.run_until(&mut instances, "all is committed", |_| {
        world.committed_lines() == 240 && world.words_are_committed()
    });
    let written = world.cluster.topic(&"counts".into()).unwrap().partitions;
    assert!(written[4..].iter().any(|marks| marks.high.value() > 0), "{written:?}");
}

#[test]
fn a_full_producer_holds_up_nothing_but_records() {
    let mut world = World::new();
    let mut instances = running(&world, &[("producer.buffer.memory", "2000")]);
    let outage = world.clock.now().plus(Duration::from_secs(30));
    world.cluster.faults().of_client(producer(&world)).unreachable_until(outage);
    world.feed(400);
    world.run(&mut instances, 50);
    assert_eq!(instances[0].state(), State::Running, "{:?}", instances[0].outcome());
    // It takes part in the group meanwhile, and others get what they are to have.
    instances.push(world.instance(2));
    world.run_until(&mut instances, "the second has its tasks", |instances| instances[1].state() == State::Running);
    assert!(world.clock.now() < outage);
    world.run_until(&mut instances, "all lines are committed", |_| {
        world.committed_lines() == 400 && world.words_are_committed()
    });
    assert!(world.counts().iter().all(|(word, count)| *count >= world.expected[word]));
}
