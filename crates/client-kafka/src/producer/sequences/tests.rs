//! One partition, case by case: what is sent, with which sequence, and what is told.

use std::collections::VecDeque;

use super::*;

/// Another module's tests need some number.
pub(in super::super) fn ticket(number: u64) -> Ticket {
    Ticket(number)
}

const RULES: Rules = Rules {
    idempotent: true,
    transactional: false,
    in_flight: 5,
    retries: u32::MAX,
    backoff: Duration::from_millis(100),
    backoff_max: Duration::from_secs(1),
    delivery_timeout: Duration::from_mins(2),
};
const ME: Identity = Identity { producer_id: 7, epoch: 0 };

/// A batch of numbered records.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Records(Vec<u32>);

impl Batch for Records {
    fn count(&self) -> i32 {
        self.0.len() as i32
    }
    fn halves(&self) -> Option<[Self; 2]> {
        let (first, second) = self.0.split_at(self.0.len() / 2);
        (!first.is_empty()).then(|| [Records(first.to_vec()), Records(second.to_vec())])
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Some error.
fn met() -> ClientError {
    ClientError::Broker { code: 6, message: "met".to_owned(), retriable: true }
}

/// A partition with batches of two records each: 0 and 1, 2 and 3, ...
fn with_batches(rules: Rules, count: u32) -> Sequences<Records> {
    let mut sequences = Sequences::new(TopicPartition::new("t", 3), rules);
    for number in 0..count {
        sequences.push(Records(vec![2 * number, 2 * number + 1]), at(0));
    }
    sequences
}

/// The same for a broker that has stored something of this producer before: more than one may be under way.
fn to_one_that_knows(mut sequences: Sequences<Records>) -> Sequences<Records> {
    (sequences.identity, sequences.is_known) = (Some(ME), true);
    sequences
}

/// What is sent at `now`, all of it: epoch, sequence and first record.
fn sent(sequences: &mut Sequences<Records>, now: Timestamp) -> Vec<(i16, i32, u32)> {
    let mut sent = Vec::new();
    while sequences.next(now).is_some() {
        let (_, by, batch) = sequences.send(Some(ME)).expect("it was said that it may be");
        sent.push((by.epoch, by.sequence, batch.0[0]));
    }
    sent
}

/// Answers the sendings from `first` on.
fn answer(sequences: &mut Sequences<Records>, first: u64, answers: &[Answer], now: Timestamp) {
    for (number, answer) in (first..).zip(answers) {
        sequences.answered(Ticket(number), answer.clone(), now);
    }
}

fn told(sequences: &mut Sequences<Records>) -> Vec<(u32, Result<i64, ClientError>)> {
    std::iter::from_fn(|| sequences.pop()).map(|told| (told.batch.0[0], told.outcome)).collect()
}

#[test]
fn at_most_five_are_under_way_in_order_with_sequences_of_records() {
    let mut sequences = to_one_that_knows(with_batches(RULES, 7));
    assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 0), (0, 2, 2), (0, 4, 4), (0, 6, 6), (0, 8, 8)]);
    answer(&mut sequences, 0, &[Answer::Stored(40)], at(1));
    assert_eq!(sent(&mut sequences, at(1)), [(0, 10, 10)]);
    // The third's answer is not told before the second's.
    answer(&mut sequences, 2, &[Answer::Stored(44)], at(2));
    assert_eq!(told(&mut sequences), [(0, Ok(40))]);
    answer(&mut sequences, 1, &[Answer::Stored(42)], at(2));
    assert_eq!(told(&mut sequences), [(2, Ok(42)), (4, Ok(44))]);
}

#[test]
fn one_is_under_way_until_the_broker_knows_the_producer() {
    let mut sequences = with_batches(RULES, 3);
    assert!(sequences.lacks(None) && !sequences.lacks(Some(ME)));
    assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 0)]);
    answer(&mut sequences, 0, &[Answer::Passing(met())], at(0));
    assert_eq!(sent(&mut sequences, at(100)), [(0, 0, 0)]);
    answer(&mut sequences, 1, &[Answer::Stored(0)], at(100));
    assert_eq!(sent(&mut sequences, at(100)), [(0, 2, 2), (0, 4, 4)]);
    let unnumbered = Rules { idempotent: false, ..RULES };
    assert_eq!(sent(&mut with_batches(unnumbered, 2), at(0)).len(), 2);
}

/// What five sendings are answered, and what is sent then once the pause is over: epoch, sequence, first record.
type Case<'a> = (&'a str, [&'a Answer; 5], &'a [(i16, i32, u32)]);

#[test]
fn after_a_failure_all_answers_are_awaited_and_what_is_not_stored_is_sent_in_order() {
    let (stored, passing, unknown) = (Answer::Stored(1), Answer::Passing(met()), Answer::Unheard(met()));
    let uncertain = Answer::Unknown(met());
    let (disorder, forgotten) = (Answer::OutOfOrder(met()), Answer::Forgotten(met()));
    let (large, refused) = (Answer::TooLarge(met()), Answer::Refused(met()));
    let cases: [Case<'_>; 10] = [
        ("a passing failure: the same sequences", [&stored, &passing, &disorder, &disorder, &disorder], &[(0, 2, 2)]),
        ("a lost connection: the same sequences", [&unknown; 5], &[(0, 0, 0)]),
        ("a broker that cannot say: the same sequences", [&uncertain; 5], &[(0, 0, 0)]),
        ("one lost answer in the middle", [&stored, &stored, &unknown, &stored, &stored], &[(0, 4, 4), (0, 10, 10)]),
        ("the last one", [&stored, &stored, &stored, &stored, &passing], &[(0, 8, 8)]),
        ("a gap before the first: a new epoch", [&stored, &disorder, &disorder, &disorder, &disorder], &[(1, 0, 2)]),
        (
            "the broker forgot the producer: a new epoch",
            [&forgotten, &forgotten, &forgotten, &forgotten, &forgotten],
            &[(1, 0, 0)],
        ),
        (
            "one is refused and others followed: they cannot follow in this epoch",
            [&stored, &refused, &disorder, &disorder, &disorder],
            &[(1, 0, 4)],
        ),
        (
            "the last one is refused: its sequence is used again",
            [&stored, &stored, &stored, &stored, &refused],
            &[(0, 8, 10)],
        ),
        (
            "one is too large: its halves have its sequences",
            [&stored, &stored, &large, &disorder, &disorder],
            &[(0, 4, 4)],
        ),
    ];
    for (what, answers, expected) in cases {
        let mut sequences = to_one_that_knows(with_batches(RULES, 6));
        assert_eq!(sent(&mut sequences, at(0)).len(), 5);
        for (number, answered) in answers.into_iter().enumerate() {
            answer(&mut sequences, number as u64, std::slice::from_ref(answered), at(0));
            let failed = answers.iter().take(number + 1).any(|answer| !matches!(answer, Answer::Stored(_)));
            if failed && number < 4 {
                assert_eq!(sent(&mut sequences, at(100)), [], "{what}: {number}");
            } else if number < 4 {
                // Nothing is sent here, so that the cases read alike.
                assert!(sequences.next(at(0)).is_some(), "{what}: {number}");
            }
        }
        assert_eq!(sent(&mut sequences, at(100)), expected, "{what}");
    }
}

#[test]
fn pauses_grow_and_are_kept() {
    let mut sequences = with_batches(RULES, 1);
    let mut now = 0;
    for (number, pause) in [100, 200, 400, 800, 1_000, 1_000].into_iter().enumerate() {
        assert_eq!(sent(&mut sequences, at(now)), [(0, 0, 0)]);
        answer(&mut sequences, number as u64, &[Answer::Passing(met())], at(now));
        assert_eq!(sequences.wake(at(now)), Some(at(now + pause)));
        assert!(sequences.next(at(now + pause - 1)).is_none());
        now += pause;
    }
}

#[test]
fn what_is_given_up_leaves_a_gap_or_none() {
    let end = at(RULES.delivery_timeout.as_millis() as i64);
    let (passing, unknown) = (Answer::Passing(met()), Answer::Unknown(met()));
    // What became of the only one sent, and what is sent after it was given up.
    for (what, outcome, expected) in [("not stored", passing, (0, 0, 9)), ("perhaps stored", unknown, (0, 2, 9))] {
        let mut sequences = with_batches(RULES, 1);
        assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 0)]);
        answer(&mut sequences, 0, &[outcome], at(5));
        sequences.expire(end);
        let text = match &told(&mut sequences)[..] {
            [(0, Err(error @ ClientError::TimedOut { .. }))] => error.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        for part in ["the write of 2 records to t-3", "delivery.timeout.ms=120000", "sent 1 times", "met"] {
            assert!(text.contains(part), "{text}");
        }
        sequences.push(Records(vec![9]), end);
        assert_eq!(sent(&mut sequences, end), [expected], "{what}");
        // It was not.
        answer(&mut sequences, 1, &[Answer::OutOfOrder(met())], end);
        assert_eq!(sent(&mut sequences, end.plus(RULES.backoff)), [(1, 0, 9)], "{what}");
    }
}

#[test]
fn those_that_followed_one_that_is_perhaps_stored_find_out_themselves() {
    let mut sequences = to_one_that_knows(with_batches(RULES, 0));
    sequences.push(Records(vec![0]), at(0));
    sequences.push(Records(vec![1]), at(1_000));
    assert_eq!(sent(&mut sequences, at(1_000)).len(), 2);
    answer(&mut sequences, 0, &[Answer::Unknown(met()), Answer::Unknown(met())], at(2_000));
    // The first is given up, and the second may be in the log: only with its own sequence does the broker find that out.
    sequences.expire(at(120_000));
    assert_eq!(sent(&mut sequences, at(120_000)), [(0, 1, 1)]);
    let mut stored = with_outcome(&mut sequences, Answer::Stored(8));
    assert_eq!(stored.pop(), Some((1, Ok(8))));
}

fn with_outcome(sequences: &mut Sequences<Records>, outcome: Answer) -> Vec<(u32, Result<i64, ClientError>)> {
    answer(sequences, 2, &[outcome], at(120_000));
    told(sequences)
}

#[test]
fn reasons_for_giving_up_are_said() {
    let expired = |obstacle: Option<ClientError>| {
        let mut sequences = with_batches(RULES, 1);
        sequences.hindered(obstacle);
        assert_eq!(sequences.wake(at(0)), Some(at(120_000)));
        sequences.expire(at(119_999));
        assert_eq!(told(&mut sequences), []);
        sequences.expire(at(120_000));
        told(&mut sequences).pop().and_then(|(_, outcome)| outcome.err()).expect("it was given up")
    };
    let unknown = ClientError::UnknownTopic { topic: "t".into() };
    assert_eq!(expired(Some(unknown.clone())), unknown);
    assert!(expired(None).to_string().contains("it could not be sent yet"));
    let text = expired(Some(met())).to_string();
    assert!(text.contains("sent 0 times, last met: met"), "{text}");
}

#[test]
fn retries_are_counted_and_one_record_is_not_split() {
    let mut sequences = with_batches(Rules { retries: 1, ..RULES }, 1);
    for number in 0..2 {
        assert_eq!(sent(&mut sequences, at(1_000 * number)), [(0, 0, 0)]);
        answer(&mut sequences, number as u64, &[Answer::Passing(met())], at(1_000 * number));
    }
    assert_eq!(told(&mut sequences), [(0, Err(met()))]);
    sequences.push(Records(vec![8]), at(0));
    assert_eq!(sent(&mut sequences, at(5_000)), [(0, 0, 8)]);
    answer(&mut sequences, 2, &[Answer::TooLarge(met())], at(5_000));
    assert_eq!(told(&mut sequences), [(8, Err(met()))]);
}

#[test]
fn without_idempotence_nothing_is_numbered_but_order_is_kept() {
    let mut sequences = with_batches(Rules { idempotent: false, in_flight: 2, ..RULES }, 3);
    assert!(!sequences.lacks(None));
    let (_, by, _) = sequences.send(None).expect("the first");
    assert_eq!(by, Producing::NOBODY);
    assert_eq!(sent(&mut sequences, at(0)), [(-1, -1, 2)]);
    answer(&mut sequences, 0, &[Answer::Unknown(met())], at(0));
    assert_eq!(sent(&mut sequences, at(100)), []);
    answer(&mut sequences, 1, &[Answer::Unknown(met())], at(0));
    assert_eq!(sent(&mut sequences, at(100)), [(-1, -1, 0), (-1, -1, 2)]);
}

#[test]
fn sequences_begin_again_after_the_last_and_epochs_end() {
    assert_eq!((after(i32::MAX - 1, 1), after(i32::MAX, 1), after(i32::MAX - 1, 4)), (i32::MAX, 0, 2));
    let mut sequences = with_batches(RULES, 1);
    let last = Identity { epoch: i16::MAX, ..ME };
    assert!(sequences.send(Some(last)).is_some());
    answer(&mut sequences, 0, &[Answer::Forgotten(met())], at(0));
    assert!(sequences.lacks(Some(last)) && sequences.lacks(None));
    let other = Identity { producer_id: 8, epoch: 0 };
    assert!(!sequences.lacks(Some(other)));
    let by = sequences.send(Some(other)).map(|(_, by, _)| by);
    assert_eq!(by, Some(Producing { transactional: false, producer_id: 8, epoch: 0, sequence: 0 }));
}

#[test]
fn what_cannot_be_sent_any_more_is_given_up_but_for_what_is_under_way() {
    let mut sequences = with_batches(Rules { in_flight: 1, ..RULES }, 2);
    assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 0)]);
    sequences.fail_waiting(&met());
    assert_eq!(told(&mut sequences), [], "the first is not answered yet");
    answer(&mut sequences, 0, &[Answer::Stored(3)], at(0));
    assert_eq!(told(&mut sequences), [(0, Ok(3)), (2, Err(met()))]);
    assert!(sequences.is_empty());
}

const TRANSACTIONAL: Rules = Rules { transactional: true, ..RULES };
const NEXT: Identity = Identity { epoch: 1, ..ME };

#[test]
fn within_a_transaction_what_cannot_follow_is_given_up_in_its_epoch() {
    let mut sequences = to_one_that_knows(with_batches(TRANSACTIONAL, 3));
    assert_eq!(sent(&mut sequences, at(0)).len(), 3);
    let now = at(100);
    // One that others are before waits for what becomes of them.
    answer(&mut sequences, 2, &[Answer::OutOfOrder(met())], now);
    answer(&mut sequences, 0, &[Answer::Refused(met()), Answer::OutOfOrder(met())], now);
    let now = at(200);
    assert_eq!(sent(&mut sequences, now), [(0, 4, 4)]);
    answer(&mut sequences, 3, &[Answer::OutOfOrder(met())], now);
    let outcomes: Vec<_> = told(&mut sequences).into_iter().map(|(first, outcome)| (first, outcome.is_err())).collect();
    assert_eq!(outcomes, [(0, true), (2, true), (4, true)]);
    // The next transaction begins anew.
    sequences.belong_to(NEXT);
    sequences.push(Records(vec![10]), now);
    let (_, by, _) = sequences.send(Some(NEXT)).expect("the first");
    assert_eq!(by, Producing { transactional: true, producer_id: 7, epoch: 1, sequence: 0 });
}

#[test]
fn a_transaction_of_the_same_epoch_goes_on_with_the_sequences() {
    let mut sequences = with_batches(TRANSACTIONAL, 1);
    // The first of a partition that was not written to before is of whoever writes then.
    sequences.belong_to(ME);
    assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 0)]);
    answer(&mut sequences, 0, &[Answer::Stored(0)], at(0));
    assert_eq!(told(&mut sequences), [(0, Ok(0))]);
    sequences.belong_to(ME);
    sequences.push(Records(vec![2]), at(0));
    assert_eq!(sent(&mut sequences, at(0)), [(0, 2, 2)]);
    answer(&mut sequences, 1, &[Answer::Stored(2)], at(0));
    assert_eq!(told(&mut sequences), [(2, Ok(2))]);
    // In the next epoch they begin anew, with as many under way as before: the broker knows the producer.
    sequences.belong_to(NEXT);
    sequences.push(Records(vec![3]), at(0));
    sequences.push(Records(vec![4]), at(0));
    assert_eq!(sent(&mut sequences, at(0)), [(1, 0, 3), (1, 1, 4)]);
    answer(&mut sequences, 2, &[Answer::Stored(3), Answer::Stored(4)], at(0));
    assert_eq!(told(&mut sequences).len(), 2);
    // When epochs are used up it is another producer, which no broker knows.
    sequences.belong_to(Identity { producer_id: 8, epoch: 0 });
    sequences.push(Records(vec![5]), at(0));
    sequences.push(Records(vec![6]), at(0));
    assert_eq!(sent(&mut sequences, at(0)), [(0, 0, 5)]);
}

#[test]
fn what_is_given_up_is_in_doubt_while_it_may_be_under_way() {
    for (outcome, expected) in [
        (Answer::Unheard(met()), true),
        (Answer::Unknown(met()), false),
        (Answer::Passing(met()), false),
        (Answer::Refused(met()), false),
    ] {
        let mut sequences = with_batches(TRANSACTIONAL, 1);
        assert_eq!(sent(&mut sequences, at(0)).len(), 1);
        answer(&mut sequences, 0, std::slice::from_ref(&outcome), at(0));
        sequences.fail_waiting(&met());
        let told = sequences.pop().expect("it was given up");
        assert_eq!((told.outcome.is_err(), told.in_doubt), (true, expected), "{outcome:?}");
    }
    let mut sequences = with_batches(TRANSACTIONAL, 1);
    assert_eq!(sent(&mut sequences, at(0)).len(), 1);
    answer(&mut sequences, 0, &[Answer::Unheard(met())], at(0));
    assert_eq!(sent(&mut sequences, at(100)).len(), 1);
    answer(&mut sequences, 1, &[Answer::Stored(0)], at(100));
    let told = sequences.pop().expect("it is stored");
    assert_eq!((told.outcome, told.in_doubt), (Ok(0), false), "a copy of what is stored is found out");
}

#[test]
fn what_is_given_up_while_it_is_under_way_is_not_sent_again() {
    let large = Answer::TooLarge(met());
    let outcomes =
        [Answer::Passing(met()), Answer::Unknown(met()), Answer::Unheard(met()), Answer::Forgotten(met()), large];
    for outcome in outcomes {
        let mut sequences = to_one_that_knows(with_batches(RULES, 6));
        assert_eq!(sent(&mut sequences, at(0)).len(), 5);
        sequences.give_up(&ClientError::Abandoned);
        let disorder = Answer::OutOfOrder(met());
        let answers = [&Answer::Stored(40), &outcome, &disorder, &disorder, &disorder].map(Clone::clone);
        answer(&mut sequences, 0, &answers, at(0));
        let abandoned = Err(ClientError::Abandoned);
        let given_up = [2, 4, 6, 8, 10].map(|first| (first, abandoned.clone()));
        let expected: Vec<_> = [(0, Ok(40))].into_iter().chain(given_up).collect();
        assert_eq!(told(&mut sequences), expected, "{outcome:?}");
        // What is written later does not wait for it, and takes a new epoch where the broker misses what was given up.
        sequences.push(Records(vec![12]), at(10_000));
        assert_eq!(sent(&mut sequences, at(10_000)).len(), 1, "{outcome:?}");
        answer(&mut sequences, 5, std::slice::from_ref(&disorder), at(10_000));
        assert_eq!(sent(&mut sequences, at(11_000)), [(1, 0, 12)], "{outcome:?}");
    }
}

mod chance;
