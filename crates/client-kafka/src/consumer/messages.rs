//! What the consumer, the plan and the fetcher say to each other.
#![forbid(unsafe_code)]

use std::time::Duration;

use bytes::Bytes;
use headwater_client::{ClientError, StartAt, Watermarks};
use headwater_record::{Offset, Topic, TopicPartition};

use crate::batch::Aborted;

/// One assignment of a partition, from one place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Claim(pub(super) u64);

/// From where to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct From {
    pub(super) offset: Offset,
    /// Under which leader the record before it was written, -1 when that is not known: the broker tells when its log has another
    /// past (KIP-320).
    pub(super) epoch: i32,
}

/// What a broker gave of a partition.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) from: From,
    pub(super) bytes: Bytes,
    pub(super) aborted: Vec<Aborted>,
    pub(super) watermarks: Watermarks,
}

/// News for the consumer.
#[derive(Debug)]
pub(super) enum Heard {
    /// The beginning or the end that was asked for is here.
    Began(Claim, Offset),
    /// Records came. None more are fetched until they are ordered.
    Records(Claim, Records),
    /// Nothing came, but what the partition holds is known or has changed.
    Watermarks(Claim, Watermarks),
    /// Nothing more comes until another claim is made; of a topic that is gone, until it is there again.
    Failed(Claim, ClientError),
    /// Nobody answers, for now.
    Silence(ClientError),
    /// Somebody wants the poll to end.
    Wakeup,
}

/// A partition in a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) claim: Claim,
    pub(super) partition: TopicPartition,
    pub(super) from: From,
    pub(super) leader_epoch: i32,
}

/// A question to the cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Where these topics are; of another broker than the one before, if its answer was of no help.
    Metadata { topics: Vec<Topic>, elsewhere: bool },
    /// The beginning or the end of partitions of one topic.
    Starts(StartAt, Vec<(Claim, TopicPartition)>),
    /// Records, of the broker at this address, which waits at most so long for them.
    Fetch(String, Duration, Vec<Entry>),
}

/// What a broker answered for a partition.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) claim: Claim,
    pub(super) code: i16,
    pub(super) watermarks: Watermarks,
    pub(super) aborted: Vec<Aborted>,
    pub(super) bytes: Bytes,
    /// The log does not have the past that the fetch spoke of, but only up to here.
    pub(super) diverges_at: Option<Offset>,
    /// Another broker is to be asked.
    pub(super) replica: Option<i32>,
}
