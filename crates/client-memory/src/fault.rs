//! What a network and a broker can do wrong, on demand and repeatably.
#![forbid(unsafe_code)]

mod plan;

use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::Timestamp;

pub(crate) use plan::{FaultPlan, Outage, Verdict};

use crate::{Cluster, ManualClock};
use plan::{Crash, Delay, Effect};

const NOT_COORDINATOR: i16 = 16;

/// A kind of request, by Kafka's name of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// A producer's batch.
    Produce,
    /// A consumer's poll.
    Fetch,
    /// Describing and listing topics, and counting partitions.
    Metadata,
    /// Describing the settings of topics.
    DescribeConfigs,
    /// Making topics.
    CreateTopics,
    /// Deleting topics.
    DeleteTopics,
    /// Asking for offsets.
    ListOffsets,
    /// Removing records.
    DeleteRecords,
    /// Joining a group.
    JoinGroup,
    /// Handing in or getting an assignment.
    SyncGroup,
    /// A member's sign of life that it sends itself, or that is sent for it.
    Heartbeat,
    /// Leaving a group.
    LeaveGroup,
    /// Committing offsets.
    OffsetCommit,
    /// Asking for committed offsets.
    OffsetFetch,
    /// A transactional producer's first request.
    InitProducerId,
    /// Adding partitions to a transaction, under protocol 1.
    AddPartitionsToTxn,
    /// Adding a group to a transaction, under protocol 1.
    AddOffsetsToTxn,
    /// Committing offsets with a transaction.
    TxnOffsetCommit,
    /// Ending a transaction.
    EndTxn,
}

/// The answer of a broker that is not there.
pub(crate) fn unavailable() -> ClientError {
    ClientError::Unavailable { servers: "the in-process cluster".into(), reason: "it was made unreachable".into() }
}

/// The answer that did not come.
pub(crate) fn lost(api: Api) -> ClientError {
    ClientError::TimedOut { request: format!("{api:?}") }
}

/// Makes things go wrong; see [`Cluster::faults`].
///
/// Faults are used up in the order in which they were planned, so the same calls fail in the same way every time.
///
/// ```
/// use std::sync::Arc;
/// use headwater::client::{Admin, ClientConfig, ClientError, ClientSupplier};
/// use headwater::memory::{Api, Cluster, ManualClock};
/// use headwater::record::Deadline;
///
/// let cluster = Cluster::new(Arc::new(ManualClock::default()));
/// let mut admin = cluster.admin(&ClientConfig::new())?;
/// cluster.faults().fail_next(Api::Metadata, 1, ClientError::TimedOut { request: "Metadata".into() });
/// assert!(admin.list_topics(Deadline::NOW).is_err());
/// assert!(admin.list_topics(Deadline::NOW).is_ok());
/// # Ok::<(), ClientError>(())
/// ```
#[derive(Debug)]
pub struct Faults<'a> {
    cluster: &'a Cluster,
    client_id: Option<String>,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Self {
        Faults { cluster, client_id: None }
    }

    /// What follows concerns only the clients with this `client.id`.
    #[must_use]
    pub fn of_client(self, client_id: impl Into<String>) -> Self {
        Faults { client_id: Some(client_id.into()), ..self }
    }

    /// The next `times` requests of this kind have no effect and are answered with `error`.
    pub fn fail_next(&self, api: Api, times: u32, error: ClientError) {
        let shared = &self.cluster.shared;
        shared.lock().faults.plan(api, self.client_id.as_deref(), times, Effect::Fail(error));
    }

    /// The next `times` requests of this kind have their effect, but the answer is lost: the client sees a time-out.
    pub fn lose_responses(&self, api: Api, times: u32) {
        let shared = &self.cluster.shared;
        shared.lock().faults.plan(api, self.client_id.as_deref(), times, Effect::LoseResponse);
    }

    /// The next `times` requests of this kind are lost: they have no effect, and the client sees a time-out.
    pub fn lose_requests(&self, api: Api, times: u32) {
        self.fail_next(api, times, lost(api));
    }

    /// The next `times` requests of this kind reach a broker that is no longer the coordinator; the client finds the new one.
    pub fn move_coordinator(&self, api: Api, times: u32) {
        let message = "the coordinator has moved".into();
        self.fail_next(api, times, ClientError::Broker { code: NOT_COORDINATOR, message, retriable: true });
    }

    /// The next `times` requests of this kind arrive `by` later, by the cluster's clock, and the client sees a time-out. That is told of
    /// the requests of producers; others are lost.
    pub fn delay_requests(&self, api: Api, times: u32, by: Duration) {
        let shared = &self.cluster.shared;
        shared.lock().faults.plan(api, self.client_id.as_deref(), times, Effect::Delay(by));
    }

    /// The next `times` requests of this kind are answered, and arrive `by` later once more. That is told of the requests of producers;
    /// others arrive once.
    pub fn repeat_requests(&self, api: Api, times: u32, by: Duration) {
        let shared = &self.cluster.shared;
        shared.lock().faults.plan(api, self.client_id.as_deref(), times, Effect::Repeat(by));
    }

    /// The next transaction that ends, whosever it is, gets its first `markers` markers, those of partitions before those of groups.
    /// Then the transaction coordinator crashes. It answers nobody until the time `back`, and then writes all markers anew.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use headwater::client::{ClientConfig, ClientError, ClientSupplier};
    /// use headwater::memory::{Cluster, ManualClock};
    /// use headwater::record::{Clock, Deadline, Offset, RawHeaders, RawRecord, Timestamp, Topic};
    ///
    /// let clock = ManualClock::default();
    /// let cluster = Cluster::new(Arc::new(clock.clone()));
    /// let (topic, until) = (Topic::from("out"), Deadline::NEVER);
    /// cluster.create_topic(topic.clone(), 1)?;
    /// let mut producer = cluster.producer(&ClientConfig::new().with("transactional.id", "app-1"))?;
    /// let to = producer.partition(&topic, 0)?;
    /// let transactional = producer.transactional().ok_or(ClientError::Closed)?;
    /// transactional.init(until)?;
    /// transactional.begin()?;
    /// let (key, value, headers) = (None, Some(&b"hello"[..]), RawHeaders::NONE);
    /// let record = RawRecord { offset: Offset::UNKNOWN, timestamp: Timestamp::ZERO, key, value, headers };
    /// let _ = producer.append(to, record)?;
    /// producer.flush(until, &mut Vec::new())?;
    ///
    /// cluster.faults().crash_while_writing_markers(0, clock.now().plus(Duration::from_secs(3)));
    /// let outcome = producer.transactional().ok_or(ClientError::Closed)?.commit(until);
    /// assert!(cluster.committed_records(&topic).is_empty(), "{outcome:?}, and seen by nobody yet");
    /// clock.advance(Duration::from_secs(3));
    /// assert_eq!(cluster.committed_records(&topic).len(), 1);
    /// # Ok::<(), ClientError>(())
    /// ```
    pub fn crash_while_writing_markers(&self, markers: usize, back: Timestamp) {
        self.cluster.shared.lock().faults.crashes.push_back(Crash { markers, back });
    }

    /// Nothing gets through, heartbeats included, until the time `until`.
    pub fn unreachable_until(&self, until: Timestamp) {
        let shared = &self.cluster.shared;
        let now = shared.clock.now();
        let mut state = shared.lock();
        state.advance(now);
        state.settle_leases(now);
        for group in state.groups.values_mut() {
            group.connect(now, self.client_id.as_deref(), false);
        }
        state.faults.outages.push(Outage { client_id: self.client_id.clone(), until });
    }

    /// Every answer comes `delay` after its request, for which a client that waits lets time pass on `clock`, the cluster's own: that is
    /// how a distant cluster looks to a turn. Heartbeats that clients send by themselves, and records, which they ask for ahead, cost
    /// nobody a wait and are not late. Of several delays that concern a client the last one counts.
    pub fn delay_answers(&self, clock: &ManualClock, delay: Duration) {
        let delay = Delay { client_id: self.client_id.clone(), clock: clock.clone(), by: delay };
        self.cluster.shared.lock().faults.delays.push(delay);
    }

    /// Forgets what was planned for requests and did not happen yet. What is under way arrives all the same.
    pub fn forget_rules(&self) {
        self.cluster.shared.lock().faults.rules.clear();
    }

    /// Ends all that goes wrong now and forgets what was planned, for all clients.
    pub fn clear(&self) {
        let shared = &self.cluster.shared;
        let now = shared.clock.now();
        let mut state = shared.lock();
        state.advance(now);
        state.faults = FaultPlan::default();
        for group in state.groups.values_mut() {
            group.connect(now, None, true);
        }
    }
}
