//! Every error code of every request, by name, and what becomes of a transaction step by step.

use headwater_client::{ErrorClass, GroupError};
use kafka_protocol::error::ResponseError;
use kafka_protocol::error::ResponseError::*;

use super::codes::{Verdict, deciding, verdict};
use super::*;

const ME: Identity = Identity { producer_id: 7, epoch: 3 };
const NEXT: Identity = Identity { producer_id: 7, epoch: 4 };
const COMMIT: Ask = Ask::End { commit: true };
const ABORT: Ask = Ask::End { commit: false };
const ALL: [Ask; 7] = [Ask::Init, Ask::Raise, Ask::AddPartitions, Ask::AddOffsets, Ask::CommitOffsets, COMMIT, ABORT];

/// A verdict without its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Again,
    Elsewhere,
    /// The transaction must be aborted, and the error is of this class.
    Abort(ErrorClass),
    Fenced,
    Fatal,
}

fn kind(ask: Ask, code: ResponseError) -> Kind {
    match verdict(ask, code.code()) {
        Verdict::Done => panic!("{code:?} is an error"),
        Verdict::Again(_) => Kind::Again,
        Verdict::Elsewhere(_) => Kind::Elsewhere,
        Verdict::Abort(error) => Kind::Abort(error.class()),
        Verdict::Over(ClientError::Fenced(_)) => Kind::Fenced,
        Verdict::Over(_) => Kind::Fatal,
    }
}

#[test]
fn codes_mean_the_same_for_every_request() {
    for ask in ALL {
        assert_eq!(verdict(ask, 0), Verdict::Done);
        for code in [CoordinatorNotAvailable, NotCoordinator] {
            assert_eq!(kind(ask, code), Kind::Elsewhere, "{ask:?} {code:?}");
        }
        for code in [CoordinatorLoadInProgress, ConcurrentTransactions, NotEnoughReplicas, KafkaStorageError] {
            assert_eq!(kind(ask, code), Kind::Again, "{ask:?} {code:?}");
        }
        for code in [InvalidProducerEpoch, ProducerFenced, InvalidProducerIdMapping, UnknownProducerId] {
            assert_eq!(kind(ask, code), Kind::Fenced, "{ask:?} {code:?}");
        }
        for code in [TransactionalIdAuthorizationFailed, ClusterAuthorizationFailed] {
            assert_eq!(kind(ask, code), Kind::Fatal, "{ask:?} {code:?}");
        }
        // A transaction that is not open any more was aborted for its time-out.
        let stateless = if ask == COMMIT { Kind::Fenced } else { Kind::Fatal };
        assert_eq!(kind(ask, InvalidTxnState), stateless, "{ask:?}");
        assert_eq!(kind(ask, TransactionAbortable), Kind::Abort(ErrorClass::Aborted), "{ask:?}");
    }
}

#[test]
fn codes_mean_what_they_mean_for_their_request() {
    use ErrorClass::{Aborted, Fatal, Fenced, Retriable};
    type Row<'a> = (&'a [Ask], &'a [ResponseError], Kind);
    let inits = [Ask::Init, Ask::Raise];
    let (partitions, ends) = ([Ask::AddPartitions], [COMMIT, ABORT]);
    let offsets = [Ask::AddOffsets, Ask::CommitOffsets];
    let table: [Row<'_>; 14] = [
        (&inits, &[RequestTimedOut], Kind::Again),
        (&inits, &[InvalidTransactionTimeout, UnsupportedVersion, InvalidRequest, UnknownServerError], Kind::Fatal),
        (&partitions, &[UnknownTopicOrPartition, RequestTimedOut], Kind::Again),
        (&partitions, &[TopicAuthorizationFailed], Kind::Abort(Fatal)),
        (&partitions, &[OperationNotAttempted, InvalidTopicException, UnknownServerError], Kind::Abort(Aborted)),
        (&[Ask::AddOffsets], &[RequestTimedOut, UnknownTopicOrPartition], Kind::Again),
        (&[Ask::CommitOffsets], &[RequestTimedOut], Kind::Elsewhere),
        (&[Ask::CommitOffsets], &[UnknownTopicOrPartition], Kind::Again),
        (&offsets, &[GroupAuthorizationFailed, TopicAuthorizationFailed, FencedInstanceId], Kind::Abort(Fatal)),
        (
            &offsets,
            &[IllegalGeneration, UnknownMemberId, GroupIdNotFound, FencedMemberEpoch, StaleMemberEpoch],
            Kind::Abort(Fenced),
        ),
        (&offsets, &[RebalanceInProgress], Kind::Abort(Retriable)),
        (
            &offsets,
            &[UnsupportedForMessageFormat, OffsetMetadataTooLarge, InvalidGroupId, UnknownServerError],
            Kind::Fatal,
        ),
        (&ends, &[RequestTimedOut], Kind::Again),
        (&ends, &[UnknownServerError, InvalidRequest, UnsupportedVersion], Kind::Fatal),
    ];
    for (asks, codes, expected) in table {
        for (ask, code) in asks.iter().flat_map(|ask| codes.iter().map(move |code| (*ask, *code))) {
            assert_eq!(kind(ask, code), expected, "{ask:?} {code:?}");
        }
    }
}

#[test]
fn a_generation_that_is_gone_is_said_as_the_group_says_it() {
    for (code, expected) in [
        (IllegalGeneration, GroupError::IllegalGeneration),
        (UnknownMemberId, GroupError::UnknownMember),
        (GroupIdNotFound, GroupError::UnknownMember),
        (FencedInstanceId, GroupError::FencedInstance),
        (FencedMemberEpoch, GroupError::StaleEpoch),
        (StaleMemberEpoch, GroupError::StaleEpoch),
    ] {
        assert_eq!(verdict(Ask::CommitOffsets, code.code()), Verdict::Abort(expected.into()), "{code:?}");
    }
}

#[test]
fn of_many_partitions_the_worst_decides_and_the_not_attempted_do_not() {
    let of = |codes: &[ResponseError]| deciding(Ask::AddPartitions, codes.iter().map(ResponseError::code));
    assert_eq!(of(&[]), 0);
    assert_eq!(of(&[OperationNotAttempted, UnknownTopicOrPartition]), UnknownTopicOrPartition.code());
    assert_eq!(of(&[UnknownTopicOrPartition, NotCoordinator]), NotCoordinator.code());
    assert_eq!(of(&[TopicAuthorizationFailed, OperationNotAttempted]), TopicAuthorizationFailed.code());
    assert_eq!(of(&[ProducerFenced, TopicAuthorizationFailed]), ProducerFenced.code());
    assert_eq!(deciding(Ask::CommitOffsets, [0, 0]), 0);
}

fn ok(identity: Option<Identity>) -> Said {
    Said::Code(0, identity)
}

fn code(error: ResponseError) -> Said {
    Said::Code(error.code(), None)
}

fn unheard() -> Said {
    Said::NotHeard(ClientError::TimedOut { request: "it".to_owned() })
}

fn ready(protocol: Protocol) -> Transaction {
    let mut transaction = Transaction::new();
    transaction.speaks(protocol);
    assert_eq!(transaction.init(), Ok(Step::Ask(Ask::Init)));
    assert_eq!(transaction.answered(Ask::Init, ok(Some(ME))), Step::Is(Ok(())));
    transaction
}

/// With a batch on its way, of which the cluster knows.
fn open(protocol: Protocol) -> Transaction {
    let mut transaction = ready(protocol);
    transaction.begin().expect("none is open");
    transaction.joined();
    transaction
}

#[test]
fn calls_that_make_no_sense_are_refused_and_change_nothing() {
    let config = |result: Result<(), ClientError>| assert!(matches!(result, Err(ClientError::Config(_))), "{result:?}");
    let mut transaction = Transaction::new();
    config(transaction.begin());
    config(transaction.may_end());
    let mut transaction = ready(Protocol::Two);
    config(transaction.init().map(drop));
    config(transaction.writable());
    config(transaction.end(true).map(drop));
    config(transaction.offsets().map(drop));
    assert_eq!(transaction.begin(), Ok(()));
    config(transaction.begin());
    assert_eq!(transaction.writable(), Ok(()));
}

#[test]
fn what_the_cluster_has_not_heard_of_ends_without_a_request() {
    for (protocol, commit) in
        [(Protocol::One, true), (Protocol::One, false), (Protocol::Two, true), (Protocol::Two, false)]
    {
        let mut transaction = ready(protocol);
        transaction.begin().expect("none is open");
        assert_eq!(transaction.end(commit), Ok(Step::Is(Ok(()))));
        assert_eq!(transaction.begin(), Ok(()));
        // A batch is handed over: under protocol 1 its partition has yet to be added.
        transaction.wrote();
        let expected = if protocol == Protocol::One { Step::Is(Ok(())) } else { Step::Ask(Ask::End { commit }) };
        assert_eq!(transaction.end(commit), Ok(expected));
    }
}

#[test]
fn under_protocol_2_the_answer_to_the_end_is_the_next_epoch() {
    for commit in [true, false] {
        let mut transaction = open(Protocol::Two);
        assert_eq!(transaction.end(commit), Ok(Step::Ask(Ask::End { commit })));
        assert_eq!(transaction.answered(Ask::End { commit }, ok(Some(NEXT))), Step::Is(Ok(())));
        assert_eq!(transaction.identity(), Some(NEXT));
        assert_eq!(transaction.begin(), Ok(()));
    }
}

#[test]
fn under_protocol_1_a_commit_keeps_the_epoch_and_an_abort_has_it_raised() {
    let mut transaction = open(Protocol::One);
    assert_eq!(transaction.answered(COMMIT, ok(None)), Step::Is(Ok(())));
    assert_eq!((transaction.identity(), transaction.begin()), (Some(ME), Ok(())));
    transaction.joined();
    assert_eq!(transaction.answered(ABORT, ok(None)), Step::Ask(Ask::Raise));
    assert!(transaction.is_open(), "not before the epoch is raised");
    // An epoch may be asked for again: the coordinator knows which was given.
    assert!(matches!(transaction.answered(Ask::Raise, unheard()), Step::Again { ask: Ask::Raise, .. }));
    assert_eq!(transaction.answered(Ask::Raise, ok(Some(NEXT))), Step::Is(Ok(())));
    assert_eq!((transaction.identity(), transaction.begin()), (Some(NEXT), Ok(())));
}

#[test]
fn offsets_go_by_their_protocol_and_what_is_owed_hinders_the_commit() {
    let mut transaction = open(Protocol::One);
    assert_eq!(transaction.offsets(), Ok(Step::Ask(Ask::AddOffsets)));
    assert!(transaction.failure().is_some());
    assert_eq!(transaction.answered(Ask::AddOffsets, ok(None)), Step::Ask(Ask::CommitOffsets));
    assert_eq!(transaction.answered(Ask::CommitOffsets, ok(None)), Step::Is(Ok(())));
    assert_eq!(transaction.failure(), None);
    let mut transaction = open(Protocol::Two);
    assert_eq!(transaction.offsets(), Ok(Step::Ask(Ask::CommitOffsets)));
    let again = transaction.answered(Ask::CommitOffsets, code(ConcurrentTransactions));
    let Step::Again { ask: Ask::CommitOffsets, met } = again else { panic!("{again:?}") };
    assert!(matches!(transaction.gave_up(Ask::CommitOffsets, &met), ClientError::TimedOut { .. }));
    assert!(matches!(transaction.failure(), Some(ClientError::TransactionAborted(_))), "they are not with it");
    // The same may be asked again.
    assert_eq!(transaction.offsets(), Ok(Step::Ask(Ask::CommitOffsets)));
    assert_eq!(transaction.answered(Ask::CommitOffsets, ok(None)), Step::Is(Ok(())));
    assert_eq!(transaction.failure(), None);
}

#[test]
fn a_member_that_is_gone_has_its_transaction_aborted_and_the_producer_goes_on() {
    for protocol in [Protocol::One, Protocol::Two] {
        let mut transaction = open(protocol);
        let gone = ClientError::Group(GroupError::IllegalGeneration);
        let step = transaction.answered(Ask::CommitOffsets, code(IllegalGeneration));
        assert_eq!(step, Step::Is(Err(gone.clone())));
        assert_eq!((transaction.failure(), transaction.writable()), (Some(gone.clone()), Err(gone)));
        assert_eq!(transaction.end(false), Ok(Step::Ask(ABORT)));
        let ended = transaction.answered(ABORT, ok(Some(NEXT)));
        assert_eq!(ended, if protocol == Protocol::One { Step::Ask(Ask::Raise) } else { Step::Is(Ok(())) });
    }
}

#[test]
fn silence_ends_the_producer_under_protocol_1_alone() {
    for ask in [Ask::AddOffsets, Ask::CommitOffsets, COMMIT, ABORT] {
        let mut transaction = open(Protocol::Two);
        let step = transaction.answered(ask, unheard());
        assert!(matches!(step, Step::Again { ask: asked, .. } if asked == ask), "{step:?}");
        assert!(transaction.is_open());

        let mut transaction = open(Protocol::One);
        let Step::Is(Err(error)) = transaction.answered(ask, unheard()) else { panic!("{ask:?} is asked again") };
        let of_end = matches!(ask, Ask::End { .. });
        assert_eq!(matches!(error, ClientError::TimedOut { .. }), of_end, "{error}");
        assert_eq!(matches!(error, ClientError::TransactionAborted(_)), !of_end, "{error}");
        assert_eq!(transaction.writable(), Err(error));
        transaction.ended();
        for refused in [transaction.begin(), transaction.writable(), transaction.init().map(drop)] {
            let Err(ClientError::Config(text)) = refused else { panic!("{refused:?}") };
            assert!(text.contains("of no more use, make a new one"), "{text}");
        }
    }
}

#[test]
fn an_answer_that_asks_for_patience_is_no_silence() {
    for protocol in [Protocol::One, Protocol::Two] {
        for said in [
            code(ConcurrentTransactions),
            code(CoordinatorLoadInProgress),
            code(NotCoordinator),
            code(CoordinatorNotAvailable),
            Said::NotSent(ClientError::Unavailable { servers: "a".to_owned(), reason: "b".to_owned() }),
        ] {
            for ask in [Ask::AddOffsets, Ask::CommitOffsets, COMMIT, ABORT] {
                let mut transaction = open(protocol);
                let step = transaction.answered(ask, said.clone());
                assert!(matches!(step, Step::Again { ask: asked, .. } if asked == ask), "{said:?}: {step:?}");
                assert!(transaction.is_open());
            }
        }
    }
}

#[test]
fn an_end_that_is_not_known_in_time_is_the_last() {
    let mut transaction = open(Protocol::Two);
    let Step::Again { met, .. } = transaction.answered(COMMIT, unheard()) else { panic!("it may be asked again") };
    assert!(matches!(transaction.gave_up(COMMIT, &met), ClientError::TimedOut { .. }));
    assert!(matches!(transaction.begin(), Err(ClientError::Config(_))));
}

#[test]
fn a_commit_that_the_coordinator_refuses_is_aborted() {
    let mut transaction = open(Protocol::Two);
    let step = transaction.answered(COMMIT, code(TransactionAbortable));
    assert!(matches!(step, Step::Is(Err(ClientError::TransactionAborted(_)))), "{step:?}");
    assert!(transaction.is_open());
    assert_eq!(transaction.end(false), Ok(Step::Ask(ABORT)));
}

#[test]
fn whoever_was_fenced_stays_so() {
    for ask in [Ask::AddOffsets, Ask::CommitOffsets, COMMIT, ABORT, Ask::Raise] {
        let mut transaction = open(Protocol::Two);
        let step = transaction.answered(ask, code(ProducerFenced));
        assert!(matches!(step, Step::Is(Err(ClientError::Fenced(_)))), "{step:?}");
        transaction.ended();
        assert!(matches!(transaction.begin(), Err(ClientError::Fenced(_))));
    }
}

#[test]
fn a_batch_that_is_not_written_ends_the_transaction_or_the_producer() {
    let refused = ClientError::RecordTooLarge { topic: "t".into(), bytes: 5 };
    for protocol in [Protocol::One, Protocol::Two] {
        let mut transaction = open(protocol);
        transaction.batch_failed(&refused, false);
        let Some(ClientError::TransactionAborted(text)) = transaction.failure() else { panic!("{protocol:?}") };
        assert!(text.contains("of 5 bytes for topic t"), "{text}");
        // One that may be in the log, or come into it: under protocol 1 also when another transaction is open.
        let mut transaction = open(protocol);
        transaction.batch_failed(&refused, true);
        assert_eq!(transaction.is_open(), protocol == Protocol::Two);
        let mut transaction = open(protocol);
        transaction.batch_failed(&ClientError::Fenced("x".to_owned()), false);
        assert_eq!(transaction.writable(), Err(ClientError::Fenced("x".to_owned())));
    }
}

#[test]
fn who_fails_to_begin_may_begin_again() {
    let mut transaction = Transaction::new();
    for said in [code(TransactionalIdAuthorizationFailed), code(InvalidTransactionTimeout), code(TransactionAbortable)]
    {
        assert!(matches!(transaction.answered(Ask::Init, said), Step::Is(Err(_))));
        assert_eq!(transaction.init(), Ok(Step::Ask(Ask::Init)));
    }
    let Step::Again { met, .. } = transaction.answered(Ask::Init, unheard()) else { panic!("it may be asked again") };
    assert!(transaction.gave_up(Ask::Init, &met).to_string().contains("InitProducerId"));
    assert_eq!(transaction.init(), Ok(Step::Ask(Ask::Init)));
}
