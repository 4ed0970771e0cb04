//! What a suppression of a table does, said as plainly as possible: everything in lists that are searched from end to end.

use std::collections::BTreeMap;

/// A record of the table's topic.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: i64,
    pub(crate) headers: Vec<(String, Option<String>)>,
}

/// A record that is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) timestamp: i64,
    pub(crate) headers: Vec<(String, Option<String>)>,
}

/// What waits under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) key: String,
    /// When it came into the buffer.
    pub(crate) time: i64,
    pub(crate) prior: Option<String>,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
    pub(crate) headers: Vec<(String, Option<String>)>,
}

impl Waiting {
    fn weight(&self, topic: &str) -> usize {
        let length = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        let prior = if self.prior == self.old { 0 } else { length(&self.prior) };
        let headers: usize = self.headers.iter().map(|(name, value)| name.chars().count() + length(value)).sum();
        let context = 8 + 8 + 4 + topic.len() + headers;
        8 + self.key.len() + prior + length(&self.old) + length(&self.new) + context
    }
}

/// What happens when the buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Emit,
    ShutDown,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) wait_ms: i64,
    pub(crate) max_records: usize,
    pub(crate) max_bytes: usize,
    pub(crate) when_full: WhenFull,
}

pub(crate) struct Model {
    rules: Rules,
    topic: &'static str,
    table: BTreeMap<String, String>,
    waiting: Vec<Waiting>,
    stream_time: i64,
    offset: i64,
}

impl Model {
    pub(crate) fn new(rules: Rules, topic: &'static str) -> Self {
        Model { rules, topic, table: BTreeMap::new(), waiting: Vec::new(), stream_time: -1, offset: 0 }
    }

    /// What waits, in the order of keys.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.clone();
        waiting.sort_by(|one, other| one.key.cmp(&other.key));
        waiting
    }

    /// How many wait, and what they weigh together.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting.iter().map(|waiting| waiting.weight(self.topic)).sum())
    }

    fn is_full(&self) -> bool {
        let (records, bytes) = self.size();
        records > self.rules.max_records || bytes > self.rules.max_bytes
    }

    /// What is handed on after `input`, and whether the buffer then is too full to go on.
    pub(crate) fn take(&mut self, input: &Input) -> (Vec<Output>, bool) {
        let old = match &input.value {
            Some(value) => self.table.insert(input.key.clone(), value.clone()),
            None => self.table.remove(&input.key),
        };
        self.stream_time = self.stream_time.max(input.timestamp);
        let before = self.waiting.iter().position(|waiting| waiting.key == input.key);
        let before = before.map(|at| self.waiting.remove(at));
        self.waiting.push(Waiting {
            key: input.key.clone(),
            time: before.as_ref().map_or(input.timestamp, |before| before.time),
            prior: before.map_or(old.clone(), |before| before.prior),
            old,
            new: input.value.clone(),
            timestamp: input.timestamp,
            offset: self.offset,
            headers: input.headers.clone(),
        });
        self.offset += 1;
        let mut out = Vec::new();
        while self.first().is_some_and(|at| self.waiting[at].time <= self.stream_time - self.rules.wait_ms) {
            self.release(&mut out);
        }
        if self.is_full() && self.rules.when_full == WhenFull::ShutDown {
            return (out, true);
        }
        while self.is_full() {
            self.release(&mut out);
        }
        (out, false)
    }

    fn first(&self) -> Option<usize> {
        (0..self.waiting.len()).min_by_key(|at| (self.waiting[*at].time, self.waiting[*at].key.as_bytes().to_vec()))
    }

    fn release(&mut self, out: &mut Vec<Output>) {
        let Some(at) = self.first() else { return };
        let Waiting { key, new, timestamp, headers, .. } = self.waiting.remove(at);
        out.push(Output { key, value: new, timestamp, headers });
    }
}
