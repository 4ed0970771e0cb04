//! Exactly-once: readers of committed records see each count once and in order.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_client_memory::Api;
use headwater_record::{Clock, OwnedRecord, Topic};
use headwater_runtime::query::IsolationLevel;
use headwater_runtime::{Builder, CloseOptions, Driven, ErrorKind, NoDefault, State};
use headwater_topology::BoxError;
use headwater_topology::handler::{ErrorContext, HandlerResponse, ProductionErrorOrigin, ProductionExceptionHandler};
use headwater_topology::state::StoreHandle;

use crate::graph::beginning;
use crate::world::{APPLICATION, World};

fn exactly_once(builder: Builder<NoDefault>) -> Builder<NoDefault> {
    builder.set("processing.guarantee", "exactly_once_v2")
}

/// What readers of committed records see of each word, in the order of its partition.
fn committed_counts(world: &World) -> BTreeMap<String, Vec<i64>> {
    let mut counts = BTreeMap::<_, Vec<_>>::new();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    for (_, record) in world.cluster.committed_records(&Topic::from("counts")) {
        let count = text(record.value.as_deref()).parse().unwrap();
        counts.entry(text(record.key.as_deref())).or_default().push(count);
    }
    counts
}

fn expected_counts(world: &World) -> BTreeMap<String, Vec<i64>> {
    world.expected.iter().map(|(word, count)| (word.clone(), (1..=*count).collect())).collect()
}

/// Turns until all is committed: each count once, in order.
fn settle(world: &World, instances: &mut [Driven]) {
    let lines = world.fed() as i64;
    world.run_until(instances, "all lines and words are committed", |_| {
        world.committed_lines() == lines && world.words_are_committed()
    });
    world.run_until(instances, "all counts are committed", |_| {
        let counts = committed_counts(world);
        world.expected.iter().all(|(word, count)| counts.get(word).is_some_and(|seen| seen.len() as i64 >= *count))
    });
    assert_eq!(committed_counts(world), expected_counts(world), "each count is seen once and in order");
}

#[test]
fn what_is_not_committed_is_not_seen() {
    for (guarantee, seen) in [("exactly_once_v2", 0), ("at_least_once", 100)] {
        let mut world = World::new();
        let builder = world.builder(1).set("processing.guarantee", guarantee).set("commit.interval.ms", "5000");
        let mut instances = vec![builder.drive().unwrap()];
        world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
        world.feed(50);
        // Words reach the second task by a topic: under exactly-once only those that are committed.
        world.run(&mut instances, 100);
        let counted: usize = committed_counts(&world).values().map(Vec::len).sum();
        assert_eq!(counted, seen, "{guarantee}");
        settle(&world, &mut instances);
    }
}

#[test]
fn the_producer_is_named_after_application_process_and_thread() {
    let mut world = World::new();
    let builder = exactly_once(world.builder(0xa)).threads(2);
    let mut instances = vec![builder.drive().unwrap()];
    world.feed(20);
    settle(&world, &mut instances);
    for thread in [1, 2] {
        let id = format!("{APPLICATION}-00000000-0000-0000-0000-00000000000a-{thread}");
        assert!(world.cluster.transaction(&id).is_some(), "{id}");
    }
}

#[test]
fn a_closed_application_leaves_no_transaction_open() {
    let mut world = World::new();
    let mut instances = vec![exactly_once(world.builder(1)).drive().unwrap()];
    world.feed(20);
    world.run(&mut instances, 20);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    let all: usize = world.cluster.records(&Topic::from("counts")).len();
    let seen: usize = committed_counts(&world).values().map(Vec::len).sum();
    assert_eq!(seen, all, "what it wrote is committed");
}

#[test]
fn an_interval_longer_than_transactions_may_last_is_refused_in_javas_words() {
    let world = World::new();
    let builder = exactly_once(world.builder(1)).set("commit.interval.ms", "20000");
    let error = builder.drive().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = "Transaction timeout 10000 was set lower than streams commit interval 20000";
    assert!(error.to_string().contains(said), "{error}");
    let builder = exactly_once(world.builder(1)).set("commit.interval.ms", "20000");
    builder.set("producer.transaction.timeout.ms", "30000").drive().unwrap();
}

#[test]
fn what_an_init_wrote_is_shown_once_it_is_committed() {
    let world = World::new();
    let mut instances = vec![exactly_once(world.builder_of(beginning(), 1)).drive().unwrap()];
    let changelog = Topic::from(format!("{APPLICATION}-counts-changelog").as_str());
    let counts = StoreHandle::<String, String>::named("counts");
    let shown = |instance: &Driven| {
        let committed = instance.queries().with_isolation(IsolationLevel::ReadCommitted);
        let store = committed.key_value_store(&counts).ok()?;
        store.all().ok().map(Iterator::count)
    };
    for _ in 0..2_000 {
        let shown = shown(&instances[0]).unwrap_or(0);
        assert!(shown <= world.cluster.committed_records(&changelog).len(), "a row of an open transaction is shown");
        if shown == 4 {
            return;
        }
        world.run(&mut instances, 1);
    }
    panic!("what was written is never shown");
}

/// Lets every record go.
#[derive(Debug)]
struct LetsGo;

impl ProductionExceptionHandler for LetsGo {
    fn handle(
        &self,
        _: &ErrorContext<'_>,
        _: &str,
        _: &OwnedRecord,
        _: ProductionErrorOrigin,
        _: &BoxError,
    ) -> HandlerResponse {
        HandlerResponse::resume()
    }
}

/// As in Java: its transaction cannot be committed, and would be begun again for ever.
#[test]
fn a_record_that_a_broker_refuses_ends_the_instance_whatever_its_handler_says() {
    let aborted = || ClientError::TransactionAborted("what came before it is missing".into());
    for lets_go in [true, false] {
        let mut world = World::new();
        let builder = exactly_once(world.builder(1));
        let builder = if lets_go { builder.production_handler(LetsGo) } else { builder };
        let mut instances = vec![builder.drive().unwrap()];
        world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
        // Whatever else is sent in the transaction is refused for the sake of the first.
        world.cluster.faults().fail_next(Api::Produce, 1, ClientError::NotAuthorised("write".into()));
        world.cluster.faults().fail_next(Api::Produce, u32::MAX, aborted());
        world.feed(4);
        world.run_until(&mut instances, "it has ended", |instances| instances[0].state().is_final());
        let error = instances[0].outcome().unwrap_err();
        assert_eq!((error.kind(), committed_counts(&world).len()), (ErrorKind::Config, 0), "{error}");
    }
}

#[test]
fn brokers_that_are_not_there_yet_are_waited_for_longer_than_a_task_has_patience() {
    let mut world = World::new();
    let began = world.clock.now();
    world.cluster.faults().unreachable_until(began.plus(Duration::from_secs(30)));
    let mut instances = vec![exactly_once(world.builder(1)).set("task.timeout.ms", "1000").drive().unwrap()];
    while world.clock.now().since(began) < Duration::from_secs(30) {
        world.run(&mut instances, 10);
        assert!(!instances[0].state().is_final(), "{:?}", instances[0].outcome());
    }
    world.feed(20);
    settle(&world, &mut instances);
}
