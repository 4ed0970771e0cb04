//! What a leader knows when it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use headwater_record::{Topic, TopicPartition};
use headwater_topology::TaskId;
use uuid::Uuid;

use super::{
    CodecError, ConsumerSubscription, Difference, HostPort, LATEST_OFFSET, LATEST_VERSION, SubscriptionInfo, TaskView,
    UNKNOWN_OFFSET,
};

/// The members of a group as they described themselves, for the leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// The leader's own process; it asks for follow-up rebalances.
    pub leader_process: Uuid,
    /// All members, ordered by member id.
    pub members: Vec<Subscriber>,
}

/// One member, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its member id.
    pub member_id: String,
    /// Its `group.instance.id`.
    pub instance_id: Option<String>,
    /// What it subscribes to and owns.
    pub subscription: ConsumerSubscription,
    /// What it is and what state it has. Of a member that speaks a newer version only the versions are known.
    pub info: SubscriptionInfo,
}

impl Subscriber {
    /// Understands one member's bytes.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that mean nothing, and for a member that is no Kafka Streams member.
    pub fn decode(member_id: String, instance_id: Option<String>, metadata: &[u8]) -> Result<Self, CodecError> {
        let subscription = ConsumerSubscription::decode(metadata)?;
        let Some(user_data) = &subscription.user_data else {
            return Err(CodecError::NoUserData { member: member_id });
        };
        let info = SubscriptionInfo::decode(user_data)?;
        Ok(Subscriber { member_id, instance_id, subscription, info })
    }

    /// Whether it speaks a newer version than this leader: it gets nothing this time, and comes back with an older one.
    pub fn is_from_the_future(&self) -> bool {
        self.info.version > LATEST_VERSION
    }
}

impl GroupView {
    /// All topics that somebody subscribes to.
    pub fn topics(&self) -> BTreeSet<Topic> {
        self.members.iter().flat_map(|member| member.subscription.topics.iter().cloned()).collect()
    }

    /// Whether a member asks for the whole application to close.
    pub fn shutdown_requested(&self) -> bool {
        self.members.iter().any(|member| member.info.error_code == super::AssignorError::ShutdownRequested.code())
    }
}

/// Settings of the leader that matter to assigning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssignmentSettings {
    /// `acceptable.recovery.lag`: a client that lags no more than so many records counts as caught up.
    pub acceptable_recovery_lag: i64,
    /// `max.warmup.replicas`: so many tasks are warmed up at once where they belong.
    pub max_warmup_replicas: usize,
    /// `num.standby.replicas`.
    pub standby_replicas: usize,
    /// `probing.rebalance.interval.ms`.
    pub probing_rebalance_interval: Duration,
}

impl Default for AssignmentSettings {
    /// Kafka's defaults.
    fn default() -> Self {
        AssignmentSettings {
            acceptable_recovery_lag: 10_000,
            max_warmup_replicas: 2,
            standby_replicas: 0,
            probing_rebalance_interval: Duration::from_mins(10),
        }
    }
}

/// Tasks and processes: all that a [`TaskAssignor`](super::TaskAssignor) may look at.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// Every task that must be active exactly once.
    pub tasks: BTreeMap<TaskId, TaskView>,
    /// The processes, by their ids. None without a consumer.
    pub clients: BTreeMap<Uuid, ClientView>,
    /// Settings.
    pub settings: AssignmentSettings,
}

/// One process (Java's `ClientState`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClientView {
    /// Its consumers, one per thread, by member id.
    pub consumers: BTreeMap<String, ConsumerView>,
    /// Where it answers queries.
    pub end_point: Option<HostPort>,
    /// `client.tag.*`.
    pub tags: BTreeMap<String, String>,
    /// `client.rack` of its consumers.
    pub rack: Option<String>,
    /// For each stateful task, by how many records this process is behind: [`LATEST_OFFSET`] when it runs the task, the whole
    /// length of the changelogs when it has no state; `None` when their end is not known.
    pub lags: BTreeMap<TaskId, Option<i64>>,
    /// Topics that the leader's topology reads and one of its consumers does not: it can have no task that reads them.
    pub unread: BTreeSet<Topic>,
}

/// One consumer of a process.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConsumerView {
    /// Partitions it owns since the last rebalance.
    pub owned: BTreeSet<TopicPartition>,
    /// Tasks it owns an input partition of.
    pub active: BTreeSet<TaskId>,
    /// Offset sums of the tasks it has state of.
    pub offset_sums: BTreeMap<TaskId, i64>,
}

impl ClientView {
    /// How many threads it has.
    pub fn capacity(&self) -> usize {
        self.consumers.len()
    }

    /// Whether it reads all topics of a task.
    pub fn reads(&self, task: &TaskView) -> bool {
        task.partitions.iter().all(|partition| !self.unread.contains(&partition.topic))
    }

    /// Whether one of its consumers has the task as active.
    pub fn is_active(&self, task: TaskId) -> bool {
        self.consumers.values().any(|consumer| consumer.active.contains(&task))
    }

    /// Whether it has state of the task without running it as active.
    pub fn has_state(&self, task: TaskId) -> bool {
        !self.is_active(task) && self.consumers.values().any(|consumer| consumer.offset_sums.contains_key(&task))
    }

    /// Whether it could take the task over without a long restoration.
    pub fn is_caught_up(&self, task: TaskId, acceptable_recovery_lag: i64) -> bool {
        acceptable_recovery_lag == i64::MAX
            || self
                .lags
                .get(&task)
                .copied()
                .flatten()
                .is_some_and(|lag| lag == LATEST_OFFSET || (0..=acceptable_recovery_lag).contains(&lag))
    }
}

/// The process of each member; those from the future are not among them.
pub(super) fn client_of_each(group: &GroupView) -> BTreeMap<&str, Uuid> {
    let members = group.members.iter().filter(|member| !member.is_from_the_future());
    members.map(|member| (member.member_id.as_str(), member.info.process_id)).collect()
}

/// Puts together what an assignor may look at.
pub(super) fn cluster_view(
    group: &GroupView,
    tasks: BTreeMap<TaskId, TaskView>,
    differences: &[Difference],
    settings: AssignmentSettings,
) -> ClusterView {
    let task_of: BTreeMap<&TopicPartition, TaskId> =
        tasks.iter().flat_map(|(id, task)| task.partitions.iter().map(move |partition| (partition, *id))).collect();
    let mut clients: BTreeMap<Uuid, ClientView> = BTreeMap::new();
    for member in group.members.iter().filter(|member| !member.is_from_the_future()) {
        let client = clients.entry(member.info.process_id).or_default();
        client.end_point = client.end_point.take().or_else(|| member.info.end_point.parse().ok());
        client.tags.extend(member.info.client_tags.iter().cloned());
        client.rack = client.rack.take().or_else(|| member.subscription.rack.clone());
        let owned: BTreeSet<TopicPartition> = member.subscription.owned.iter().cloned().collect();
        let active = owned.iter().filter_map(|partition| task_of.get(partition).copied()).collect();
        let sums = member.info.offset_sums.iter().filter(|(task, _)| tasks.contains_key(task));
        let offset_sums = sums.map(|(task, sum)| (*task, *sum)).collect();
        let differs = differences.iter().filter(|it| it.member_id == member.member_id);
        client.unread.extend(differs.flat_map(|it| it.missing.iter().cloned()));
        client.consumers.insert(member.member_id.clone(), ConsumerView { owned, active, offset_sums });
    }
    for client in clients.values_mut() {
        client.lags = lags(client, &tasks);
    }
    ClusterView { tasks, clients, settings }
}

/// Java's `ClientState#computeTaskLags`.
fn lags(client: &ClientView, tasks: &BTreeMap<TaskId, TaskView>) -> BTreeMap<TaskId, Option<i64>> {
    let sum_of = |task: &TaskId| {
        let sums = client.consumers.values().filter_map(|consumer| consumer.offset_sums.get(task));
        sums.copied().max_by_key(|sum| if *sum == LATEST_OFFSET { i64::MAX } else { *sum })
    };
    let stateful = tasks.iter().filter(|(_, task)| task.stateful);
    stateful
        .map(|(id, task)| {
            let lag = match (sum_of(id), task.end_offset_sum) {
                (Some(LATEST_OFFSET), _) => Some(LATEST_OFFSET),
                (_, None) | (Some(UNKNOWN_OFFSET), _) => None,
                (None, Some(end)) => Some(end),
                // More than there is: whatever it is, it must be restored from the beginning.
                (Some(sum), Some(end)) if end < sum => Some(end),
                (Some(sum), Some(end)) => Some(end.saturating_sub(sum)),
            };
            (*id, lag)
        })
        .collect()
}
