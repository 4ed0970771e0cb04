//! When open batches are closed and handed over: at a poll, or when they are full.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::ClientError;
use headwater_record::Timestamp;

use super::sealed::Sealed;
use super::sender::Event;
use super::{KafkaProducer, Place};

/// Whoever brings so many bytes between two polls is busy: more is to come at once. A request costs little beside them.
const MUCH: usize = 16 << 10;
/// So long batches of a busy caller gather at least, also where their broker is free.
const BUSY: Duration = Duration::from_millis(10);

impl KafkaProducer {
    /// Hands over the open batch of a place, if there is one.
    pub(super) fn close(&mut self, index: usize) -> Result<(), ClientError> {
        let Some(place) = self.places.get_mut(index) else { return Ok(()) };
        let Some(open) = place.open.take() else { return Ok(()) };
        let (count, held) = (open.count(), open.len());
        place.last = held;
        let batch = Sealed::new(open.close(), self.settings.codec, held);
        let closed = Event::Closed { place: index, batch, began: place.began };
        self.sender.send(closed).map_err(|_| ClientError::Closed)?;
        self.gathering.left(index, count as u64);
        if let Some(transactions) = &mut self.transactions {
            transactions.stands.wrote();
        }
        Ok(())
    }

    /// Hands over what has lingered long enough at `now`, or all of it.
    pub(super) fn close_due(&mut self, now: Timestamp, all: bool) -> Result<(), ClientError> {
        // Where answers are to come they make room, and open batches get fuller.
        let presses = std::mem::take(&mut self.pressed) || self.memory.is_nearly_full();
        let all = all || presses && self.gathering.unanswered() == 0;
        while let Some((began, index)) = self.opened.front().copied()
            && (all || began.plus(self.settings.linger) <= now)
        {
            self.opened.pop_front();
            if is_open(&self.places, index, began) {
                self.close(index)?;
            }
        }
        Ok(())
    }

    /// Hands over what goes to brokers that are free, unless `linger.ms` says how long to wait. What a busy caller brings gathers for a
    /// while nevertheless.
    pub(super) fn close_free(&mut self, now: Timestamp, is_busy: bool) -> Result<(), ClientError> {
        if self.settings.linger_is_set {
            return Ok(());
        }
        let until = if is_busy { now.minus(BUSY) } else { now };
        let leaves = |(began, index): &(Timestamp, usize)| {
            *began <= until && is_open(&self.places, *index, *began) && self.gathering.is_free(*index)
        };
        // Those of one broker leave together.
        let leaving: Vec<usize> = self.opened.iter().filter(|opened| leaves(opened)).map(|(_, index)| *index).collect();
        for index in &leaving {
            self.close(*index)?;
        }
        if !leaving.is_empty() {
            let places = &self.places;
            self.opened.retain(|(began, index)| is_open(places, *index, *began));
        }
        Ok(())
    }

    /// Whether so much came since this was asked the last time that more is likely to come at once.
    pub(super) fn has_brought_much(&mut self) -> bool {
        self.memory.brought() >= MUCH
    }
}

/// Whether the batch that a place began then takes records still.
pub(super) fn is_open(places: &[Place], index: usize, began: Timestamp) -> bool {
    places.get(index).is_some_and(|place| place.open.is_some() && place.began == began)
}
