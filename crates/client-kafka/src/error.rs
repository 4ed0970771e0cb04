//! What brokers answer, in one table.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, GroupError};
use headwater_record::{Offset, Topic, TopicPartition};
use kafka_protocol::error::ResponseError;

/// What a broker's error code is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About<'a> {
    /// A request as a whole.
    Request(&'a str),
    /// A topic.
    Topic(&'a str),
    /// A partition, at this offset where one was asked for.
    Partition(&'a TopicPartition, Offset),
}

impl About<'_> {
    fn topic(self) -> Option<Topic> {
        match self {
            About::Request(_) => None,
            About::Topic(topic) => Some(Topic::from(topic)),
            About::Partition(partition, _) => Some(partition.topic.clone()),
        }
    }

    fn text(self) -> String {
        match self {
            About::Request(text) | About::Topic(text) => text.to_owned(),
            About::Partition(partition, _) => partition.to_string(),
        }
    }
}

/// The error that `code` stands for; `None` for no error.
pub(crate) fn of_code(code: i16, about: About<'_>) -> Option<ClientError> {
    if code == 0 {
        return None;
    }
    let known = ResponseError::try_from_code(code);
    let name = known.map_or_else(|| "UNKNOWN".to_owned(), |known| format!("{known:?}"));
    let group = |error: GroupError| Some(ClientError::Group(error));
    match code {
        22 => group(GroupError::IllegalGeneration),
        23 => group(GroupError::InconsistentProtocol),
        25 => group(GroupError::UnknownMember),
        27 => group(GroupError::RebalanceInProgress),
        81 => group(GroupError::Full),
        82 => group(GroupError::FencedInstance),
        88 => group(GroupError::UnstableOffsets),
        110 | 113 => group(GroupError::StaleEpoch),
        1 => match about {
            About::Partition(partition, offset) => {
                Some(ClientError::OffsetOutOfRange { partition: partition.clone(), offset })
            }
            _ => Some(broker(code, &name, about)),
        },
        3 => {
            Some(about.topic().map_or_else(|| broker(code, &name, about), |topic| ClientError::UnknownTopic { topic }))
        }
        36 => {
            Some(about.topic().map_or_else(|| broker(code, &name, about), |topic| ClientError::TopicExists { topic }))
        }
        10 => Some(ClientError::RecordTooLarge { topic: about.topic().unwrap_or_else(|| Topic::from("")), bytes: 0 }),
        29..=31 | 53 | 54 | 58 => Some(ClientError::NotAuthorised(format!("{name} for {}", about.text()))),
        47 | 90 => Some(ClientError::Fenced(format!("{name} for {}", about.text()))),
        _ => Some(broker(code, &name, about)),
    }
}

fn broker(code: i16, name: &str, about: About<'_>) -> ClientError {
    let retriable = ResponseError::try_from_code(code).is_some_and(|error| error.is_retriable());
    ClientError::Broker { code, message: format!("{name} for {}", about.text()), retriable }
}

/// Whether the coordinator is another broker, or none now: it must be found again.
pub(crate) fn coordinator_moved(code: i16) -> bool {
    // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
    matches!(code, 14..=16)
}

/// The error of a broken connection.
pub(crate) fn unavailable(servers: &str, reason: impl std::fmt::Display) -> ClientError {
    ClientError::Unavailable { servers: servers.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_what_the_caller_acts_upon() {
        let partition = TopicPartition::new("t", 3);
        let at = |code| of_code(code, About::Partition(&partition, Offset::new(7)));
        assert_eq!(at(0), None);
        assert_eq!(at(25), Some(ClientError::Group(GroupError::UnknownMember)));
        assert_eq!(at(3), Some(ClientError::UnknownTopic { topic: Topic::from("t") }));
        assert_eq!(at(1), Some(ClientError::OffsetOutOfRange { partition: partition.clone(), offset: Offset::new(7) }));
        assert!(matches!(at(6), Some(ClientError::Broker { code: 6, retriable: true, .. })));
        assert!(matches!(of_code(40, About::Topic("t")), Some(ClientError::Broker { retriable: false, .. })));
    }
}
