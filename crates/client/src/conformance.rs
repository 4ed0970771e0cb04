//! The suite that every implementation of the client traits must pass.
//!
//! A case is a function over a [`Suite`]: clients of one cluster and a prefix for the names it uses there, so that runs on a
//! shared cluster do not meet. Nothing here sleeps. A case that waits asks again a bounded number of times, and each time the
//! client waits a little; in virtual time the suite moves the clock instead.

mod group;
mod lease;
mod log;
mod position;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use headwater_record::{
    Deadline, Header, Offset, OwnedRecord, Partition, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition,
};

use crate::{Admin, Appended, BatchAck, ClientConfig, ClientError, ClientSupplier, Consumer, NewTopic, Producer};

pub use group::{member_is_removed_when_its_session_times_out, waiting_keeps_the_lease};
pub use transactions::TRANSACTION_CASES;

/// One wait of a client inside a case.
const STEP: Duration = Duration::from_millis(100);
/// How many of them a case makes before it gives up.
const STEPS: usize = 300;
/// Deadline of one request.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an implementation does not conform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    fn new(text: impl fmt::Display) -> Self {
        Failure(text.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure(format!("unexpected error: {error}"))
    }
}

/// What became of a case.
pub type Outcome = Result<(), Failure>;

/// A named case.
pub type Case = (&'static str, fn(&Suite<'_>) -> Outcome);

/// All cases that need neither virtual time nor transactions ([`TRANSACTION_CASES`]), by name.
pub const CASES: &[Case] = &[
    ("records come back in order with consecutive offsets", log::records_come_back_in_order_with_consecutive_offsets),
    ("headers, nulls and timestamps are kept", log::headers_nulls_and_timestamps_are_kept),
    ("a timestamp of zero is kept", log::timestamp_of_zero_is_kept),
    ("a record without a timestamp gets the producer's", log::record_without_timestamp_gets_the_producers),
    ("a key has its partition", log::key_has_its_partition),
    ("reading starts where it is told", position::reading_starts_where_it_is_told),
    ("assigning twice is refused", position::assigning_twice_is_refused),
    ("a paused partition gives nothing until it is resumed", position::paused_partition_gives_nothing_until_resumed),
    ("pauses lose and repeat nothing", position::pauses_lose_and_repeat_nothing),
    ("a pause ends with the assignment", position::pause_ends_with_the_assignment),
    ("position and watermarks follow reading", position::position_and_watermarks_follow_reading),
    ("an offset that is gone is reported", position::offset_that_is_gone_is_reported),
    ("each partition's failure is reported", position::each_partitions_failure_is_reported),
    ("topics are made, described and deleted", topics::topics_are_made_described_and_deleted),
    ("a topic that is not there is said so", topics::unknown_topic_is_said_so),
    ("offsets are found by time", topics::offsets_are_found_by_time),
    ("offsets are committed with metadata", group::offsets_are_committed_with_metadata),
    ("two members share a group", group::two_members_share_a_group),
    ("a commit of another generation is refused", group::commit_of_another_generation_is_refused),
    ("a member that left is unknown", group::member_that_left_is_unknown),
    ("kept-alive heartbeats tell of a rebalance", group::kept_alive_heartbeats_tell_of_a_rebalance),
    ("another protocol is refused", group::another_protocol_is_refused),
    ("what is written waits for the lease", lease::what_is_written_waits_for_the_lease),
    ("what was given up is not written later", lease::what_was_given_up_is_not_written_later),
    ("a lease is as long as the membership", lease::a_lease_is_as_long_as_the_membership),
    ("a refusal ends the lease", lease::a_refusal_ends_the_lease),
];

/// Clients under test.
#[derive(Clone, Copy)]
pub struct Suite<'a> {
    clients: &'a dyn ClientSupplier,
    config: &'a ClientConfig,
    prefix: &'a str,
    advance: Option<&'a dyn Fn(Duration)>,
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite").field("clients", &self.clients).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl<'a> Suite<'a> {
    /// Tests `clients`, made with `config`; every topic and group has a name that begins with `prefix`.
    pub fn new(clients: &'a dyn ClientSupplier, config: &'a ClientConfig, prefix: &'a str) -> Self {
        Suite { clients, config, prefix, advance: None }
    }

    /// The clients' clock is virtual: `advance` moves it on.
    #[must_use]
    pub fn with_virtual_time(self, advance: &'a dyn Fn(Duration)) -> Self {
        Suite { advance: Some(advance), ..self }
    }

    /// Runs all of [`CASES`] and says what became of each.
    pub fn run(&self) -> Vec<(&'static str, Outcome)> {
        CASES.iter().map(|(name, case)| (*name, case(self))).collect()
    }

    fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    fn now(&self) -> Timestamp {
        self.clients.clock().now()
    }

    fn until(&self) -> Deadline {
        Deadline::after(self.now(), PATIENCE)
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.now(), STEP)
    }

    /// Lets time pass, where the suite is the one who does.
    fn pass(&self, duration: Duration) {
        if let Some(advance) = self.advance {
            advance(duration);
        }
    }

    /// Repeats `attempt` until it gives something.
    fn wait<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
        for _ in 0..STEPS {
            if let Some(found) = attempt()? {
                return Ok(found);
            }
            self.pass(STEP);
        }
        Err(Failure::new(format!("waited in vain for {what}")))
    }

    fn admin(&self) -> Result<Box<dyn Admin>, Failure> {
        Ok(self.clients.admin(self.config)?)
    }

    fn producer(&self) -> Result<Box<dyn Producer>, Failure> {
        Ok(self.clients.producer(self.config)?)
    }

    fn consumer(&self) -> Result<Box<dyn Consumer>, Failure> {
        Ok(self.clients.consumer(self.config)?)
    }

    /// Makes a topic and waits until it is seen. Old timestamps do not make its records go.
    fn topic(&self, what: &str, partitions: Partition) -> Result<Topic, Failure> {
        let topic = Topic::from(self.name(what).as_str());
        let configs = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
        let new = NewTopic { topic: topic.clone(), partitions, replication_factor: -1, configs };
        let mut admin = self.admin()?;
        for made in admin.create_topics(&[new], self.until())? {
            made?;
        }
        self.wait("the new topic", || {
            Ok(admin.describe_topics(std::slice::from_ref(&topic), self.until())?.into_iter().flatten().next())
        })?;
        Ok(topic)
    }

    /// Writes `records` to one partition and waits until they are stored. Gives the first's offset.
    fn write(&self, to: &TopicPartition, records: &[OwnedRecord]) -> Result<Offset, Failure> {
        let mut producer = self.producer()?;
        let target = producer.partition(&to.topic, to.partition)?;
        let mut acks = Vec::new();
        for record in records {
            self.wait("room in the producer", || match producer.append(target, record.view())? {
                Appended::Stored => Ok(Some(())),
                Appended::Full => {
                    producer.poll(self.soon(), &mut acks)?;
                    Ok(None)
                }
            })?;
        }
        producer.flush(self.until(), &mut acks)?;
        let mut first = None;
        let mut stored = 0;
        for ack in &acks {
            match ack {
                BatchAck::Stored { to: acknowledged, base_offset, count } => {
                    equal("the acknowledged partition", acknowledged, &target)?;
                    let start: &mut Offset = first.get_or_insert(*base_offset);
                    equal("the batch's offset", &base_offset.value(), &(start.value() + stored))?;
                    stored += i64::from(*count);
                }
                BatchAck::Failed { error, .. } => return Err(error.clone().into()),
            }
        }
        equal("the number of acknowledged records", &stored, &(records.len() as i64))?;
        first.ok_or_else(|| Failure::new("nothing was acknowledged"))
    }

    /// Polls until `count` records have come; more than that is a failure.
    fn read(&self, consumer: &mut dyn Consumer, count: usize) -> Result<Vec<(TopicPartition, OwnedRecord)>, Failure> {
        let mut records = Vec::new();
        self.wait("records", || {
            let mut batches = Vec::new();
            consumer.poll(self.soon(), &mut batches)?;
            for batch in &mut batches {
                while let Some(record) = batch.head() {
                    let record = record.to_owned();
                    equal("the batch's next offset", &batch.next_offset(), &record.offset)?;
                    records.push((batch.partition().clone(), record));
                    batch.advance()?;
                }
                equal("what remains of a batch that was read", &batch.remaining(), &0)?;
            }
            Ok((records.len() >= count).then_some(()))
        })?;
        equal("the number of records read", &records.len(), &count)?;
        Ok(records)
    }
}

fn record(key: Option<&'static str>, value: Option<&'static str>, timestamp: i64) -> OwnedRecord {
    let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
    RawRecord {
        offset: Offset::UNKNOWN,
        timestamp: Timestamp::from_millis(timestamp),
        key: bytes(key),
        value: bytes(value),
        headers: RawHeaders::NONE,
    }
    .to_owned()
}

fn numbered(count: usize) -> Vec<OwnedRecord> {
    let mut records = Vec::with_capacity(count);
    for number in 0..count {
        let value = number.to_string();
        let raw = RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::from_millis(1_000 + number as i64),
            key: Some(b"key"),
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        };
        records.push(raw.to_owned());
    }
    records
}

/// Everything of a record but its offset.
type Content<'a> = (Timestamp, Option<&'a [u8]>, Option<&'a [u8]>, &'a [Header]);

fn content(record: &OwnedRecord) -> Content<'_> {
    (record.timestamp, record.key.as_deref(), record.value.as_deref(), &record.headers)
}

fn equal<T: PartialEq + fmt::Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    ensure(found == expected, || format!("{what} should be {expected:?} but is {found:?}"))
}

fn ensure(holds: bool, why_not: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Failure(why_not())) }
}

/// That `result` is an error which `is` accepts.
fn refused<T: fmt::Debug>(
    what: &str,
    result: Result<T, ClientError>,
    is: impl FnOnce(&ClientError) -> bool,
) -> Outcome {
    match result {
        Err(error) if is(&error) => Ok(()),
        other => Err(Failure(format!("{what} should be refused otherwise than {other:?}"))),
    }
}
