//! Transactions on a real broker, under both of Kafka's protocols: the cluster's `transaction.version` is lowered and raised again.
//!
//! `HEADWATER_TEST_BOOTSTRAP` names the broker (`host:port`), `HEADWATER_KAFKA_LIBS` the folder with the jars of Kafka's tools.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test of real clients on a real broker")]

mod proxy;
mod world;

use std::collections::BTreeMap;

use headwater_client::{ClientError, CommittedOffset, GroupError, GroupIdentity, TransactionOutcome};
use headwater_record::{Offset, TopicPartition};

use proxy::{END_TXN, Fault, Proxy, TXN_OFFSET_COMMIT};
use world::{Member, Version, World};

/// In one test: the version of transactions is the cluster's.
#[test]
fn transactions_hold_under_both_protocols() {
    let Some(world) = World::of("transactions") else { return };
    hold(&world, "p2");
    java_reads_what_is_committed_and_takes_over(&world, "java");
    what_is_lost_is_asked_for_again(&world, "lost-p2");
    an_end_that_comes_late_meets_no_other_transaction(&world, "late-p2");
    let lowered = Version::lowered(&world, 1);
    hold(&world, "p1");
    after_a_lost_answer_another_producer_settles_it(&world, "lost-p1");
    an_end_that_comes_late_meets_no_other_producer(&world, "late-p1");
    drop(lowered);
    // A producer that began under the other version goes on.
    let mut writer = world.writer("upgraded", "upgraded");
    writer.transact(&[(0, "before")]);
    let lowered = Version::lowered(&world, 1);
    writer.transact(&[(0, "after")]);
    drop(lowered);
    assert_eq!(world.read("upgraded", 0, "end"), ["before", "after"]);
}

fn hold(world: &World, protocol: &str) {
    world.passes_the_suite(protocol);
    let name = |what: &str| format!("{what}-{protocol}");
    commits_are_seen_and_aborts_are_not(world, &name("ends"));
    what_was_not_flushed_is_not_committed(world, &name("unflushed"));
    a_refused_record_ends_its_transaction_and_no_other(world, &name("refused"));
    many_follow_one_another(world, &name("many"));
    the_next_of_the_same_name_takes_over(world, &name("fenced"));
    offsets_come_with_their_transaction(world, &name("offsets"));
    members_that_are_gone_commit_nothing(world, &name("members"));
}

fn commits_are_seen_and_aborts_are_not(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    let other = world.topic(&format!("{name}-other"));
    let config = writer.append(0, "outside");
    assert!(matches!(config, Err(ClientError::Config(_))), "{config:?}");
    writer.transact(&[(0, "a"), (1, "b"), (0, "c")]);
    writer.begin();
    writer.write(0, "aborted");
    writer.flush();
    // Not even sent.
    writer.write(1, "aborted");
    writer.abort().unwrap();
    writer.begin();
    writer.abort().unwrap();
    // Nothing was written: there is nothing to commit.
    writer.begin();
    writer.commit();
    writer.begin();
    writer.write(0, "d");
    writer.write_to(&other, 2, "e");
    writer.flush();
    writer.commit();
    assert_eq!(world.read(name, 0, "end"), ["a", "c", "d"]);
    assert_eq!(world.read(name, 1, "end"), ["b"]);
    assert_eq!(world.read(&format!("{name}-other"), 2, "end"), ["e"]);
}

fn what_was_not_flushed_is_not_committed(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    writer.begin();
    writer.write(0, "flushed");
    writer.flush();
    writer.write(0, "open");
    let why = writer.end_aborted();
    assert!(why.to_string().contains("flush the producer before"), "{why}");
    writer.transact(&[(0, "next")]);
    assert_eq!(world.read(name, 0, "end"), ["next"]);
}

fn a_refused_record_ends_its_transaction_and_no_other(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    let small = world.topic_with(&format!("{name}-small"), ("max.message.bytes", "1000"));
    writer.begin();
    writer.write(0, "with it");
    writer.write_to(&small, 0, &"x".repeat(2_000));
    let failed = writer.failures();
    assert!(matches!(failed[..], [ClientError::RecordTooLarge { .. }]), "{failed:?}");
    let refused = writer.append(1, "no more");
    assert!(matches!(refused, Err(ClientError::TransactionAborted(_))), "{refused:?}");
    let why = writer.end_aborted();
    assert!(matches!(why, ClientError::TransactionAborted(_)), "{why}");
    writer.begin();
    writer.write(0, "next");
    writer.write_to(&small, 0, "fits");
    writer.flush();
    writer.commit();
    assert_eq!(world.read(name, 0, "end"), ["next"]);
    assert_eq!(world.read(&format!("{name}-small"), 0, "end"), ["fits"]);
}

/// Each begins while the markers of the one before may still be written.
fn many_follow_one_another(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    let mut expected = BTreeMap::from([(0, Vec::new()), (1, Vec::new()), (2, Vec::new())]);
    for number in 0..60_i32 {
        let value = number.to_string();
        if number % 7 == 3 {
            writer.begin();
            writer.write(number % 3, "aborted");
            if number % 2 == 0 {
                writer.flush();
            }
            writer.abort().unwrap();
        } else {
            writer.transact(&[(number % 3, value.as_str())]);
            expected.entry(number % 3).or_default().push(value);
        }
    }
    for (partition, expected) in expected {
        assert_eq!(world.read(name, partition, "end"), expected);
    }
}

fn the_next_of_the_same_name_takes_over(world: &World, name: &str) {
    let mut first = world.writer(name, name);
    first.transact(&[(0, "first")]);
    first.begin();
    first.write(0, "left open");
    first.flush();
    let mut second = world.writer(name, name);
    second.transact(&[(0, "second")]);
    let outcome = first.end();
    assert!(matches!(outcome, TransactionOutcome::Fenced(_)), "{outcome:?}");
    let begun = first.try_begin();
    assert!(matches!(begun, Err(ClientError::Fenced(_))), "{begun:?}");
    // One that finds out while it writes.
    let mut third = world.writer(name, name);
    second.begin();
    second.write(0, "fenced");
    let failed = second.failures();
    assert!(matches!(failed[..], [ClientError::Fenced(_)]), "{failed:?}");
    let aborted = second.abort();
    assert!(matches!(aborted, Err(ClientError::Fenced(_))), "{aborted:?}");
    third.transact(&[(0, "third")]);
    assert_eq!(world.read(name, 0, "end"), ["first", "second", "third"]);
}

fn offsets_of(world: &World, name: &str, offset: i64) -> Vec<(TopicPartition, CommittedOffset)> {
    let committed = CommittedOffset { offset: Offset::new(offset), metadata: "AgAAAZ=".to_owned() };
    vec![(TopicPartition::new(world.name(name).as_str(), 0), committed)]
}

fn offsets_come_with_their_transaction(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    let mut member = Member::join(world, name);
    writer.begin();
    writer.write(0, "a");
    writer.flush();
    writer.send_offsets(&member.identity, &offsets_of(world, name, 7)).unwrap();
    let open = member.committed(name, true);
    assert_eq!(open, Err(ClientError::Group(GroupError::UnstableOffsets)));
    assert_eq!(member.committed(name, false), Ok(None), "nobody sees them before the commit");
    writer.commit();
    assert_eq!(member.committed_in_the_end(name), Some(7));
    // Offsets alone, and those of an abort.
    writer.begin();
    writer.send_offsets(&member.identity, &offsets_of(world, name, 8)).unwrap();
    writer.commit();
    assert_eq!(member.committed_in_the_end(name), Some(8));
    writer.begin();
    writer.send_offsets(&member.identity, &offsets_of(world, name, 9)).unwrap();
    writer.abort().unwrap();
    assert_eq!(member.committed_in_the_end(name), Some(8));
    assert_eq!(world.read(name, 0, "end"), ["a"]);
}

fn members_that_are_gone_commit_nothing(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    let mut member = Member::join(world, name);
    let valid = member.identity.clone();
    let older = GroupIdentity { generation: valid.generation - 1, ..valid.clone() };
    let stranger = GroupIdentity { member_id: "nobody".to_owned(), ..valid.clone() };
    for (identity, error) in [(older, GroupError::IllegalGeneration), (stranger, GroupError::UnknownMember)] {
        writer.begin();
        writer.write(0, "not committed");
        writer.flush();
        let refused = writer.send_offsets(&identity, &offsets_of(world, name, 5));
        assert_eq!(refused, Err(ClientError::Group(error)));
        let why = writer.end_aborted();
        assert_eq!(why, ClientError::Group(error));
    }
    // The same producer goes on.
    writer.begin();
    writer.write(0, "committed");
    writer.flush();
    writer.send_offsets(&valid, &offsets_of(world, name, 6)).unwrap();
    writer.commit();
    assert_eq!(member.committed_in_the_end(name), Some(6));
    assert_eq!(world.read(name, 0, "end"), ["committed"]);
}

fn what_is_lost_is_asked_for_again(world: &World, name: &str) {
    let proxy = Proxy::of(world.servers());
    let member = Member::join(world, name);
    let mut writer = world.writer_at(&proxy.address(), name, name);
    for number in 0..5 {
        writer.begin();
        writer.write(0, &number.to_string());
        writer.flush();
        proxy.next(TXN_OFFSET_COMMIT, Fault::LoseAnswer);
        proxy.next(END_TXN, Fault::LoseAnswer);
        writer.send_offsets(&member.identity, &offsets_of(world, name, number)).unwrap();
        if number == 3 {
            writer.abort().unwrap();
        } else {
            writer.commit();
        }
    }
    assert_eq!(world.read(name, 0, "end"), ["0", "1", "2", "4"]);
}

fn an_end_that_comes_late_meets_no_other_transaction(world: &World, name: &str) {
    let proxy = Proxy::of(world.servers());
    let mut writer = world.writer_at(&proxy.address(), name, name);
    for number in 0..4 {
        writer.begin();
        writer.write(0, &format!("{number} committed"));
        writer.flush();
        proxy.next(END_TXN, Fault::Hold);
        writer.commit();
        writer.begin();
        writer.write(0, &format!("{number} aborted"));
        writer.flush();
        assert_eq!(proxy.release(), 1, "the first attempt of the commit comes while the next transaction is open");
        writer.write(0, &format!("{number} aborted too"));
        writer.flush();
        writer.abort().unwrap();
    }
    assert_eq!(world.read(name, 0, "end"), ["0 committed", "1 committed", "2 committed", "3 committed"]);
}

fn after_a_lost_answer_another_producer_settles_it(world: &World, name: &str) {
    let proxy = Proxy::of(world.servers());
    for number in 0..3 {
        let mut writer = world.writer_at(&proxy.address(), name, name);
        writer.begin();
        writer.write(0, &number.to_string());
        writer.flush();
        proxy.next(END_TXN, Fault::LoseAnswer);
        let outcome = writer.end();
        assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{outcome:?}");
        let begun = writer.try_begin();
        assert!(matches!(begun, Err(ClientError::Config(_))), "{begun:?}");
    }
    // The broker had heard it.
    assert_eq!(world.read(name, 0, "end"), ["0", "1", "2"]);
}

fn an_end_that_comes_late_meets_no_other_producer(world: &World, name: &str) {
    let proxy = Proxy::of(world.servers());
    for number in 0..3 {
        let mut writer = world.writer_at(&proxy.address(), name, name);
        writer.begin();
        writer.write(0, "never committed");
        writer.flush();
        proxy.next(END_TXN, Fault::Hold);
        let outcome = writer.end();
        assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{outcome:?}");
        let mut next = world.writer(name, name);
        next.begin();
        next.write(0, "aborted");
        next.flush();
        assert_eq!(proxy.release(), 1, "the commit comes while the next producer's transaction is open");
        next.write(0, "aborted too");
        next.flush();
        next.abort().unwrap();
        next.transact(&[(0, &number.to_string())]);
    }
    assert_eq!(world.read(name, 0, "end"), ["0", "1", "2"]);
}

fn java_reads_what_is_committed_and_takes_over(world: &World, name: &str) {
    let mut writer = world.writer(name, name);
    writer.transact(&[(0, "one"), (0, "two")]);
    writer.begin();
    writer.write(0, "aborted");
    writer.flush();
    writer.abort().unwrap();
    writer.transact(&[(0, "three")]);
    let topic = world.name(name);
    let read = ["--topic", &topic, "--partition", "0", "--from-beginning", "--max-messages", "3"];
    let committed = ["--isolation-level", "read_committed", "--timeout-ms", "60000"];
    let said = world.tool("consumer.ConsoleConsumer", &[&read[..], &committed].concat());
    assert_eq!(said.lines().collect::<Vec<_>>(), ["one", "two", "three"]);
    writer.begin();
    writer.write(0, "left open");
    writer.flush();
    // A Java producer of the same name.
    let load = ["--topic", &topic, "--num-records", "3", "--record-size", "9", "--throughput", "-1"];
    let id = ["--transactional-id", &topic, "--transaction-duration-ms", "100"];
    world.tool("ProducerPerformance", &[&load[..], &id].concat());
    let outcome = writer.end();
    assert!(matches!(outcome, TransactionOutcome::Fenced(_)), "{outcome:?}");
    // And one of ours after it.
    world.writer(name, name).transact(&[(0, "four")]);
    let values = world.read(name, 0, "end");
    assert!(values.starts_with(&["one".into(), "two".into(), "three".into()]), "{values:?}");
    assert!(values.ends_with(&["four".into()]) && !values.contains(&"left open".into()), "{values:?}");
}
