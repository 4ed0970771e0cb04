//! Whether an instance is well: for probes, and for people who ask why not.

use std::time::Duration;

use headwater_record::Timestamp;

use super::local::{TaskMetadata, TaskRole, ThreadMetadata};
use super::{GlobalThreadState, Rebalance, State, TaskPhase, ThreadState};
use crate::changelog::StoreProgress;

/// Whether an instance is alive, and whether it does its work.
///
/// A probe that restarts what is not alive asks [`live`](Health::live), one that sends questions only to those that can answer asks
/// [`ready`](Health::ready).
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::SystemClock;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").to("out");
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("in", 1)?;
/// cluster.create_topic("out", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?).application_id("copies").on(&cluster).start()?;
/// assert!(streams.health().live);
/// while !streams.health().ready {
///     std::thread::yield_now();
/// }
/// streams.close(CloseOptions::default())?;
/// assert_eq!(streams.health().reasons, ["the application is NOT_RUNNING"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Starting it anew would not help: no thread has died or stands still, no rebalance is stuck, and it is not closed.
    pub live: bool,
    /// It is live, runs, and processes all its active tasks.
    pub ready: bool,
    /// Why it is not live or not ready, a sentence each; empty when it is both.
    pub reasons: Vec<String>,
}

/// What health is judged by.
pub(crate) struct Signs {
    pub(crate) state: State,
    /// Where the stream threads stand, by their numbers.
    pub(crate) threads: Vec<(usize, ThreadState)>,
    pub(crate) global: Option<GlobalThreadState>,
    /// What the stream threads told last.
    pub(crate) told: Vec<ThreadMetadata>,
    /// For how long the group's coordinator has not answered, if that is longer than a session.
    pub(crate) coordinator_silent_for: Option<Duration>,
    /// How long a thread may be silent, and a rebalance may take (`max.poll.interval.ms`).
    pub(crate) patience: Duration,
    pub(crate) now: Timestamp,
}

impl Health {
    pub(crate) fn of(signs: &Signs) -> Self {
        let (mut dead, mut unready) = (Vec::new(), Vec::new());
        let (state, now, patience) = (signs.state, signs.now, signs.patience);
        if state.is_final() {
            dead.push(format!("the application is {state}"));
        } else if state != State::Running {
            unready.push(format!("the application is {state}"));
        }
        for (number, _) in
            signs.threads.iter().filter(|(_, state)| *state == ThreadState::Dead && !signs.state.is_ending())
        {
            dead.push(format!("stream thread {number} has died"));
        }
        if signs.global == Some(GlobalThreadState::Dead) && !state.is_ending() {
            dead.push("the thread that fills global stores has died".to_owned());
        }
        if let Some(silent) = signs.coordinator_silent_for.filter(|_| !state.is_ending()) {
            unready.push(format!(
                "the group's coordinator has not answered for {} s, longer than session.timeout.ms: others may have been given its tasks",
                silent.as_secs()
            ));
        }
        let lives =
            |number| signs.threads.iter().any(|(thread, state)| *thread == number && *state != ThreadState::Dead);
        for thread in signs.told.iter().filter(|thread| lives(thread.number)) {
            let (number, silent) = (thread.number, now.since(thread.told));
            if silent > patience {
                let seconds = silent.as_secs();
                dead.push(format!(
                    "stream thread {number} has not come round for {seconds} s: it is busy with a record, or stuck"
                ));
                continue;
            }
            if !state.is_ending()
                && let Some(stands) = rebalances_for(thread, patience, now).filter(|stands| *stands > patience)
            {
                let (state, seconds) = (thread.state, stands.as_secs());
                let why = open_rebalance(thread).map_or_else(String::new, |open| format!(" ({})", open.reason));
                dead.push(format!(
                    "stream thread {number} is {state}, in a rebalance for {seconds} s{why}: the rebalance does not end"
                ));
            }
            let waiting = thread
                .tasks
                .iter()
                .filter(|(_, task)| task.role == TaskRole::Active && task.phase != TaskPhase::Running);
            for (task, metadata) in waiting {
                let left: Option<u64> = metadata.stores.iter().map(StoreProgress::remaining).sum();
                let left = left.filter(|_| metadata.phase == TaskPhase::Restoring);
                let left = left.map_or_else(String::new, |left| format!(", {left} records to restore"));
                unready.push(format!("task {task} is {}{left}", metadata.phase));
            }
        }
        let (live, ready) = (dead.is_empty(), dead.is_empty() && unready.is_empty());
        dead.append(&mut unready);
        Health { live, ready, reasons: dead }
    }
}

fn open_rebalance(thread: &ThreadMetadata) -> Option<&Rebalance> {
    thread.rebalances.last().filter(|last| last.ended.is_none())
}

/// How long the thread has been kept from its work by its group; `None` when it is not. To restore may take long, and is no standstill
/// as long as it goes on. Tasks that stay are processed meanwhile, so that the thread's state alone does not tell.
fn rebalances_for(thread: &ThreadMetadata, patience: Duration, now: Timestamp) -> Option<Duration> {
    let goes_on = |task: &TaskMetadata| task.restore.is_some_and(|restore| now.since(restore.moved) <= patience);
    let restores = thread.tasks.values().any(goes_on);
    match open_rebalance(thread) {
        Some(open) if open.assigned.is_none() && restores => Some(now.since(open.round_began)),
        Some(open) if !restores => Some(now.since(open.began)),
        None if thread.state != ThreadState::Running && !restores => Some(now.since(thread.since)),
        _ => None,
    }
}
