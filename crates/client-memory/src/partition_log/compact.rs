//! Log compaction on demand: of every key only the last record stays, where it is.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use headwater_client::Isolation;
use headwater_record::OwnedRecord;

use super::{Fate, PartitionLog, Segment};
use crate::payload::PayloadBuilder;

/// Batches that compaction writes are about this large, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// What compaction does with records that delete their key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tombstones {
    /// They stay, as before `delete.retention.ms` has passed.
    #[default]
    Keep,
    /// They go, as after it.
    Remove,
}

impl PartitionLog {
    /// Keeps the last record of each key of what is stable. Offsets do not change, so gaps arise; records without a key, those of
    /// aborted transactions and markers go, as in Kafka.
    pub(crate) fn compact(&mut self, tombstones: Tombstones) {
        let records = self.records(Isolation::ReadCommitted);
        let stable = self.last_stable_offset().value();
        let first_unstable = self.segments.partition_point(|segment| self.begins_before(segment, stable));
        let unstable = self.segments.split_off(first_unstable);
        let mut last = HashMap::new();
        for record in &records {
            if let Some(key) = &record.key {
                last.insert(key.clone(), record.offset);
            }
        }
        let stays = |record: &OwnedRecord| {
            record.key.as_ref().is_some_and(|key| last.get(key) == Some(&record.offset))
                && (record.value.is_some() || tombstones == Tombstones::Keep)
        };
        self.segments.clear();
        let mut open: Option<(i64, PayloadBuilder)> = None;
        for record in records.iter().filter(|record| stays(record)) {
            let offset = record.offset.value();
            let fits = |(base, builder): &(i64, PayloadBuilder)| {
                builder.size() < BATCH_BYTES && offset - base < i64::from(u32::MAX)
            };
            if !open.as_ref().is_some_and(fits) {
                self.seal(open.take());
            }
            let (base, builder) = open.get_or_insert_with(|| (offset, PayloadBuilder::default()));
            builder.push_at((offset - *base) as u32, &record.view(), record.timestamp);
        }
        self.seal(open);
        self.segments.extend(unstable);
    }

    fn seal(&mut self, batch: Option<(i64, PayloadBuilder)>) {
        if let Some((base_offset, builder)) = batch {
            let payload = builder.finish();
            self.segments.push_back(Segment { base_offset, append_time: None, payload, fate: Fate::Kept });
        }
    }
}
