//! What the topology has written, per topic, and how much of it was read.

use std::collections::BTreeMap;

use headwater_record::{OwnedRecord, Topic};

#[derive(Debug, Default)]
struct Written {
    records: Vec<OwnedRecord>,
    read: usize,
}

/// All topics that were written to.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    topics: BTreeMap<Topic, Written>,
}

impl Outputs {
    pub(super) fn push(&mut self, topic: Topic, record: OwnedRecord) {
        self.topics.entry(topic).or_default().records.push(record);
    }

    pub(crate) fn topics(&self) -> Vec<Topic> {
        self.topics.keys().cloned().collect()
    }

    pub(crate) fn all(&self, topic: &str) -> &[OwnedRecord] {
        self.topics.get(topic).map(|written| written.records.as_slice()).unwrap_or_default()
    }

    /// Whether anything was ever written to `topic`.
    pub(crate) fn knows(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(crate) fn unread(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |written| written.records.len() - written.read)
    }

    pub(crate) fn read(&mut self, topic: &str) -> Option<OwnedRecord> {
        let written = self.topics.get_mut(topic)?;
        let record = written.records.get(written.read).cloned()?;
        written.read += 1;
        Some(record)
    }

    pub(crate) fn read_all(&mut self, topic: &str) -> Vec<OwnedRecord> {
        let Some(written) = self.topics.get_mut(topic) else { return Vec::new() };
        let from = std::mem::replace(&mut written.read, written.records.len());
        written.records.get(from..).unwrap_or_default().to_vec()
    }
}
