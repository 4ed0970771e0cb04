//! What the thread tells the instance of itself now and then.

use std::time::Duration;

use headwater_record::Timestamp;

use super::context::ThreadContext;
use super::fetcher::Fetcher;
use super::task_manager::TaskManager;
use crate::instance::{ThreadMetadata, ThreadState};

/// How often it tells what changes with each record.
const INTERVAL: Duration = Duration::from_secs(1);

/// When it told what.
#[derive(Debug)]
pub(super) struct Sampler {
    cx: ThreadContext,
    state: ThreadState,
    since: Timestamp,
    told: Option<Timestamp>,
}

impl Sampler {
    pub(super) fn new(cx: &ThreadContext, now: Timestamp) -> Self {
        Sampler { cx: cx.clone(), state: ThreadState::Starting, since: now, told: None }
    }

    /// Tells where thread and tasks stand, if that is due or the thread's state is another.
    pub(super) fn turn(&mut self, state: ThreadState, tasks: &TaskManager, fetcher: &Fetcher, now: Timestamp) {
        if state == self.state && self.told.is_some_and(|told| now.since(told) < INTERVAL) {
            return;
        }
        if state != self.state {
            (self.state, self.since) = (state, now);
        }
        self.told = Some(now);
        self.cx.instance.threads.tells(ThreadMetadata {
            number: self.cx.number,
            name: self.cx.instance.thread_name(self.cx.number),
            state,
            since: self.since,
            told: now,
            tasks: tasks.describe(fetcher),
        });
    }
}
