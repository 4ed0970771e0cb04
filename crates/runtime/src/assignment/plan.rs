//! The leader's whole work: from the members' descriptions to the bytes for each.

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::TaskId;
use uuid::Uuid;

use super::threads::deal;
use super::view::{client_of_each, cluster_view};
use super::{
    AssignmentInfo, AssignmentSettings, AssignorError, ClientView, ClusterView, ConsumerAssignment, Difference,
    GroupView, HostPort, LATEST_VERSION, Placement, REBALANCE_AT_ONCE, Subscriber, SubscriptionInfo, TaskAssignor,
    TaskView,
};

/// What each member gets.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GroupPlan {
    /// Member ids and their bytes, for [`Event::Planned`](crate::membership::Event::Planned).
    pub assignments: Vec<(String, Vec<u8>)>,
    /// What was decided, before anything was held back for its present owner.
    pub placement: Placement,
}

/// Members that are older than this cannot be told that another is too new for them.
const EARLIEST_PROBEABLE_VERSION: i32 = 3;

/// Tells all members `error` instead of tasks.
pub fn plan_error(group: &GroupView, error: AssignorError) -> GroupPlan {
    let info = AssignmentInfo::of_error(error).encode();
    let assignment = ConsumerAssignment { partitions: Vec::new(), user_data: Some(info) }.encode();
    let assignments = group.members.iter().map(|member| (member.member_id.clone(), assignment.clone()));
    GroupPlan { assignments: assignments.collect(), placement: Placement::default() }
}

/// Decides for the group: `tasks` are those of [`derive_tasks`](super::derive_tasks) with the end offsets of their changelogs filled
/// in, `now` is the time for a follow-up rebalance.
///
/// The changelog topics must exist before the result is handed in: members read them at once. When a member has asked for the
/// application to close, that is what all are told; so is an error when the assignor has left out a task, has named a process that is
/// not there, or has put a standby beside its active task (Java's `AssignmentError`s).
///
/// `differences` are those of [`Difference::all`]: a member that runs another application is told so and gets nothing, others get
/// no task of which they do not read a topic.
pub fn plan(
    group: &GroupView,
    tasks: BTreeMap<TaskId, TaskView>,
    differences: &[Difference],
    settings: AssignmentSettings,
    assignor: &dyn TaskAssignor,
    now: Timestamp,
) -> GroupPlan {
    if group.shutdown_requested() {
        return plan_error(group, AssignorError::ShutdownRequested);
    }
    let others: Vec<&Difference> = differences.iter().filter(|member| member.is_another_application()).collect();
    let mut group = group.clone();
    group.members.retain(|member| others.iter().all(|other| other.member_id != member.member_id));
    let told: Vec<(String, Vec<u8>)> = others.iter().map(|other| tell_other(other, &tasks)).collect();
    let mut plan = plan_for(&group, tasks, differences, settings, assignor, now);
    plan.assignments.extend(told);
    plan
}

/// What a member of another application gets.
fn tell_other(other: &Difference, tasks: &BTreeMap<TaskId, TaskView>) -> (String, Vec<u8>) {
    let info = AssignmentInfo::of_other_topology(other.example(tasks)).encode();
    let assignment = ConsumerAssignment { partitions: Vec::new(), user_data: Some(info) };
    (other.member_id.clone(), assignment.encode())
}

fn plan_for(
    group: &GroupView,
    tasks: BTreeMap<TaskId, TaskView>,
    differences: &[Difference],
    settings: AssignmentSettings,
    assignor: &dyn TaskAssignor,
    now: Timestamp,
) -> GroupPlan {
    let from_the_future = |member: &Subscriber| member.is_from_the_future();
    if group.members.iter().any(from_the_future) && oldest(group, |info| info.version) < EARLIEST_PROBEABLE_VERSION {
        return plan_error(group, AssignorError::AssignmentError);
    }
    let view = cluster_view(group, tasks, differences, settings);
    let placement = if view.clients.is_empty() { Placement::default() } else { assignor.assign(&view) };
    let placement = only_where_read(&view, placement);
    if !view.clients.is_empty() && !is_whole(&view, &placement) {
        return plan_error(group, AssignorError::AssignmentError);
    }
    let assignments = Encoder::new(group, &view, &placement, now).encode();
    GroupPlan { assignments, placement }
}

/// Whether an assignor has done what it was asked.
fn is_whole(view: &ClusterView, placement: &Placement) -> bool {
    let placed = |task| placement.active.get(task).is_some_and(|client| view.clients.contains_key(client));
    let standbys = placement.standby.iter().all(|(task, clients)| {
        let beside = |client| placement.active.get(task) == Some(client);
        view.tasks.contains_key(task) && clients.iter().all(|id| view.clients.contains_key(id) && !beside(id))
    });
    view.tasks.keys().all(placed) && placement.active.len() == view.tasks.len() && standbys
}

/// Takes tasks from processes that do not read all of their topics: to a process with state, or with the fewest tasks for its
/// threads. The leader's reads them all.
fn only_where_read(view: &ClusterView, mut placement: Placement) -> Placement {
    if view.clients.values().all(|client| client.unread.is_empty()) {
        return placement;
    }
    let mut load: BTreeMap<Uuid, usize> = BTreeMap::new();
    for client in placement.active.values() {
        *load.entry(*client).or_default() += 1;
    }
    for (id, task) in &view.tasks {
        let reads = |client: &Uuid| view.clients.get(client).is_some_and(|client| client.reads(task));
        if let Some(standby) = placement.standby.get_mut(id) {
            standby.retain(&reads);
        }
        let Some(at) = placement.active.get(id).copied().filter(|at| !reads(at)) else { continue };
        let able = view.clients.iter().filter(|(client, _)| reads(client));
        let load_of = |id: &Uuid, client: &ClientView| {
            load.get(id).copied().unwrap_or_default() * 1000 / client.capacity().max(1)
        };
        let has_it = |client: &ClientView| client.is_active(*id) || client.has_state(*id);
        let best =
            able.min_by_key(|(id, client)| (!has_it(client), load_of(id, client), **id)).map(|(client, _)| *client);
        let Some(to) = best else { continue };
        *load.entry(at).or_default() -= 1;
        *load.entry(to).or_default() += 1;
        placement.active.insert(*id, to);
        if let Some(standby) = placement.standby.get_mut(id) {
            standby.remove(&to);
        }
    }
    placement.standby.retain(|_, clients| !clients.is_empty());
    placement
}

/// Writes the decision down for each member.
struct Encoder<'a> {
    group: &'a GroupView,
    view: &'a ClusterView,
    placement: &'a Placement,
    /// Of each consumer, its active and its standby tasks.
    active: BTreeMap<String, BTreeSet<TaskId>>,
    standby: BTreeMap<String, BTreeSet<TaskId>>,
    /// Who says to own each partition.
    owners: BTreeMap<&'a TopicPartition, BTreeSet<&'a str>>,
    frame: AssignmentInfo,
    now: Timestamp,
}

impl<'a> Encoder<'a> {
    fn new(group: &'a GroupView, view: &'a ClusterView, placement: &'a Placement, now: Timestamp) -> Self {
        let mut owners: BTreeMap<&TopicPartition, BTreeSet<&str>> = BTreeMap::new();
        for member in &group.members {
            for partition in &member.subscription.owned {
                owners.entry(partition).or_default().insert(&member.member_id);
            }
        }
        let (active, standby) = deal_all(view, placement);
        Encoder { group, view, placement, active, standby, owners, frame: frame(group, view, placement), now }
    }

    fn encode(&self) -> Vec<(String, Vec<u8>)> {
        let clients = client_of_each(self.group);
        let probing = |member: &str| clients.get(member) == Some(&self.group.leader_process);
        let mut probe = self.placement.probing;
        let mut assignments = Vec::new();
        for member in &self.group.members {
            let id = &member.member_id;
            let (mut info, partitions, withheld) = self.of_member(id);
            if withheld {
                info.next_rebalance_ms = REBALANCE_AT_ONCE;
            } else if probe && probing(id) {
                // One member of the leader's process asks for all.
                probe = false;
                info.next_rebalance_ms = self.now.plus(self.view.settings.probing_rebalance_interval).millis();
            }
            let assignment = ConsumerAssignment { partitions, user_data: Some(info.encode()) };
            assignments.push((id.clone(), assignment.encode()));
        }
        assignments
    }

    /// What a member gets, and whether something is held back because another member still owns it.
    fn of_member(&self, member: &str) -> (AssignmentInfo, Vec<TopicPartition>, bool) {
        let mut info = self.frame.clone();
        let mut partitions: BTreeSet<(&TopicPartition, TaskId)> = BTreeSet::new();
        let mut withheld = false;
        for task in self.active.get(member).into_iter().flatten() {
            let inputs = self.view.tasks.get(task).map(|view| &view.partitions);
            let owned_elsewhere = |partition| {
                self.owners.get(partition).is_some_and(|owners| owners.iter().any(|owner| *owner != member))
            };
            if inputs.into_iter().flatten().any(owned_elsewhere) {
                withheld = true;
                if self.keeps_as_standby(member, *task) {
                    info.standby.insert(*task, inputs.cloned().unwrap_or_default());
                }
            } else {
                partitions.extend(inputs.into_iter().flatten().map(|partition| (partition, *task)));
            }
        }
        for task in self.standby.get(member).into_iter().flatten() {
            info.standby.insert(*task, self.inputs(*task));
        }
        info.active = partitions.iter().map(|(_, task)| *task).collect();
        (info, partitions.into_iter().map(|(partition, _)| partition.clone()).collect(), withheld)
    }

    fn inputs(&self, task: TaskId) -> BTreeSet<TopicPartition> {
        self.view.tasks.get(&task).map(|view| view.partitions.clone()).unwrap_or_default()
    }

    /// Whether a task that the member will run next is a stateful one that its process keeps state of already: closed in
    /// between, a store in memory would lose all.
    fn keeps_as_standby(&self, member: &str, task: TaskId) -> bool {
        let mut clients = self.view.clients.values().filter(|client| client.consumers.contains_key(member));
        self.view.tasks.get(&task).is_some_and(|view| view.stateful) && clients.any(|client| client.has_state(task))
    }
}

/// Java's three passes with one load: stateful, standby, stateless.
fn deal_all(
    view: &ClusterView,
    placement: &Placement,
) -> (BTreeMap<String, BTreeSet<TaskId>>, BTreeMap<String, BTreeSet<TaskId>>) {
    let (mut active, mut standby) = (BTreeMap::new(), BTreeMap::new());
    for (id, client) in &view.clients {
        let mine = |stateful: bool| -> BTreeSet<TaskId> {
            let tasks = placement.active.iter().filter(|(_, owner)| *owner == id).map(|(task, _)| *task);
            tasks.filter(|task| view.tasks.get(task).is_some_and(|task| task.stateful == stateful)).collect()
        };
        let standbys: BTreeSet<TaskId> =
            placement.standby.iter().filter(|(_, owners)| owners.contains(id)).map(|(task, _)| *task).collect();
        let mut load = BTreeMap::new();
        let stateful = deal(client, &mine(true), &mut load);
        standby.extend(deal(client, &standbys, &mut load));
        let stateless = deal(client, &mine(false), &mut load);
        for (consumer, tasks) in stateful.into_iter().chain(stateless) {
            active.entry(consumer).or_insert_with(BTreeSet::new).extend(tasks);
        }
    }
    (active, standby)
}

/// The oldest version among the members, and the newest of this one at most.
fn oldest(group: &GroupView, version: fn(&SubscriptionInfo) -> i32) -> i32 {
    group.members.iter().map(|member| version(&member.info)).fold(LATEST_VERSION, i32::min)
}

/// What is the same for all members: versions and hosts.
fn frame(group: &GroupView, view: &ClusterView, placement: &Placement) -> AssignmentInfo {
    let mut info = AssignmentInfo {
        version: oldest(group, |info| info.version),
        common_version: oldest(group, |info| info.latest_version),
        ..AssignmentInfo::default()
    };
    let hosts = view.clients.iter().filter_map(|(id, client)| Some((id, client.end_point.clone()?)));
    for (id, host) in hosts {
        let inputs = |task: &TaskId| view.tasks.get(task).map(|task| task.partitions.clone()).unwrap_or_default();
        let active = placement.active.iter().filter(|(_, owner)| *owner == id);
        let active = active.flat_map(|(task, _)| inputs(task)).collect();
        let standby = placement.standby.iter().filter(|(_, owners)| owners.contains(id));
        let standby = standby.flat_map(|(task, _)| inputs(task)).collect();
        put_host(&mut info, host, active, standby);
    }
    info
}

fn put_host(
    info: &mut AssignmentInfo,
    host: HostPort,
    active: BTreeSet<TopicPartition>,
    standby: BTreeSet<TopicPartition>,
) {
    info.partitions_by_host.entry(host.clone()).or_default().extend(active);
    info.standby_partitions_by_host.entry(host).or_default().extend(standby);
}
