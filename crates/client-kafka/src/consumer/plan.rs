//! What to ask the brokers next: deciding without doing.
//!
//! Orders and answers go in; questions ([`Ask`]) and news for the consumer ([`Heard`]) come out. Nothing here waits, connects or
//! reads a clock.

mod topics;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use headwater_client::{ClientError, ErrorClass, StartAt, Watermarks};
use headwater_record::{Offset, Timestamp, Topic, TopicPartition};

use super::lane::Lane;
use super::messages::{Answer, Ask, Claim, Entry, From, Heard, Records};
use super::settings::Settings;
use crate::error::{About, of_code};
use crate::metadata::Leader;

/// A broker that failed so often in a row is worth a warning.
const SILENT: u32 = 3;

mod code {
    pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub(super) const CORRUPT_MESSAGE: i16 = 2;
    pub(super) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(super) const LEADER_NOT_AVAILABLE: i16 = 5;
    pub(super) const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub(super) const REPLICA_NOT_AVAILABLE: i16 = 9;
    pub(super) const STORAGE_ERROR: i16 = 56;
    pub(super) const FENCED_LEADER_EPOCH: i16 = 74;
    pub(super) const UNKNOWN_LEADER_EPOCH: i16 = 75;
    pub(super) const OFFSET_NOT_AVAILABLE: i16 = 78;
}

/// What a claim waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Start(StartAt),
    Records(From),
    /// Its last records were not handed out yet: more may be wanted any moment.
    Nothing,
    /// It failed, for good.
    Never,
}

#[derive(Debug)]
struct State {
    partition: TopicPartition,
    want: Want,
    /// A question is under way.
    busy: bool,
    leader: Option<Leader>,
    /// A replica to ask instead of the leader, and until when.
    replica: Option<(String, Timestamp)>,
    not_before: Timestamp,
    failures: u32,
    /// Whether its topic was ever seen, and which it was.
    seen: bool,
    topic_id: Option<u128>,
    /// Whether that was deleted, and another is there now: offsets are of the one before.
    made_again: bool,
    /// Since when its topic is missing, and when that was told last.
    missing: Option<(Timestamp, Option<Timestamp>)>,
    watermarks: Option<Watermarks>,
}

/// Decides.
#[derive(Debug)]
pub(super) struct Plan {
    settings: Settings,
    claims: BTreeMap<Claim, State>,
    lanes: HashMap<String, Lane>,
    brokers: HashMap<i32, String>,
    asks_metadata: bool,
    /// When what is known of topics gets old.
    metadata_due: Timestamp,
    metadata_not_before: Timestamp,
    metadata_failures: u32,
    heard: Vec<Heard>,
}

impl Plan {
    pub(super) fn new(settings: Settings) -> Self {
        Plan {
            settings,
            claims: BTreeMap::new(),
            lanes: HashMap::new(),
            brokers: HashMap::new(),
            asks_metadata: false,
            metadata_due: Timestamp::MAX,
            metadata_not_before: Timestamp::UNKNOWN,
            metadata_failures: 0,
            heard: Vec::new(),
        }
    }

    pub(super) fn claim(&mut self, claim: Claim, partition: TopicPartition, at: StartAt) {
        let want = match at {
            StartAt::Offset(offset) => Want::Records(From { offset, epoch: -1 }),
            other => Want::Start(other),
        };
        let state = State {
            partition,
            want,
            busy: false,
            leader: None,
            replica: None,
            not_before: Timestamp::UNKNOWN,
            failures: 0,
            seen: false,
            topic_id: None,
            made_again: false,
            missing: None,
            watermarks: None,
        };
        self.claims.insert(claim, state);
        self.metadata_not_before = Timestamp::UNKNOWN;
    }

    pub(super) fn give_up(&mut self, claim: Claim) {
        self.claims.remove(&claim);
    }

    /// The records that came last were handed out: more of them.
    pub(super) fn fetch(&mut self, claim: Claim, from: From) {
        let Some(state) = self.claims.get_mut(&claim) else { return };
        if state.made_again {
            return self.is_gone(claim, from.offset);
        }
        state.want = Want::Records(from);
        if let Some(lane) = state.source().and_then(|address| self.lanes.get_mut(address)) {
            lane.wanted();
        }
    }

    /// What is to be told since the last time.
    pub(super) fn heard(&mut self) -> impl Iterator<Item = Heard> {
        self.heard.drain(..)
    }

    /// What to ask now. Each question is answered to one of the functions below, whatever becomes of it.
    pub(super) fn ask(&mut self, now: Timestamp) -> Vec<Ask> {
        let mut asks = Vec::new();
        asks.extend(self.ask_metadata(now));
        self.ask_starts(now, &mut asks);
        self.ask_records(now, &mut asks);
        asks
    }

    /// When there is something to ask that may not be asked yet.
    pub(super) fn wake_at(&self, now: Timestamp) -> Timestamp {
        let mut at = Timestamp::MAX;
        let mut consider = |time: Timestamp| {
            if time > now {
                at = at.min(time);
            }
        };
        if !self.claims.is_empty() && !self.asks_metadata {
            consider(self.metadata_due);
            consider(self.metadata_not_before);
        }
        self.claims.values().filter(|state| state.is_ready_but_for_time()).for_each(|state| consider(state.not_before));
        for lane in self.lanes.values().filter(|lane| !lane.busy) {
            lane.ready_at().into_iter().for_each(&mut consider);
        }
        at
    }

    fn ask_metadata(&mut self, now: Timestamp) -> Option<Ask> {
        let mut lacking = self.claims.values().filter(|state| state.leader.is_none() && state.is_ready(now)).peekable();
        let wanted = now >= self.metadata_due || lacking.peek().is_some();
        // Whoever said where a partition is may be cut off from the others, and say the same for ever.
        let elsewhere = lacking.any(|state| state.failures > 1);
        if !wanted || self.asks_metadata || now < self.metadata_not_before || self.claims.is_empty() {
            return None;
        }
        self.asks_metadata = true;
        let mut topics: Vec<Topic> = self.claims.values().map(|state| state.partition.topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        Some(Ask::Metadata { topics, elsewhere })
    }

    fn ask_starts(&mut self, now: Timestamp, asks: &mut Vec<Ask>) {
        let mut by_topic: BTreeMap<(Topic, bool), Vec<(Claim, TopicPartition)>> = BTreeMap::new();
        for (claim, state) in &mut self.claims {
            if let Want::Start(at) = state.want
                && state.is_ready(now)
                && state.leader.is_some()
            {
                state.busy = true;
                let key = (state.partition.topic.clone(), at == StartAt::End);
                by_topic.entry(key).or_default().push((*claim, state.partition.clone()));
            }
        }
        asks.extend(by_topic.into_iter().map(|((_, is_end), partitions)| {
            Ask::Starts(if is_end { StartAt::End } else { StartAt::Beginning }, partitions)
        }));
    }

    fn ask_records(&mut self, now: Timestamp, asks: &mut Vec<Ask>) {
        let mut by_broker: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        // Brokers of which a partition is left out that may be wanted any moment.
        let mut awaited: BTreeSet<String> = BTreeSet::new();
        for (claim, state) in &mut self.claims {
            state.replica.take_if(|(_, until)| *until <= now);
            let (Some(address), Some(leader)) = (state.source(), &state.leader) else { continue };
            let lane = self.lanes.entry(address.to_owned()).or_default();
            if !lane.is_ready(now) {
                continue;
            }
            match state.want {
                Want::Records(from) if state.is_ready(now) => {
                    let leader_epoch = leader.epoch;
                    let entry = Entry { claim: *claim, partition: state.partition.clone(), from, leader_epoch };
                    by_broker.entry(address.to_owned()).or_default().push(entry);
                }
                Want::Never => {}
                _ => {
                    awaited.insert(address.to_owned());
                }
            }
        }
        for (address, entries) in by_broker {
            let lane = self.lanes.entry(address.clone()).or_default();
            let Some(wait) = lane.wait(now, awaited.contains(&address), self.settings.max_wait) else { continue };
            lane.busy = true;
            for entry in &entries {
                self.claims.entry(entry.claim).and_modify(|state| state.busy = true);
            }
            asks.push(Ask::Fetch(address, wait, entries));
        }
    }

    pub(super) fn starts_came(
        &mut self,
        now: Timestamp,
        partitions: &[(Claim, TopicPartition)],
        answer: Result<Vec<Offset>, ClientError>,
    ) {
        let offsets = answer.as_ref().map(|offsets| offsets.iter().copied().map(Some).collect());
        let offsets: Vec<Option<Offset>> = offsets.unwrap_or_else(|_| vec![None; partitions.len()]);
        for ((claim, _), offset) in partitions.iter().zip(offsets) {
            let Some(state) = self.claims.get_mut(claim) else { continue };
            state.busy = false;
            if let Some(offset) = offset {
                state.failures = 0;
                state.want = Want::Records(From { offset, epoch: -1 });
                self.heard.push(Heard::Began(*claim, offset));
            } else {
                // Who leads it, and whether it is there, metadata tell.
                state.leader = None;
                state.back_off(now, &self.settings);
            }
        }
        match answer {
            Err(error) if may_pass(&error) => tracing::debug!(%error, "asking for offsets again"),
            Err(ClientError::UnknownTopic { .. }) | Ok(_) => {}
            Err(error) => {
                for (claim, _) in partitions {
                    self.fail(*claim, error.clone());
                }
            }
        }
    }

    /// `answer` may leave entries out, and gives how long the broker wants to be left alone.
    pub(super) fn records_came(
        &mut self,
        now: Timestamp,
        address: &str,
        entries: &[Entry],
        answer: Result<(Duration, Vec<Answer>), ClientError>,
    ) {
        let lane = self.lanes.entry(address.to_owned()).or_default();
        let (leave_alone, answers) = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let failures = lane.failed(now, |failures| self.settings.backoff(failures));
                // Others answer, or asking for metadata will tell: no failure of the consumer.
                if failures == SILENT {
                    tracing::warn!(address, %error, "a broker does not answer fetches; its partitions wait for it or for another leader");
                } else {
                    tracing::debug!(address, %error, failures, "a fetch failed");
                }
                for entry in entries {
                    let Some(state) = self.claims.get_mut(&entry.claim) else { continue };
                    state.busy = false;
                    state.leader = None;
                    state.replica = None;
                    state.failures += 1;
                    if !may_pass(&error) {
                        self.fail(entry.claim, error.clone());
                    }
                }
                return;
            }
        };
        let records = answers.iter().any(|answer| !answer.bytes.is_empty());
        lane.answered(now, records, leave_alone, self.settings.max_wait);
        let mut from: HashMap<Claim, From> = entries.iter().map(|entry| (entry.claim, entry.from)).collect();
        for answer in answers {
            if let Some(from) = from.remove(&answer.claim) {
                self.answered(now, address, from, answer);
            }
        }
        for left_out in from.into_keys() {
            if let Some(state) = self.claims.get_mut(&left_out) {
                state.busy = false;
                state.back_off(now, &self.settings);
            }
        }
    }

    fn answered(&mut self, now: Timestamp, address: &str, from: From, answer: Answer) {
        let claim = answer.claim;
        let Some(state) = self.claims.get_mut(&claim) else { return };
        state.busy = false;
        let is_of_leader = state.leader.as_ref().is_none_or(|leader| leader.address == address);
        let gone = |partition: &TopicPartition| ClientError::OffsetOutOfRange {
            partition: partition.clone(),
            offset: from.offset,
        };
        match answer.code {
            // A replica may lag behind; the leader says what holds.
            0 | code::OFFSET_OUT_OF_RANGE if !is_of_leader && (answer.code != 0 || answer.diverges_at.is_some()) => {
                state.replica = None;
            }
            0 if let Some(end) = answer.diverges_at => {
                if end < from.offset {
                    let error = gone(&state.partition);
                    self.fail(claim, error);
                } else {
                    // All that was read is there, written under another leader as it seems: compaction removed what told so.
                    state.want = Want::Records(From { epoch: -1, ..from });
                }
            }
            0 => self.good_answer(now, address, from, answer),
            code::OFFSET_OUT_OF_RANGE => {
                let error = gone(&state.partition);
                self.fail(claim, error);
            }
            code::UNKNOWN_TOPIC_OR_PARTITION
            | code::LEADER_NOT_AVAILABLE
            | code::NOT_LEADER_OR_FOLLOWER
            | code::REPLICA_NOT_AVAILABLE
            | code::STORAGE_ERROR
            | code::FENCED_LEADER_EPOCH
            | code::UNKNOWN_LEADER_EPOCH
            | code::OFFSET_NOT_AVAILABLE => {
                tracing::debug!(partition = %state.partition, code = answer.code, "looking for its leader");
                state.leader = None;
                state.replica = None;
                state.back_off(now, &self.settings);
            }
            code::CORRUPT_MESSAGE => {
                let reason = format!("the broker cannot read offset {} from its disk", from.offset);
                let error = ClientError::Malformed { partition: state.partition.clone(), reason };
                self.fail(claim, error);
            }
            code => {
                state.back_off(now, &self.settings);
                let error = of_code(code, About::Partition(&state.partition, from.offset));
                match error {
                    Some(error) if !may_pass(&error) => self.fail(claim, error),
                    error => tracing::warn!(partition = %state.partition, ?error, "fetching again"),
                }
            }
        }
    }

    /// The answer holds records, or says that there are none.
    fn good_answer(&mut self, now: Timestamp, address: &str, from: From, answer: Answer) {
        let claim = answer.claim;
        let Some(state) = self.claims.get_mut(&claim) else { return };
        state.failures = 0;
        match answer.replica.map(|replica| self.brokers.get(&replica)) {
            Some(Some(replica)) if replica != address => {
                state.replica = Some((replica.clone(), now.plus(self.settings.metadata_max_age)));
            }
            Some(None) => {
                // A broker that was not there when it was last asked who is.
                state.leader = None;
                state.back_off(now, &self.settings);
            }
            _ => {}
        }
        if !answer.bytes.is_empty() {
            state.want = Want::Nothing;
            state.watermarks = Some(answer.watermarks);
            let Answer { bytes, aborted, watermarks, .. } = answer;
            self.heard.push(Heard::Records(claim, Records { from, bytes, aborted, watermarks }));
        } else if state.watermarks != Some(answer.watermarks) {
            state.watermarks = Some(answer.watermarks);
            self.heard.push(Heard::Watermarks(claim, answer.watermarks));
        }
    }

    fn fail(&mut self, claim: Claim, error: ClientError) {
        if let Some(state) = self.claims.get_mut(&claim) {
            state.want = Want::Never;
            self.heard.push(Heard::Failed(claim, error));
        }
    }
}

impl State {
    fn is_ready_but_for_time(&self) -> bool {
        !self.busy && !matches!(self.want, Want::Nothing | Want::Never)
    }

    fn is_ready(&self, now: Timestamp) -> bool {
        self.is_ready_but_for_time() && now >= self.not_before
    }

    /// The broker to fetch from.
    fn source(&self) -> Option<&str> {
        let replica = self.replica.as_ref().map(|(address, _)| address.as_str());
        replica.or_else(|| self.leader.as_ref().map(|leader| leader.address.as_str()))
    }

    fn back_off(&mut self, now: Timestamp, settings: &Settings) {
        self.not_before = now.plus(settings.backoff(self.failures));
        self.failures += 1;
    }
}

/// Whether asking again may help. What a broker cannot name (-1) may be trouble of the moment, as Java's consumer takes it.
fn may_pass(error: &ClientError) -> bool {
    error.class() == ErrorClass::Retriable || matches!(error, ClientError::Broker { code: -1, .. })
}

#[cfg(test)]
mod tests;
