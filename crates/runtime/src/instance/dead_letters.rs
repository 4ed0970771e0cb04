//! Whether there is a topic for dead letters, before the first of them is written.

use std::sync::atomic::{AtomicBool, Ordering};

use headwater_client::Admin;
use headwater_record::{Deadline, Topic};

use super::Instance;
use crate::handler::DEAD_LETTERS;

/// Whether it was looked, by whichever thread comes first.
#[derive(Debug, Default)]
pub(crate) struct DeadLetters {
    looked: AtomicBool,
}

impl Instance {
    /// Says once if the topic that the settings name is not there: nobody makes it, and the first record that fails would fail its task.
    pub(crate) fn look_for_dead_letters(&self, admin: &mut dyn Admin, until: Deadline) {
        let topic = self.config.given(DEAD_LETTERS).map(str::trim).filter(|topic| !topic.is_empty());
        let Some(topic) = topic.filter(|_| !self.dead_letters.looked.load(Ordering::Relaxed)) else { return };
        match admin.describe_topics(&[Topic::from(topic)], until) {
            Ok(found) => {
                let is_first = !self.dead_letters.looked.swap(true, Ordering::Relaxed);
                if is_first && found.iter().all(Option::is_none) {
                    tracing::warn!(
                        "the topic {topic} of {DEAD_LETTERS} does not exist: create it, or the first record that fails ends its task, whatever \
                         the exception handlers say"
                    );
                }
            }
            Err(error) => tracing::debug!(%error, "it could not be looked whether there is a topic for dead letters"),
        }
    }
}
