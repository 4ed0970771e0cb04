//! What the thread says of itself in the log now and then (`log.summary.interval.ms`), and of nodes that hand nothing on.

use std::sync::Arc;
use std::time::Duration;

use headwater_record::Timestamp;

use crate::instance::{NodeMetadata, TaskMetadata, ThreadMetadata, why_nothing};

/// When it said what.
#[derive(Debug)]
pub(super) struct Summary {
    /// `None`: nothing is said.
    interval: Option<Duration>,
    said: Timestamp,
    /// What was told then.
    before: Option<Arc<ThreadMetadata>>,
}

impl Summary {
    pub(super) fn new(interval: Option<Duration>, now: Timestamp) -> Self {
        Summary { interval, said: now, before: None }
    }

    /// Says what changed since the last time, if that is due.
    pub(super) fn turn(&mut self, thread: &Arc<ThreadMetadata>) {
        let since = thread.told.since(self.said);
        if self.interval.is_none_or(|interval| since < interval) {
            return;
        }
        let before = self.before.replace(Arc::clone(thread));
        self.said = thread.told;
        let grown =
            |count: fn(&ThreadMetadata) -> u64| count(thread).saturating_sub(before.as_deref().map_or(0, count));
        tracing::info!(
            thread = thread.number,
            state = %thread.state,
            ?since,
            processed = grown(|thread| thread.processed),
            sent = grown(|thread| thread.sent),
            commits = grown(|thread| thread.commits.count),
            "a summary of the thread's work"
        );
        for (id, task) in &thread.tasks {
            let before = before.as_ref().and_then(|before| before.tasks.get(id));
            for (name, node) in task.nodes.iter().filter(|(name, node)| keeps_back(node, before, name)) {
                let why = why_nothing(task, node, thread.told).join("; ");
                tracing::info!(task = %id, node = %name, why, "a node has handed nothing on since the last summary");
            }
        }
    }
}

/// Whether something waits at the node, or its windows wait for their end, and it handed nothing on since `before`.
fn keeps_back(node: &NodeMetadata, before: Option<&TaskMetadata>, name: &str) -> bool {
    let Some(held) = node.held else { return false };
    let waits = held.records.map_or(held.kind.waits_for_end() && node.taken > 0, |records| records > 0);
    let before = before.and_then(|before| before.nodes.get(name));
    waits
        && before.map_or(node.handed_on.values().all(|count| *count == 0), |before| before.handed_on == node.handed_on)
}
