//! What an instance, and its group, show of themselves.
//!
//! What is counted begins at nought where a task begins: a task that moves counts anew.

use std::collections::BTreeMap;

use headwater_record::Partition;
use serde::{Deserialize, Serialize};

use super::{Health, Lag};

/// The group, as one instance sees it: itself, and what the others answered just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// When it was seen.
    pub at: i64,
    /// The `host:port` of the instance that sees it.
    pub seen_by: String,
    /// The instances that the group's metadata name, by host and port. One that is gone is among them until the group knows.
    pub members: Vec<Member>,
}

/// An instance of the group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its `host:port`.
    pub host: String,
    /// What it shows; left out when it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An instance as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken.
    pub at: i64,
    /// The `application.id`.
    pub application_id: String,
    /// The version of headwater.
    pub version: String,
    /// Its state, and whether it is well.
    pub health: Health,
    /// Its stream threads.
    pub threads: Vec<Thread>,
    /// Java's name of the state of the thread that fills global stores; left out when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_state: Option<String>,
    /// How far global stores are.
    pub globals: Vec<Lag>,
}

/// The stream threads of this instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// By number.
    pub threads: Vec<Thread>,
}

/// A stream thread, as it told about once a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// From 1 on.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Java's name of its state.
    pub state: String,
    /// Since when it is in that state.
    pub since: i64,
    /// When it told this.
    pub told: i64,
    /// Records that went through its tasks.
    pub processed: u64,
    /// Records that it fetched.
    pub fetched: u64,
    /// Records that lie in output topics and changelogs by its doing.
    pub sent: u64,
    /// Records that were handed to its producer and have no answer yet.
    pub under_way: u64,
    /// What it committed.
    pub commits: Commits,
    /// The last rebalances that it went through, the newest last.
    pub rebalances: Vec<Rebalance>,
    /// Its tasks.
    pub tasks: Vec<Task>,
}

/// What a stream thread committed since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commits {
    /// How often.
    pub count: u64,
    /// When it did so last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// For how many milliseconds it processed nothing because of that.
    pub took_ms: u64,
}

/// A rebalance as a stream thread went through it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalance {
    /// When it began.
    pub began: i64,
    /// Why, as the group is told it.
    pub reason: String,
    /// How often the thread joined.
    pub rounds: u32,
    /// When it knew its tasks; left out while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<i64>,
    /// When it processed them all; left out while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<i64>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// As in Java, `0_1`.
    pub id: String,
    /// `active`, `standby` or `leaving`.
    pub role: String,
    /// Java's name of its state.
    pub state: String,
    /// The greatest timestamp of its records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_time: Option<i64>,
    /// Its input partitions.
    pub inputs: Vec<Input>,
    /// How far its stores are while they are brought up to date; a standby's always.
    pub stores: Vec<Lag>,
    /// How restoring goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Restore>,
    /// Its nodes; none of a task that does not process.
    pub nodes: Vec<Node>,
    /// Records that it left out, by the reason.
    pub dropped: BTreeMap<String, u64>,
    /// Records that exception handlers sent to a topic of dead letters.
    #[serde(default)]
    pub dead_letters: u64,
    /// How its record caches were used, by the names of their stores.
    pub caches: BTreeMap<String, Cache>,
    /// How often it was committed.
    pub commits: u64,
}

/// An input partition of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: Partition,
    /// The next record to be processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// What the task committed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// Where the partition ended when last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// Offsets between the next record and the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// Records that were fetched and wait.
    pub buffered: usize,
    /// The greatest timestamp of the records taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// Since when it is at this position, as far as was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Since when it is empty and waited for while others have records (`max.task.idle.ms`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for: Option<i64>,
}

/// How the restoring of a task's stores goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Since when.
    pub since: i64,
    /// When it was last seen to have gone on.
    pub moved: i64,
    /// Records that were applied.
    pub applied: u64,
    /// Offsets that are to go; left out while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// Records that were applied a second.
    pub per_second: u64,
    /// Milliseconds that it takes if that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_left_ms: Option<u64>,
}

/// What a node of a task did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Records that it took.
    pub taken: u64,
    /// Records that it handed on, by the nodes that took them.
    pub handed_on: BTreeMap<String, u64>,
    /// Records that it left out, by the reason.
    pub dropped: BTreeMap<String, u64>,
    /// What it keeps back, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// What a node keeps back, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The latest time of the records that came to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_time: Option<i64>,
    /// The stream time at which the next thing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<i64>,
    /// Records that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// What they weigh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// After how many milliseconds without records it goes on by the clock on the wall, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_ms: Option<u64>,
    /// When, by that clock, the next thing is done if no record comes until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<i64>,
}

/// How a record cache was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// Entries that are there.
    pub entries: usize,
    /// How often what was looked for was there.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
}

/// Why a node hands nothing on, or as much as it does, as far as this instance has its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The node.
    pub node: String,
    /// As of when.
    pub at: i64,
    /// All of it in words.
    pub text: String,
    /// The tasks of this instance that have the node.
    pub tasks: Vec<TaskExplanation>,
}

/// What a node does in one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskExplanation {
    /// Which.
    pub task: String,
    /// The number of its thread.
    pub thread: usize,
    /// Java's name of its state.
    pub state: String,
    /// What the node keeps back, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// A sentence each, what weighs most first.
    pub reasons: Vec<String>,
}

/// The topology, for those who draw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The sub-topologies, by number.
    pub parts: Vec<Part>,
    /// The stores.
    pub stores: Vec<GraphStore>,
}

/// A sub-topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, with which its tasks begin.
    pub id: String,
    /// It only fills a global store, and has no tasks.
    pub global: bool,
    /// Its nodes.
    pub nodes: Vec<GraphNode>,
}

/// A node of the topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// Its name.
    pub name: String,
    /// `source`, `processor` or `sink`.
    pub kind: String,
    /// The topics of a source or sink, where it names them; a pattern of a source, or what names a sink's topic, stands as it is written.
    pub topics: Vec<String>,
    /// The stores it uses.
    pub stores: Vec<String>,
    /// The nodes that get its records.
    pub children: Vec<String>,
}

/// A store of the topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphStore {
    /// Its name.
    pub name: String,
    /// `key-value`, `window`, `session`, `versioned`, `buffer` for what waits to be handed on, or `other`.
    pub kind: String,
    /// Every instance has it whole.
    pub global: bool,
    /// The topic that its changes are kept in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
}

/// What the application was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// By name.
    pub settings: Vec<Setting>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Kafka's name.
    pub name: String,
    /// As it was given; left out where it may be a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
