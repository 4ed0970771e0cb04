//! Transactions of a producer.

use headwater_record::{Deadline, TopicPartition};

use crate::{ClientError, CommittedOffset, GroupIdentity};

/// How a transaction ended that was to be committed.
#[derive(Debug)]
#[must_use]
pub enum TransactionOutcome {
    /// All of it is visible, or will be as soon as its markers are written.
    Committed,
    /// None of it is. The producer may begin another one.
    Aborted(ClientError),
    /// None of it is: another producer took over, or the coordinator gave the transaction up after `transaction.timeout.ms`. This
    /// producer is of no more use.
    Fenced(ClientError),
    /// Not known: an answer to the commit did not come, even if a later one says that another producer took over. The producer is
    /// of no more use: make a new one and initialise it, which settles the matter.
    Indefinite(ClientError),
}

/// Transactions, as Kafka's producer has them.
///
/// A transaction is everything that a producer writes between [`Transactional::begin`] and [`Transactional::commit`], over all
/// partitions, and the offsets handed to [`Transactional::send_offsets`]: readers of committed records see all of it or nothing.
///
/// Two protocols carry it. **Protocol 2** (KIP-890, clusters whose `transaction.version` is 2 or more) gives every transaction an
/// epoch of its own, so what arrives late is refused. Under **protocol 1** the epoch stays, and a delayed request can meet the
/// next transaction and tear it: a producer that was left without an answer is therefore never used again. A client speaks
/// protocol 2 wherever the cluster does. What a call sends:
///
/// | call | protocol 1 | protocol 2 |
/// |---|---|---|
/// | `init` | `InitProducerId`: fences earlier producers, aborts what they left open | the same |
/// | `begin` | nothing | nothing |
/// | `append` and what follows | `AddPartitionsToTxn` before a partition's first batch, then `Produce` | `Produce`, which adds the partition |
/// | `send_offsets` | `AddOffsetsToTxn` before a group's first, then `TxnOffsetCommit` | `TxnOffsetCommit`, which adds the group |
/// | `commit`, `abort` | `EndTxn` | `EndTxn`, whose answer is the next epoch |
/// | either, when nothing was sent | nothing | nothing |
///
/// and what no answer in time means:
///
/// | without an answer | protocol 1 | protocol 2 |
/// |---|---|---|
/// | `Produce` | sent again: sequence numbers keep it from being written twice | the same |
/// | `Produce`, given up (`delivery.timeout.ms`, an abort) | no more use | refused when it arrives |
/// | `AddPartitionsToTxn`, `AddOffsetsToTxn`, `TxnOffsetCommit` | [`ClientError::TransactionAborted`], and no more use | sent again |
/// | `EndTxn` | [`TransactionOutcome::Indefinite`] at once | sent again until `until`, then [`TransactionOutcome::Indefinite`] |
///
/// An answer that asks for patience (the coordinator moves, loads, or still writes the markers of the transaction before) is no
/// missing answer: under both the request is sent again until `until`. Against a network that itself delivers a request twice,
/// the second time much later, protocol 1 has no defence.
///
/// Outside of a transaction a producer with a `transactional.id` writes nothing: its `append` is refused. A call that makes no
/// sense where it is made is [`ClientError::Config`] and changes nothing.
///
/// ```
/// use std::sync::Arc;
/// use headwater::client::{Appended, ClientConfig, ClientError, ClientSupplier, TransactionOutcome};
/// use headwater::memory::{Cluster, ManualClock};
/// use headwater::record::{Deadline, Offset, RawHeaders, RawRecord, Timestamp, Topic};
///
/// let cluster = Cluster::new(Arc::new(ManualClock::default()));
/// let (topic, until) = (Topic::from("out"), Deadline::NEVER);
/// cluster.create_topic(topic.clone(), 1)?;
/// let mut producer = cluster.producer(&ClientConfig::new().with("transactional.id", "app-1"))?;
/// let to = producer.partition(&topic, 0)?;
/// let transactional = producer.transactional().ok_or(ClientError::Closed)?;
/// transactional.init(until)?;
/// transactional.begin()?;
/// let (key, value, headers) = (None, Some(&b"hello"[..]), RawHeaders::NONE);
/// let record = RawRecord { offset: Offset::UNKNOWN, timestamp: Timestamp::ZERO, key, value, headers };
/// assert_eq!(producer.append(to, record)?, Appended::Stored);
/// producer.flush(until, &mut Vec::new())?;
/// assert!(cluster.committed_records(&topic).is_empty());
/// let outcome = producer.transactional().ok_or(ClientError::Closed)?.commit(until);
/// assert!(matches!(outcome, TransactionOutcome::Committed));
/// assert_eq!(cluster.committed_records(&topic).len(), 1);
/// # Ok::<(), ClientError>(())
/// ```
pub trait Transactional {
    /// Fences earlier producers of the same `transactional.id` and settles what they left open. Must be called once before
    /// anything else; may be called again when it failed.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] at `until`, also while an earlier transaction's markers are still being written; otherwise as the
    /// cluster answers.
    fn init(&mut self, until: Deadline) -> Result<(), ClientError>;

    /// Begins one. The cluster hears of it with the first record or offset, and only then does its time begin to run.
    ///
    /// # Errors
    /// [`ClientError::Config`] when one is open already, before [`Transactional::init`], and after an outcome after which the
    /// producer is of no more use; [`ClientError::Fenced`] when another took over.
    fn begin(&mut self) -> Result<(), ClientError>;

    /// Commits input offsets with it, as that member of the group: nobody sees them before the transaction is committed.
    ///
    /// # Errors
    /// [`ClientError::Group`] when the member's generation is no longer valid: the transaction can only be aborted.
    /// [`ClientError::TimedOut`] at `until`: ask the same again, or abort; it is not committed before this has succeeded.
    /// [`ClientError::TransactionAborted`] and [`ClientError::Fenced`] as their names say.
    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<(), ClientError>;

    /// Ends it, and commits it if everything of it succeeded; otherwise it is aborted, and the outcome says why. All records must
    /// have been acknowledged ([`Producer::flush`](crate::Producer::flush)): one that was not, or that failed, or offsets that
    /// were refused, are such a reason.
    fn commit(&mut self, until: Deadline) -> TransactionOutcome;

    /// Ends it, and nobody will see any of it. Records that were not acknowledged are forgotten, and no acknowledgement of them
    /// comes any more. The producer may then begin another one.
    ///
    /// # Errors
    /// Any means that the producer is of no more use, and that the next one of this `transactional.id` aborts what is left:
    /// [`ClientError::Fenced`], [`ClientError::TimedOut`]. [`ClientError::Config`] when none is open.
    fn abort(&mut self, until: Deadline) -> Result<(), ClientError>;
}
