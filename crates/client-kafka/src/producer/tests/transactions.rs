//! A transactional producer and a coordinator that is played: what is asked of whom under each protocol, and what silence means.

use headwater_client::{CommittedOffset, GroupError, GroupIdentity, TransactionOutcome, Transactional};
use headwater_record::TopicPartition;

use super::played::coordinator::{ADD_OFFSETS, ADD_PARTITIONS, COMMIT_OFFSETS, END, INIT};
use super::*;

/// For tests in which an answer does not come: others shall not hang on a slow machine's pace.
const IMPATIENT: [(&str, &str); 1] = [("request.timeout.ms", "1000")];

/// A broker whose cluster carries transactions by protocol `protocol`, and a producer that has begun one.
fn begun(protocol: i16, replies: Vec<Reply>, settings: &[(&str, &str)]) -> (Broker, KafkaProducer, PartitionRef) {
    let broker = Broker::play(replies);
    broker.carries_transactions(protocol);
    let named = [("transactional.id", "app-1"), ("transaction.timeout.ms", "7000")];
    let (mut producer, to) = producer(&broker, &[&named, settings].concat());
    transactions(&mut producer).init(until()).expect("a coordinator");
    transactions(&mut producer).begin().expect("none is open");
    broker.asked();
    (broker, producer, to)
}

fn transactions(producer: &mut KafkaProducer) -> &mut dyn Transactional {
    producer.transactional().expect("it has an id")
}

/// Writes a batch of one record into the open transaction.
fn write(producer: &mut KafkaProducer, to: PartitionRef) {
    append(producer, to, &[1]);
    let told = flushed(producer);
    assert!(matches!(told[..], [Ok((_, 1))]), "{told:?}");
}

fn commit(producer: &mut KafkaProducer) -> TransactionOutcome {
    transactions(producer).commit(until())
}

fn committed(producer: &mut KafkaProducer) {
    let outcome = commit(producer);
    assert!(matches!(outcome, TransactionOutcome::Committed), "{outcome:?}");
}

fn send_offsets(producer: &mut KafkaProducer) -> Result<(), ClientError> {
    let member = GroupIdentity {
        group: "app".to_owned(),
        member_id: "m".to_owned(),
        generation: 4,
        instance_id: Some("static".to_owned()),
    };
    let offset = CommittedOffset { offset: Offset::new(9), metadata: "AgA=".to_owned() };
    transactions(producer).send_offsets(&member, &[(TopicPartition::new("in", 2), offset)], until())
}

/// That nothing more can be done with this one, and that nothing more is asked.
fn is_of_no_more_use(broker: &Broker, producer: &mut KafkaProducer, to: PartitionRef) {
    broker.asked();
    let config = |result: Result<(), ClientError>| {
        assert!(matches!(&result, Err(ClientError::Config(text)) if text.contains("make a new one")), "{result:?}");
    };
    config(transactions(producer).begin());
    config(transactions(producer).init(until()));
    config(transactions(producer).abort(until()));
    config(producer.append(to, record(b"more")).map(drop));
    config(send_offsets(producer));
    assert_eq!(broker.asked(), [""; 0]);
}

#[test]
fn under_protocol_2_leaders_and_groups_hear_of_it_themselves_and_each_has_its_epoch() {
    let broker = Broker::play(Vec::new());
    broker.carries_transactions(2);
    let (mut producer, to) = producer(&broker, &[("transactional.id", "app-1"), ("transaction.timeout.ms", "7000")]);
    transactions(&mut producer).init(until()).expect("a coordinator");
    assert_eq!(broker.asked(), ["FindCoordinator 1 app-1", "InitProducerId app-1 7000 ms, epoch -1"]);
    transactions(&mut producer).begin().expect("none is open");
    write(&mut producer, to);
    write(&mut producer, to);
    assert_eq!(send_offsets(&mut producer), Ok(()));
    committed(&mut producer);
    let first = [
        "Produce v12 in app-1, epoch 0, from 0",
        "Produce v12 in app-1, epoch 0, from 1",
        "FindCoordinator 0 app",
        "TxnOffsetCommit v5 m of app, generation 4, static, epoch 0: 9 AgA=",
        "EndTxn v5 commit, epoch 0",
    ];
    assert_eq!(broker.asked(), first);
    transactions(&mut producer).begin().expect("none is open");
    write(&mut producer, to);
    transactions(&mut producer).abort(until()).expect("it is aborted");
    transactions(&mut producer).begin().expect("none is open");
    write(&mut producer, to);
    committed(&mut producer);
    let others = [
        "Produce v12 in app-1, epoch 1, from 0",
        "EndTxn v5 abort, epoch 1",
        "Produce v12 in app-1, epoch 2, from 0",
        "EndTxn v5 commit, epoch 2",
    ];
    assert_eq!(broker.asked(), others);
}

#[test]
fn under_protocol_1_the_coordinator_is_told_first_and_epochs_change_with_aborts() {
    // A cluster that was never told of the feature, and one that was told of version 1.
    for version in [0, 1] {
        let (broker, mut producer, to) = begun(version, Vec::new(), &[]);
        write(&mut producer, to);
        write(&mut producer, to);
        assert_eq!(send_offsets(&mut producer), Ok(()));
        committed(&mut producer);
        let first = [
            "AddPartitionsToTxn t[0], epoch 0",
            "Produce v11 in app-1, epoch 0, from 0",
            "Produce v11 in app-1, epoch 0, from 1",
            "AddOffsetsToTxn app, epoch 0",
            "FindCoordinator 0 app",
            "TxnOffsetCommit v4 m of app, generation 4, static, epoch 0: 9 AgA=",
            "EndTxn v4 commit, epoch 0",
        ];
        assert_eq!(broker.asked(), first);
        transactions(&mut producer).begin().expect("none is open");
        write(&mut producer, to);
        transactions(&mut producer).abort(until()).expect("it is aborted");
        transactions(&mut producer).begin().expect("none is open");
        write(&mut producer, to);
        committed(&mut producer);
        let others = [
            "AddPartitionsToTxn t[0], epoch 0",
            "Produce v11 in app-1, epoch 0, from 2",
            "EndTxn v4 abort, epoch 0",
            "InitProducerId app-1 7000 ms, epoch 0",
            "AddPartitionsToTxn t[0], epoch 1",
            "Produce v11 in app-1, epoch 1, from 0",
            "EndTxn v4 commit, epoch 1",
        ];
        assert_eq!(broker.asked(), others);
    }
}

#[test]
fn the_coordinator_is_followed_and_markers_of_the_one_before_are_awaited() {
    for protocol in [1, 2] {
        let broker = Broker::play(Vec::new());
        broker.carries_transactions(protocol);
        // Loads, and writes the markers of whoever had the name before.
        broker.answers(INIT, &[Reply::Code(14), Reply::Code(51), Reply::Code(51), Reply::Close]);
        let (mut producer, to) = producer(&broker, &[("transactional.id", "app-1")]);
        transactions(&mut producer).init(until()).expect("in the end");
        transactions(&mut producer).begin().expect("none is open");
        broker.answers(ADD_PARTITIONS, &[Reply::Code(51), Reply::Code(16), Reply::Code(3)]);
        write(&mut producer, to);
        broker.answers(ADD_OFFSETS, &[Reply::Code(51), Reply::Code(15)]);
        broker.answers(COMMIT_OFFSETS, &[Reply::Code(51), Reply::Code(7), Reply::Code(14)]);
        assert_eq!(send_offsets(&mut producer), Ok(()));
        let other = Broker::play(Vec::new());
        other.carries_transactions(protocol);
        broker.hands_coordinators_to(&other);
        broker.answers(END, &[Reply::Code(51), Reply::Code(16)]);
        other.answers(END, &[Reply::Code(14)]);
        committed(&mut producer);
        let version = if protocol == 2 { 5 } else { 4 };
        let end = format!("EndTxn v{version} commit, epoch 0");
        assert_eq!(other.asked(), [end.clone(), end]);
    }
}

#[test]
fn under_protocol_2_a_lost_answer_is_asked_for_again() {
    for lost in [Reply::Nothing, Reply::Close] {
        let (broker, mut producer, to) = begun(2, Vec::new(), &IMPATIENT);
        write(&mut producer, to);
        broker.answers(COMMIT_OFFSETS, &[lost]);
        assert_eq!(send_offsets(&mut producer), Ok(()));
        broker.answers(END, &[lost]);
        committed(&mut producer);
        let ends: Vec<_> = broker.asked().into_iter().filter(|asked| asked.starts_with("EndTxn")).collect();
        assert_eq!(ends, ["EndTxn v5 commit, epoch 0", "EndTxn v5 commit, epoch 0"]);
        transactions(&mut producer).begin().expect("it goes on");
    }
}

#[test]
fn under_protocol_1_a_lost_end_is_the_last_that_is_heard_of_a_producer() {
    for (lost, commits) in [(Reply::Nothing, true), (Reply::Close, true), (Reply::Close, false)] {
        let (broker, mut producer, to) = begun(1, Vec::new(), &IMPATIENT);
        write(&mut producer, to);
        broker.asked();
        broker.answers(END, &[lost]);
        if commits {
            let outcome = commit(&mut producer);
            assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{outcome:?}");
        } else {
            assert!(transactions(&mut producer).abort(until()).is_err());
        }
        let ends = broker.asked();
        assert!(matches!(&ends[..], [end] if end.starts_with("EndTxn v4")), "not asked again: {ends:?}");
        is_of_no_more_use(&broker, &mut producer, to);
    }
}

#[test]
fn under_protocol_1_any_lost_answer_ends_the_producer() {
    for (lost, of_batch) in [(ADD_PARTITIONS, true), (ADD_OFFSETS, false), (COMMIT_OFFSETS, false)] {
        let (broker, mut producer, to) = begun(1, Vec::new(), &[]);
        broker.answers(lost, &[Reply::Close]);
        if of_batch {
            append(&mut producer, to, &[1]);
            let told = flushed(&mut producer);
            assert!(matches!(told[..], [Err(ClientError::Unavailable { .. })]), "{told:?}");
        } else {
            write(&mut producer, to);
        }
        let sent = send_offsets(&mut producer);
        assert!(
            matches!(&sent, Err(ClientError::TransactionAborted(text)) if text.contains("may still arrive")),
            "{sent:?}"
        );
        broker.asked();
        let outcome = commit(&mut producer);
        assert!(matches!(outcome, TransactionOutcome::Indefinite(_)), "{outcome:?}");
        assert_eq!(broker.asked(), [""; 0], "nothing is asked any more");
        is_of_no_more_use(&broker, &mut producer, to);
    }
}

#[test]
fn a_commit_that_may_have_been_in_time_is_not_known_whatever_is_said_later() {
    for code in [90, 47, 48] {
        let (broker, mut producer, to) = begun(2, Vec::new(), &[]);
        write(&mut producer, to);
        broker.answers(END, &[Reply::Close, Reply::Code(code)]);
        let outcome = commit(&mut producer);
        assert!(matches!(outcome, TransactionOutcome::Indefinite(ClientError::Fenced(_))), "{code}: {outcome:?}");
        let begun = transactions(&mut producer).begin();
        assert!(matches!(begun, Err(ClientError::Fenced(_))), "{begun:?}");
    }
}

#[test]
fn an_end_that_is_never_answered_is_not_known() {
    let (broker, mut producer, to) = begun(2, Vec::new(), &[("request.timeout.ms", "50")]);
    write(&mut producer, to);
    broker.answers(END, &[Reply::Nothing; 100]);
    let soon = Deadline::after(SystemClock.now(), Duration::from_millis(400));
    let outcome = transactions(&mut producer).commit(soon);
    assert!(matches!(outcome, TransactionOutcome::Indefinite(ClientError::TimedOut { .. })), "{outcome:?}");
    is_of_no_more_use(&broker, &mut producer, to);
}

#[test]
fn a_batch_that_may_still_arrive_is_waited_for_and_then_depends_on_the_protocol() {
    for protocol in [1, 2] {
        let (broker, mut producer, to) = begun(protocol, vec![Reply::Nothing], &IMPATIENT);
        append(&mut producer, to, &[1]);
        while broker.seen().is_empty() {
            std::thread::yield_now();
        }
        broker.asked();
        let aborted = transactions(&mut producer).abort(until());
        if protocol == 2 {
            assert_eq!(aborted, Ok(()));
            assert_eq!(broker.asked(), ["EndTxn v5 abort, epoch 0"]);
        } else {
            assert!(matches!(aborted, Err(ClientError::TransactionAborted(_))), "{aborted:?}");
            assert_eq!(broker.asked(), [""; 0]);
            is_of_no_more_use(&broker, &mut producer, to);
        }
        assert_eq!((producer.memory.used, producer.gathering.unanswered()), (0, 0));
    }
}

#[test]
fn whoever_is_fenced_hears_it_wherever_it_asks() {
    for protocol in [1, 2] {
        for (key, code) in [(END, 90), (END, 47), (END, 49), (END, 48), (COMMIT_OFFSETS, 90), (COMMIT_OFFSETS, 47)] {
            let (broker, mut producer, to) = begun(protocol, Vec::new(), &[]);
            write(&mut producer, to);
            broker.answers(key, &[Reply::Code(code)]);
            if key == COMMIT_OFFSETS {
                let sent = send_offsets(&mut producer);
                assert!(matches!(sent, Err(ClientError::Fenced(_))), "{sent:?}");
            }
            let outcome = commit(&mut producer);
            assert!(matches!(outcome, TransactionOutcome::Fenced(_)), "{code}: {outcome:?}");
            let begun = transactions(&mut producer).begin();
            assert!(matches!(begun, Err(ClientError::Fenced(_))), "{begun:?}");
        }
        for code in [47, 49, 59, 90] {
            let (_broker, mut producer, to) = begun(protocol, vec![Reply::Code(code)], &[]);
            append(&mut producer, to, &[1]);
            let mut acks = Vec::new();
            let flushed = producer.flush(until(), &mut acks);
            assert!(matches!(flushed, Err(ClientError::Fenced(_))), "{flushed:?}");
            assert!(matches!(acks[..], [BatchAck::Failed { error: ClientError::Fenced(_), .. }]), "{acks:?}");
            let outcome = commit(&mut producer);
            assert!(matches!(outcome, TransactionOutcome::Fenced(_)), "{code}: {outcome:?}");
        }
    }
}

#[test]
fn a_failed_batch_has_the_transaction_aborted_and_the_next_begins_anew() {
    for (code, protocol) in [(87, 1), (87, 2), (45, 1), (45, 2), (48, 2), (120, 2)] {
        let (broker, mut producer, to) = begun(protocol, vec![Reply::Store, Reply::Code(code)], &[]);
        write(&mut producer, to);
        append(&mut producer, to, &[2]);
        let told = flushed(&mut producer);
        assert!(matches!(told[..], [Err(_)]), "{told:?}");
        let refused = producer.append(to, record(b"more"));
        assert!(matches!(refused, Err(ClientError::TransactionAborted(_))), "{refused:?}");
        broker.asked();
        let outcome = commit(&mut producer);
        let TransactionOutcome::Aborted(why) = outcome else { panic!("{outcome:?}") };
        assert!(why.to_string().contains("a batch of it was not written"), "{why}");
        let ended = broker.asked();
        assert!(ended.iter().all(|asked| !asked.contains("commit")) && !ended.is_empty(), "{ended:?}");
        transactions(&mut producer).begin().expect("the producer goes on");
        write(&mut producer, to);
        committed(&mut producer);
        assert_eq!(broker.seen().last(), Some(&(1, 0, 1)), "{code}");
    }
}

#[test]
fn a_partition_that_may_not_be_written_to_fails_its_batches_unsent() {
    let (broker, mut producer, to) = begun(1, Vec::new(), &[]);
    broker.answers(ADD_PARTITIONS, &[Reply::Code(29)]);
    append(&mut producer, to, &[1]);
    let told = flushed(&mut producer);
    assert!(matches!(told[..], [Err(ClientError::NotAuthorised(_))]), "{told:?}");
    let outcome = commit(&mut producer);
    assert!(matches!(outcome, TransactionOutcome::Aborted(_)), "{outcome:?}");
    // The coordinator has not heard of the transaction: there is nothing to end.
    assert_eq!(broker.asked(), ["AddPartitionsToTxn t[0], epoch 0"]);
}

#[test]
fn a_generation_that_is_gone_has_the_transaction_aborted() {
    for protocol in [1, 2] {
        let (broker, mut producer, to) = begun(protocol, Vec::new(), &[]);
        write(&mut producer, to);
        broker.answers(COMMIT_OFFSETS, &[Reply::Code(22)]);
        let gone = ClientError::Group(GroupError::IllegalGeneration);
        assert_eq!(send_offsets(&mut producer), Err(gone.clone()));
        let outcome = commit(&mut producer);
        assert!(matches!(&outcome, TransactionOutcome::Aborted(why) if *why == gone), "{outcome:?}");
        transactions(&mut producer).begin().expect("the producer goes on");
    }
}

#[test]
fn a_cluster_that_is_too_old_is_refused_with_the_version_that_is_needed() {
    for (key, newest) in [(COMMIT_OFFSETS, 2), (INIT, 2), (10, 3)] {
        let broker = Broker::play(Vec::new());
        broker.speak_up_to(key, newest);
        let (mut producer, _) = producer(&broker, &[("transactional.id", "app-1")]);
        let error = transactions(&mut producer).init(until()).expect_err("it is too old");
        assert!(matches!(error, ClientError::Broker { code: 35, retriable: false, .. }), "{error:?}");
        assert!(error.to_string().contains("is too old: exactly-once needs Kafka 3.0 or later"), "{error}");
    }
}

#[test]
fn what_the_coordinator_refuses_at_first_is_said() {
    for (code, part) in [(53, "not authorised"), (50, "transaction.max.timeout.ms")] {
        let broker = Broker::play(Vec::new());
        broker.answers(INIT, &[Reply::Code(code)]);
        let (mut producer, _) = producer(&broker, &[("transactional.id", "app-1")]);
        let error = transactions(&mut producer).init(until()).expect_err("it is refused");
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(transactions(&mut producer).init(until()), Ok(()), "it may be tried again");
    }
}
