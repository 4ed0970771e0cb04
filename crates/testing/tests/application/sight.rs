//! What an instance counts: at its nodes, in its commits, and through its rebalances.

use std::collections::BTreeMap;

use headwater_record::{Headers, Timestamp, Topic};
use headwater_runtime::Driven;
use headwater_runtime::application::{DropReason, NodeMetadata, Rebalance, TaskPhase};

use crate::world::World;

/// What the nodes of all tasks of these instances did together.
fn nodes(instances: &[Driven]) -> BTreeMap<String, NodeMetadata> {
    let mut all: BTreeMap<String, NodeMetadata> = BTreeMap::new();
    let threads = instances.iter().flat_map(|instance| instance.snapshot().threads);
    for (name, node) in threads.flat_map(|thread| thread.tasks.into_values()).flat_map(|task| task.nodes) {
        let sum = all.entry(name.to_string()).or_default();
        sum.taken += node.taken;
        node.handed_on.into_iter().for_each(|(child, count)| *sum.handed_on.entry(child).or_default() += count);
        node.dropped.into_iter().for_each(|(reason, count)| *sum.dropped.entry(reason).or_default() += count);
    }
    all
}

fn edge(nodes: &BTreeMap<String, NodeMetadata>, from: &str, to: &str) -> u64 {
    nodes[from].handed_on[to]
}

/// So that what changes with each record was told.
fn look(world: &World, instances: &mut [Driven]) {
    world.run(instances, 60);
}

#[test]
fn nodes_count_what_passes_them_and_why_records_were_left_out() {
    let mut world = World::new();
    let builder =
        world.builder(1).threads(2).set("deserialization.exception.handler", "LogAndContinueExceptionHandler");
    let builder = builder.set("processing.exception.handler", "LogAndContinueProcessingExceptionHandler");
    let mut instances = vec![builder.drive().unwrap()];
    world.settle(&mut instances);
    world.feed(40);
    let odd: [&[u8]; 5] = [b"\xff\xfe", b"boom", b"\xff", b"boom", b"\xfe"];
    for line in odd {
        world.cluster.produce(&Topic::from("lines"), None, Some(line), Timestamp::UNKNOWN, &Headers::new()).unwrap();
    }
    world.run_until(&mut instances, "all is committed", |_| {
        world.committed_lines() == 45 && world.words_are_committed() && world.counts() == world.expected
    });
    look(&world, &mut instances);
    let nodes = nodes(&instances);
    assert_eq!((nodes["lines"].taken, edge(&nodes, "lines", "split")), (45, 42));
    assert_eq!(nodes["lines"].dropped, BTreeMap::from([(DropReason::Undecodable, 3)]));
    assert_eq!((nodes["split"].taken, edge(&nodes, "split", "words-out")), (42, 80));
    assert_eq!(nodes["split"].dropped, BTreeMap::from([(DropReason::Failed, 2)]));
    let rest = ["words-out", "words-in", "count", "counts-out"].map(|name| nodes[name].taken);
    assert_eq!(rest, [80; 4]);
    assert!(["words-out", "words-in", "count", "counts-out"].iter().all(|name| nodes[*name].dropped.is_empty()));
    let threads = instances[0].snapshot().threads;
    let of_tasks = || threads.iter().flat_map(|thread| thread.tasks.values());
    let dropped: u64 = of_tasks().flat_map(|task| task.dropped.values()).sum();
    assert_eq!(dropped, 5);
    let sums = |sum: fn(&headwater_runtime::application::ThreadMetadata) -> u64| threads.iter().map(sum).sum::<u64>();
    assert_eq!(sums(|thread| thread.fetched), 45 + 80);
    // Words, their counts, and what the changelog has.
    assert_eq!((sums(|thread| thread.sent), sums(|thread| thread.under_way)), (80 * 3, 0));
    for thread in &threads {
        let most = thread.tasks.values().map(|task| task.commits).max().unwrap();
        assert!(most > 0 && thread.commits.count >= most, "{:?}", thread.commits);
        assert!(thread.commits.last.is_some_and(|last| last > Timestamp::from_millis(1_000_000)));
    }
}

#[test]
fn a_task_that_moves_is_seen_where_it_is() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(40);
    world.settle(&mut instances);
    instances.push(world.instance(2));
    world.feed(40);
    let of = |instance: &Driven| {
        let threads = instance.snapshot().threads;
        let tasks = threads.into_iter().flat_map(|thread| thread.tasks);
        tasks.filter(|(_, task)| task.phase == TaskPhase::Running).map(|(id, _)| id).collect::<Vec<_>>()
    };
    world.run_until(&mut instances, "each has half of the tasks", |instances| {
        instances.iter().all(|instance| of(instance).len() == 4)
    });
    world.settle(&mut instances);
    look(&world, &mut instances);
    let mut all = [of(&instances[0]), of(&instances[1])].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8, "each is in one place");
    world.feed(40);
    world.settle(&mut instances);
    look(&world, &mut instances);
    // Those that stayed go on counting, and those that moved begin anew.
    let lines = nodes(&instances)["lines"].taken;
    assert!((40..120).contains(&lines), "{lines}");
}

fn rebalances(instance: &Driven) -> Vec<Rebalance> {
    instance.snapshot().threads.into_iter().flat_map(|thread| thread.rebalances).collect()
}

#[test]
fn rebalances_are_told_with_their_reasons() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(10);
    world.settle(&mut instances);
    look(&world, &mut instances);
    let [first] = &rebalances(&instances[0])[..] else { panic!("{:?}", rebalances(&instances[0])) };
    assert_eq!(first.reason, "first join");
    let before = world.clock.clone();
    let began = headwater_record::Clock::now(&before);
    instances.push(world.instance(2));
    world.feed(10);
    world.settle(&mut instances);
    look(&world, &mut instances);
    let all = rebalances(&instances[0]);
    assert_eq!(all.first(), Some(first));
    let second = &all[1];
    assert_eq!(second.reason, "group is already rebalancing");
    assert!(second.rounds >= 2, "tasks go over in two rounds: {second:?}");
    assert!(all.iter().all(|rebalance| rebalance.ended.is_some() && rebalance.assigned <= rebalance.ended), "{all:?}");
    assert!(second.began >= began && second.length(began) == second.ended.unwrap().since(second.began));
    assert_eq!(rebalances(&instances[1])[0].reason, "first join");
}
