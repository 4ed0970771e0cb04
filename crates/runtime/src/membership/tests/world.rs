//! A group of members, the threads they belong to, and a coordinator of the classic protocol, all in one place and without time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headwater_client::{
    ClientError, GroupError, GroupIdentity, GroupRequest, GroupResponse, JoinRequest, Joined, KeepAlive,
};
use headwater_record::{Timestamp, Topic, TopicPartition};
use headwater_topology::{SubtopologyId, TaskId};
use uuid::Uuid;

use crate::assignment::{
    AssignmentSettings, LATEST_OFFSET, StickyAssignor, SubtopologyView, TaskView, derive_tasks, plan,
};
use crate::membership::{Action, Event, MemberSettings, Membership, PROTOCOL};

#[derive(Default)]
struct Seat {
    connection: String,
    instance_id: Option<String>,
    metadata: Vec<u8>,
    assignment: Vec<u8>,
    joining: bool,
    syncing: bool,
}

/// Kafka's coordinator, as far as members see it.
#[derive(Default)]
pub(super) struct Coordinator {
    seats: BTreeMap<String, Seat>,
    generation: i32,
    leader: String,
    handed_in: bool,
    preparing: bool,
    ids: usize,
    answers: VecDeque<(String, GroupResponse)>,
}

impl Coordinator {
    fn check(&self, identity: &GroupIdentity) -> Result<(), GroupError> {
        if let Some(instance) = &identity.instance_id {
            let holder = self.seats.iter().find(|(_, seat)| seat.instance_id.as_ref() == Some(instance));
            if holder.is_some_and(|(id, _)| *id != identity.member_id) {
                return Err(GroupError::FencedInstance);
            }
        }
        if !self.seats.contains_key(&identity.member_id) {
            return Err(GroupError::UnknownMember);
        }
        if identity.generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    fn take(&mut self, from: &str, request: GroupRequest) {
        let refuse = |error: GroupError| Err(ClientError::Group(error));
        match request {
            GroupRequest::Join(request) => self.join(from, request),
            GroupRequest::Sync { identity, assignments, .. } => match self.check(&identity) {
                Err(error) => self.answers.push_back((from.to_owned(), GroupResponse::Sync(refuse(error)))),
                Ok(()) if self.preparing => {
                    let refused = GroupResponse::Sync(refuse(GroupError::RebalanceInProgress));
                    self.answers.push_back((from.to_owned(), refused));
                }
                Ok(()) => self.sync(&identity.member_id, assignments),
            },
            GroupRequest::Heartbeat(identity) => {
                let answer = GroupResponse::Heartbeat(self.heartbeat(&identity));
                self.answers.push_back((from.to_owned(), answer));
            }
            GroupRequest::Leave { identity, .. } => {
                let known = self.seats.contains_key(&identity.member_id);
                self.remove(&identity.member_id);
                let answer = if known { Ok(()) } else { Err(GroupError::UnknownMember.into()) };
                self.answers.push_back((from.to_owned(), GroupResponse::Leave(answer)));
            }
        }
    }

    fn heartbeat(&self, identity: &GroupIdentity) -> Result<(), ClientError> {
        self.check(identity)?;
        if self.preparing { Err(GroupError::RebalanceInProgress.into()) } else { Ok(()) }
    }

    fn join(&mut self, from: &str, request: JoinRequest) {
        let mut id = request.identity.member_id;
        if id.is_empty() {
            self.ids += 1;
            id = format!("{from}#{}", self.ids);
            let instance = request.identity.instance_id.clone();
            if instance.is_some() {
                self.seats.retain(|_, seat| seat.instance_id != instance);
            }
            let instance_id = request.identity.instance_id;
            self.seats.insert(id.clone(), Seat { instance_id, ..Seat::default() });
        }
        let Some(seat) = self.seats.get_mut(&id) else {
            let refused = Err(GroupError::UnknownMember.into());
            return self.answers.push_back((from.to_owned(), GroupResponse::Join(refused)));
        };
        from.clone_into(&mut seat.connection);
        seat.joining = true;
        seat.metadata = request.protocols.into_iter().next().unwrap().1;
        self.preparing = true;
        self.complete();
    }

    fn complete(&mut self) {
        if !self.preparing || !self.seats.values().all(|seat| seat.joining) {
            return;
        }
        self.preparing = false;
        self.handed_in = false;
        self.generation += 1;
        self.leader = self.seats.keys().next().cloned().unwrap_or_default();
        let members: Vec<_> =
            self.seats.iter().map(|(id, seat)| (id.clone(), seat.instance_id.clone(), seat.metadata.clone())).collect();
        for (id, seat) in &mut self.seats {
            seat.joining = false;
            let joined = Joined {
                identity: GroupIdentity {
                    group: "g".to_owned(),
                    member_id: id.clone(),
                    generation: self.generation,
                    instance_id: seat.instance_id.clone(),
                },
                leader: self.leader.clone(),
                protocol: PROTOCOL.to_owned(),
                members: if *id == self.leader { members.clone() } else { Vec::new() },
                skip_assignment: false,
            };
            self.answers.push_back((seat.connection.clone(), GroupResponse::Join(Ok(joined))));
        }
    }

    fn sync(&mut self, id: &str, assignments: Vec<(String, Vec<u8>)>) {
        self.seats.get_mut(id).unwrap().syncing = true;
        if id == self.leader {
            self.handed_in = true;
            for (member, bytes) in assignments {
                if let Some(seat) = self.seats.get_mut(&member) {
                    seat.assignment = bytes;
                }
            }
        }
        if self.handed_in {
            self.serve();
        }
    }

    /// Once the leader has handed in, all are answered, now or when they ask.
    fn serve(&mut self) {
        for seat in self.seats.values_mut().filter(|seat| seat.syncing) {
            seat.syncing = false;
            let answer = GroupResponse::Sync(Ok(seat.assignment.clone()));
            self.answers.push_back((seat.connection.clone(), answer));
        }
    }

    /// The member is gone: it left, or its session has ended.
    pub(super) fn remove(&mut self, id: &str) {
        let Some(gone) = self.seats.remove(id) else { return };
        let unknown = || ClientError::from(GroupError::UnknownMember);
        if gone.joining {
            self.answers.push_back((gone.connection.clone(), GroupResponse::Join(Err(unknown()))));
        }
        if gone.syncing {
            self.answers.push_back((gone.connection, GroupResponse::Sync(Err(unknown()))));
        }
        if !self.seats.is_empty() {
            for seat in self.seats.values_mut().filter(|seat| seat.syncing) {
                seat.syncing = false;
                let refused = Err(GroupError::RebalanceInProgress.into());
                self.answers.push_back((seat.connection.clone(), GroupResponse::Sync(refused)));
            }
            self.preparing = true;
            self.complete();
        }
    }
}

/// A thread: what it runs, and what was asked of it.
pub(super) struct Thread {
    pub(super) membership: Membership,
    pub(super) running: BTreeMap<TaskId, BTreeSet<TopicPartition>>,
    /// Tasks of which there is state on its disk, and up to which offset.
    state: BTreeMap<TaskId, i64>,
    keep_alive: Option<KeepAlive>,
    events: VecDeque<Event>,
    pub(super) log: Vec<String>,
    /// Whether its revocations take for ever.
    busy: bool,
    /// Whether the coordinator has dropped it without its knowledge.
    pub(super) dropped: bool,
}

impl Thread {
    /// Stops tasks; what they had restored or written by now stays on the disk.
    fn stop(&mut self, tasks: &BTreeMap<TaskId, TaskView>, gone: impl Fn(&BTreeSet<TopicPartition>) -> bool) {
        for (task, _) in self.running.extract_if(.., |_, inputs| gone(inputs)) {
            self.state.insert(task, tasks.get(&task).and_then(|task| task.end_offset_sum).unwrap_or_default());
        }
    }
}

/// Everything.
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) coordinator: Coordinator,
    pub(super) threads: BTreeMap<String, Thread>,
    pub(super) tasks: BTreeMap<TaskId, TaskView>,
}

impl World {
    /// A topology of one part over topic `a` with so many partitions.
    pub(super) fn new(partitions: i32, stateful: bool) -> Self {
        let part = SubtopologyView { id: SubtopologyId::new(0), source_topics: [Topic::from("a")].into(), stateful };
        let mut tasks = derive_tasks([&part], &[(Topic::from("a"), partitions)].into()).unwrap();
        for task in tasks.values_mut() {
            task.end_offset_sum = Some(0);
        }
        World { now: Timestamp::ZERO, coordinator: Coordinator::default(), threads: BTreeMap::new(), tasks }
    }

    pub(super) fn start(&mut self, name: &str) {
        self.start_with(name, |_| {});
    }

    /// Starts a thread in a process of its own.
    pub(super) fn start_with(&mut self, name: &str, adapt: impl FnOnce(&mut MemberSettings)) {
        let process = name.bytes().fold(0u128, |sum, byte| sum * 256 + u128::from(byte));
        let mut settings = MemberSettings::new("g", Uuid::from_u128(process));
        adapt(&mut settings);
        let before = self.threads.remove(name);
        let thread = Thread {
            membership: Membership::new(settings, self.now),
            running: BTreeMap::new(),
            state: before.map(|thread| thread.state).unwrap_or_default(),
            keep_alive: None,
            events: VecDeque::new(),
            log: Vec::new(),
            busy: false,
            dropped: false,
        };
        self.threads.insert(name.to_owned(), thread);
        self.tell(name, Event::Subscribe { topics: [Topic::from("a")].into() });
    }

    pub(super) fn thread(&mut self, name: &str) -> &mut Thread {
        self.threads.get_mut(name).unwrap()
    }

    /// One event, and all that comes of it until everybody waits.
    pub(super) fn tell(&mut self, name: &str, event: Event) {
        self.thread(name).events.push_back(event);
        self.run();
    }

    /// From now on its revocations take for ever, or no longer.
    pub(super) fn set_busy(&mut self, name: &str, busy: bool) {
        let thread = self.thread(name);
        thread.busy = busy;
        if !busy {
            thread.events.push_back(Event::Revoked);
        }
        self.run();
    }

    /// The coordinator drops a member, as when its session has ended.
    pub(super) fn drop_member(&mut self, name: &str) {
        let id = self.thread(name).membership.identity().member_id.clone();
        self.thread(name).dropped = true;
        self.coordinator.remove(&id);
        self.run();
    }

    /// The process dies, and its session ends at once.
    pub(super) fn crash(&mut self, name: &str) {
        self.threads.remove(name);
        let seats = self.coordinator.seats.iter().filter(|(_, seat)| seat.connection == name);
        for id in seats.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.coordinator.remove(&id);
        }
        self.run();
    }

    pub(super) fn run(&mut self) {
        for task in self.tasks.values_mut() {
            task.end_offset_sum = task.end_offset_sum.map(|end| end + 10);
        }
        for _ in 0..10_000 {
            if let Some((name, response)) = self.coordinator.answers.pop_front() {
                if self.threads.contains_key(&name) {
                    self.step(&name, Event::Response(response));
                }
                continue;
            }
            let next = self.threads.iter_mut().find_map(|(name, t)| Some((name.clone(), t.events.pop_front()?)));
            if let Some((name, event)) = next {
                self.step(&name, event);
            } else if !self.beat() {
                return;
            }
        }
        panic!("the group never comes to rest");
    }

    /// The heartbeats that clients send by themselves, of which failures are told.
    fn beat(&mut self) -> bool {
        for (name, thread) in &mut self.threads {
            let Some(kept) = &thread.keep_alive else { continue };
            let Err(error) = self.coordinator.heartbeat(&kept.identity) else { continue };
            // One that is busy giving up has heard of the rebalance once and joins when it is through.
            let known = thread.membership.rejoin.is_some()
                && matches!(thread.membership.phase, crate::membership::Phase::Revoking { .. });
            if !(known && error == GroupError::RebalanceInProgress.into()) {
                self.coordinator.answers.push_back((name.clone(), GroupResponse::Heartbeat(Err(error))));
            }
        }
        !self.coordinator.answers.is_empty()
    }

    fn step(&mut self, name: &str, event: Event) {
        let now = self.now;
        for action in self.thread(name).membership.step(now, event) {
            self.act(name, action);
            self.check_owners();
        }
    }

    fn act(&mut self, name: &str, action: Action) {
        let tasks = &self.tasks;
        let thread = self.threads.get_mut(name).unwrap();
        match action {
            Action::Send(request) => self.coordinator.take(name, request),
            Action::KeepAlive(heartbeats) => thread.keep_alive = heartbeats,
            Action::DescribeTasks => {
                let stateful = |task: &TaskId| tasks.get(task).is_some_and(|task| task.stateful);
                let on_disk = thread.state.iter().filter(|(task, _)| stateful(task)).map(|(task, sum)| (*task, *sum));
                let running = thread.running.keys().filter(|task| stateful(task)).map(|task| (*task, LATEST_OFFSET));
                let offset_sums = on_disk.chain(running).collect();
                thread.events.push_back(Event::TasksDescribed { offset_sums });
            }
            Action::Revoke { partitions } => {
                assert!(thread.membership.may_commit(), "a revocation can be committed");
                let gone = |inputs: &BTreeSet<TopicPartition>| !inputs.is_disjoint(&partitions);
                thread.log.push(format!("revoke {}", list(&partitions)));
                thread.stop(tasks, gone);
                if !thread.busy {
                    thread.events.push_back(Event::Revoked);
                }
            }
            Action::Assign(assignment) => {
                let stays = thread.running.iter().all(|(task, inputs)| assignment.active.get(task) == Some(inputs));
                assert!(stays, "{name}: what is assigned away was revoked before");
                thread.log.push(format!("assign {}", list(assignment.active.keys())));
                thread.running = assignment.active;
            }
            Action::Lost(reason) => {
                thread.log.push(format!("lost: {reason}"));
                thread.stop(tasks, |_| true);
                thread.dropped = false;
            }
            Action::RunAssignor(group) => {
                let decided =
                    plan(&group, tasks.clone(), &[], AssignmentSettings::default(), &StickyAssignor, self.now);
                thread.events.push_back(Event::Planned { assignments: decided.assignments });
            }
            Action::Left => {
                thread.log.push("left".to_owned());
                thread.stop(tasks, |_| true);
            }
            Action::Fail(error) => {
                thread.log.push(format!("fail: {error}"));
                thread.stop(tasks, |_| true);
            }
        }
    }

    /// At no time do two members run the same task, except for one that does not know yet that it is none.
    fn check_owners(&self) {
        let mut seen: BTreeMap<&TopicPartition, &str> = BTreeMap::new();
        for (name, thread) in self.threads.iter().filter(|(_, thread)| !thread.dropped) {
            for partition in thread.running.values().flatten() {
                let other = seen.insert(partition, name);
                assert!(other.is_none(), "{partition} is run by {name} and {other:?}");
            }
        }
    }

    /// Who runs what, in one line.
    pub(super) fn running(&self) -> String {
        let threads = self.threads.iter().map(|(name, thread)| format!("{name}: {}", list(thread.running.keys())));
        threads.collect::<Vec<_>>().join(", ")
    }

    /// What was asked of a thread since the last time.
    pub(super) fn log(&mut self, name: &str) -> Vec<String> {
        std::mem::take(&mut self.thread(name).log)
    }
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}
