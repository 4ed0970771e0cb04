//! What the coordinators of transactions and groups do with a transaction: markers, crashes, time-outs, pending offsets.
#![cfg(test)]

mod world;

use std::time::Duration;

use TransactionProtocol::{One, Two};
use headwater_client::{ClientError, ErrorClass, GroupError, TransactionOutcome};
use headwater_client_memory::{Api, TransactionEnd, TransactionProtocol, TransactionState};
use headwater_record::{Deadline, Timestamp};
use world::{GROUP, PARTITIONS, World, everywhere, offsets, on, producer_of};

const LATER: Duration = Duration::from_secs(5);

#[test]
fn a_crash_between_markers_is_made_good() {
    for protocol in [One, Two] {
        for end in [TransactionEnd::Commit, TransactionEnd::Abort] {
            // One marker for each partition, and one for the group.
            for markers in 0..=PARTITIONS as usize + 1 {
                crash_between_markers(protocol, end, markers);
            }
        }
    }
}

fn crash_between_markers(protocol: TransactionProtocol, end: TransactionEnd, markers: usize) {
    let case = format!("{protocol:?} {end:?} {markers}");
    let world = World::new(protocol);
    let mut producer = world.producer("p");
    producer.begin();
    producer.write_all("a");
    producer.send_offsets(1).unwrap();
    let back = world.clock_now().plus(LATER);
    world.cluster.faults().crash_while_writing_markers(markers, back);
    match end {
        TransactionEnd::Commit => assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{case}"),
        TransactionEnd::Abort => producer.abort().unwrap(),
    }
    // The end is decided and part of it is seen.
    let of_partitions = markers.min(PARTITIONS as usize);
    let seen: Vec<Vec<&str>> = (0..PARTITIONS as usize)
        .map(|number| if number < of_partitions && end == TransactionEnd::Commit { vec!["a"] } else { vec![] })
        .collect();
    assert_eq!(world.committed(), seen, "{case}");
    assert_eq!(world.open_partitions(), PARTITIONS as usize - of_partitions, "{case}");
    assert_eq!(world.is_unstable(), markers <= PARTITIONS as usize, "{case}");
    assert_eq!(world.state("p"), TransactionState::Prepared(end), "{case}");
    // Nobody goes on meanwhile, whoever it is, but nothing is lost by trying.
    producer.begin();
    let waits = producer.try_write_all("b").unwrap_err();
    assert_eq!(waits.class(), ErrorClass::Retriable, "{case}: {waits}");
    let other = world.try_producer("other").err();
    assert!(other.is_some_and(|error| error.class() == ErrorClass::Retriable), "{case}");
    world.clock.advance(LATER);
    producer.flush().unwrap();
    producer.send_offsets(2).unwrap();
    assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{case}");
    let whole: &[&str] = if end == TransactionEnd::Commit { &["a", "b"] } else { &["b"] };
    assert_eq!((world.committed(), world.offset()), (everywhere(whole), Some(2)), "{case}");
    // Where the marker was written before the crash there are two.
    for (number, end) in world.ends().into_iter().enumerate() {
        assert_eq!(end, if number < of_partitions { 5 } else { 4 }, "{case}: partition {number}");
    }
}

#[test]
fn a_crash_does_not_keep_a_new_producer_from_settling() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        producer.begin();
        producer.write_all("a");
        world.cluster.faults().crash_while_writing_markers(1, world.clock_now().plus(LATER));
        world.cluster.faults().lose_responses(Api::EndTxn, u32::MAX);
        assert!(matches!(producer.commit(), TransactionOutcome::Indefinite(_)), "{protocol:?}");
        world.cluster.faults().forget_rules();
        assert!(world.try_producer("p").is_err(), "{protocol:?}: its transaction has not ended");
        world.clock.advance(LATER);
        let mut next = world.producer("p");
        assert_eq!(world.committed(), everywhere(&["a"]), "{protocol:?}");
        next.begin();
        next.write_all("b");
        assert!(matches!(next.commit(), TransactionOutcome::Committed), "{protocol:?}");
    }
}

#[test]
fn a_transaction_times_out_from_its_first_record_on() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        producer.begin();
        world.clock.advance(Duration::from_mins(10));
        producer.write_all("a");
        producer.send_offsets(1).unwrap();
        world.clock.advance(Duration::from_millis(9_999));
        assert!(matches!(world.state("p"), TransactionState::Ongoing(_)), "{protocol:?}");
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(world.state("p"), TransactionState::Complete(TransactionEnd::Abort), "{protocol:?}");
        assert_eq!((world.open_partitions(), world.is_unstable(), world.offset()), (0, false, None), "{protocol:?}");
        let zombie = producer.try_write_all("b").unwrap_err();
        assert_eq!(zombie.class(), ErrorClass::Fenced, "{protocol:?}: {zombie}");
        assert!(matches!(producer.commit(), TransactionOutcome::Fenced(_)), "{protocol:?}");
        assert!(producer.abort().is_err_and(|error| error.class() == ErrorClass::Fenced), "{protocol:?}");
        assert_eq!(world.committed(), everywhere(&[]), "{protocol:?}");
    }
}

#[test]
fn after_a_time_out_a_commit_is_fenced_and_an_abort_under_protocol_two_is_none_the_worse() {
    for protocol in [One, Two] {
        for commits in [true, false] {
            let case = format!("{protocol:?}, commits: {commits}");
            let world = World::new(protocol);
            let mut producer = world.producer("p");
            producer.begin();
            producer.write_all("a");
            world.clock.advance(Duration::from_secs(11));
            if commits {
                let outcome = producer.commit();
                assert!(matches!(outcome, TransactionOutcome::Fenced(_)), "{case}: {outcome:?}");
            } else {
                assert_eq!(producer.abort().is_ok(), protocol == Two, "{case}");
            }
            let goes_on = producer.transactions().begin();
            if protocol == Two && !commits {
                producer.write_all("b");
                assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{case}");
                assert_eq!(world.committed(), everywhere(&["b"]), "{case}");
            } else {
                assert!(goes_on.is_err_and(|error| error.class() == ErrorClass::Fenced), "{case}");
                assert_eq!(world.committed(), everywhere(&[]), "{case}");
            }
        }
    }
}

#[test]
fn a_producer_that_wakes_up_late_writes_nothing() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        producer.begin();
        producer.write_all("a");
        world.clock.advance(Duration::from_secs(11));
        let zombie = producer.try_write_all("b").unwrap_err();
        assert_eq!(zombie.class(), ErrorClass::Fenced, "{protocol:?}: {zombie}");
        assert_eq!(world.cluster.records(&world.topic).len(), PARTITIONS as usize, "{protocol:?}");
    }
}

#[test]
fn a_refusal_of_the_coordinator_is_told() {
    let world = World::new(Two);
    let config = producer_of("p").with("transaction.timeout.ms", "900001");
    let error = world.try_producer_with(&config).err();
    assert!(matches!(error, Some(ClientError::Broker { code: 50, .. })), "{error:?}");
    let mut producer = world.producer("p");
    producer.begin();
    producer.write_all("a");
    let refused = ClientError::NotAuthorised("transactional id p".into());
    world.cluster.faults().fail_next(Api::EndTxn, 1, refused.clone());
    let outcome = producer.commit();
    assert!(matches!(&outcome, TransactionOutcome::Indefinite(error) if *error == refused), "{outcome:?}");
    world.cluster.faults().fail_next(Api::InitProducerId, 1, refused.clone());
    assert_eq!(world.try_producer("p").err(), Some(refused));
}

#[test]
fn a_commit_outside_of_the_transaction_counts_if_it_is_the_later_one() {
    let world = World::new(Two);
    let mut producer = world.producer("p");
    producer.begin();
    producer.send_offsets(5).unwrap();
    world.commit_plainly(7).unwrap();
    assert_eq!(world.offset(), Some(7));
    assert!(world.is_unstable());
    assert!(matches!(producer.commit(), TransactionOutcome::Committed));
    assert_eq!((world.offset(), world.is_unstable()), (Some(7), false));
    producer.begin();
    producer.send_offsets(8).unwrap();
    assert!(matches!(producer.commit(), TransactionOutcome::Committed));
    assert_eq!(world.offset(), Some(8));
}

#[test]
fn offsets_of_a_topic_that_is_gone_are_forgotten() {
    let world = World::new(Two);
    let mut producer = world.producer("p");
    producer.begin();
    producer.send_offsets(5).unwrap();
    world.delete_topic();
    assert!(!world.is_unstable());
    assert!(matches!(producer.commit(), TransactionOutcome::Committed));
    assert_eq!(world.offset(), None);
}

#[test]
fn a_group_that_is_not_there_takes_offsets_of_no_generation_only() {
    let world = World::new(Two);
    let mut producer = world.producer("p");
    producer.begin();
    let mut identity = world::nobody();
    identity.generation = 3;
    let refused = producer.transactions().send_offsets(&identity, &offsets(&world.topic, 1), Deadline::NEVER);
    assert_eq!(refused, Err(ClientError::Group(GroupError::IllegalGeneration)));
    assert!(matches!(producer.commit(), TransactionOutcome::Aborted(ClientError::Group(_))));
    assert!(world.cluster.groups().is_empty());
}

#[test]
fn whoever_looks_sees_the_transaction() {
    let world = World::new(Two);
    assert_eq!(world.cluster.transaction("p"), None);
    let mut producer = world.producer("p");
    producer.begin();
    producer.write_all("a");
    producer.send_offsets(1).unwrap();
    let view = world.cluster.transaction("p").unwrap();
    assert_eq!(view.state, TransactionState::Ongoing(Timestamp::ZERO));
    assert_eq!((view.epoch, view.partitions.len(), view.groups), (0, PARTITIONS as usize, vec![GROUP.to_owned()]));
    assert!(matches!(producer.commit(), TransactionOutcome::Committed));
    let after = world.cluster.transaction("p").unwrap();
    assert_eq!((after.producer_id, after.epoch), (view.producer_id, 1));
    assert_eq!((after.partitions.len(), after.groups.len()), (0, 0));
    assert_eq!(on(&world, 0), ["a"]);
}
