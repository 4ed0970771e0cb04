//! What the thread tells the instance of itself now and then: all that is counted on a record's way is copied here, once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_record::Timestamp;
use headwater_topology::TaskId;

use super::StreamThread;
use crate::changelog::StoreProgress;
use crate::instance::{RestoreProgress, TaskMetadata, TaskPhase, TaskRole, ThreadMetadata, ThreadState};

/// How often it tells what changes with each record.
const INTERVAL: Duration = Duration::from_secs(1);

/// What it told last, and what follows from one time to the next.
#[derive(Debug)]
pub(super) struct Sampler {
    state: ThreadState,
    since: Timestamp,
    told: Option<Arc<ThreadMetadata>>,
    /// Since when tasks are restored, and how many records were applied then.
    restoring: BTreeMap<TaskId, (Timestamp, u64)>,
}

impl Sampler {
    pub(super) fn new(now: Timestamp) -> Self {
        Sampler { state: ThreadState::Starting, since: now, told: None, restoring: BTreeMap::new() }
    }

    fn is_due(&self, state: ThreadState, now: Timestamp) -> bool {
        state != self.state || self.told.as_ref().is_none_or(|told| now.since(told.told) >= INTERVAL)
    }

    /// What `thread` has now, with what only those know who saw it before: since when things are as they are.
    fn follow(&mut self, mut thread: ThreadMetadata) -> Arc<ThreadMetadata> {
        let now = thread.told;
        if thread.state != self.state {
            (self.state, self.since) = (thread.state, now);
        }
        thread.since = self.since;
        self.restoring.retain(|task, _| thread.tasks.get(task).is_some_and(is_restored));
        for (id, task) in &mut thread.tasks {
            let before = self.told.as_ref().and_then(|told| told.tasks.get(id));
            stands_since(task, before, now);
            if is_restored(task) {
                task.restore = Some(self.restore_progress(*id, task, now));
            }
        }
        let told = Arc::new(thread);
        self.told = Some(Arc::clone(&told));
        told
    }

    fn restore_progress(&mut self, id: TaskId, task: &TaskMetadata, now: Timestamp) -> RestoreProgress {
        let applied: u64 = task.stores.iter().map(|store| store.applied).sum();
        let (since, first) = *self.restoring.entry(id).or_insert((now, applied));
        let before =
            self.told.as_ref().and_then(|told| told.tasks.get(&id)).filter(|before| before.stores == task.stores);
        let moved = before.and_then(|before| before.restore).map_or(now, |before| before.moved);
        let remaining: Option<u64> = task.stores.iter().map(StoreProgress::remaining).sum();
        let millis = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
        let per_second = applied.saturating_sub(first).saturating_mul(1000).checked_div(millis).unwrap_or(0);
        let time_left = remaining.and_then(|remaining| remaining.saturating_mul(1000).checked_div(per_second));
        RestoreProgress { since, moved, remaining, per_second, time_left: time_left.map(Duration::from_millis) }
    }
}

/// Whether it is an active task whose stores are brought up to date.
fn is_restored(task: &TaskMetadata) -> bool {
    task.role == TaskRole::Active && task.phase == TaskPhase::Restoring
}

/// Since when inputs are where they are, and are waited for.
fn stands_since(task: &mut TaskMetadata, before: Option<&TaskMetadata>, now: Timestamp) {
    let mut stands = before.is_some();
    for (partition, input) in &mut task.inputs {
        let before = before.and_then(|before| before.inputs.get(partition));
        let before = before.filter(|before| before.position == input.position);
        input.since = before.map_or(now, |before| before.since);
        stands &= before.is_some();
    }
    // Who took a record meanwhile does not wait since the last time.
    let before = before.filter(|_| stands);
    for (partition, since) in &mut task.waits_for {
        *since = before.and_then(|before| before.waits_for.get(partition)).copied().unwrap_or(now);
    }
}

impl StreamThread {
    /// Tells where thread and tasks stand, if that is due or the thread's state is another.
    pub(super) fn tell_if_due(&mut self, now: Timestamp) {
        if !self.sampler.is_due(self.state, now) {
            return;
        }
        let thread = ThreadMetadata {
            number: self.cx.number,
            name: self.cx.instance.thread_name(self.cx.number),
            state: self.state,
            since: now,
            told: now,
            tasks: self.tasks.describe(&self.fetcher, &self.collector, now),
            processed: self.tasks.processed(),
            fetched: self.fetcher.fetched(),
            sent: self.collector.sent(),
            under_way: self.collector.under_way(),
            commits: self.committer.committed(),
            rebalances: self.rebalances.all(),
        };
        let thread = self.sampler.follow(thread);
        self.summary.turn(&thread);
        self.cx.instance.threads.tells(thread);
    }
}

#[cfg(test)]
mod tests;
