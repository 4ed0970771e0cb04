//! Which broker leads which partition: asked of the cluster, and what becomes of batches where nobody does.
#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use headwater_client::{ClientError, ErrorClass};
use headwater_record::{Timestamp, Topic};

use super::{Broker, Event, Heard, Sender};
use crate::metadata::Metadata;

impl Sender {
    pub(super) fn ask_for_leaders(&mut self) {
        let topics: BTreeSet<Topic> =
            self.places.iter().map(|place| place.sequences.partition().topic.clone()).collect();
        let (cluster, own) = (Arc::clone(&self.cluster), self.own.clone());
        self.tasks.spawn(async move {
            let asked: Vec<Topic> = topics.iter().cloned().collect();
            let found = cluster.look(Some(&asked)).await;
            let _ = own.send(Event::Looked { topics, found });
        });
    }

    pub(super) fn looked(&mut self, topics: &BTreeSet<Topic>, found: Result<Metadata, ClientError>, now: Timestamp) {
        let metadata = match found {
            Ok(metadata) => metadata,
            Err(error) => {
                if self.leaders.failed(now) {
                    tracing::warn!(%error, "the leaders of partitions cannot be found; records wait for them");
                }
                let hindered = self.places.iter_mut().filter(|place| place.leader.is_none());
                hindered.for_each(|place| place.sequences.hindered(Some(error.clone())));
                return;
            }
        };
        self.leaders.succeeded(now);
        self.stale_at = now.plus(self.settings.metadata_max_age);
        for (index, place) in self.places.iter_mut().enumerate() {
            let partition = place.sequences.partition();
            if !topics.contains(&partition.topic) {
                continue;
            }
            match metadata.leader(partition) {
                Ok(leader) => {
                    let broker = number_of(&leader.address, &mut self.brokers, &mut self.by_address);
                    place.is_led_by(Some(broker), index, &self.heard);
                    place.sequences.hindered(None);
                }
                Err(error) => {
                    // A topic that is not there may be made; as in Java, that is waited for.
                    if matches!(error, ClientError::UnknownTopic { .. }) {
                        if !place.sequences.lacks_topic() {
                            tracing::warn!(%partition, %error, "records wait, for delivery.timeout.ms at most");
                        }
                    } else if error.class() != ErrorClass::Retriable {
                        place.sequences.fail_waiting(&error);
                    }
                    place.sequences.hindered(Some(error.clone()));
                    place.is_led_by(None, index, &self.heard);
                    // Where nobody listens any more, the end is near.
                    let _ = self.heard.send(Heard::Leaderless { place: index, why: error });
                }
            }
        }
    }
}

fn number_of(address: &str, brokers: &mut Vec<Broker>, by_address: &mut HashMap<Arc<str>, usize>) -> usize {
    if let Some(known) = by_address.get(address) {
        return *known;
    }
    let (number, address) = (brokers.len(), Arc::<str>::from(address));
    by_address.insert(Arc::clone(&address), number);
    brokers.push(Broker { address, requests: 0, answers: false, parts: Vec::new(), bytes: 0 });
    number
}
