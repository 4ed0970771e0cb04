//! The topics and partitions that a thread writes to, as the output and its producer number them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use headwater_client::PartitionRef;
use headwater_record::{Partition, Timestamp, Topic};
use headwater_topology::{OutputTopic, StoreId};

/// A topic.
#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) topic: Topic,
    /// How many partitions it has, once it was asked.
    pub(super) count: Option<Partition>,
    /// The producer's numbers of its partitions, where they were asked.
    pub(super) refs: Vec<Option<PartitionRef>>,
    /// Where records without a key go now, and how many bytes went there.
    pub(super) sticky: Partition,
    pub(super) sticky_bytes: usize,
    /// Whether dead letters of failed writes went there: when these fail too, nobody is asked again.
    pub(super) takes_dead_letters: bool,
}

/// All topics.
#[derive(Debug)]
pub(super) struct Topics {
    states: Vec<TopicState>,
    by_name: HashMap<Topic, usize>,
    counted_at: Timestamp,
}

impl Topics {
    pub(super) fn new(now: Timestamp) -> Self {
        Topics { states: Vec::new(), by_name: HashMap::new(), counted_at: now }
    }

    /// The number of the topic of this full name.
    pub(super) fn number(&mut self, name: &str) -> OutputTopic {
        if let Some(index) = self.by_name.get(name) {
            return OutputTopic::new(*index);
        }
        let topic = Topic::from(name);
        let index = self.states.len();
        self.by_name.insert(topic.clone(), index);
        self.states.push(TopicState {
            topic,
            count: None,
            refs: Vec::new(),
            sticky: 0,
            sticky_bytes: 0,
            takes_dead_letters: false,
        });
        OutputTopic::new(index)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, topic: OutputTopic) -> Option<&mut TopicState> {
        self.states.get_mut(topic.index())
    }

    /// The topics whose partitions were counted, when that is `max_age` ago. Until they are counted once more, it is believed.
    pub(super) fn stale(&mut self, now: Timestamp, max_age: Duration) -> Vec<Topic> {
        if now.since(self.counted_at) < max_age {
            return Vec::new();
        }
        self.counted_at = now;
        self.states.iter().filter(|state| state.count.is_some()).map(|state| state.topic.clone()).collect()
    }

    pub(super) fn is_counted(&self, topic: &Topic) -> bool {
        let state = self.by_name.get(topic).and_then(|index| self.states.get(*index));
        state.is_some_and(|state| state.count.is_some())
    }

    /// Another producer numbers partitions anew.
    pub(super) fn forget_partitions(&mut self) {
        for state in &mut self.states {
            state.count = None;
            state.refs.clear();
        }
    }
}

/// A partition by the producer's number: whose records are under way to it.
#[derive(Debug)]
pub(super) struct PartitionState {
    /// Its topic.
    pub(super) topic: OutputTopic,
    /// Its number in the topic.
    pub(super) partition: Partition,
    /// The store whose changelog it is, if it is one.
    pub(super) store: Option<StoreId>,
    // Which lane wrote how many records, in order; neighbours of one lane are one run.
    runs: VecDeque<(usize, u32)>,
}

impl PartitionState {
    pub(super) fn new(topic: OutputTopic, partition: Partition) -> Self {
        PartitionState { topic, partition, store: None, runs: VecDeque::new() }
    }

    /// A record of `lane` is under way.
    #[inline]
    pub(super) fn sent(&mut self, lane: usize) {
        match self.runs.back_mut() {
            Some((last, count)) if *last == lane && *count < u32::MAX => *count += 1,
            _ => self.runs.push_back((lane, 1)),
        }
    }

    /// The oldest records have arrived or failed: at most `count` of one lane. Returns whose and how many.
    pub(super) fn answered(&mut self, count: u32) -> Option<(usize, u32)> {
        let (lane, sent) = self.runs.front_mut()?;
        let (lane, taken) = (*lane, count.min(*sent));
        *sent -= taken;
        if *sent == 0 {
            self.runs.pop_front();
        }
        Some((lane, taken))
    }

    pub(super) fn under_way(&self) -> u64 {
        self.runs.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    pub(super) fn under_way_of(&self, lane: usize) -> u64 {
        self.runs.iter().filter(|(other, _)| *other == lane).map(|(_, count)| u64::from(*count)).sum()
    }
}
