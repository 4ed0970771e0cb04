//! What a broker's answer to a batch means.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Offset, TopicPartition};

use super::sequences::Answer;
use super::transaction::codes::{fenced, fences};
use crate::error::{About, of_code};

/// What a broker says of one partition of a request.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) code: i16,
    pub(super) base_offset: i64,
    pub(super) message: Option<String>,
}

/// What it means.
pub(super) fn meaning(said: &Said, partition: &TopicPartition) -> Answer {
    let Some(error) = of_code(said.code, About::Partition(partition, Offset::UNKNOWN)) else {
        return Answer::Stored(said.base_offset);
    };
    let retriable = error.class() == ErrorClass::Retriable;
    let error = match (error, said.message.as_deref().filter(|message| !message.is_empty())) {
        (ClientError::Broker { code, message, retriable }, Some(told)) => {
            ClientError::Broker { code, message: format!("{message}: {told}"), retriable }
        }
        (error, _) => error,
    };
    match said.code {
        // DUPLICATE_SEQUENCE_NUMBER: stored before, but the broker no longer knows where.
        46 => Answer::Stored(-1),
        // OUT_OF_ORDER_SEQUENCE_NUMBER
        45 => Answer::OutOfOrder(error),
        // INVALID_PRODUCER_EPOCH, UNKNOWN_PRODUCER_ID
        47 | 59 => Answer::Forgotten(error),
        // MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE
        10 | 18 => Answer::TooLarge(ClientError::RecordTooLarge { topic: partition.topic.clone(), bytes: 0 }),
        // NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND, KAFKA_STORAGE_ERROR: it may be in the leader's
        // log, written before it was the leader no more or while it waited for its followers, and may stay.
        6 | 7 | 20 | 56 => Answer::Unknown(error),
        // UNKNOWN_TOPIC_OR_PARTITION: it may be about to be made, or its new leader has not heard of it yet.
        // CLUSTER_AUTHORIZATION_FAILED: permissions may be granted.
        3 | 31 => Answer::Passing(error),
        _ if retriable => Answer::Passing(error),
        _ => Answer::Refused(error),
    }
}

/// What it means for a batch of a transaction: what cannot be mended by sending again ends the transaction.
pub(super) fn meaning_in_transaction(said: &Said, partition: &TopicPartition) -> Answer {
    let answer = meaning(said, partition);
    let (Answer::OutOfOrder(error) | Answer::Forgotten(error) | Answer::Passing(error) | Answer::Refused(error)) =
        &answer
    else {
        return answer;
    };
    match said.code {
        // OUT_OF_ORDER_SEQUENCE_NUMBER: of what is before it, or of a request of an earlier transaction that came late.
        45 => Answer::OutOfOrder(ClientError::TransactionAborted(error.to_string())),
        code if fences(code) => Answer::Refused(fenced(error.clone())),
        // CLUSTER_AUTHORIZATION_FAILED
        31 => Answer::Refused(error.clone()),
        // INVALID_TXN_STATE, TRANSACTION_ABORTABLE
        48 | 120 => Answer::Refused(ClientError::TransactionAborted(error.to_string())),
        // CONCURRENT_TRANSACTIONS: the markers of the transaction before are being written.
        51 => Answer::Passing(error.clone()),
        _ => answer,
    }
}

/// Whether the code says something of the producer as a whole.
pub(super) fn concerns_producer(code: i16) -> bool {
    // CLUSTER_AUTHORIZATION_FAILED, PRODUCER_FENCED
    matches!(code, 31 | 90)
}

/// Whether the code says that another broker leads the partition, or may.
pub(super) fn leader_may_have_moved(code: i16) -> bool {
    // UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REPLICA_NOT_AVAILABLE, KAFKA_STORAGE_ERROR,
    // LISTENER_NOT_FOUND, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, INCONSISTENT_TOPIC_ID
    matches!(code, 3 | 5 | 6 | 9 | 56 | 72 | 74 | 75 | 103)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_java_takes_them_for() {
        type Kind = fn(&Answer) -> bool;
        let stored: Kind = |answer| *answer == Answer::Stored(7);
        let duplicate: Kind = |answer| *answer == Answer::Stored(-1);
        let passing: Kind = |answer| matches!(answer, Answer::Passing(_));
        let unknown: Kind = |answer| matches!(answer, Answer::Unknown(_));
        let out_of_order: Kind = |answer| matches!(answer, Answer::OutOfOrder(_));
        let forgotten: Kind = |answer| matches!(answer, Answer::Forgotten(_));
        let too_large: Kind = |answer| matches!(answer, Answer::TooLarge(ClientError::RecordTooLarge { .. }));
        let refused: Kind = |answer| matches!(answer, Answer::Refused(_));
        let table: [(&[i16], Kind); 8] = [
            (&[0], stored),
            (&[46], duplicate),
            (&[2, 3, 5, 19, 31, 74, 75, 89], passing),
            (&[6, 7, 20, 56], unknown),
            (&[45], out_of_order),
            (&[47, 59], forgotten),
            (&[10, 18], too_large),
            (&[17, 29, 32, 42, 87, 90, 999], refused),
        ];
        let partition = TopicPartition::new("t", 3);
        for (codes, expected) in table {
            for code in codes {
                let answer = meaning(&Said { code: *code, base_offset: 7, message: None }, &partition);
                assert!(expected(&answer), "{code}: {answer:?}");
            }
        }
    }

    #[test]
    fn within_a_transaction_what_others_mend_ends_it() {
        let partition = TopicPartition::new("t", 3);
        let of = |code| meaning_in_transaction(&Said { code, base_offset: 7, message: None }, &partition);
        for code in [47, 49, 59, 90] {
            assert!(matches!(of(code), Answer::Refused(ClientError::Fenced(_))), "{code}: {:?}", of(code));
        }
        for code in [48, 120] {
            assert!(matches!(of(code), Answer::Refused(ClientError::TransactionAborted(_))), "{code}: {:?}", of(code));
        }
        for code in [29, 31, 53] {
            assert!(matches!(of(code), Answer::Refused(ClientError::NotAuthorised(_))), "{code}: {:?}", of(code));
        }
        assert!(matches!(of(51), Answer::Passing(_)));
        assert!(matches!(of(45), Answer::OutOfOrder(ClientError::TransactionAborted(_))), "{:?}", of(45));
        for code in [0, 46, 2, 3, 5, 6, 7, 10, 17, 18, 19, 20, 32, 42, 56, 74, 75, 87, 89, 999] {
            let said = Said { code, base_offset: 7, message: None };
            assert_eq!(of(code), meaning(&said, &partition), "{code}");
        }
    }

    #[test]
    fn what_the_broker_says_is_passed_on() {
        let message = Some("a null key in a compacted topic".to_owned());
        let answer = meaning(&Said { code: 87, base_offset: -1, message }, &TopicPartition::new("t", 3));
        let Answer::Refused(error) = answer else { panic!("{answer:?}") };
        assert_eq!(error.to_string(), "InvalidRecord for t-3: a null key in a compacted topic (Kafka error 87)");
    }
}
