//! Transactions of a producer.

use headwater_record::{Deadline, TopicPartition};

use crate::{ClientError, CommittedOffset, GroupIdentity};

/// How a transaction ended.
#[derive(Debug)]
#[must_use]
pub enum TransactionOutcome {
    /// All of it is visible.
    Committed,
    /// None of it is.
    Aborted(ClientError),
    /// Another producer took over; this one is of no more use.
    Fenced(ClientError),
    /// Not known. The producer must not be used again: make a new one and initialise it, which settles the matter.
    Indefinite(ClientError),
}

/// Transactions, as Kafka's producer has them.
pub trait Transactional {
    /// Fences earlier producers of the same `transactional.id` and settles what they left open.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] at `until`, and as the cluster answers.
    fn init(&mut self, until: Deadline) -> Result<(), ClientError>;

    /// Begins one.
    ///
    /// # Errors
    /// When one is open already, or this producer was fenced.
    fn begin(&mut self) -> Result<(), ClientError>;

    /// Commits input offsets with it.
    ///
    /// # Errors
    /// [`ClientError::Group`] when the member's generation is no longer valid.
    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<(), ClientError>;

    /// Commits it.
    fn commit(&mut self, until: Deadline) -> TransactionOutcome;

    /// Aborts it.
    fn abort(&mut self, until: Deadline) -> TransactionOutcome;
}
