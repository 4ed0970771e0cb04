//! What lies behind the cluster's lock.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

use headwater_client::{ClientError, GroupResponse, NewTopic};
use headwater_record::{Timestamp, Topic, TopicPartition};

use super::{ClusterConfig, Coordinator};
use crate::fault::{FaultPlan, Outage};
use crate::group::{Effects, Group, Token};
use crate::leases::Leases;
use crate::partition_log::PartitionLog;
use crate::topic::TopicState;

/// All that the cluster knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: ClusterConfig,
    pub(crate) topics: BTreeMap<Topic, TopicState>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Answers that wait for their connection to ask.
    inboxes: BTreeMap<Token, VecDeque<GroupResponse>>,
    pub(crate) coordinator: Coordinator,
    pub(crate) faults: FaultPlan,
    pub(crate) leases: Leases,
    connections: u64,
}

impl State {
    pub(super) fn new(config: ClusterConfig) -> Self {
        State {
            coordinator: Coordinator::new(config.transaction_protocol, config.max_transaction_timeout),
            config,
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            faults: FaultPlan::default(),
            leases: Leases::default(),
            connections: 0,
        }
    }

    /// Lets happen what was due up to `now`, in order: outages end, delayed requests arrive, sessions and transactions time out,
    /// rebalances go on.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(due) = self.next_event().filter(|due| *due <= now) {
            self.advance_groups(due);
            if let Some(outage) = self.faults.ended(due) {
                self.end_outage(&outage);
            } else if let Some(request) = self.faults.arrived(due) {
                request.perform(self, due);
            } else {
                self.advance_transactions(due);
            }
        }
        self.advance_groups(now);
    }

    /// When something happens by itself outside of the groups.
    fn next_event(&self) -> Option<Timestamp> {
        self.faults.next_event().into_iter().chain(self.coordinator.next_deadline()).min()
    }

    fn end_outage(&mut self, outage: &Outage) {
        let ended = outage.until;
        for group in self.groups.values_mut() {
            match &outage.client_id {
                Some(client_id) if self.faults.is_cut_off(client_id) => {}
                Some(client_id) => group.connect(ended, Some(client_id), true),
                None => group.connect(ended, None, true),
            }
        }
        self.cut_off_again(ended);
    }

    /// Of outages that overlapped, the others go on.
    fn cut_off_again(&mut self, now: Timestamp) {
        for outage in &self.faults.outages {
            for group in self.groups.values_mut() {
                group.connect(now, outage.client_id.as_deref(), false);
            }
        }
    }

    fn advance_groups(&mut self, now: Timestamp) {
        let mut effects = Effects::new();
        for group in self.groups.values_mut() {
            group.advance(now, &mut effects);
        }
        self.deliver(effects);
    }

    /// When something happens by itself.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.groups.values().filter_map(Group::next_deadline).chain(self.next_event()).min()
    }

    /// A new connection for group requests.
    pub(crate) fn connect(&mut self) -> Token {
        self.connections += 1;
        let token = Token(self.connections);
        self.inboxes.insert(token, VecDeque::new());
        token
    }

    /// A connection is gone, with what was not read.
    pub(crate) fn disconnect(&mut self, token: Token) {
        self.inboxes.remove(&token);
        self.leases.remove(token);
    }

    /// Answers to those that are still there.
    pub(crate) fn deliver(&mut self, effects: Effects) {
        for (token, response) in effects {
            if let Some(inbox) = self.inboxes.get_mut(&token) {
                inbox.push_back(response);
            }
        }
    }

    pub(crate) fn inbox(&mut self, token: Token) -> Option<&mut VecDeque<GroupResponse>> {
        self.inboxes.get_mut(&token)
    }

    /// The group of this name, made when there is none.
    pub(crate) fn group_or_new(&mut self, id: &str) -> &mut Group {
        let settings = self.config.group_settings();
        self.groups.entry(id.to_owned()).or_insert_with(|| Group::new(id, settings))
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// [`ClientError::TopicExists`], and as [`TopicState::new`].
    pub(crate) fn create_topic(&mut self, wanted: &NewTopic) -> Result<(), ClientError> {
        if self.topics.contains_key(&wanted.topic) {
            return Err(ClientError::TopicExists { topic: wanted.topic.clone() });
        }
        let state = TopicState::new(wanted, self.config.default_partitions)?;
        self.topics.insert(wanted.topic.clone(), state);
        Ok(())
    }

    /// Deletes a topic with its records and the offsets committed for it.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    pub(crate) fn delete_topic(&mut self, topic: &Topic) -> Result<(), ClientError> {
        if self.topics.remove(topic).is_none() {
            return Err(ClientError::UnknownTopic { topic: topic.clone() });
        }
        for group in self.groups.values_mut() {
            group.forget_topic(topic);
        }
        Ok(())
    }

    /// The topic, made when that is allowed and there is none.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    pub(crate) fn topic_for_client(&mut self, topic: &Topic) -> Result<&mut TopicState, ClientError> {
        if self.config.auto_create_topics && !self.topics.contains_key(topic) {
            let wanted =
                NewTopic { topic: topic.clone(), partitions: -1, replication_factor: -1, configs: BTreeMap::new() };
            self.create_topic(&wanted)?;
        }
        self.topics.get_mut(topic).ok_or_else(|| ClientError::UnknownTopic { topic: topic.clone() })
    }

    /// The log of a partition.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`].
    pub(crate) fn log(&self, partition: &TopicPartition) -> Result<&PartitionLog, ClientError> {
        self.topics
            .get(&partition.topic)
            .and_then(|topic| topic.partition(partition.partition))
            .ok_or_else(|| ClientError::UnknownTopic { topic: partition.topic.clone() })
    }
}
