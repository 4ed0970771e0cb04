//! The sender's side of transactions: which partitions are part of the open one, and that nothing of it is left when it is aborted.
//!
//! Under protocol 1 the coordinator is told of a partition before its first batch is sent, so that it knows where to write the end
//! of the transaction; the batch waits for that. Under protocol 2 the partition's leader does it.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Timestamp, TopicPartition};

use super::{Event, Heard, Sender};
use crate::producer::inquiry::Inquiry;
use crate::producer::sequences::Identity;
use crate::producer::transaction::codes::{Verdict, verdict};
use crate::producer::transaction::coordinators::Coordinators;
use crate::producer::transaction::{Ask, Protocol, Said};

/// For the markers of the transaction before: they are written within milliseconds.
pub(in super::super) const MARKERS: Duration = Duration::from_millis(20);

/// What the sender knows of transactions.
#[derive(Debug)]
pub(super) struct Participants {
    coordinators: Arc<Coordinators>,
    pub(super) protocol: Protocol,
    /// Places that are part of the open one.
    joined: BTreeSet<usize>,
    /// Places with batches that are not.
    wanted: BTreeSet<usize>,
    asking: Inquiry,
    /// The open one is being aborted: why nothing of it is sent any more.
    pub(super) abandoned: Option<ClientError>,
    /// That nothing of it is left was told.
    told: bool,
}

impl Participants {
    pub(super) fn new(coordinators: Arc<Coordinators>) -> Self {
        Participants {
            coordinators,
            protocol: Protocol::One,
            joined: BTreeSet::new(),
            wanted: BTreeSet::new(),
            asking: asking(),
            abandoned: None,
            told: false,
        }
    }

    /// Whether batches of a place have to wait until it is part of the transaction.
    pub(super) fn lacks(&mut self, place: usize) -> bool {
        let lacks = self.protocol == Protocol::One && !self.joined.contains(&place);
        if lacks {
            self.wanted.insert(place);
        }
        lacks
    }
}

fn asking() -> Inquiry {
    Inquiry::new(MARKERS, Duration::from_secs(1))
}

impl Sender {
    /// The next transaction is written by `identity`.
    pub(super) fn next_transaction(&mut self, identity: Identity, protocol: Protocol) {
        self.identity = Some(identity);
        for place in &mut self.places {
            place.sequences.belong_to(identity);
        }
        if let Some(participants) = &mut self.participants {
            participants.protocol = protocol;
            participants.joined.clear();
            participants.wanted.clear();
            participants.asking = asking();
            (participants.abandoned, participants.told) = (None, false);
        }
    }

    /// Nothing of the open transaction is sent any more.
    pub(super) fn abandon(&mut self) {
        if let Some(participants) = &mut self.participants {
            participants.wanted.clear();
            participants.abandoned =
                Some(ClientError::TransactionAborted("its producer has aborted the transaction".to_owned()));
        }
    }

    /// Says so when the open transaction was abandoned and nothing of it is under way.
    pub(super) fn tell_when_quiet(&mut self) {
        let Some(participants) = &mut self.participants else { return };
        if participants.abandoned.is_some()
            && !participants.told
            && !participants.asking.is_under_way()
            && self.places.iter().all(|place| place.sequences.is_empty())
        {
            participants.told = true;
            let _ = self.heard.send(Heard::Quiet);
        }
    }

    /// Asks for those that are wanted to be part of the transaction. Returns when that may be done, where it is too early.
    pub(super) fn ask_for_participants(&mut self, now: Timestamp) -> Option<Timestamp> {
        let participants = self.participants.as_mut()?;
        let identity = self.identity?;
        if participants.wanted.is_empty() || participants.asking.is_under_way() {
            return None;
        }
        if !participants.asking.begin(now) {
            return Some(participants.asking.not_before());
        }
        let places: Vec<usize> = std::mem::take(&mut participants.wanted).into_iter().collect();
        let known = places.iter().filter_map(|index| self.places.get(*index));
        let partitions: Vec<TopicPartition> = known.map(|place| place.sequences.partition().clone()).collect();
        let (coordinators, own) = (Arc::clone(&participants.coordinators), self.own.clone());
        self.tasks.spawn(async move {
            let said = coordinators.add_partitions(identity, &partitions).await;
            let _ = own.send(Event::Joined { places, said });
        });
        None
    }

    /// Takes what the coordinator said of these places.
    pub(super) fn joined(&mut self, places: Vec<usize>, said: Said, now: Timestamp) {
        let Some(participants) = &mut self.participants else { return };
        let (error, passes) = match said {
            Said::Code(code, _) => match verdict(Ask::AddPartitions, code) {
                Verdict::Done => {
                    participants.asking = asking();
                    for index in places {
                        participants.joined.insert(index);
                        if let Some(place) = self.places.get_mut(index) {
                            place.sequences.hindered(None);
                        }
                    }
                    let _ = self.heard.send(Heard::Joined);
                    return;
                }
                Verdict::Again(met) | Verdict::Elsewhere(met) => (met, true),
                Verdict::Abort(error) | Verdict::Over(error) => (error, false),
            },
            Said::NotSent(error) => {
                let passes = error.class() == ErrorClass::Retriable;
                (error, passes)
            }
            Said::NotHeard(error) => {
                let _ = self.heard.send(Heard::Silence(error.clone()));
                (error, false)
            }
        };
        if participants.asking.failed(now) {
            tracing::debug!(%error, "partitions are not part of the transaction yet");
        }
        for index in places {
            let Some(place) = self.places.get_mut(index) else { continue };
            if !passes {
                place.sequences.fail_waiting(&error);
            }
            place.sequences.hindered(Some(error.clone()));
        }
    }
}
