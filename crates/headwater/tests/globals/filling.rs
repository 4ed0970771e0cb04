//! Filled before the first task, read by all of them.

use headwater::prelude::*;
use headwater::record::Topic;
use headwater::runtime::application::GlobalThreadState;
use headwater::runtime::{CloseOptions, State};

use crate::world::{APPLICATION, Heard, Restored, World, capitals};

#[test]
fn a_global_table_is_complete_before_the_first_record_meets_it() {
    let world = World::new();
    for number in 0..3_000 {
        world.shop(&format!("shop{number}"), Some(&format!("city{number}")));
    }
    for number in (0..3_000).step_by(100) {
        world.sale(&format!("shop{number}"), "pen");
    }
    let restored = Restored::default();
    let mut instances = [world.builder(crate::world::cities(), 1).restore_listener(restored.clone()).drive().unwrap()];
    assert_eq!(instances[0].global_thread_state(), Some(GlobalThreadState::Created));
    world.run_until(&mut instances, "all is sold", |_| world.sold().len() == 30);
    let mut expected: Vec<String> = (0..3_000).step_by(100).map(|number| format!("pen in city{number}")).collect();
    expected.sort();
    assert_eq!(world.sold(), expected);
    assert_eq!(restored.take("shops"), 3_000, "all partitions were read");
    assert_eq!(instances[0].global_thread_state(), Some(GlobalThreadState::Running));
}

#[test]
fn nobody_joins_the_group_before_the_stores_are_filled() {
    let world = World::without_shops();
    let mut instances = [world.instance(1)];
    world.run(&mut instances, 100);
    assert_eq!((instances[0].state(), world.cluster.groups().len()), (State::Rebalancing, 0));
    world.cluster.create_topic("shops", 2).unwrap();
    world.run_until_running(&mut instances);
    assert_eq!(world.cluster.groups(), [APPLICATION]);
}

#[test]
fn every_task_of_every_thread_and_instance_reads_all_partitions() {
    let world = World::new();
    let mut instances = [world.instance(1), world.instance(2)];
    world.run_until_running(&mut instances);
    for number in 0..40 {
        world.shop(&format!("shop{number}"), Some(&format!("city{number}")));
    }
    world.run_until_read(&mut instances);
    for number in 0..40 {
        world.sale(&format!("shop{number}"), "pen");
    }
    world.run_until(&mut instances, "all is sold", |_| world.sold().len() == 40);
    assert!(world.sold().iter().all(|sale| !sale.contains('?')), "{:?}", world.sold());
    let committed = world.cluster.group(APPLICATION).committed;
    assert!(committed.keys().all(|partition| partition.topic.as_str() == "sales"), "the group knows nothing of shops");
}

#[test]
fn a_null_deletes_a_row_also_when_it_is_read_at_the_start() {
    let world = World::new();
    world.shop("gone", Some("Rome"));
    world.shop("gone", None);
    world.shop("here", Some("Rome"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    assert_eq!(world.city_of(&mut instances, "gone"), "?");
    assert_eq!(world.city_of(&mut instances, "here"), "Rome");
    world.shop("here", None);
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "here"), "?");
}

#[test]
fn a_processor_fills_its_store_record_by_record_at_the_start_too() {
    let (world, heard) = (World::new(), Heard::default());
    world.shop("a", Some("rome"));
    let mut instances = vec![world.builder(capitals(&heard), 1).drive().unwrap()];
    world.run_until_running(&mut instances);
    assert_eq!(heard.take(), ["init", "a=rome"]);
    assert_eq!(world.city_of(&mut instances, "a"), "ROME");
    world.shop("a", None);
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "a"), "?");
    world.close(instances);
    assert_eq!(heard.take(), ["a=null", "close"]);
}

#[test]
fn tasks_move_while_the_topic_is_updated() {
    let world = World::new();
    let mut instances = vec![world.instance(1)];
    let mut sales = 0;
    let mut round = |instances: &mut Vec<headwater::runtime::Driven>, city: &str| {
        for number in 0..20 {
            world.shop(&format!("shop{number}"), Some(city));
        }
        world.run_until_read(instances);
        for number in 0..20 {
            world.sale(&format!("shop{number}"), "pen");
        }
        sales += 20;
        world.run_until(instances, "all is sold", |_| world.sold().len() == sales);
        let found = world.sold().iter().filter(|sale| **sale == format!("pen in {city}")).count();
        assert_eq!(found, 20, "{:?}", world.sold());
    };
    round(&mut instances, "Rome");
    instances.push(world.instance(2));
    round(&mut instances, "Oslo");
    world.run_until_running(&mut instances);
    round(&mut instances, "Bonn");
    let first = instances.remove(0);
    first.begin_close(CloseOptions::default());
    let mut leaving = vec![first];
    world.run_until(&mut leaving, "it is closed", |leaving| leaving[0].state() == State::NotRunning);
    round(&mut instances, "Lima");
}

#[test]
fn an_application_of_global_stores_alone_runs_without_a_stream_thread() {
    let world = World::new();
    world.shop("a", Some("Rome"));
    let builder = StreamsBuilder::new();
    let _shops =
        builder.global_table_with("shops", Consumed::<String, String>::by_type(), Materialized::named("shops"));
    let mut instances = vec![world.builder(builder.build().unwrap(), 1).drive().unwrap()];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    assert_eq!(instances[0].thread_states(), []);
    assert!(world.cluster.groups().is_empty());
    world.close(instances);
}

#[test]
fn the_lag_of_a_global_store_can_be_seen() {
    let world = World::new();
    world.shop("a", Some("Rome"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    let positions = |instances: &[headwater::runtime::Driven]| {
        let progress = instances[0].global_progress();
        assert!(
            progress.iter().all(|one| one.store.starts_with("shops-STATE-STORE-") && one.lag() == 0),
            "{progress:?}"
        );
        progress.iter().map(|one| one.position.value()).sum::<i64>()
    };
    assert_eq!(positions(&instances), 1);
    world.shop("b", Some("Oslo"));
    world.run_until_read(&mut instances);
    assert_eq!(positions(&instances), 2);
}

#[test]
fn partitions_that_are_added_to_the_topic_are_read() {
    let world = World::without_shops();
    world.cluster.create_topic("shops", 1).unwrap();
    world.shop("a", Some("Rome"));
    let mut instances = [world.builder(crate::world::cities(), 1).set("metadata.max.age.ms", "1000").drive().unwrap()];
    world.run_until_running(&mut instances);
    world.cluster.add_partitions(&Topic::from("shops"), 2).unwrap();
    for number in 0..20 {
        world.shop(&format!("shop{number}"), Some("Oslo"));
    }
    world.run_until_read(&mut instances);
    for number in 0..20 {
        assert_eq!(world.city_of(&mut instances, &format!("shop{number}")), "Oslo");
    }
    assert_eq!(world.city_of(&mut instances, "a"), "Rome");
}
