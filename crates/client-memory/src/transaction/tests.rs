//! The state machine by itself: every event in every state, under both protocols.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_record::{Timestamp, TopicPartition};

use super::{
    Event, Identity, LAST_EPOCH, Markers, Participant, ProducerIds, Refusal, Step, Transaction, TransactionEnd,
    TransactionProtocol, TransactionState,
};
use crate::partition_log::ProducerId;
use Refusal::{
    ConcurrentTransactions, InvalidProducerIdMapping, InvalidTxnState, ProducerFenced, TransactionAbortable,
};
use TransactionEnd::{Abort, Commit};
use TransactionProtocol::{One, Two};
use TransactionState::{Complete, Empty, Ongoing, Prepared};

const BEGAN: Timestamp = Timestamp::from_millis(1_000);
const NOW: Timestamp = Timestamp::from_millis(2_000);
const TIMEOUT: Duration = Duration::from_secs(10);
/// The epoch of the producer in [`at`].
const EPOCH: i16 = 5;

fn partition(number: i32) -> Participant {
    Participant::Partition(TopicPartition::new("t", number))
}

fn by(epoch: i16) -> Identity {
    Identity { producer: ProducerId(1), epoch }
}

/// A transaction in `state`, with one partition while it has any.
fn at(protocol: TransactionProtocol, state: TransactionState) -> Transaction {
    let mut transaction = Transaction::new(protocol, ProducerId(1));
    transaction.identity = by(EPOCH);
    transaction.timeout = TIMEOUT;
    transaction.state = state;
    if matches!(state, Ongoing(_) | Prepared(_)) {
        transaction.participants.insert(partition(0));
    }
    transaction
}

/// What comes of an event, and where it leads.
fn step(transaction: &Transaction, event: Event) -> (Step, Transaction) {
    let mut after = transaction.clone();
    let mut ids = ProducerIds(1);
    let step = after.step(NOW, event, &mut ids);
    (step, after)
}

fn end(epoch: i16, end: TransactionEnd) -> Event {
    Event::End { by: by(epoch), end }
}

#[test]
fn initialising_gives_the_next_epoch_and_fences_what_is_open() {
    for protocol in [One, Two] {
        for (state, answer, leads_to) in [
            (Empty, Ok(by(EPOCH + 1)), Empty),
            (Complete(Commit), Ok(by(EPOCH + 1)), Empty),
            (Complete(Abort), Ok(by(EPOCH + 1)), Empty),
            (Ongoing(BEGAN), Err(ConcurrentTransactions), Prepared(Abort)),
            (Prepared(Commit), Err(ConcurrentTransactions), Prepared(Commit)),
            (Prepared(Abort), Err(ConcurrentTransactions), Prepared(Abort)),
        ] {
            let (step, after) = step(&at(protocol, state), Event::Init { timeout: TIMEOUT });
            assert_eq!((step.answer, after.state), (answer, leads_to), "{protocol:?} {state:?}");
            assert_eq!(step.write.is_some(), matches!(state, Ongoing(_)), "{protocol:?} {state:?}");
        }
    }
}

#[test]
fn a_fence_has_markers_that_no_earlier_epoch_can_follow() {
    for protocol in [One, Two] {
        for event in [Event::TimedOut, Event::Init { timeout: TIMEOUT }] {
            let (fenced, after) = step(&at(protocol, Ongoing(BEGAN)), event);
            let markers = Markers { by: by(EPOCH + 1), end: Abort, to: [partition(0)].into() };
            assert_eq!(fenced.write, Some(markers), "{protocol:?}");
            assert_eq!((after.identity, after.state), (by(EPOCH + 1), Prepared(Abort)), "{protocol:?}");
            let (_, after) = step(&after, Event::MarkersWritten);
            let (commits, aborts) = match protocol {
                One => (ProducerFenced, Err(ProducerFenced)),
                Two => (InvalidTxnState, Ok(by(EPOCH + 1))),
            };
            assert_eq!(step(&after, end(EPOCH, Commit)).0.answer, Err(commits), "{protocol:?}");
            assert_eq!(step(&after, end(EPOCH, Abort)).0.answer, aborts, "{protocol:?}");
        }
    }
}

#[test]
fn only_what_is_open_times_out() {
    assert_eq!(at(Two, Ongoing(BEGAN)).deadline(), Some(BEGAN.plus(TIMEOUT)));
    for state in [Empty, Prepared(Commit), Prepared(Abort), Complete(Commit), Complete(Abort)] {
        let transaction = at(Two, state);
        assert_eq!(transaction.deadline(), None, "{state:?}");
        let (step, after) = step(&transaction, Event::TimedOut);
        assert_eq!((step, after), (Step { answer: Ok(by(EPOCH)), write: None }, transaction), "{state:?}");
    }
}

#[test]
fn what_is_added_opens_a_transaction_and_lets_its_time_run() {
    let add = |by| Event::Add { by, participant: partition(1) };
    for protocol in [One, Two] {
        for (state, leads_to, participants) in [
            (Empty, Ongoing(NOW), 1),
            (Complete(Commit), Ongoing(NOW), 1),
            (Complete(Abort), Ongoing(NOW), 1),
            (Ongoing(BEGAN), Ongoing(BEGAN), 2),
        ] {
            let (step, after) = step(&at(protocol, state), add(by(EPOCH)));
            assert_eq!(step, Step { answer: Ok(by(EPOCH)), write: None }, "{protocol:?} {state:?}");
            assert_eq!((after.state, after.participants.len()), (leads_to, participants), "{protocol:?} {state:?}");
        }
    }
}

#[test]
fn who_may_not_write_is_told_why() {
    let other = Identity { producer: ProducerId(2), epoch: EPOCH };
    for protocol in [One, Two] {
        for (state, by, refusal) in [
            (Ongoing(BEGAN), by(EPOCH - 1), ProducerFenced),
            (Ongoing(BEGAN), by(EPOCH + 1), ProducerFenced),
            (Ongoing(BEGAN), other, InvalidProducerIdMapping),
            (Prepared(Commit), by(EPOCH), ConcurrentTransactions),
            (Prepared(Abort), by(EPOCH), ConcurrentTransactions),
            (Prepared(Abort), by(EPOCH - 1), ProducerFenced),
        ] {
            let transaction = at(protocol, state);
            for event in [Event::Add { by, participant: partition(1) }, Event::Verify { by, participant: partition(0) }]
            {
                let (step, after) = step(&transaction, event);
                assert_eq!((step, &after), (Step::refused(refusal), &transaction), "{protocol:?} {state:?} {by:?}");
            }
        }
    }
}

#[test]
fn under_protocol_one_only_what_was_added_is_verified() {
    let verify = |participant| Event::Verify { by: by(EPOCH), participant };
    assert!(step(&at(One, Ongoing(BEGAN)), verify(partition(0))).0.answer.is_ok());
    for (state, participant) in [
        (Ongoing(BEGAN), partition(1)),
        (Ongoing(BEGAN), Participant::Group("g".into())),
        (Empty, partition(0)),
        (Complete(Commit), partition(0)),
    ] {
        let (step, _) = step(&at(One, state), verify(participant));
        assert_eq!(step.answer, Err(TransactionAbortable), "{state:?}");
    }
}

#[test]
fn an_end_under_protocol_one_keeps_the_epoch() {
    for (state, epoch, wanted, answer, leads_to) in [
        (Ongoing(BEGAN), EPOCH, Commit, Ok(by(EPOCH)), Prepared(Commit)),
        (Ongoing(BEGAN), EPOCH, Abort, Ok(by(EPOCH)), Prepared(Abort)),
        (Ongoing(BEGAN), EPOCH - 1, Commit, Err(ProducerFenced), Ongoing(BEGAN)),
        (Ongoing(BEGAN), EPOCH + 1, Commit, Err(ProducerFenced), Ongoing(BEGAN)),
        (Prepared(Commit), EPOCH, Commit, Err(ConcurrentTransactions), Prepared(Commit)),
        (Prepared(Commit), EPOCH, Abort, Err(InvalidTxnState), Prepared(Commit)),
        (Prepared(Abort), EPOCH, Abort, Err(ConcurrentTransactions), Prepared(Abort)),
        (Prepared(Abort), EPOCH, Commit, Err(InvalidTxnState), Prepared(Abort)),
        // Repeated, and also late: nothing tells the two apart, nor either from the end of the next transaction.
        (Complete(Commit), EPOCH, Commit, Ok(by(EPOCH)), Complete(Commit)),
        (Complete(Commit), EPOCH, Abort, Err(InvalidTxnState), Complete(Commit)),
        (Complete(Abort), EPOCH, Abort, Ok(by(EPOCH)), Complete(Abort)),
        (Complete(Abort), EPOCH, Commit, Err(InvalidTxnState), Complete(Abort)),
        (Empty, EPOCH, Commit, Err(InvalidTxnState), Empty),
        (Empty, EPOCH, Abort, Err(InvalidTxnState), Empty),
    ] {
        let (step, after) = step(&at(One, state), end(epoch, wanted));
        assert_eq!((step.answer, after.state), (answer, leads_to), "{state:?} {epoch} {wanted:?}");
        let writes = answer.is_ok() && matches!(state, Ongoing(_));
        let markers = writes.then(|| Markers { by: by(EPOCH), end: wanted, to: [partition(0)].into() });
        assert_eq!(step.write, markers, "{state:?} {epoch} {wanted:?}");
    }
}

#[test]
fn an_end_under_protocol_two_gives_the_next_epoch_and_knows_its_repetition() {
    let next = EPOCH + 1;
    for (state, epoch, wanted, answer, leads_to) in [
        (Ongoing(BEGAN), EPOCH, Commit, Ok(by(next)), Prepared(Commit)),
        (Ongoing(BEGAN), EPOCH, Abort, Ok(by(next)), Prepared(Abort)),
        // The end of the transaction before, late: this is what protocol 1 cannot tell.
        (Ongoing(BEGAN), EPOCH - 1, Commit, Err(ProducerFenced), Ongoing(BEGAN)),
        (Ongoing(BEGAN), EPOCH - 1, Abort, Err(ProducerFenced), Ongoing(BEGAN)),
        (Ongoing(BEGAN), next, Commit, Err(ProducerFenced), Ongoing(BEGAN)),
        // Repeated, in the epoch before the present one.
        (Prepared(Commit), EPOCH - 1, Commit, Err(ConcurrentTransactions), Prepared(Commit)),
        (Prepared(Commit), EPOCH - 1, Abort, Err(InvalidTxnState), Prepared(Commit)),
        (Prepared(Abort), EPOCH - 1, Abort, Err(ConcurrentTransactions), Prepared(Abort)),
        (Prepared(Abort), EPOCH - 1, Commit, Err(InvalidTxnState), Prepared(Abort)),
        (Prepared(Commit), EPOCH, Commit, Err(ProducerFenced), Prepared(Commit)),
        (Prepared(Commit), EPOCH - 2, Commit, Err(ProducerFenced), Prepared(Commit)),
        (Complete(Commit), EPOCH - 1, Commit, Ok(by(EPOCH)), Complete(Commit)),
        (Complete(Commit), EPOCH - 1, Abort, Err(InvalidTxnState), Complete(Commit)),
        (Complete(Abort), EPOCH - 1, Abort, Ok(by(EPOCH)), Complete(Abort)),
        (Complete(Abort), EPOCH - 1, Commit, Err(InvalidTxnState), Complete(Abort)),
        (Complete(Commit), EPOCH - 2, Commit, Err(ProducerFenced), Complete(Commit)),
        // An abort of which the cluster has seen nothing else.
        (Complete(Commit), EPOCH, Abort, Ok(by(next)), Prepared(Abort)),
        (Complete(Abort), EPOCH, Abort, Ok(by(next)), Prepared(Abort)),
        (Empty, EPOCH, Abort, Ok(by(next)), Prepared(Abort)),
        (Complete(Commit), EPOCH, Commit, Err(InvalidTxnState), Complete(Commit)),
        (Complete(Abort), EPOCH, Commit, Err(InvalidTxnState), Complete(Abort)),
        (Empty, EPOCH, Commit, Err(InvalidTxnState), Empty),
        (Empty, EPOCH - 1, Abort, Err(ProducerFenced), Empty),
    ] {
        let (step, after) = step(&at(Two, state), end(epoch, wanted));
        assert_eq!((step.answer, after.state), (answer, leads_to), "{state:?} {epoch} {wanted:?}");
        let writes = answer == Ok(by(next));
        let to = if matches!(state, Ongoing(_)) { [partition(0)].into() } else { [].into() };
        let markers = writes.then_some(Markers { by: by(next), end: wanted, to });
        assert_eq!(step.write, markers, "{state:?} {epoch} {wanted:?}");
    }
}

#[test]
fn another_producer_id_ends_nothing() {
    let other = Identity { producer: ProducerId(2), epoch: EPOCH };
    for protocol in [One, Two] {
        for state in [Empty, Ongoing(BEGAN), Prepared(Commit), Complete(Commit)] {
            let (step, _) = step(&at(protocol, state), Event::End { by: other, end: Commit });
            assert_eq!(step, Step::refused(InvalidProducerIdMapping), "{protocol:?} {state:?}");
        }
    }
}

#[test]
fn markers_complete_the_end_and_empty_the_transaction() {
    for (state, leads_to) in [
        (Prepared(Commit), Complete(Commit)),
        (Prepared(Abort), Complete(Abort)),
        (Empty, Empty),
        (Complete(Commit), Complete(Commit)),
    ] {
        let (_, after) = step(&at(Two, state), Event::MarkersWritten);
        assert_eq!((after.state, after.participants.len()), (leads_to, 0), "{state:?}");
    }
}

#[test]
fn when_its_epochs_are_used_up_the_producer_gets_another_id() {
    let new = Identity { producer: ProducerId(2), epoch: 0 };
    for protocol in [One, Two] {
        let mut transaction = at(protocol, Complete(Commit));
        transaction.identity.epoch = LAST_EPOCH;
        let (step, _) = step(&transaction, Event::Init { timeout: TIMEOUT });
        assert_eq!(step.answer, Ok(new), "{protocol:?}");
    }
    let mut transaction = at(Two, Ongoing(BEGAN));
    transaction.identity.epoch = LAST_EPOCH;
    let (ended, prepared) = step(&transaction, end(LAST_EPOCH, Commit));
    let markers = Markers { by: by(i16::MAX), end: Commit, to: [partition(0)].into() };
    assert_eq!((ended.answer, ended.write), (Ok(new), Some(markers.clone())));
    assert_eq!(prepared.unfinished(), Some(markers), "markers are those of the producer that wrote");
    let (_, complete) = step(&prepared, Event::MarkersWritten);
    assert_eq!(step(&complete, end(LAST_EPOCH, Commit)).0.answer, Ok(new), "repeated");
    assert_eq!(step(&complete, end(LAST_EPOCH, Abort)).0.answer, Err(InvalidTxnState));
    let (_, fenced) = step(&transaction, Event::TimedOut);
    let (_, fenced) = step(&fenced, Event::MarkersWritten);
    assert_eq!(step(&fenced, end(LAST_EPOCH, Commit)).0.answer, Err(InvalidTxnState));
    assert_eq!(step(&fenced, Event::Init { timeout: TIMEOUT }).0.answer, Ok(Identity { epoch: 1, ..new }));
}
