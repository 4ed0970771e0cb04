//! Batches that are closed: sent, split in halves, or given back as records.
#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::Bytes;
use headwater_client::{ClientError, RecordBatch};
use headwater_record::{Offset, RawRecord, TopicPartition};

use super::sequences::Batch;
use crate::batch::{Builder, Built, Codec, Fetched, Producing};

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Sealed {
    built: Arc<Built>,
    codec: Codec,
    /// What it takes of the producer's memory, however it was compressed since.
    pub(super) held: usize,
}

/// Memory that a request is sent from while the batch keeps it.
struct Shared(Arc<Built>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Sealed {
    /// Compresses it with `codec`.
    pub(super) fn new(mut built: Built, codec: Codec, held: usize) -> Self {
        built.compress(codec);
        Sealed { built: Arc::new(built), codec, held }
    }

    /// How many bytes are sent.
    pub(super) fn len(&self) -> usize {
        self.built.bytes().len()
    }

    /// The bytes as `by` sends them. Nothing is copied, unless they are on their way already.
    pub(super) fn stamped(&mut self, by: Producing) -> Bytes {
        Arc::make_mut(&mut self.built).stamped(by);
        Bytes::from_owner(Shared(Arc::clone(&self.built)))
    }

    /// Its memory, to be used again.
    pub(super) fn into_memory(self) -> Vec<u8> {
        Arc::into_inner(self.built).map(Built::into_bytes).unwrap_or_default()
    }

    /// Its records, as they were appended to `partition`.
    pub(super) fn into_records(mut self, partition: &TopicPartition) -> Returned {
        Returned { partition: partition.clone(), records: read(self.stamped(Producing::NOBODY), partition) }
    }
}

fn read(batch: Bytes, partition: &TopicPartition) -> Option<Fetched> {
    // What was built here is read here.
    let read = Fetched::new(partition.clone(), batch, Offset::ZERO, Vec::new(), false);
    read.inspect_err(|error| tracing::error!(%error, "a batch that was built cannot be read")).ok()
}

impl Batch for Sealed {
    fn count(&self) -> i32 {
        self.built.count()
    }

    fn halves(&self) -> Option<[Self; 2]> {
        let count = self.count() as usize;
        if count < 2 {
            return None;
        }
        // Nobody reads the name.
        let mut copy = Built::clone(&self.built);
        copy.stamped(Producing::NOBODY);
        let mut records = read(copy.into_bytes().into(), &TopicPartition::new("", 0))?;
        let mut half = |count: usize| {
            let mut builder = Builder::new(Vec::new(), usize::MAX);
            for _ in 0..count {
                let record = records.head()?;
                builder.append(&record, record.timestamp.millis());
                records.advance().ok()?;
            }
            Some(builder.close())
        };
        let (first, second) = (half(count / 2)?, half(count - count / 2)?);
        let held = self.held / 2;
        Some([Sealed::new(first, self.codec, held), Sealed::new(second, self.codec, self.held - held)])
    }
}

/// Records that were not written. They have no offsets.
pub(super) struct Returned {
    partition: TopicPartition,
    records: Option<Fetched>,
}

impl RecordBatch for Returned {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }

    fn head(&self) -> Option<RawRecord<'_>> {
        let record = self.records.as_ref()?.head()?;
        Some(RawRecord { offset: Offset::UNKNOWN, ..record })
    }

    fn advance(&mut self) -> Result<(), ClientError> {
        self.records.as_mut().map_or(Ok(()), Fetched::advance)
    }

    fn remaining(&self) -> usize {
        self.records.as_ref().map_or(0, Fetched::remaining)
    }

    fn next_offset(&self) -> Offset {
        Offset::UNKNOWN
    }

    fn held_bytes(&self) -> usize {
        self.records.as_ref().map_or(0, Fetched::held_bytes)
    }
}
