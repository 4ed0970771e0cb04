//! What the topics hold, and stores that are opened by it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientError, OffsetSpec, StartAt};
use headwater_record::{Deadline, Offset, Partition, Timestamp, Topic, TopicPartition};
use headwater_store::StoreError;
use headwater_topology::GlobalStore;

use super::{GlobalThread, Phase};
use crate::Error;
use crate::changelog::{LogBounds, RestoreRange};
use crate::directory::GlobalPlace;
use crate::global::fill::{self, Fill, Places, Reading};
use crate::global::plan::{Marks, ranges};
use crate::task::OpenError;

/// How long a topic may be missing at the start: brokers hear of a new one one after the other.
const PATIENCE_WITH_TOPICS: Duration = Duration::from_secs(10);

type Bounds = HashMap<TopicPartition, LogBounds>;

impl GlobalThread {
    pub(super) fn ask(&mut self, now: Timestamp, anew: bool) -> Result<(), Error> {
        let until = Deadline::after(now, self.instance.config.request_timeout());
        match self.counts(until).and_then(|counts| self.bounds(&counts, until)) {
            Ok(bounds) => {
                self.trouble_since = None;
                self.instance.look_for_dead_letters(self.admin.as_mut(), until);
                self.open(&bounds, anew, now)
            }
            Err(error @ ClientError::UnknownTopic { .. }) => {
                let patience = PATIENCE_WITH_TOPICS.min(self.instance.config.task_timeout());
                self.put_off(error, now, patience)
            }
            Err(error) => self.bear(error, now),
        }
    }

    /// How many partitions each topic has.
    pub(super) fn counts(&mut self, until: Deadline) -> Result<Vec<(Topic, Partition)>, ClientError> {
        let topics: Vec<Topic> = self.parts.iter().map(|part| part.topic.clone()).collect();
        let described = self.admin.describe_topics(&topics, until)?;
        let count = |(topic, described): (Topic, Option<headwater_client::TopicDescription>)| match described {
            Some(described) if described.partitions > 0 => Ok((topic, described.partitions)),
            _ => Err(ClientError::UnknownTopic { topic }),
        };
        topics.into_iter().zip(described).map(count).collect()
    }

    fn bounds(&mut self, counts: &[(Topic, Partition)], until: Deadline) -> Result<Bounds, ClientError> {
        let of_topic = |(topic, count): &(Topic, Partition)| {
            let topic = topic.clone();
            (0..*count).map(move |partition| TopicPartition::new(topic.clone(), partition))
        };
        self.bounds_of(counts.iter().flat_map(of_topic).collect(), until)
    }

    fn bounds_of(&mut self, partitions: Vec<TopicPartition>, until: Deadline) -> Result<Bounds, ClientError> {
        let earliest = self.admin.list_offsets(&partitions, OffsetSpec::Earliest, until)?;
        // Of an open transaction no record is read: the stores are complete without.
        let ends = self.admin.list_offsets(&partitions, OffsetSpec::Latest(self.isolation), until)?;
        let bounds = partitions.into_iter().zip(earliest.into_iter().zip(ends));
        Ok(bounds.map(|(partition, (earliest, end))| (partition, LogBounds { earliest, end, limit: None })).collect())
    }

    /// Opens the stores where they may be opened, and begins to read: from the marks, or, `anew`, from the beginning.
    fn open(&mut self, bounds: &Bounds, anew: bool, now: Timestamp) -> Result<(), Error> {
        let instance = Arc::clone(&self.instance);
        let is_read = instance.globals.is_filled();
        // Stores that tasks read stay until others can take their place. Those on disk are none the worse for being opened again.
        let beside = is_read && (anew || !fill::all_persistent(&instance, &self.parts)?);
        let (place, places) = if beside {
            let new = |part: &crate::global::GlobalPart| (part.store, Arc::new(GlobalStore::new(part.name.clone())));
            (GlobalPlace::Beside, self.parts.iter().map(new).collect())
        } else {
            (GlobalPlace::Usual, instance.globals.places().clone())
        };
        if anew || beside {
            close(&places);
            self.claim.wipe(place)?;
        }
        if !beside {
            self.claim.wipe(GlobalPlace::Beside)?;
        }
        let is_empty = anew || beside;
        let marks = match fill::open(&instance, &self.claim, &self.parts, &places, place) {
            Err(OpenError::Store(error @ StoreError::Corrupt { .. })) if !is_empty => {
                tracing::warn!(%error, "global stores are deleted and filled anew");
                return self.open(bounds, true, now);
            }
            opened => opened?,
        };
        if !is_empty && marks.iter().any(Option::is_none) {
            // At the very first start there is nothing there either.
            tracing::debug!("global stores are filled from the beginning: nothing was committed");
            return self.open(bounds, true, now);
        }
        let marks: Vec<(&Topic, Marks)> =
            self.parts.iter().map(|part| &part.topic).zip(marks.into_iter().map(Option::unwrap_or_default)).collect();
        let ranges = match ranges(&marks, bounds) {
            Ok(ranges) => ranges,
            Err(reason) => {
                tracing::warn!(
                    reason,
                    "global stores are filled anew: what they contain does not go with their topics"
                );
                return self.open(bounds, true, now);
            }
        };
        let begins: Vec<_> = ranges.iter().map(|(tp, range)| (tp.clone(), StartAt::Offset(range.from))).collect();
        let remaining: u64 = ranges.values().map(RestoreRange::remaining).sum();
        for (partition, range) in &ranges {
            let store = self.parts.iter().find(|part| part.topic == partition.topic);
            let store = store.map_or("", |part| part.name.as_str());
            instance.restore_listener.on_start(partition, store, range.from, range.to);
        }
        self.fill = Some(Fill::start(&instance, places, place, ranges, &mut self.output, now)?);
        self.consumer.assign(&begins)?;
        self.assigned = begins.into_iter().map(|(partition, _)| partition).collect();
        tracing::info!(stores = self.parts.len(), partitions = self.assigned.len(), remaining, "filling global stores");
        (self.phase, self.began, self.told_dropped) = (Phase::Filling, now, 0);
        Ok(())
    }

    /// Reads partitions that were added to the topics.
    pub(super) fn look_for_partitions(&mut self, now: Timestamp) -> Result<(), Error> {
        let until = Deadline::after(now, self.instance.config.request_timeout());
        let counts = match self.counts(until) {
            Ok(counts) => counts,
            Err(error @ ClientError::UnknownTopic { .. }) => {
                self.topic_lost(&error, now);
                return Ok(());
            }
            Err(error) => return self.bear(error, now),
        };
        let known = |topic: &Topic| self.assigned.iter().filter(|partition| partition.topic == *topic).count();
        if let Some((topic, _)) = counts.iter().find(|(topic, count)| (*count as usize) < known(topic)) {
            let reason = format!("topic {topic} has fewer partitions than before");
            self.begin_anew(now, &reason);
            return Ok(());
        }
        let added = |(topic, count): &(Topic, Partition)| {
            let topic = topic.clone();
            (known(&topic) as Partition..*count).map(move |partition| TopicPartition::new(topic.clone(), partition))
        };
        let added: Vec<TopicPartition> = counts.iter().flat_map(added).collect();
        if added.is_empty() {
            return Ok(());
        }
        let bounds = match self.bounds_of(added, until) {
            Ok(bounds) => bounds,
            Err(error) => return self.bear(error, now),
        };
        for (partition, log) in bounds {
            tracing::info!(%partition, "a topic of global stores has another partition");
            self.consumer.assign(&[(partition.clone(), StartAt::Offset(log.earliest))])?;
            self.assigned.push(partition.clone());
            let range = RestoreRange { from: log.earliest, to: log.earliest.max(Offset::ZERO) };
            if let Some(fill) = &mut self.fill {
                fill.readings.insert(partition, Reading::new(range));
            }
        }
        Ok(())
    }
}

fn close(places: &Places) {
    for place in places.values() {
        drop(place.slot().take());
    }
}
