//! What of one partition may be sent, with which sequence, and what an answer or its absence means. No socket and no clock.
//!
//! Batches leave in the order in which they came. When one fails, nothing more is sent until all that are under way are answered; then
//! those that are not stored are sent again, in order and each with the sequence it had, so that a broker that has stored one already
//! finds that out. A broker stores a batch only when its sequence follows, so nothing overtakes; but of a producer that it knows nothing
//! of it takes any sequence, so the first batch of an identity is alone under way until it is stored.
//!
//! Sequences are of a producer id and an epoch. When a gap is in the way (a batch was given up while others followed it, or the broker
//! has lost what it knew), the partition begins a new epoch at sequence 0 with what is not stored (KIP-360), once nothing is under
//! way. The epoch is raised here and not by the broker, as Java's idempotent producer does it, but for this partition alone: a broker
//! keeps epochs by partition. Within a transaction there is nothing of that: epochs are the coordinator's, so what cannot follow is
//! given up and the transaction aborted, after which all begins anew in the next epoch ([`Sequences::belong_to`]).
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::{Timestamp, TopicPartition};

use crate::batch::Producing;

/// Sequences go up to `i32::MAX` and from there to 0.
const SEQUENCES: i32 = i32::MAX;

/// The settings that count here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) idempotent: bool,
    /// Batches are parts of transactions.
    pub(super) transactional: bool,
    /// How many batches may be under way, and behind one whose answer is missing.
    pub(super) in_flight: usize,
    /// How often a batch may be sent again.
    pub(super) retries: u32,
    /// The pause before the first time, doubled each time up to the longest.
    pub(super) backoff: Duration,
    pub(super) backoff_max: Duration,
    /// How long a batch may take from its first record on.
    pub(super) delivery_timeout: Duration,
}

/// Who the brokers take this producer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
}

/// What is sent.
pub(super) trait Batch: Sized {
    /// How many records it has.
    fn count(&self) -> i32;
    /// Its records in two batches, if there are two.
    fn halves(&self) -> Option<[Self; 2]>;
}

/// What became of a batch that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the log, from this offset on; -1 when the broker does not say it.
    Stored(i64),
    /// It is not, but may be another time.
    Passing(ClientError),
    /// Nobody knows.
    Unknown(ClientError),
    /// Nobody knows, and the request may still be on its way.
    Unheard(ClientError),
    /// Its sequence is not the next one.
    OutOfOrder(ClientError),
    /// The broker does not know this producer, or not in this epoch.
    Forgotten(ClientError),
    TooLarge(ClientError),
    /// It will never be.
    Refused(ClientError),
}

/// What is said of a batch in the end: where it is, or why it is not.
pub(super) type Outcome = Result<i64, ClientError>;

/// A batch that there is nothing more to do about.
#[derive(Debug)]
pub(super) struct Told<B> {
    pub(super) batch: B,
    pub(super) outcome: Outcome,
    /// It was given up, and may still be on its way into the log.
    pub(super) in_doubt: bool,
}

/// The number of a sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight(Ticket),
    Done(Outcome),
}

#[derive(Debug)]
struct Entry<B> {
    batch: B,
    began: Timestamp,
    sequence: Option<i32>,
    state: State,
    /// How often it was sent.
    sent: u32,
    /// Whether one of the sendings may have been stored.
    maybe_stored: bool,
    /// Whether one of the sendings may still be under way.
    unheard: bool,
    /// Why it is not sent again.
    given_up: Option<ClientError>,
    /// What became of the last one.
    last: Option<ClientError>,
}

/// The batches of one partition that are not told of yet, in order.
#[derive(Debug)]
pub(super) struct Sequences<B> {
    partition: TopicPartition,
    rules: Rules,
    entries: VecDeque<Entry<B>>,
    identity: Option<Identity>,
    next_sequence: i32,
    /// Whether the broker has stored something of this identity. Of one that it does not know it takes any sequence: nothing may be
    /// sent behind a first batch that it may still refuse.
    is_known: bool,
    next_ticket: u64,
    in_flight: usize,
    /// A batch failed: nothing is sent until all that are under way are answered.
    draining: bool,
    /// What is sent next begins an epoch.
    renew: bool,
    not_before: Timestamp,
    obstacle: Option<ClientError>,
}

impl<B: Batch> Sequences<B> {
    pub(super) fn new(partition: TopicPartition, rules: Rules) -> Self {
        Sequences {
            partition,
            rules,
            entries: VecDeque::new(),
            identity: None,
            next_sequence: 0,
            is_known: false,
            next_ticket: 0,
            in_flight: 0,
            draining: false,
            renew: false,
            not_before: Timestamp::ZERO,
            obstacle: None,
        }
    }

    pub(super) fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// Takes a batch whose first record came at `began`.
    pub(super) fn push(&mut self, batch: B, began: Timestamp) {
        let (sequence, last) = (None, None);
        let state = State::Waiting;
        self.entries.push_back(Entry {
            batch,
            began,
            sequence,
            state,
            sent: 0,
            maybe_stored: false,
            unheard: false,
            given_up: None,
            last,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many batches are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What keeps batches from being sent, for those who ask why one was not.
    pub(super) fn hindered(&mut self, obstacle: Option<ClientError>) {
        self.obstacle = obstacle;
    }

    /// Whether it was seen already that there is no such topic.
    pub(super) fn lacks_topic(&self) -> bool {
        matches!(self.obstacle, Some(ClientError::UnknownTopic { .. }))
    }

    /// Whether another identity than `current` is needed to go on.
    pub(super) fn lacks(&self, current: Option<Identity>) -> bool {
        self.rules.idempotent
            && match self.identity {
                None => current.is_none(),
                Some(own) => {
                    self.renew && own.epoch == i16::MAX && current.is_none_or(|now| now.producer_id == own.producer_id)
                }
            }
    }

    /// The batch to send next, if it may be sent now.
    pub(super) fn next(&self, now: Timestamp) -> Option<&B> {
        self.next_index()
            .filter(|_| now >= self.not_before)
            .and_then(|index| self.entries.get(index))
            .map(|entry| &entry.batch)
    }

    fn next_index(&self) -> Option<usize> {
        if self.draining && self.in_flight > 0 {
            return None;
        }
        let known = self.entries.iter().take_while(|entry| matches!(entry.state, State::Done(_))).count();
        // Counted from the first that is not known to be stored, and not only those under way: one that is sent again has to be among
        // the last that the broker remembers.
        let most = if self.rules.idempotent && !self.is_known { 1 } else { self.rules.in_flight };
        let near = self.entries.iter().enumerate().skip(known).take(most);
        near.into_iter().find(|(_, entry)| entry.state == State::Waiting).map(|(index, _)| index)
    }

    /// When to look again although nothing has happened.
    pub(super) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let expiry = self.entries.iter().find(|entry| entry.state == State::Waiting).map(|entry| self.end_of(entry));
        let resend = Some(self.not_before).filter(|at| *at > now && self.next_index().is_some());
        expiry.into_iter().chain(resend).min()
    }

    fn end_of(&self, entry: &Entry<B>) -> Timestamp {
        entry.began.plus(self.rules.delivery_timeout)
    }

    /// Sends the batch of [`Sequences::next`]: who writes it, and the batch itself. `current` is what [`Sequences::lacks`] was asked.
    pub(super) fn send(&mut self, current: Option<Identity>) -> Option<(Ticket, Producing, &mut B)> {
        let index = self.next_index()?;
        self.draining = false;
        let transactional = self.rules.transactional;
        let identity = if self.rules.idempotent { Some(self.identity_to_go_on_with(current?)) } else { None };
        let ticket = Ticket(self.next_ticket);
        let entry = self.entries.get_mut(index)?;
        let producing = identity.map_or(Producing::NOBODY, |Identity { producer_id, epoch }| {
            let sequence = *entry.sequence.get_or_insert_with(|| {
                let sequence = self.next_sequence;
                self.next_sequence = after(sequence, entry.batch.count());
                sequence
            });
            Producing { transactional, producer_id, epoch, sequence }
        });
        entry.state = State::InFlight(ticket);
        entry.sent += 1;
        self.in_flight += 1;
        self.next_ticket += 1;
        Some((ticket, producing, &mut entry.batch))
    }

    fn identity_to_go_on_with(&mut self, current: Identity) -> Identity {
        let identity = match self.identity {
            Some(own) if !self.renew => return own,
            Some(own) => match own.epoch.checked_add(1) {
                Some(epoch) => Identity { epoch, ..own },
                None => current,
            },
            None => current,
        };
        self.identity = Some(identity);
        self.renew = false;
        self.is_known = false;
        self.next_sequence = 0;
        self.entries.iter_mut().for_each(|entry| entry.sequence = None);
        identity
    }

    /// What is sent from now on is of the transaction, and the identity, that comes next. Nothing of the one before is left.
    pub(super) fn belong_to(&mut self, next: Identity) {
        let Some(own) = self.identity.filter(|own| *own != next) else { return };
        self.identity = Some(next);
        // In an epoch that is new to it a broker takes nothing but sequence 0, if it knows the producer: what is under way together
        // cannot overtake. If it has lost what it knew, the transaction is aborted.
        self.is_known &= own.producer_id == next.producer_id;
        self.next_sequence = 0;
        self.draining = false;
        self.not_before = Timestamp::ZERO;
    }

    /// Takes the answer to a sending.
    pub(super) fn answered(&mut self, ticket: Ticket, answer: Answer, now: Timestamp) {
        let Some(index) = self.entries.iter().position(|entry| entry.state == State::InFlight(ticket)) else { return };
        self.in_flight -= 1;
        let is_first = self.entries.iter().take(index).all(|entry| matches!(entry.state, State::Done(_)));
        let Some(entry) = self.entries.get_mut(index) else { return };
        if let Some(why) = entry.given_up.take().filter(|_| !matches!(answer, Answer::Stored(_))) {
            entry.unheard |= matches!(answer, Answer::Unheard(_));
            entry.maybe_stored |= matches!(answer, Answer::Unheard(_) | Answer::Unknown(_));
            self.is_known = false;
            return self.fail(index, why);
        }
        match answer {
            Answer::Stored(offset) => {
                entry.state = State::Done(Ok(offset));
                self.is_known = true;
            }
            Answer::Passing(error) => self.again(index, error, now),
            Answer::Unknown(error) => {
                entry.maybe_stored = true;
                self.again(index, error, now);
            }
            Answer::Unheard(error) => {
                (entry.maybe_stored, entry.unheard) = (true, true);
                self.again(index, error, now);
            }
            // What is before it decides, as below.
            Answer::OutOfOrder(error) if self.rules.transactional && !is_first => self.again(index, error, now),
            Answer::OutOfOrder(error) | Answer::Forgotten(error)
                if self.rules.idempotent && !self.rules.transactional =>
            {
                // What is before it decides, unless there is nothing: then there is a gap, and neither it nor what comes after it can
                // be in the log; unless the broker has lost what it knew of that, or reads it only now from a connection that was lost.
                // As Java's does, this producer then rather writes it twice than not at all.
                self.renew |= is_first;
                self.again(index, error, now);
            }
            // If an earlier sending was stored, before the topic's limit was lowered, the halves are stored again: rather than to give
            // up each batch whose connection was lost before it was found too large.
            Answer::TooLarge(error) => match entry.batch.halves() {
                Some(halves) => self.split(index, halves, error, now),
                None => self.fail(index, error),
            },
            Answer::OutOfOrder(error) | Answer::Forgotten(error) | Answer::Refused(error) => self.fail(index, error),
        }
    }

    /// It waits to be sent again, if there is time.
    fn again(&mut self, index: usize, error: ClientError, now: Timestamp) {
        self.draining = true;
        // The next leader may know nothing of this producer: a topic that was made again, a log that was cut.
        self.is_known = false;
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.state = State::Waiting;
        if entry.sent > self.rules.retries {
            return self.fail(index, error);
        }
        let doubled = self.rules.backoff.saturating_mul(1 << (entry.sent - 1).min(16));
        self.not_before = self.not_before.max(now.plus(doubled.min(self.rules.backoff_max)));
        entry.last = Some(error);
        self.expire(now);
    }

    /// Two halves take the place of a batch, and its sequences.
    fn split(&mut self, index: usize, [first, second]: [B; 2], error: ClientError, now: Timestamp) {
        let Some(whole) = self.entries.remove(index) else { return };
        let half = |batch, sequence| Entry {
            batch,
            began: whole.began,
            sequence,
            state: State::Waiting,
            sent: 0,
            maybe_stored: false,
            unheard: whole.unheard,
            given_up: None,
            last: Some(error.clone()),
        };
        let between = whole.sequence.map(|sequence| after(sequence, first.count()));
        self.entries.insert(index, half(second, between));
        self.entries.insert(index, half(first, whole.sequence));
        self.draining = true;
        self.expire(now);
    }

    /// It is given up. Its sequence is free again when it is not in the log and nothing followed. Otherwise it stays taken: those that
    /// followed, or that will, may be in the log if it is, or could be taken for it. If it is not, there is a gap that they find out.
    fn fail(&mut self, index: usize, error: ClientError) {
        let followed = self.entries.iter().skip(index + 1).any(|entry| entry.sequence.is_some());
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.state = State::Done(Err(error));
        self.draining |= followed;
        if let Some(sequence) = entry.sequence.filter(|_| !followed && !entry.maybe_stored) {
            self.next_sequence = sequence;
        }
    }

    /// Gives up what waits for longer than it may.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let mut index = 0;
        // Later ones end later.
        while let Some(entry) = self.entries.get(index).filter(|entry| self.end_of(entry) <= now) {
            if entry.state == State::Waiting {
                let error = self.too_late(entry);
                self.fail(index, error);
            }
            index += 1;
        }
    }

    fn too_late(&self, entry: &Entry<B>) -> ClientError {
        let met = self.obstacle.as_ref().or(entry.last.as_ref());
        if let Some(unknown @ ClientError::UnknownTopic { .. }) = met {
            return unknown.clone();
        }
        let why = match (met, entry.sent) {
            (None, 0) => "it could not be sent yet".to_owned(),
            (None, _) => "what was sent before it is not answered".to_owned(),
            (Some(met), sent) => format!("sent {sent} times, last met: {met}"),
        };
        ClientError::TimedOut {
            request: format!(
                "the write of {} records to {} within delivery.timeout.ms={}: {why}",
                entry.batch.count(),
                self.partition,
                self.rules.delivery_timeout.as_millis()
            ),
        }
    }

    /// What is there may take so much longer.
    pub(super) fn delay(&mut self, by: Duration) {
        if !by.is_zero() {
            self.entries.iter_mut().for_each(|entry| entry.began = entry.began.plus(by));
        }
    }

    /// Gives up all that is not under way.
    pub(super) fn fail_waiting(&mut self, error: &ClientError) {
        for index in 0..self.entries.len() {
            if self.entries.get(index).is_some_and(|entry| entry.state == State::Waiting) {
                self.fail(index, error.clone());
            }
        }
    }

    /// Gives up all of it: what waits at once, and what is under way unless it turns out to be stored.
    pub(super) fn give_up(&mut self, error: &ClientError) {
        self.fail_waiting(error);
        for entry in self.entries.iter_mut().filter(|entry| matches!(entry.state, State::InFlight(_))) {
            entry.given_up = Some(error.clone());
        }
    }

    /// Takes the oldest batch when it is known what became of it: they are told of in order.
    pub(super) fn pop(&mut self) -> Option<Told<B>> {
        let entry = self.entries.pop_front_if(|entry| matches!(entry.state, State::Done(_)))?;
        match entry.state {
            State::Done(outcome) => {
                let in_doubt = outcome.is_err() && entry.unheard;
                Some(Told { batch: entry.batch, outcome, in_doubt })
            }
            State::Waiting | State::InFlight(_) => None,
        }
    }
}

/// The sequence after `count` records from `sequence` on.
fn after(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_add(count) & SEQUENCES
}

#[cfg(test)]
pub(super) mod tests;
