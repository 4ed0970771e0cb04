//! The cluster: all there is, behind one lock.
#![forbid(unsafe_code)]

mod coordinator;
mod inspect;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_client::{Admin, ClientConfig, ClientError, ClientSupplier, Consumer, GroupMembership, Producer};
use headwater_record::{Clock, Deadline, Partition, Timestamp};

pub(crate) use coordinator::Coordinator;
pub use inspect::{GroupView, MemberView, TopicView, TransactionView};
pub(crate) use state::State;

use crate::admin::MemoryAdmin;
use crate::consumer::MemoryConsumer;
use crate::fault::Faults;
use crate::group::GroupSettings;
use crate::membership::MemoryMembership;
use crate::producer::MemoryProducer;
use crate::transaction::TransactionProtocol;

/// No wait is longer without a look at the clock.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What a client does when it is asked to wait and there is nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Waiting {
    /// It returns at once: time is virtual and will not pass while it waits.
    #[default]
    Return,
    /// It waits until there is something, or until its deadline by the cluster's clock, which must be the real one.
    Block,
}

/// What a broker's `server.properties` would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Whether clients wait.
    pub waiting: Waiting,
    /// `auto.create.topics.enable`; off by default, unlike Kafka's.
    pub auto_create_topics: bool,
    /// `num.partitions`: of topics made without saying how many.
    pub default_partitions: Partition,
    /// `group.initial.rebalance.delay.ms`; zero by default, where Kafka's is 3 s.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`, 6 s.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`, 30 min.
    pub max_session_timeout: Duration,
    /// `group.max.size`.
    pub max_group_size: usize,
    /// The feature `transaction.version`, which cluster and clients agree on.
    pub transaction_protocol: TransactionProtocol,
    /// `transaction.max.timeout.ms`, 15 min.
    pub max_transaction_timeout: Duration,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        ClusterConfig {
            waiting: Waiting::Return,
            auto_create_topics: false,
            default_partitions: 1,
            initial_rebalance_delay: Duration::ZERO,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_mins(30),
            max_group_size: usize::MAX,
            transaction_protocol: TransactionProtocol::default(),
            max_transaction_timeout: Duration::from_mins(15),
        }
    }
}

impl ClusterConfig {
    fn group_settings(&self) -> GroupSettings {
        GroupSettings {
            initial_rebalance_delay: self.initial_rebalance_delay,
            min_session_timeout: self.min_session_timeout,
            max_session_timeout: self.max_session_timeout,
            max_size: self.max_group_size,
        }
    }
}

/// What all clones of a cluster and all its clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(crate) clock: Arc<dyn Clock>,
    waiting: Waiting,
}

impl Shared {
    /// The state. A panic of another holder does not spoil it: no change is left half done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that there may be something for them.
    pub(crate) fn notify(&self) {
        if self.blocks() {
            self.changed.notify_all();
        }
    }

    /// Whether clients wait.
    pub(crate) fn blocks(&self) -> bool {
        self.waiting == Waiting::Block
    }

    /// Repeats `attempt` until it gives something, there is nothing more to wait for, or `until` has passed. `attempt` also says
    /// when to try again though nothing has changed.
    pub(crate) fn wait_for<T>(
        &self,
        until: Deadline,
        mut attempt: impl FnMut(&mut State, Timestamp) -> Result<T, Option<Timestamp>>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            let now = self.clock.now();
            state.advance(now);
            let again = match attempt(&mut state, now) {
                Ok(result) => return Some(result),
                Err(again) => again,
            };
            if !self.blocks() || until.passed(now) {
                return None;
            }
            let timers = again.into_iter().chain(state.next_deadline()).map(|at| at.since(now));
            let wait = timers.min().unwrap_or(LONGEST_WAIT).min(until.remaining(now)).min(LONGEST_WAIT);
            // Kafka's time has milliseconds: a shorter wait would spin.
            let wait = wait.max(Duration::from_millis(1));
            (state, _) = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for `pause` or until `until`, whichever is first; not at all in virtual time.
    pub(crate) fn pause(&self, until: Deadline, pause: Duration) {
        let end = Deadline::after(self.clock.now(), pause).min(until);
        self.wait_for::<()>(end, |_, _| Err(None));
    }
}

/// A Kafka cluster in this process. Clones are handles of the same cluster.
///
/// It has no threads. With a virtual clock (see [`ManualClock`](crate::ManualClock)) no client ever waits, and the same calls
/// give the same results every time. With a real clock and [`Waiting::Block`], clients on several threads wait as they would
/// for a broker.
///
/// ```
/// use std::sync::Arc;
/// use headwater::memory::{Cluster, ManualClock};
/// use headwater::record::{Headers, Timestamp, Topic};
///
/// let cluster = Cluster::new(Arc::new(ManualClock::default()));
/// let topic = Topic::from("lines");
/// cluster.create_topic(topic.clone(), 4)?;
/// cluster.produce(&topic, Some(b"k"), Some(b"hello"), Timestamp::ZERO, &Headers::new())?;
/// let records = cluster.records(&topic);
/// assert_eq!(records[0].1.value.as_deref(), Some(&b"hello"[..]));
/// # Ok::<(), headwater::client::ClientError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(crate) shared: Arc<Shared>,
}

impl Cluster {
    /// An empty cluster whose clients do not wait.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, ClusterConfig::default())
    }

    /// An empty cluster with these settings.
    pub fn with(clock: Arc<dyn Clock>, config: ClusterConfig) -> Self {
        let waiting = config.waiting;
        let state = Mutex::new(State::new(config));
        Cluster { shared: Arc::new(Shared { state, changed: Condvar::new(), clock, waiting }) }
    }

    /// The clock of this cluster.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Makes things go wrong.
    pub fn faults(&self) -> Faults<'_> {
        Faults::new(self)
    }
}

impl ClientSupplier for Cluster {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }

    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError> {
        Ok(Box::new(MemoryConsumer::new(Arc::clone(&self.shared), config)?))
    }

    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError> {
        Ok(Box::new(MemoryProducer::new(Arc::clone(&self.shared), config)?))
    }

    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError> {
        Ok(Box::new(MemoryAdmin::new(Arc::clone(&self.shared), config)))
    }

    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError> {
        Ok(Box::new(MemoryMembership::new(Arc::clone(&self.shared), group, config)))
    }
}
