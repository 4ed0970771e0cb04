//! What a network and a broker can do wrong, on demand and repeatably.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::{Clock, Deadline, Timestamp};

use crate::cluster::State;
use crate::{Cluster, ManualClock};

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

#[derive(Clone, Debug)]
enum Effect {
    Fail(ClientError),
    LoseResponse,
    Delay(Duration),
    Repeat(Duration),
}

#[derive(Debug)]
struct Rule {
    api: Api,
    client_id: Option<String>,
    times: u32,
    effect: Effect,
}

#[derive(Debug)]
pub(crate) struct Outage {
    /// Whose; of all when `None`.
    pub(crate) client_id: Option<String>,
    pub(crate) until: Timestamp,
}

/// How late answers come, and the clock by which whoever waits for one lets time pass.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    client_id: Option<String>,
    clock: ManualClock,
    by: Duration,
}

impl Delay {
    /// When the answer to what is sent now comes.
    pub(crate) fn due(&self) -> Timestamp {
        self.clock.now().plus(self.by)
    }

    /// Lets time pass until an answer comes at `due`, but not beyond `until`; whether it has come.
    pub(crate) fn wait(&self, due: Timestamp, until: Deadline) -> bool {
        self.clock.set(self.clock.now().max(due.min(until.time())));
        due <= until.time()
    }
}

/// What becomes of one request.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is answered.
    Pass,
    /// It has no effect, and this is the answer.
    Fail(ClientError),
    /// It has its effect, but nobody hears of it.
    LoseResponse,
    /// It arrives so much later, and nobody hears of it.
    Delay(Duration),
    /// It is answered, and arrives so much later once more.
    Repeat(Duration),
}

/// A request that is still on its way.
pub(crate) struct UnderWay {
    arrives: Timestamp,
    request: Box<dyn FnOnce(&mut State, Timestamp) + Send>,
}

impl UnderWay {
    /// It arrives.
    pub(crate) fn perform(self, state: &mut State, now: Timestamp) {
        (self.request)(state, now);
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnderWay").field("arrives", &self.arrives).finish_non_exhaustive()
    }
}

/// A crash of the transaction coordinator.
#[derive(Debug)]
pub(crate) struct Crash {
    /// After so many markers of one transaction.
    pub(crate) markers: usize,
    /// When it is back.
    pub(crate) back: Timestamp,
}

/// What is planned to go wrong.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    rules: Vec<Rule>,
    pub(crate) outages: Vec<Outage>,
    delays: Vec<Delay>,
    under_way: Vec<UnderWay>,
    crashes: VecDeque<Crash>,
}

impl FaultPlan {
    /// How late answers to this client come, if they do.
    pub(crate) fn delay(&self, client_id: &str) -> Option<Delay> {
        self.delays.iter().rfind(|delay| delay.client_id.as_deref().is_none_or(|id| id == client_id)).cloned()
    }

    /// What becomes of a request of `client_id`; counted rules are used up by it.
    #[inline]
    pub(crate) fn verdict(&mut self, api: Api, client_id: &str) -> Verdict {
        if self.rules.is_empty() && self.outages.is_empty() {
            return Verdict::Pass;
        }
        if self.is_cut_off(client_id) {
            return Verdict::Fail(unavailable());
        }
        let matches = |rule: &Rule| rule.api == api && rule.client_id.as_deref().is_none_or(|id| id == client_id);
        let Some(index) = self.rules.iter().position(matches) else {
            return Verdict::Pass;
        };
        let Some(rule) = self.rules.get_mut(index) else {
            return Verdict::Pass;
        };
        let effect = rule.effect.clone();
        rule.times -= 1;
        if rule.times == 0 {
            self.rules.remove(index);
        }
        match effect {
            Effect::Fail(error) => Verdict::Fail(error),
            Effect::LoseResponse => Verdict::LoseResponse,
            Effect::Delay(by) => Verdict::Delay(by),
            Effect::Repeat(by) => Verdict::Repeat(by),
        }
    }

    /// Has a request arrive later.
    pub(crate) fn send_later(
        &mut self,
        arrives: Timestamp,
        request: impl FnOnce(&mut State, Timestamp) + Send + 'static,
    ) {
        self.under_way.push(UnderWay { arrives, request: Box::new(request) });
    }

    /// Takes out the request that arrives first, if it arrives at `now` or before.
    pub(crate) fn arrived(&mut self, now: Timestamp) -> Option<UnderWay> {
        let (index, first) = self.under_way.iter().enumerate().min_by_key(|(_, request)| request.arrives)?;
        (first.arrives <= now).then(|| self.under_way.remove(index))
    }

    /// The crash that interrupts the markers that are to be written now.
    pub(crate) fn take_crash(&mut self) -> Option<Crash> {
        self.crashes.pop_front()
    }

    /// When an outage ends or a delayed request arrives next.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let outages = self.outages.iter().map(|outage| outage.until);
        outages.chain(self.under_way.iter().map(|request| request.arrives)).min()
    }

    /// Whether nothing of this client gets through.
    pub(crate) fn is_cut_off(&self, client_id: &str) -> bool {
        self.outages.iter().any(|outage| outage.client_id.as_deref().is_none_or(|id| id == client_id))
    }

    /// Takes out the outage that ends first, if it ends at `now` or before.
    pub(crate) fn ended(&mut self, now: Timestamp) -> Option<Outage> {
        let first = self.outages.iter().enumerate().min_by_key(|(_, outage)| outage.until)?;
        let (index, ends) = (first.0, first.1.until);
        (ends <= now).then(|| self.outages.remove(index))
    }

    fn plan(&mut self, api: Api, client_id: Option<&str>, times: u32, effect: Effect) {
        if times > 0 {
            self.rules.push(Rule { api, client_id: client_id.map(str::to_owned), times, effect });
        }
    }
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
    pub fn crash_while_writing_markers(&self, markers: usize, back: Timestamp) {
        self.cluster.shared.lock().faults.crashes.push_back(Crash { markers, back });
    }

    /// Nothing gets through, heartbeats included, until the time `until`.
    pub fn unreachable_until(&self, until: Timestamp) {
        let shared = &self.cluster.shared;
        let now = shared.clock.now();
        let mut state = shared.lock();
        state.advance(now);
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
