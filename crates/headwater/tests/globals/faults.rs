//! Topics that are missing, deleted, made anew, truncated; brokers that do not answer.

use std::time::Duration;

use headwater::ErrorKind;
use headwater::client::ClientError;
use headwater::memory::Api;
use headwater::record::Clock as _;
use headwater::runtime::{CloseOptions, State, UncaughtResponse};

use crate::world::{World, all_run, cities};

const CONSUMER: &str = "shopping-00000000-0000-0000-0000-000000000001-global-consumer";

#[test]
fn a_topic_that_does_not_exist_ends_the_application_with_an_error_that_says_so() {
    let world = World::without_shops();
    let mut instances = [world.instance(1)];
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
    let error = instances[0].outcome().expect_err("its topic is not there");
    assert_eq!(error.kind(), ErrorKind::Topology);
    let text = error.to_string();
    assert!(text.contains("topic shops") && text.contains("shops-STATE-STORE-0000000000"), "{text}");
    assert!(world.cluster.groups().is_empty(), "no task began");
}

#[test]
fn an_application_that_waits_for_its_stores_can_be_closed() {
    let world = World::without_shops();
    let mut instances = vec![world.instance(1)];
    world.run(&mut instances, 3);
    world.close(instances);
}

#[test]
fn answers_that_come_late_are_waited_for() {
    let world = World::new();
    for number in 0..20 {
        world.shop(&format!("shop{number}"), Some("Rome"));
    }
    let late = |request: &str| ClientError::TimedOut { request: request.to_owned() };
    world.cluster.faults().fail_next(Api::Metadata, 2, late("Metadata"));
    world.cluster.faults().fail_next(Api::ListOffsets, 3, late("ListOffsets"));
    world.cluster.faults().of_client(CONSUMER).fail_next(Api::Fetch, 5, late("Fetch"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop7"), "Rome");
    world.cluster.faults().unreachable_until(world.clock.now().plus(Duration::from_secs(4)));
    world.run(&mut instances, 300);
    world.shop("shop7", Some("Oslo"));
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop7"), "Oslo");
}

#[test]
fn a_cluster_that_never_answers_ends_the_application_after_the_task_timeout() {
    let world = World::new();
    world.cluster.faults().unreachable_until(world.clock.now().plus(Duration::from_hours(10)));
    let mut instances = [world.builder(cities(), 1).set("task.timeout.ms", "5000").drive().unwrap()];
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
    assert_eq!(instances[0].outcome().expect_err("nobody answered").kind(), ErrorKind::Unavailable);
}

#[test]
fn a_topic_that_is_deleted_leaves_its_rows_until_it_is_there_again() {
    let world = World::new();
    for number in 0..20 {
        world.shop(&format!("shop{number}"), Some("Rome"));
    }
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    world.delete("shops");
    world.run(&mut instances, 200);
    assert_eq!(world.city_of(&mut instances, "shop1"), "Rome");
    world.cluster.create_topic("shops", 2).unwrap();
    for number in 10..60 {
        world.shop(&format!("shop{number}"), Some("Oslo"));
    }
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop1"), "?", "it is not in the new topic");
    assert_eq!(world.city_of(&mut instances, "shop59"), "Oslo");
    assert!(all_run(&instances));
}

#[test]
fn a_topic_that_is_made_anew_at_once_fills_the_store_anew() {
    let world = World::new();
    for number in 0..40 {
        world.shop(&format!("shop{number}"), Some("Rome"));
    }
    let mut instances = [world.instance(1), world.instance(2)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    world.delete("shops");
    world.cluster.create_topic("shops", 2).unwrap();
    world.shop("shop1", Some("Oslo"));
    world.shop("shop2", Some("Oslo"));
    world.run(&mut instances, 50);
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "shop1"), "Oslo");
    assert_eq!(world.city_of(&mut instances, "shop39"), "?", "it is not in the new topic");
    assert!(all_run(&instances));
}

// KAFKA-6121, KAFKA-21034: Java's global thread dies of this, and then of its own checkpoint again and again.
#[test]
fn a_position_that_is_lost_fills_the_stores_anew_while_tasks_read_what_was_there() {
    let world = World::new();
    world.shop("old", Some("Rome"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    // The consumer hears nothing until what it would read next is gone.
    let late = ClientError::TimedOut { request: "Fetch".to_owned() };
    world.cluster.faults().of_client(CONSUMER).fail_next(Api::Fetch, 30, late.clone());
    for number in 0..40 {
        world.shop(&format!("shop{number}"), Some("Oslo"));
    }
    world.truncate(4);
    world.shop("new", Some("Bonn"));
    assert_eq!(world.city_of(&mut instances, "old"), "Rome", "nothing was read yet");
    world.run(&mut instances, 60);
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "old"), "?", "it is in the topic no longer");
    assert_eq!(world.city_of(&mut instances, "new"), "Bonn");
    assert!(all_run(&instances));
}

#[test]
fn a_false_alarm_about_a_topic_changes_nothing() {
    let world = World::new();
    world.shop("a", Some("Rome"));
    let mut instances = [world.instance(1)];
    world.run_until_running(&mut instances);
    world.run_until_read(&mut instances);
    let gone = ClientError::UnknownTopic { topic: "shops".into() };
    world.cluster.faults().of_client(CONSUMER).fail_next(Api::Fetch, 1, gone);
    world.run(&mut instances, 20);
    world.shop("a", Some("Oslo"));
    world.run_until_read(&mut instances);
    assert_eq!(world.city_of(&mut instances, "a"), "Oslo");
}

#[test]
fn a_failed_global_thread_ends_the_application_unless_the_handler_replaces_it() {
    let outcome = |response: Option<UncaughtResponse>| {
        let world = World::new();
        world.shop("a", Some("Rome"));
        let builder = world.builder(cities(), 1);
        let builder = match response {
            Some(response) => builder.uncaught_error_handler(move |_| response),
            None => builder,
        };
        let mut instances = vec![builder.drive().unwrap()];
        world.run_until_running(&mut instances);
        let refused = ClientError::NotAuthorised("topic shops".to_owned());
        world.cluster.faults().of_client(CONSUMER).fail_next(Api::Fetch, 1, refused);
        world.run(&mut instances, 20);
        world.shop("a", Some("Oslo"));
        if response == Some(UncaughtResponse::ReplaceThread) {
            world.run_until_read(&mut instances);
            assert_eq!(world.city_of(&mut instances, "a"), "Oslo");
            world.close(instances);
            return None;
        }
        world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
        assert_eq!(world.cluster.group(crate::world::APPLICATION).members.len(), 0, "its tasks are free");
        Some((instances[0].state(), instances[0].outcome().expect_err("it failed").kind()))
    };
    assert_eq!(outcome(None), Some((State::Error, ErrorKind::Config)));
    assert_eq!(outcome(Some(UncaughtResponse::ShutdownClient)), Some((State::Error, ErrorKind::Config)));
    assert_eq!(outcome(Some(UncaughtResponse::ShutdownApplication)), Some((State::Error, ErrorKind::Config)));
    assert_eq!(outcome(Some(UncaughtResponse::ReplaceThread)), None);
}

#[test]
fn nobody_is_left_to_tell_others_when_a_global_thread_fails_before_the_first_task() {
    let world = World::without_shops();
    let builder = world.builder(cities(), 1).uncaught_error_handler(|_| UncaughtResponse::ShutdownApplication);
    let mut instances = [builder.drive().unwrap()];
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
}

#[test]
fn stores_are_open_until_the_last_task_has_read_them() {
    let world = World::new();
    world.shop("a", Some("Rome"));
    let mut instances = vec![world.instance(1)];
    world.run_until_running(&mut instances);
    for number in 0..50 {
        world.sale("a", &format!("pen{number}"));
    }
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    assert!(world.sold().iter().all(|sale| sale.ends_with(" in Rome")), "{:?}", world.sold());
    assert!(instances[0].outcome().is_ok());
}
