//! Asking stores partition by partition, under a clock that is turned by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_record::{Offset, Topic, TopicPartition};
use headwater_runtime::query::{
    CustomQuery, FailureReason, KeyQuery, Position, PositionBound, Queries, RangeQuery, StateQueryRequest,
    StateQueryResult, VersionedKeyQuery, WindowKeyQuery,
};
use headwater_runtime::{CloseOptions, ErrorKind, State, StoreMakers};
use headwater_topology::state::StoreHandle;

use crate::own_store::{HowMany, OwnStores};
use crate::queries::{committed, kind, meanwhile, number, shown};
use crate::world::{APPLICATION, World};

fn handle() -> StoreHandle<String, String> {
    StoreHandle::named("counts")
}

#[test]
fn each_partition_answers_for_itself_and_says_what_it_has_seen() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(60);
    world.settle(&mut instances);
    shown(&world, &mut instances, committed);
    for word in world.expected.keys() {
        let request = StateQueryRequest::in_store(&handle()).with_query(KeyQuery::with_key(word.clone()));
        let answers = instances.iter().map(|instance| committed(instance).query(&request).unwrap());
        let found: Vec<_> = answers.filter_map(|answer| answer.only_partition_result().unwrap()).collect();
        assert_eq!(found, [world.expected[word].to_string()], "{word}");
    }
    let all = StateQueryRequest::in_store(&handle()).with_query(RangeQuery::with_range(..)).enable_execution_info();
    let mut seen = BTreeMap::new();
    for instance in &instances {
        let answer = committed(instance).query(&all).unwrap();
        assert!(!answer.partition_results.is_empty() && answer.global_result.is_none());
        for (partition, result) in answer.partition_results {
            // What was committed of the words, less one.
            let words = Topic::from("word-count-words-repartition");
            let at = TopicPartition::new(words, partition);
            let next = world.cluster.group(APPLICATION).committed[&at].offset;
            assert_eq!(result.position.components().collect::<Vec<_>>(), [(at, Offset::new(next.value() - 1))]);
            assert!(
                result.execution_info.iter().any(|line| line.contains("ReadCommitted")),
                "{:?}",
                result.execution_info
            );
            seen.extend(result.result.unwrap().map(|entry| number(entry.unwrap())));
        }
    }
    assert_eq!(seen, world.expected);
    // Either has some, and the rest is not present there.
    let every = StateQueryRequest::in_store(&handle()).with_query(RangeQuery::with_range(..)).with_partitions(-1..4);
    for instance in &instances {
        let answer = committed(instance).query(&every).unwrap();
        let here = committed(instance).query(&all).unwrap().partition_results;
        for (partition, result) in answer.partition_results {
            let reason = result.result.err().map(|failure| failure.reason);
            let expected = match partition {
                -1 => Some(FailureReason::DoesNotExist),
                _ if here.contains_key(&partition) => None,
                _ => Some(FailureReason::NotPresent),
            };
            assert_eq!(reason, expected, "{partition}");
        }
    }
}

#[test]
fn a_store_that_has_not_seen_enough_says_so() {
    let mut world = World::new();
    let builder = world.builder(1).set("commit.interval.ms", "5000");
    let mut instances = vec![builder.drive().unwrap()];
    world.feed(60);
    world.settle(&mut instances);
    shown(&world, &mut instances, committed);
    let all = || StateQueryRequest::in_store(&handle()).with_query(RangeQuery::with_range(..));
    let before = committed(&instances[0]).query(&all()).unwrap().position();
    // It is read, and not committed.
    world.feed(60);
    let queries = instances[0].queries();
    let mut turns = 0;
    let now = loop {
        let now = meanwhile(&mut instances, || queries.query(&all())).unwrap().position();
        if now.components().zip(before.components()).all(|(now, before)| now > before) {
            break now;
        }
        turns += 1;
        assert!(turns < 1_000, "what was fed is never seen");
        world.run(&mut instances, 1);
    };
    let reasons = |queries: &Queries, bound: &Position| {
        let request = all().with_position_bound(PositionBound::at(bound.clone()));
        let answer = queries.query(&request).unwrap();
        answer
            .partition_results
            .into_values()
            .map(|result| result.result.err().map(|failure| failure.reason))
            .collect::<Vec<_>>()
    };
    assert_eq!(reasons(&committed(&instances[0]), &before), [None; 4]);
    assert_eq!(reasons(&committed(&instances[0]), &now), [Some(FailureReason::NotUpToBound); 4]);
    assert_eq!(meanwhile(&mut instances, || reasons(&queries, &now)), [None; 4]);
    let other = Position::default().with_component("elsewhere", 2, Offset::ZERO);
    let of_one = [None, None, Some(FailureReason::NotUpToBound), None];
    assert_eq!(
        reasons(&committed(&instances[0]), &other),
        of_one,
        "of a topic that it does not read it has seen nothing"
    );
    world.settle(&mut instances);
    assert_eq!(reasons(&committed(&instances[0]), &now), [None; 4]);
    // Started again, it knows what was committed.
    let last = committed(&instances[0]).query(&all()).unwrap().position();
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "it is closed", |instances| instances[0].state() == State::NotRunning);
    let mut instances = vec![world.builder(1).set("commit.interval.ms", "5000").drive().unwrap()];
    world.run_until(&mut instances, "it runs", |instances| instances[0].state() == State::Running);
    let queries = instances[0].queries();
    assert_eq!(meanwhile(&mut instances, || queries.query(&all())).unwrap().position(), last);
}

#[test]
fn standbys_answer_unless_active_ones_are_required() {
    let mut world = World::new();
    let with_standby = |id| world.builder(id).set("num.standby.replicas", "1").drive().unwrap();
    let mut instances = vec![with_standby(1), with_standby(2)];
    world.feed(60);
    world.settle(&mut instances);
    world.run(&mut instances, 100);
    shown(&world, &mut instances, |instance| committed(instance).with_stale());
    world.run(&mut instances, 20);
    let all = || StateQueryRequest::in_store(&handle()).with_query(RangeQuery::with_range(..));
    let mut active = 0;
    for instance in &instances {
        let answer = committed(instance).query(&all()).unwrap();
        let found = answer.partition_results.into_values().flat_map(|result| result.result.unwrap());
        assert_eq!(found.map(|entry| number(entry.unwrap())).collect::<BTreeMap<_, _>>(), world.expected);
        for result in committed(instance).query(&all().require_active()).unwrap().partition_results.into_values() {
            match result.result {
                Ok(_) => active += 1,
                Err(failure) => assert_eq!(failure.reason, FailureReason::NotActive, "{failure}"),
            }
        }
    }
    assert_eq!(active, 4, "each partition is active once");
}

#[test]
fn a_query_for_stores_of_another_kind_is_not_understood() {
    let mut world = World::new();
    let mut instances = vec![world.instance(1)];
    world.feed(10);
    world.settle(&mut instances);
    shown(&world, &mut instances, committed);
    let queries = committed(&instances[0]);
    let word = "w1".to_owned();
    let request = StateQueryRequest::in_store(&handle());
    let window =
        queries.query(&request.with_query(WindowKeyQuery::with_key_and_window_start_range(word.clone(), 0, 1)));
    let request = StateQueryRequest::in_store(&handle());
    let versioned = queries.query(&request.with_query(VersionedKeyQuery::with_key(word)));
    let request = StateQueryRequest::in_store(&handle());
    let custom = queries.query(&request.with_query(CustomQuery::<&str, u64>::new("how many?")));
    let window = window.unwrap().partition_results.into_values().map(|result| result.result.err());
    let versioned = versioned.unwrap().partition_results.into_values().map(|result| result.result.err());
    let custom = custom.unwrap().partition_results.into_values().map(|result| result.result.err());
    let failures: Vec<_> = window.chain(versioned).chain(custom).map(|failure| failure.unwrap()).collect();
    assert_eq!(failures.len(), 12);
    for failure in failures {
        assert_eq!(failure.reason, FailureReason::UnknownQueryType, "{failure}");
    }
    let unknown = StateQueryRequest::in_store(&StoreHandle::<String, String>::named("count"));
    assert_eq!(kind(queries.query(&unknown.with_query(RangeQuery::with_range(..)))), ErrorKind::Config);
}

#[test]
fn a_store_of_ones_own_answers_questions_of_its_own() {
    let mut world = World::new();
    let stores = StoreMakers { in_memory: Arc::new(OwnStores), persistent: None };
    let mut instances = vec![world.builder(1).stores(stores).drive().unwrap()];
    world.feed(60);
    world.settle(&mut instances);
    let rows = |answer: StateQueryResult<usize>| {
        answer.partition_results.into_values().map(|found| found.result.unwrap()).sum::<usize>()
    };
    let request = || StateQueryRequest::in_store(&handle()).with_query(CustomQuery::<HowMany, usize>::new(HowMany));
    assert_eq!(rows(committed(&instances[0]).query(&request()).unwrap()), world.expected.len());
    let queries = instances[0].queries();
    assert_eq!(rows(meanwhile(&mut instances, || queries.query(&request()).unwrap())), world.expected.len());
    // What it does not understand, or answers with something else, is said.
    let request = StateQueryRequest::in_store(&handle()).with_query(CustomQuery::<HowMany, String>::new(HowMany));
    for result in committed(&instances[0]).query(&request).unwrap().partition_results.into_values() {
        assert_eq!(result.result.unwrap_err().reason, FailureReason::UnknownQueryType);
    }
}
