//! What the updater does now and then: commits, limits, pauses.

use std::collections::HashMap;
use std::time::Duration;

use headwater_record::{Deadline, Offset, Timestamp, TopicPartition};

use super::reader::Fetch;
use super::updater::Updating;
use super::{Updated, Updater};

impl Updater {
    /// Has the next turn commit all stores, those too that have nothing new.
    pub(crate) fn commit_next(&mut self) {
        self.next_commit = Some(Timestamp::UNKNOWN);
        for reader in self.tasks.values_mut().flat_map(|task| task.readers.iter_mut().flatten()) {
            reader.dirty = true;
        }
    }

    pub(super) fn commit_due(&mut self, now: Timestamp, out: &mut Vec<Updated>) {
        if !due(&mut self.next_commit, now, self.settings.commit_interval) {
            return;
        }
        let mut failed = Vec::new();
        for (id, task) in &mut self.tasks {
            if let Err(failure) = task.commit() {
                failed.push((*id, failure));
            }
        }
        for (id, failure) in failed {
            self.fail(id, failure, out);
        }
    }

    /// Has stores bring to disk now and then what was committed. What fails is tried again by the next flush of theirs.
    pub(super) fn sync_due(&mut self, now: Timestamp) {
        if !due(&mut self.next_sync, now, self.settings.sync_interval) {
            return;
        }
        for (id, task) in &mut self.tasks {
            if let Err(error) = task.stores.sync() {
                tracing::warn!(task = %id, %error, "a store could not bring to disk what was committed");
            }
        }
    }

    /// Asks how far the application has read the topics that hold up standbys, and applies what may now be applied.
    pub(super) fn raise_limits(&mut self, now: Timestamp, until: Deadline, out: &mut Vec<Updated>) {
        let mut held = Vec::new();
        for task in self.tasks.values().filter(|task| !task.active) {
            let readers = task.readers.iter().flatten();
            let waiting = task.stores.changelogs.iter().zip(readers).filter(|(_, reader)| !reader.held.is_empty());
            held.extend(waiting.map(|(changelog, _)| changelog.partition.clone()));
        }
        if held.is_empty() || !due(&mut self.next_limits, now, self.settings.commit_interval) {
            return;
        }
        let limits: HashMap<TopicPartition, Offset> = match self.limits(&held, until) {
            Ok(limits) => limits,
            Err(error) => {
                tracing::debug!(%error, "committed offsets of source topics could not be asked for; trying again");
                self.next_limits = Some(now.plus(self.settings.retry_backoff));
                return;
            }
        };
        for (partition, limit) in limits {
            let task = self.owners.get(&partition).and_then(|id| self.tasks.get_mut(id));
            let Some(task) = task else { continue };
            for (changelog, reader) in task.stores.changelogs.iter().zip(task.readers.iter_mut().flatten()) {
                if changelog.partition == partition {
                    reader.limit = reader.limit.max(Some(limit));
                }
            }
            self.apply(&partition, None, out);
        }
    }

    /// Standbys wait while active tasks are restored, and a store that is held up fetches nothing more.
    pub(super) fn set_pauses(&mut self) {
        let restoring = self.tasks.values().any(Updating::is_restoring);
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for task in self.tasks.values_mut() {
            for (changelog, reader) in task.stores.changelogs.iter().zip(task.readers.iter_mut().flatten()) {
                let wait = (restoring && !task.active) || !reader.held.is_empty();
                let (wanted, list) = if wait { (Fetch::Paused, &mut pause) } else { (Fetch::Running, &mut resume) };
                if reader.fetch != Fetch::None && reader.fetch != wanted {
                    reader.fetch = wanted;
                    list.push(changelog.partition.clone());
                }
            }
        }
        let paused = if pause.is_empty() { Ok(()) } else { self.consumer.pause(&pause) };
        let resumed = if resume.is_empty() { Ok(()) } else { self.consumer.resume(&resume) };
        if let Err(error) = paused.and(resumed) {
            tracing::warn!(%error, "changelogs could not be paused or resumed");
        }
    }
}

/// Whether it is time; the first time is one interval from now.
fn due(next: &mut Option<Timestamp>, now: Timestamp, interval: Duration) -> bool {
    let at = *next.get_or_insert(now.plus(interval));
    let is_due = now >= at;
    if is_due {
        *next = Some(now.plus(interval));
    }
    is_due
}
