//! What metadata say of the topics that are read: who leads their partitions, whether they are there, and whether they are the same.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Offset, Timestamp, Topic};

use super::super::messages::{Claim, Heard};
use super::{Plan, Want};
use crate::metadata::Metadata;

/// So long a topic that never was there may be on its way.
const MAY_APPEAR: Duration = Duration::from_secs(10);
/// A topic that is gone is told of again after this time.
const TOLD_AGAIN: Duration = Duration::from_secs(10);

impl Plan {
    /// `asked` are the topics of the question; there may be others by now.
    pub(in crate::consumer) fn metadata_came(
        &mut self,
        now: Timestamp,
        asked: &[Topic],
        answer: Result<Metadata, ClientError>,
    ) {
        self.asks_metadata = false;
        let metadata = match answer {
            Ok(metadata) => metadata,
            Err(error) => {
                self.metadata_not_before = now.plus(self.settings.backoff(self.metadata_failures));
                self.metadata_failures += 1;
                match &error {
                    // Nobody answers: neither those that were configured nor those that they told of.
                    ClientError::Unavailable { servers, .. } if *servers == self.settings.servers.text() => {
                        self.heard.push(Heard::Silence(error));
                    }
                    // The one that was asked does not; another will be.
                    error => tracing::debug!(%error, "asking for metadata again"),
                }
                return;
            }
        };
        self.metadata_failures = 0;
        self.metadata_not_before = Timestamp::UNKNOWN;
        self.metadata_due = now.plus(self.settings.metadata_max_age);
        let mut gone = Vec::new();
        for (claim, state) in self.claims.iter_mut().filter(|(_, state)| asked.contains(&state.partition.topic)) {
            match metadata.leader(&state.partition) {
                Ok(leader) => {
                    state.seen = true;
                    state.missing = None;
                    state.leader = Some(leader.clone());
                    let id = metadata.ids.get(&state.partition.topic).copied();
                    state.made_again |= state.topic_id.is_some() && id.is_some() && state.topic_id != id;
                    state.topic_id = id.or(state.topic_id);
                    if let Want::Records(from) = state.want
                        && state.made_again
                    {
                        gone.push((*claim, from.offset));
                    }
                }
                Err(error) if error.class() == ErrorClass::Retriable => {
                    state.leader = None;
                    state.back_off(now, &self.settings);
                }
                Err(error) => {
                    state.leader = None;
                    state.back_off(now, &self.settings);
                    let (since, told) = *state.missing.get_or_insert((now, None));
                    let may_appear = !state.seen
                        && matches!(error, ClientError::UnknownTopic { .. })
                        && now.since(since) < MAY_APPEAR;
                    if !may_appear && told.is_none_or(|told| now.since(told) >= TOLD_AGAIN) {
                        state.missing = Some((since, Some(now)));
                        self.heard.push(Heard::Failed(*claim, error));
                    }
                }
            }
        }
        for (claim, offset) in gone {
            self.is_gone(claim, offset);
        }
        let addresses: Vec<&String> = metadata.brokers.values().collect();
        self.lanes.retain(|address, lane| lane.busy || addresses.contains(&address));
        self.brokers = metadata.brokers;
    }

    /// The position is of a log that is not there any more.
    pub(super) fn is_gone(&mut self, claim: Claim, offset: Offset) {
        if let Some(partition) = self.claims.get(&claim).map(|state| state.partition.clone()) {
            self.fail(claim, ClientError::OffsetOutOfRange { partition, offset });
        }
    }
}
