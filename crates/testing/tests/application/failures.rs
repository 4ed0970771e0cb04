//! What goes wrong outside and inside, and what becomes of the application.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, ClientSupplier};
use headwater_client_memory::Api;
use headwater_record::{Clock, Deadline, Topic};
use headwater_runtime::{Driven, ErrorKind, State, UncaughtResponse};

use crate::world::{APPLICATION, World};

fn timed_out() -> ClientError {
    ClientError::TimedOut { request: "it".into() }
}

/// For how long a leader believes that source topics which it does not see have just been made.
const SOURCES_MAY_BE_MISSING: Duration = Duration::from_secs(10);

/// How long that takes.
fn until_all_have_ended(world: &World, instances: &mut [Driven]) -> Duration {
    let started = world.clock.now();
    world.run_until(instances, "all have ended", |instances| instances.iter().all(|i| i.state().is_final()));
    world.clock.now().since(started)
}

#[test]
fn a_source_topic_that_is_seen_a_little_later_is_waited_for() {
    let mut world = World::without_topics();
    world.cluster.create_topic("counts", 4).unwrap();
    let mut instances = vec![world.instance(1), world.instance(2)];
    let started = world.clock.now();
    world.run_until(&mut instances, "it is late", |_| {
        world.clock.now().since(started) + Duration::from_secs(1) > SOURCES_MAY_BE_MISSING
    });
    assert!(instances.iter().all(|instance| instance.state() == State::Rebalancing));
    world.cluster.create_topic("lines", 4).unwrap();
    world.feed(100);
    world.settle(&mut instances);
}

#[test]
fn a_source_topic_that_is_gone_again_is_waited_for_again() {
    let mut world = World::without_topics();
    world.cluster.create_topic("counts", 4).unwrap();
    let mut instances = vec![world.builder(1).set("metadata.max.age.ms", "1000").drive().unwrap()];
    world.run(&mut instances, 400);
    world.cluster.create_topic("lines", 4).unwrap();
    world.feed(10);
    world.settle(&mut instances);
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    admin.delete_topics(&[Topic::from("lines")], Deadline::NEVER).unwrap().remove(0).unwrap();
    let waited = until_all_have_ended(&world, &mut instances);
    assert!(waited >= SOURCES_MAY_BE_MISSING, "{waited:?}");
    let error = instances[0].outcome().unwrap_err();
    assert!(error.to_string().contains("source topics do not exist: lines"), "{error}");
}

#[test]
fn a_missing_source_topic_is_named_to_every_member() {
    let world = World::without_topics();
    world.cluster.create_topic("counts", 1).unwrap();
    let mut instances = vec![world.instance(1), world.instance(2)];
    // The second member joins while the leader waits: the wait does not begin anew.
    let waited = until_all_have_ended(&world, &mut instances);
    assert!((SOURCES_MAY_BE_MISSING..SOURCES_MAY_BE_MISSING + Duration::from_secs(1)).contains(&waited), "{waited:?}");
    for instance in &instances {
        assert_eq!(instance.state(), State::Error);
        let error = instance.outcome().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Topology);
        assert_eq!(
            error.to_string(),
            "source topics do not exist: lines; create them before the application is started"
        );
    }
    assert!(world.cluster.group(APPLICATION).members.is_empty(), "they have left");
}

#[test]
fn an_internal_topic_of_other_partitions_is_told_with_its_cure() {
    let world = World::new();
    world.cluster.create_topic("word-count-words-repartition", 3).unwrap();
    let mut instances = vec![world.instance(1)];
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
    let error = instances[0].outcome().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology);
    let text = error.to_string();
    assert!(text.contains("word-count-words-repartition") && text.contains("expected: 4; actual: 3"), "{text}");
    assert!(text.contains("reset the application"), "{text}");
}

#[test]
fn passing_failures_of_the_cluster_cost_nothing() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    for api in [
        Api::Metadata,
        Api::CreateTopics,
        Api::ListOffsets,
        Api::JoinGroup,
        Api::SyncGroup,
        Api::Fetch,
        Api::OffsetCommit,
        Api::OffsetFetch,
    ] {
        world.cluster.faults().fail_next(api, 2, timed_out());
    }
    world.feed(100);
    world.settle(&mut instances);
}

/// Java waits for it too: of a record that timed out the task begins anew (`TaskCorruptedException`).
#[test]
fn a_partition_count_that_does_not_come_ends_no_thread() {
    for guarantee in ["at_least_once", "exactly_once_v2"] {
        let mut world = World::new();
        let mut instances = vec![world.builder(1).set("processing.guarantee", guarantee).drive().unwrap()];
        world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
        let producer = "word-count-00000000-0000-0000-0000-000000000001-StreamThread-1-producer";
        world.cluster.faults().of_client(producer).lose_responses(Api::Metadata, 3);
        world.feed(100);
        world.run_until(&mut instances, "every word was counted at least as often as it was fed", |_| {
            let counts = world.counts();
            world.expected.iter().all(|(word, count)| counts.get(word).is_some_and(|counted| counted >= count))
        });
        assert_eq!(instances[0].state(), State::Running, "{guarantee}");
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_made_again() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.cluster.faults().lose_responses(Api::OffsetCommit, 3);
    world.feed(100);
    world.settle(&mut instances);
}

#[test]
fn a_member_that_was_unreachable_comes_back_by_itself() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(100);
    world.settle(&mut instances);
    let until = world.clock.clone();
    let client = "word-count-00000000-0000-0000-0000-000000000001-StreamThread-1-consumer";
    let end = headwater_record::Clock::now(&until).plus(Duration::from_mins(1));
    world.cluster.faults().of_client(client).unreachable_until(end);
    for _ in 0..62 {
        world.run(&mut instances, 5);
        world.clock.advance(Duration::from_millis(900));
    }
    world.feed(100);
    world.run_until(&mut instances, "both run and all is committed", |instances| {
        instances.iter().all(|instance| instance.state() == State::Running) && world.committed_lines() == 200
    });
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 2);
}

#[test]
fn an_error_of_user_code_ends_the_instance_unless_a_handler_says_otherwise() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed_line("boom");
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
    assert_eq!(instances[0].state(), State::Error);
    let error = instances[0].outcome().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("the word is boom"), "{error}");
    assert!(world.cluster.group(APPLICATION).members.is_empty());
}

#[test]
fn a_failed_thread_is_replaced_as_often_as_the_handler_says() {
    let mut world = World::new();
    let failures = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&failures);
    let handler = move |_: &headwater_runtime::Error| match seen.fetch_add(1, Ordering::SeqCst) {
        0..3 => UncaughtResponse::ReplaceThread,
        _ => UncaughtResponse::ShutdownClient,
    };
    let mut instances = vec![world.builder(1).uncaught_error_handler(handler).drive().unwrap()];
    world.feed_line("boom");
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
    assert_eq!(failures.load(Ordering::SeqCst), 4, "each new thread read the poisonous line again");
}

#[test]
fn one_instance_may_end_the_whole_application() {
    let mut world = World::new();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let mut instances: Vec<Driven> = vec![
        world.builder(1).uncaught_error_handler(|_| UncaughtResponse::ShutdownApplication).drive().unwrap(),
        world
            .builder(2)
            .uncaught_error_handler(|_| UncaughtResponse::ShutdownApplication)
            .state_listener(move |from, to| seen.lock().unwrap().push((from, to)))
            .drive()
            .unwrap(),
    ];
    world.feed(20);
    world.settle(&mut instances);
    world.feed_line("boom");
    world.run_until(&mut instances, "both have ended", |instances| instances.iter().all(|i| i.state().is_final()));
    assert!(instances.iter().all(|instance| instance.state() == State::Error));
    let messages: Vec<String> = instances.iter().map(|instance| instance.outcome().unwrap_err().to_string()).collect();
    assert!(messages.iter().any(|message| message.contains("the word is boom")), "{messages:?}");
    let steps = steps.lock().unwrap();
    assert_eq!(steps.first(), Some(&(State::Created, State::Rebalancing)));
    assert_eq!(steps.last(), Some(&(State::PendingError, State::Error)));
}

#[test]
fn input_that_is_no_record_may_be_left_out() {
    let mut world = World::new();
    let handler = "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler";
    let mut instances = vec![world.builder(1).set("deserialization.exception.handler", handler).drive().unwrap()];
    let lines = headwater_record::Topic::from("lines");
    let bad: &[u8] = b"\xff\xfe";
    let now = headwater_record::Timestamp::from_millis(5);
    world.cluster.produce(&lines, None, Some(bad), now, &headwater_record::Headers::new()).unwrap();
    world.feed_line("good");
    world.run_until(&mut instances, "the good line is counted", |_| world.counts() == world.expected);
    assert_eq!(instances[0].state(), State::Running);
}
