//! Records through the tasks, and their punctuations: whose turn it is, and for how long.

use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Deadline, Timestamp};

use super::{Entry, TaskManager};
use crate::error::Trouble;
use crate::metric;
use crate::output::RecordCollector;
use crate::task::{StreamTask, Taken};
use crate::thread::pace::{self, Pace, Rotation};

/// Whose turn it is, and how long turns are.
#[derive(Debug, Default)]
pub(super) struct Turns {
    pace: Pace,
    /// Whose records are next.
    records: Rotation,
    /// Whose punctuations are next.
    punctuations: Rotation,
    /// Records that went through.
    processed: u64,
    /// When punctuations were looked at last.
    looked: Option<Timestamp>,
}

impl TaskManager {
    /// Gives each task its turn, as long as it is not `end`: that waits for one record at most. Returns whether there was any.
    pub(in crate::thread) fn process(
        &mut self,
        collector: &mut RecordCollector,
        began: Timestamp,
        end: Deadline,
    ) -> Result<bool, Trouble> {
        let limit = self.turns.pace.limit();
        let instance = Arc::clone(&self.cx.instance);
        let (clock, status) = (&*instance.environment.clock, &instance.status);
        let (mut now, mut taken, mut processed, mut is_over) = (began, 0, 0, false);
        let mut is_asked = false;
        for id in self.turns.records.order(self.actives().map(StreamTask::id)) {
            let TaskManager { entries, inbox, .. } = self;
            let Some(task) = entries.get_mut(&id).and_then(Entry::active) else { continue };
            let most = taken + limit;
            task.process(collector, now, &mut |record| {
                taken += 1;
                processed += usize::from(record == Taken::Processed);
                now = now.max(clock.coarse());
                is_over = end.passed(now) || status.is_closing();
                is_asked = inbox.is_asked();
                (taken < most && !is_over && !is_asked).then_some(now)
            })?;
            if is_over || is_asked || collector.is_full() {
                self.turns.records.stopped_at(id);
                break;
            }
        }
        if taken > 0 {
            self.turns.pace.took(self.cx.now().since(began), is_over || is_asked);
            metric::records_processed(processed);
            self.turns.processed += processed as u64;
        }
        Ok(taken > 0)
    }

    /// How many records went through.
    pub(in crate::thread) fn processed(&self) -> u64 {
        self.turns.processed
    }

    /// Fires what is due, as long as that is not too much for one turn. Returns whether anything was.
    pub(in crate::thread) fn punctuate(
        &mut self,
        collector: &mut RecordCollector,
        began: Timestamp,
    ) -> Result<bool, Trouble> {
        let end = Deadline::after(began, pace::LONG);
        let instance = Arc::clone(&self.cx.instance);
        // Whoever stood still has heard of no records that came meanwhile.
        let looks_often = instance.config.poll().saturating_add(Duration::from_secs(1));
        if self.turns.looked.replace(began).is_some_and(|looked| began.since(looked) > looks_often) {
            self.actives_mut().for_each(|task| task.begin_idleness_anew(began));
        }
        let (mut now, mut fired) = (began, false);
        for id in self.turns.punctuations.order(self.actives().map(StreamTask::id)) {
            let Some(task) = self.active(id) else { continue };
            if !task.punctuate(collector, now)? {
                continue;
            }
            fired = true;
            now = now.max(instance.environment.clock.coarse());
            if end.passed(now) || instance.status.is_closing() || collector.is_full() {
                self.turns.punctuations.stopped_at(id);
                break;
            }
        }
        Ok(fired)
    }

    /// When the next wall clock punctuations are due.
    pub(in crate::thread) fn next_wall_clocks(&self) -> impl Iterator<Item = Timestamp> {
        self.actives().filter_map(StreamTask::next_wall_clock)
    }
}
