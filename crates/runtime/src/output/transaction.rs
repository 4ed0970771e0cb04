//! The transaction that a thread's records lie in, under exactly-once.

use headwater_client::{ClientError, CommittedOffset, GroupIdentity, Producer, TransactionOutcome};
use headwater_record::{Deadline, TopicPartition};

use super::RecordCollector;

/// Where the producer's transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    /// The producer has none.
    Without,
    /// The producer has not settled yet what those before it left open.
    New,
    /// None is open. One begins with the next record, so that none runs into its time-out while there is nothing to write.
    Closed,
    /// What was written since it began lies in it.
    Open,
}

impl Transaction {
    pub(super) fn of(producer: &mut dyn Producer) -> Self {
        if producer.transactional().is_some() { Transaction::New } else { Transaction::Without }
    }
}

impl RecordCollector {
    /// Whether the producer may write, or has to be [initialised](RecordCollector::initialise) first.
    pub fn is_initialised(&self) -> bool {
        self.transaction != Transaction::New
    }

    /// Settles what earlier producers of this `transactional.id` left open, and fences them. Does nothing where there are no transactions.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] at `until`, and as the cluster answers; may be tried again.
    pub fn initialise(&mut self, until: Deadline) -> Result<(), ClientError> {
        if self.transaction == Transaction::New
            && let Some(transactional) = self.producer.transactional()
        {
            transactional.init(until)?;
            self.transaction = Transaction::Closed;
        }
        Ok(())
    }

    /// Whether records were written that are not committed.
    pub fn is_in_transaction(&self) -> bool {
        self.transaction == Transaction::Open
    }

    /// Takes back what was written since the last commit. The producer is of no more use afterwards if that fails.
    ///
    /// # Errors
    /// Why it is not known to be taken back: the next producer of this `transactional.id` does it.
    pub fn abort_transaction(&mut self, until: Deadline) -> Result<(), ClientError> {
        if self.transaction != Transaction::Open {
            return Ok(());
        }
        self.transaction = Transaction::Closed;
        self.producer.transactional().map_or(Ok(()), |transactional| transactional.abort(until))
    }

    /// Opens a transaction, if the producer has transactions and none is open.
    #[cold]
    pub(super) fn begin(&mut self) -> Result<(), ClientError> {
        self.initialise(Deadline::after(self.clock.now(), self.settings.max_block))?;
        if self.transaction == Transaction::Closed
            && let Some(transactional) = self.producer.transactional()
        {
            transactional.begin()?;
            self.transaction = Transaction::Open;
        }
        Ok(())
    }

    /// Commits what was written since the last time together with `offsets` of the input, after a [`RecordCollector::flush`]. Nothing of it is visible
    /// after an error, unless the outcome is indefinite.
    ///
    /// # Errors
    /// [`ClientError::Config`] of a producer without transactions; [`ClientError::Group`] when the group takes no offsets of this member;
    /// and why the transaction was not committed.
    pub fn commit_transaction(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<TransactionOutcome, ClientError> {
        if !offsets.is_empty() {
            self.begin()?;
        }
        let Some(transactional) = self.producer.transactional() else {
            return Err(ClientError::Config("the producer was made without a transactional.id".to_owned()));
        };
        if self.transaction != Transaction::Open {
            return Ok(TransactionOutcome::Committed);
        }
        if !offsets.is_empty() {
            transactional.send_offsets(identity, offsets, until)?;
        }
        self.transaction = Transaction::Closed;
        Ok(transactional.commit(until))
    }
}
