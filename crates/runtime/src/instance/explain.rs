//! Why a node hands nothing on, or as much as it does: what its tasks told, put together for whoever is on call.

mod reasons;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::{HoldKind, TaskId, Topology};

pub(crate) use self::reasons::why_nothing;
use super::utc::{Span, Utc};
use super::{InputProgress, NodeMetadata, TaskMetadata, TaskPhase, TaskRole, ThreadMetadata};
use crate::{Error, ErrorKind};

/// Why a node hands nothing on, or as much as it does, as far as this instance has its tasks. `Display` says it in words.
///
/// Windows close, and what waits is handed on, by *stream time*: the latest timestamp that came to the operator in the same task. So
/// each partition has its own, and it stands still where no records come, whatever the clock on the wall says.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::SystemClock;
///
/// let builder = StreamsBuilder::new();
/// let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let counts = builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
/// let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("final");
/// counts.suppress(finals).to_stream().select_key(|key, _| key.key.clone()).to("out");
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("in", 1)?;
/// cluster.create_topic("out", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?).application_id("counts").on(&cluster);
/// let streams = streams.set("dsl.store.suppliers.class", "in_memory").start()?;
/// let explanation = loop {
///     let explanation = streams.explain("final")?;
///     if explanation.kind.is_some() {
///         break explanation;
///     }
///     std::thread::yield_now();
/// };
/// assert!(explanation.to_string().starts_with("final hands the last change on when a record comes"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The node's name.
    pub node: String,
    /// As of when.
    pub at: Timestamp,
    /// How it hands on, if any task told; `None` for a node that does so at once.
    pub kind: Option<HoldKind>,
    /// The tasks of this instance that have the node and process, or are to: those first whose stream time is the lowest.
    pub tasks: Vec<TaskExplanation>,
}

/// What a node does in one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskExplanation {
    /// Which.
    pub task: TaskId,
    /// The number of its thread.
    pub thread: usize,
    /// Where it stands.
    pub phase: TaskPhase,
    /// What the node counted there, and what it keeps back.
    pub node: NodeMetadata,
    /// The task's input partitions, and how far each is.
    pub inputs: BTreeMap<TopicPartition, InputProgress>,
    /// Those that are empty and waited for while others have records, and since when.
    pub waits_for: BTreeMap<TopicPartition, Timestamp>,
    /// Why nothing comes of it, as far as that can be told: a sentence each, what weighs most first.
    pub reasons: Vec<String>,
}

impl TaskExplanation {
    /// The node's own stream time where it has one; -1 before the first record.
    pub fn stream_time(&self) -> Timestamp {
        self.node.held.map_or(Timestamp::UNKNOWN, |held| held.stream_time)
    }

    fn of(name: &str, (thread, id, task): (usize, TaskId, &TaskMetadata), at: Timestamp) -> Self {
        let node = task.nodes.get(name).cloned().unwrap_or_default();
        TaskExplanation {
            task: id,
            thread,
            phase: task.phase,
            reasons: why_nothing(task, &node, at),
            node,
            inputs: task.inputs.clone(),
            waits_for: task.waits_for.clone(),
        }
    }
}

impl Explanation {
    /// About the node `name`, by what `threads` told.
    ///
    /// # Errors
    /// When there is no such node.
    pub(super) fn of(
        topology: &Topology,
        name: &str,
        threads: &[ThreadMetadata],
        at: Timestamp,
    ) -> Result<Self, Error> {
        let node = topology.node_named(name).ok_or_else(|| Error::new(ErrorKind::Topology, topology.no_node(name)))?;
        let part = topology.subtopologies().iter().find(|part| part.nodes.contains(&node)).map(|part| part.id);
        let tasks = threads.iter().flat_map(|thread| thread.tasks.iter().map(|(id, task)| (thread.number, *id, task)));
        let has_it = |(_, id, task): &(usize, TaskId, &TaskMetadata)| {
            Some(id.subtopology) == part && task.role == TaskRole::Active
        };
        let mut tasks: Vec<_> = tasks.filter(has_it).map(|task| TaskExplanation::of(name, task, at)).collect();
        tasks.sort_by_key(|task| (task.stream_time(), task.task));
        let kind = tasks.iter().find_map(|task| task.node.held).map(|held| held.kind);
        Ok(Explanation { node: name.to_owned(), at, kind, tasks })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => writeln!(f, "{} {kind}.", self.node)?,
            None if self.tasks.iter().any(|task| task.phase == TaskPhase::Running) => {
                writeln!(f, "{} hands on at once what it makes of a record.", self.node)?;
            }
            None => writeln!(
                f,
                "{} is in no task that processes on this instance, as far as its threads have told.",
                self.node
            )?,
        }
        self.tasks.iter().try_for_each(|task| task.write(f, self.at))
    }
}

impl TaskExplanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, at: Timestamp) -> fmt::Result {
        let (task, thread, phase, node) = (self.task, self.thread, self.phase, &self.node);
        write!(f, "task {task} on thread {thread}, {phase}: it took {}, handed on ", node.taken)?;
        write_counts(f, &node.handed_on)?;
        let dropped: u64 = node.dropped.values().sum();
        writeln!(f, ", left out {dropped}")?;
        for reason in &self.reasons {
            writeln!(f, "  - {reason}")?;
        }
        for (partition, input) in &self.inputs {
            write!(f, "  {partition}: ")?;
            match (input.position, input.end) {
                (Some(position), Some(end)) => write!(f, "at {position} of {end}")?,
                (Some(position), None) => write!(f, "at {position}")?,
                (None, _) => write!(f, "nothing read yet")?,
            }
            write!(f, ", {} fetched and waiting, time {}", input.buffered, Utc(input.partition_time))?;
            if input.since.is_known() {
                write!(f, ", there for {}", Span(at.since(input.since)))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// How many records went to which child.
fn write_counts(f: &mut fmt::Formatter<'_>, counts: &BTreeMap<Arc<str>, u64>) -> fmt::Result {
    if counts.values().all(|count| *count == 0) {
        return f.write_str("nothing");
    }
    let shown: Vec<String> = counts.iter().map(|(child, count)| format!("{count} to {child}")).collect();
    f.write_str(&shown.join(" and "))
}
