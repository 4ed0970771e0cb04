//! What those are given who read the tasks' stores from elsewhere.

use std::sync::Arc;

use super::TaskManager;
use crate::instance::{Ask, Seen};
use crate::{Error, ErrorKind};

impl TaskManager {
    /// Whether somebody waits for views that stores have after a commit only, so that one is to be made out of turn. Those of tasks
    /// that have nothing to commit have them at once, unless a transaction is `open`: what an `init` wrote waits for its end.
    pub(in crate::thread) fn views_wanted(&mut self, open: bool) -> bool {
        let asked = self.cx.instance.stores.asked();
        if asked == self.views_served {
            return false;
        }
        let mut waits = false;
        for task in self.actives_mut() {
            if open || task.commit_needed() {
                waits = true;
            } else if let Err(error) = task.show_committed() {
                tracing::warn!(task = %task.id(), %error, "a store has no view for those who ask");
            }
        }
        if !waits {
            self.views_served = asked;
            self.cx.instance.stores.gate().open();
        }
        waits
    }

    /// Whether somebody waits to see what is not committed.
    pub(in crate::thread) fn are_readers_waiting(&self) -> bool {
        self.inbox.is_asked()
    }

    /// Answers those who want to see what is not committed: between two records, so that they see no half of one.
    pub(in crate::thread) fn answer_readers(&mut self) {
        for ask in self.inbox.take() {
            let answer = self.show(&ask);
            ask.answer(answer);
        }
    }

    fn show(&mut self, ask: &Ask) -> Result<Seen, Error> {
        let Some(task) = self.active(ask.task) else {
            let message = format!("task {} has just stopped here: ask again", ask.task);
            return Err(Error::new(ErrorKind::Unavailable, message));
        };
        let view = task.show_uncommitted(ask.store, &ask.part.asked(), ask.part.skips_cache)?;
        let position = Arc::new(task.position());
        view.map(|view| Seen { view, position }).ok_or_else(|| {
            let what = "its make shows only what was committed: it needs StateStore::uncommitted";
            Error::config(format!("a store of task {} cannot be read so; {what}", ask.task))
        })
    }
}
