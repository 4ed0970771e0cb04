//! What a leader tells a Kafka Streams member beside its partitions (Java's `AssignmentInfo`).

use std::collections::{BTreeMap, BTreeSet};

use headwater_record::{Topic, TopicPartition};
use headwater_topology::TaskId;

use super::bytes::{Reader, Writer};
use super::{AssignorError, CodecError, HostPort, LATEST_VERSION};

/// `next_rebalance_ms` when a member is to join again at once.
pub const REBALANCE_AT_ONCE: i64 = 0;
/// `next_rebalance_ms` when it need not by itself.
pub const NO_REBALANCE: i64 = i64::MAX;

const WHAT: &str = "AssignmentInfo";
const FIRST_WITH_DICTIONARY: i32 = 5;
const FIRST_WITH_STANDBY_HOSTS: i32 = 6;
const FIRST_WITH_NAMED_TOPOLOGIES: i32 = 10;

type Tasks = BTreeMap<TaskId, BTreeSet<TopicPartition>>;
type Hosts = BTreeMap<HostPort, BTreeSet<TopicPartition>>;

/// What a leader tells a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentInfo {
    /// The version of these bytes: the oldest that any member of the group used.
    pub version: i32,
    /// The newest version that all members speak.
    pub common_version: i32,
    /// One entry for each assigned partition, in the order of the partitions sorted by topic and number.
    pub active: Vec<TaskId>,
    /// Standby tasks with their input partitions.
    pub standby: Tasks,
    /// Where active tasks are.
    pub partitions_by_host: Hosts,
    /// Where standby tasks are.
    pub standby_partitions_by_host: Hosts,
    /// 0, or the code of an [`AssignorError`].
    pub error_code: i32,
    /// When to join again, milliseconds since the Unix epoch; see [`REBALANCE_AT_ONCE`] and [`NO_REBALANCE`].
    pub next_rebalance_ms: i64,
}

impl Default for AssignmentInfo {
    /// Nothing, in the newest version.
    fn default() -> Self {
        AssignmentInfo {
            version: LATEST_VERSION,
            common_version: LATEST_VERSION,
            active: Vec::new(),
            standby: Tasks::new(),
            partitions_by_host: Hosts::new(),
            standby_partitions_by_host: Hosts::new(),
            error_code: 0,
            next_rebalance_ms: NO_REBALANCE,
        }
    }
}

impl AssignmentInfo {
    /// Tells `error` and nothing else.
    pub fn of_error(error: AssignorError) -> Self {
        AssignmentInfo { error_code: error.code(), ..Self::default() }
    }

    /// Tells a member that it runs another topology than the leader, by tasks that read what it does not. Java's members see the
    /// error alone.
    pub fn of_other_topology(tasks: BTreeMap<TaskId, BTreeSet<TopicPartition>>) -> Self {
        AssignmentInfo { standby: tasks, ..Self::of_error(AssignorError::AssignmentError) }
    }

    /// Which of the active tasks each of `partitions` belongs to (Java's `getActiveTasks`).
    ///
    /// # Errors
    /// [`CodecError::Misaligned`] when there are more of one than of the other.
    pub fn active_tasks(&self, partitions: &[TopicPartition]) -> Result<Tasks, CodecError> {
        if self.active.len() != partitions.len() {
            return Err(CodecError::Misaligned { tasks: self.active.len(), partitions: partitions.len() });
        }
        let mut sorted: Vec<&TopicPartition> = partitions.iter().collect();
        sorted.sort();
        let mut tasks = Tasks::new();
        for (task, partition) in self.active.iter().zip(sorted) {
            tasks.entry(*task).or_default().insert(partition.clone());
        }
        Ok(tasks)
    }

    /// Its bytes, in its version; what that version has no field for is left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_i32(self.version);
        if self.version >= 3 {
            out.put_i32(self.common_version);
        }
        out.put_count(self.active.len());
        for task in &self.active {
            self.put_task(&mut out, *task);
        }
        out.put_count(self.standby.len());
        for (task, partitions) in &self.standby {
            self.put_task(&mut out, *task);
            put_partitions(&mut out, partitions, |out, topic| out.put_utf(topic.as_str()));
        }
        self.put_hosts(&mut out);
        if self.version >= 4 {
            out.put_i32(self.error_code);
        }
        if self.version >= 7 {
            out.put_i64(self.next_rebalance_ms);
        }
        out
    }

    fn put_task(&self, out: &mut Vec<u8>, task: TaskId) {
        out.put_i32(task.subtopology.number());
        out.put_i32(task.partition);
        if self.version >= FIRST_WITH_NAMED_TOPOLOGIES {
            out.put_i32(0);
        }
    }

    fn put_hosts(&self, out: &mut Vec<u8>) {
        if self.version < FIRST_WITH_DICTIONARY {
            if self.version >= 2 {
                put_hosts(out, &self.partitions_by_host, |out, topic| out.put_utf(topic.as_str()));
            }
            return;
        }
        let standby = self.standby_partitions_by_host.values().filter(|_| self.version >= FIRST_WITH_STANDBY_HOSTS);
        let partitions = self.partitions_by_host.values().chain(standby).flatten();
        let topics: BTreeSet<&Topic> = partitions.map(|partition| &partition.topic).collect();
        let dictionary: BTreeMap<&Topic, i32> = topics.into_iter().zip(0..).collect();
        out.put_count(dictionary.len());
        for (topic, index) in &dictionary {
            out.put_i32(*index);
            out.put_utf(topic.as_str());
        }
        let mut put_index = |out: &mut Vec<u8>, topic: &Topic| {
            out.put_i32(dictionary.get(topic).copied().unwrap_or_default());
        };
        put_hosts(out, &self.partitions_by_host, &mut put_index);
        if self.version >= FIRST_WITH_STANDBY_HOSTS {
            put_hosts(out, &self.standby_partitions_by_host, &mut put_index);
        }
    }

    /// Understands versions 1 to 11.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that mean nothing, and for newer versions.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut input = Reader::new(WHAT, bytes);
        let version = input.i32()?;
        if version < 1 {
            return Err(input.invalid("version", version));
        }
        if version > LATEST_VERSION {
            return Err(CodecError::Version { what: WHAT, version, newest: LATEST_VERSION });
        }
        let common_version = if version >= 3 { input.i32()? } else { version };
        let active = input.list("active tasks", |input| task(input, version))?;
        let standby = input.list("standby tasks", |input| {
            let task = task(input, version)?;
            Ok((task, partitions(input, utf_topic)?))
        })?;
        let (partitions_by_host, standby_partitions_by_host) = all_hosts(&mut input, version)?;
        let error_code = if version >= 4 { input.i32()? } else { 0 };
        let next_rebalance_ms = if version >= 7 { input.i64()? } else { NO_REBALANCE };
        input.end()?;
        Ok(AssignmentInfo {
            version,
            common_version,
            active,
            standby: merged(standby),
            partitions_by_host,
            standby_partitions_by_host,
            error_code,
            next_rebalance_ms,
        })
    }
}

/// A task that is listed more than once is one with all the inputs listed.
fn merged(listed: Vec<(TaskId, BTreeSet<TopicPartition>)>) -> Tasks {
    let mut tasks = Tasks::new();
    for (task, inputs) in listed {
        if let Some(known) = tasks.get_mut(&task) {
            tracing::warn!(%task, "the group's leader listed a standby task more than once; it is taken as one");
            known.extend(inputs);
        } else {
            tasks.insert(task, inputs);
        }
    }
    tasks
}

fn put_hosts(out: &mut Vec<u8>, hosts: &Hosts, mut put_topic: impl FnMut(&mut Vec<u8>, &Topic)) {
    out.put_count(hosts.len());
    for (host, partitions) in hosts {
        out.put_utf(&host.host);
        out.put_i32(host.port);
        put_partitions(out, partitions, &mut put_topic);
    }
}

fn put_partitions(
    out: &mut Vec<u8>,
    partitions: &BTreeSet<TopicPartition>,
    mut put_topic: impl FnMut(&mut Vec<u8>, &Topic),
) {
    out.put_count(partitions.len());
    for partition in partitions {
        put_topic(out, &partition.topic);
        out.put_i32(partition.partition);
    }
}

fn task(input: &mut Reader<'_>, version: i32) -> Result<TaskId, CodecError> {
    let task = TaskId::new(input.i32()?, input.i32()?);
    if version >= FIRST_WITH_NAMED_TOPOLOGIES {
        let units = input.count("length of a named topology")?;
        let bytes = units.checked_mul(2).ok_or_else(|| input.invalid("length of a named topology", units))?;
        input.take(bytes)?;
    }
    Ok(task)
}

fn all_hosts(input: &mut Reader<'_>, version: i32) -> Result<(Hosts, Hosts), CodecError> {
    if version < 2 {
        return Ok((Hosts::new(), Hosts::new()));
    }
    if version < FIRST_WITH_DICTIONARY {
        return Ok((hosts(input, utf_topic)?, Hosts::new()));
    }
    let dictionary: BTreeMap<i32, Topic> =
        input.list("topics", |input| Ok((input.i32()?, Topic::from(input.utf("topic")?))))?.into_iter().collect();
    let topic = |input: &mut Reader<'_>| {
        let index = input.i32()?;
        dictionary.get(&index).cloned().ok_or_else(|| input.invalid("topic's index", index))
    };
    let active = hosts(input, topic)?;
    let standby = if version >= FIRST_WITH_STANDBY_HOSTS { hosts(input, topic)? } else { Hosts::new() };
    Ok((active, standby))
}

fn hosts(
    input: &mut Reader<'_>,
    topic: impl Fn(&mut Reader<'_>) -> Result<Topic, CodecError>,
) -> Result<Hosts, CodecError> {
    let hosts = input.list("hosts", |input| {
        let host = HostPort::new(input.utf("host")?, input.i32()?);
        Ok((host, partitions(input, &topic)?))
    })?;
    Ok(hosts.into_iter().collect())
}

fn partitions(
    input: &mut Reader<'_>,
    topic: impl Fn(&mut Reader<'_>) -> Result<Topic, CodecError>,
) -> Result<BTreeSet<TopicPartition>, CodecError> {
    let partitions =
        input.list("partitions", |input| Ok(TopicPartition { topic: topic(input)?, partition: input.i32()? }))?;
    Ok(partitions.into_iter().collect())
}

fn utf_topic(input: &mut Reader<'_>) -> Result<Topic, CodecError> {
    Ok(Topic::from(input.utf("topic")?))
}
