//! Transactions when things go wrong, in virtual time: what producers are told, and what readers see.
#![cfg(test)]

mod world;

use std::time::Duration;

use TransactionProtocol::{One, Two};
use headwater_client::{ClientError, ErrorClass, NewTopic, TransactionOutcome};
use headwater_client_memory::{Api, TransactionProtocol};
use headwater_record::{Deadline, Topic};
use world::{World, everywhere, offsets, producer_of};

const LATER: Duration = Duration::from_secs(5);

/// What a transaction sends, under each protocol.
const REQUESTS: [(TransactionProtocol, &[Api]); 2] = [
    (One, &[Api::Produce, Api::AddPartitionsToTxn, Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::EndTxn]),
    (Two, &[Api::Produce, Api::TxnOffsetCommit, Api::EndTxn]),
];

#[test]
fn a_coordinator_that_moves_costs_nothing_but_time() {
    for (protocol, requests) in REQUESTS {
        for api in requests {
            let world = World::new(protocol);
            world.cluster.faults().move_coordinator(*api, 3);
            world.cluster.faults().move_coordinator(Api::InitProducerId, 3);
            let mut producer = world.producer("p");
            producer.begin();
            producer.write_all("a");
            producer.send_offsets(1).unwrap();
            assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{protocol:?} {api:?}");
            assert_eq!((world.committed(), world.offset()), (everywhere(&["a"]), Some(1)), "{protocol:?} {api:?}");
        }
    }
}

#[test]
fn under_protocol_two_whatever_is_not_answered_is_sent_again() {
    for api in REQUESTS[1].1 {
        for lost in ["answers", "requests", "late requests"] {
            let world = World::new(Two);
            let faults = world.cluster.faults();
            match lost {
                "answers" => faults.lose_responses(*api, 2),
                "requests" => faults.lose_requests(*api, 2),
                _ => faults.delay_requests(*api, 2, LATER),
            }
            let mut producer = world.producer("p");
            producer.begin();
            producer.write_all("a");
            producer.send_offsets(1).unwrap();
            assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{api:?} {lost}");
            assert_eq!((world.committed(), world.offset()), (everywhere(&["a"]), Some(1)), "{api:?} {lost}");
            // What is late meets the next transaction.
            producer.begin();
            producer.write_all("b");
            producer.send_offsets(2).unwrap();
            world.clock.advance(LATER);
            assert_eq!((world.committed(), world.offset()), (everywhere(&["a"]), Some(1)), "{api:?} {lost}");
            producer.abort().unwrap();
            assert_eq!((world.committed(), world.offset()), (everywhere(&["a"]), Some(1)), "{api:?} {lost}");
            assert_eq!(world.open_partitions(), 0, "{api:?} {lost}");
        }
    }
}

#[test]
fn under_protocol_one_an_end_without_an_answer_is_indefinite_and_the_next_producer_settles_it() {
    for (lost, seen) in [("answer", vec!["a", "b"]), ("request", vec!["b"]), ("late request", vec!["b"])] {
        let world = World::new(One);
        let faults = world.cluster.faults();
        match lost {
            "answer" => faults.lose_responses(Api::EndTxn, 1),
            "request" => faults.lose_requests(Api::EndTxn, 1),
            _ => faults.delay_requests(Api::EndTxn, 1, LATER),
        }
        let mut producer = world.producer("p");
        producer.begin();
        producer.write_all("a");
        assert!(matches!(producer.commit(), TransactionOutcome::Indefinite(ClientError::TimedOut { .. })), "{lost}");
        for error in [producer.transactions().begin().unwrap_err(), producer.try_append(0, "x").unwrap_err()] {
            assert!(matches!(error, ClientError::Config(_)), "{lost}: {error}");
        }
        let mut next = world.producer("p");
        next.begin();
        next.write_all("b");
        world.clock.advance(LATER);
        assert!(matches!(next.commit(), TransactionOutcome::Committed), "{lost}");
        assert_eq!(world.committed(), everywhere(&seen), "{lost}");
    }
}

#[test]
fn under_protocol_one_no_answer_within_a_transaction_ends_the_producer() {
    for api in [Api::AddPartitionsToTxn, Api::AddOffsetsToTxn, Api::TxnOffsetCommit] {
        for commits in [true, false] {
            let world = World::new(One);
            world.cluster.faults().delay_requests(api, 1, LATER);
            let mut producer = world.producer("p");
            producer.begin();
            let told = producer.try_write_all("a").and_then(|()| producer.send_offsets(1)).unwrap_err();
            assert_eq!(told.class(), ErrorClass::Aborted, "{api:?}: {told}");
            if commits {
                assert!(matches!(producer.commit(), TransactionOutcome::Indefinite(_)), "{api:?}");
            } else {
                assert!(producer.abort().is_err(), "{api:?}");
            }
            assert!(producer.transactions().begin().is_err(), "{api:?}");
            let mut next = world.producer("p");
            next.begin();
            next.write_all("b");
            next.send_offsets(2).unwrap();
            world.clock.advance(LATER);
            assert!(matches!(next.commit(), TransactionOutcome::Committed), "{api:?}");
            assert_eq!((world.committed(), world.offset()), (everywhere(&["b"]), Some(2)), "{api:?}");
        }
    }
}

/// Why a producer is given up with its transaction: the same end of a transaction arrives once more while the next one is open.
#[test]
fn a_late_end_tears_the_next_transaction_under_protocol_one_alone() {
    for (protocol, torn) in [(One, true), (Two, false)] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        world.cluster.faults().repeat_requests(Api::EndTxn, 1, LATER);
        producer.begin();
        producer.write_all("a");
        assert!(matches!(producer.commit(), TransactionOutcome::Committed));
        producer.begin();
        producer.write_all("b");
        world.clock.advance(LATER);
        let seen = if torn { everywhere(&["a", "b"]) } else { everywhere(&["a"]) };
        assert_eq!(world.committed(), seen, "{protocol:?}");
        let aborted = producer.abort();
        assert_eq!(aborted.is_err(), torn, "{protocol:?}: what was to be aborted is seen: {aborted:?}");
        assert_eq!(world.committed(), seen, "{protocol:?}");
    }
}

#[test]
fn late_offsets_meet_the_next_transaction_under_protocol_one_alone() {
    for (protocol, offset) in [(One, 1), (Two, 2)] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        world.cluster.faults().repeat_requests(Api::TxnOffsetCommit, 1, LATER);
        producer.begin();
        producer.send_offsets(1).unwrap();
        assert!(matches!(producer.commit(), TransactionOutcome::Committed));
        producer.begin();
        producer.send_offsets(2).unwrap();
        world.clock.advance(LATER);
        assert!(matches!(producer.commit(), TransactionOutcome::Committed));
        assert_eq!(world.offset(), Some(offset), "{protocol:?}");
    }
}

#[test]
fn a_batch_that_arrives_after_its_transaction_opens_none() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        producer.begin();
        world.cluster.faults().delay_requests(Api::Produce, u32::MAX, LATER);
        assert!(producer.try_write_all("a").is_err());
        world.cluster.faults().forget_rules();
        // Under protocol 1 the producer cannot go on where the batch may still come.
        assert_eq!(producer.abort().is_err(), protocol == One);
        world.producer("p");
        world.clock.advance(LATER);
        assert_eq!(world.open_partitions(), 0, "{protocol:?}");
        assert_eq!(world.cluster.records(&world.topic), [], "{protocol:?}");
    }
}

#[test]
fn an_end_that_is_not_answered_in_time_is_indefinite() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        producer.begin();
        producer.write_all("a");
        world.cluster.faults().delay_answers(&world.clock, Duration::from_millis(50));
        let until = world.in_millis(20);
        let outcome = producer.transactions().commit(until);
        assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{protocol:?}: {outcome:?}");
        assert!(producer.transactions().begin().is_err(), "{protocol:?}");
    }
    let world = World::new(Two);
    let mut producer = world.producer("p");
    producer.begin();
    producer.write_all("a");
    world.cluster.faults().delay_answers(&world.clock, Duration::from_millis(50));
    let until = world.in_millis(100);
    assert!(matches!(producer.transactions().commit(until), TransactionOutcome::Committed));
}

#[test]
fn a_commit_that_may_have_come_before_the_fence_is_indefinite() {
    let world = World::new(Two);
    let mut producer = world.producer("p");
    producer.begin();
    producer.write_all("a");
    let faults = world.cluster.faults();
    faults.of_client("other").delay_requests(Api::InitProducerId, 1, Duration::from_millis(30));
    let other = producer_of("p").with("client.id", "other");
    assert!(world.try_producer_until(&other, Deadline::NOW).is_err());
    world.cluster.faults().lose_responses(Api::EndTxn, 1);
    world.cluster.faults().delay_answers(&world.clock, Duration::from_millis(50));
    let outcome = producer.commit();
    assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{outcome:?}");
    assert_eq!(world.committed(), everywhere(&["a"]), "it was in time");
}

#[test]
fn offsets_that_nobody_answered_are_not_left_out() {
    let world = World::new(Two);
    let mut producer = world.producer("p");
    for asks_again in [false, true] {
        producer.begin();
        producer.write_all("a");
        world.cluster.faults().lose_requests(Api::TxnOffsetCommit, 1);
        let offsets = offsets(&world.topic, 1);
        let told = producer.transactions().send_offsets(&world::nobody(), &offsets, Deadline::NOW);
        assert!(matches!(told, Err(ClientError::TimedOut { .. })), "{told:?}");
        if asks_again {
            producer.send_offsets(1).unwrap();
        }
        let outcome = producer.commit();
        assert_eq!(matches!(outcome, TransactionOutcome::Committed), asks_again, "{outcome:?}");
        assert_eq!(world.offset(), asks_again.then_some(1));
    }
    assert_eq!(world.committed(), everywhere(&["a"]));
}

#[test]
fn acknowledgements_of_an_aborted_transaction_do_not_come() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let mut producer = world.producer("p");
        world.cluster.faults().delay_answers(&world.clock, Duration::from_millis(50));
        producer.begin();
        producer.try_append(0, "a").unwrap();
        assert_eq!(producer.poll(), 0, "{protocol:?}: the answer is under way");
        producer.abort().unwrap();
        producer.begin();
        producer.try_append(1, "b").unwrap();
        assert_eq!(producer.poll(), 0, "{protocol:?}: that of the aborted one is due, and nobody asks for it");
        world.clock.advance(Duration::from_millis(50));
        assert_eq!(producer.poll(), 1, "{protocol:?}");
        assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{protocol:?}");
    }
}

#[test]
fn a_record_that_is_refused_aborts_the_transaction_and_no_more() {
    for protocol in [One, Two] {
        let world = World::new(protocol);
        let small = Topic::from("small");
        let configs = [("max.message.bytes".to_owned(), "100".to_owned())].into();
        let topic = NewTopic { topic: small.clone(), partitions: 1, replication_factor: 1, configs };
        world.cluster.create_topic_with(&topic).unwrap();
        let mut producer = world.producer("p");
        producer.begin();
        producer.write_all("a");
        producer.append_to(&small, &"x".repeat(200));
        let failed = producer.flush().unwrap_err();
        assert!(matches!(failed, ClientError::RecordTooLarge { .. }), "{protocol:?}: {failed}");
        let told = producer.try_append(0, "b").unwrap_err();
        assert_eq!(told.class(), ErrorClass::Aborted, "{protocol:?}: {told}");
        let outcome = producer.commit();
        assert!(
            matches!(outcome, TransactionOutcome::Aborted(ClientError::RecordTooLarge { .. })),
            "{protocol:?}: {outcome:?}"
        );
        producer.begin();
        producer.append_to(&small, "y");
        producer.write_all("c");
        assert!(matches!(producer.commit(), TransactionOutcome::Committed), "{protocol:?}");
        assert_eq!(world.committed(), everywhere(&["c"]), "{protocol:?}");
        assert_eq!(world.cluster.committed_records(&small).len(), 1, "{protocol:?}");
    }
}

#[test]
fn settings_that_make_no_transactions_are_refused() {
    let world = World::new(Two);
    for (key, value) in [("enable.idempotence", "false"), ("transaction.timeout.ms", "0"), ("transactional.id", "")] {
        let error = world.try_producer_with(&producer_of("p").with(key, value)).err();
        assert!(
            matches!(&error, Some(ClientError::Config(message)) if message.contains("transaction")),
            "{key}: {error:?}"
        );
    }
}
