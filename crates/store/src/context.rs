//! Which input record a write belongs to.

use headwater_record::{Headers, Offset, Partition, Timestamp, Topic};

/// The record that is being processed, as far as stores and error handlers care (Java's `ProcessorRecordContext`).
///
/// In a punctuation there is no input: no topic, partition -1, offset -1, and the time of the punctuation.
#[derive(Clone, Debug)]
pub struct RecordContext {
    /// Event time of the record as it stands at this node, milliseconds since the epoch.
    pub timestamp: Timestamp,
    /// Offset of the input record.
    pub offset: Offset,
    /// Partition of the input record.
    pub partition: Partition,
    /// Topic of the input record.
    pub topic: Option<Topic>,
    /// Headers of the record as it stands at this node.
    pub headers: Headers,
}

impl RecordContext {
    /// Outside of any record: time -1.
    pub fn none() -> Self {
        Self::punctuation(Timestamp::UNKNOWN)
    }

    /// Of a punctuation at `timestamp`.
    pub fn punctuation(timestamp: Timestamp) -> Self {
        RecordContext { timestamp, offset: Offset::UNKNOWN, partition: -1, topic: None, headers: Headers::new() }
    }

    /// What it weighs in record caches and buffers: Java's `ProcessorRecordContext#residentMemorySizeEstimate`, which counts texts
    /// in UTF-16 units.
    pub fn weight(&self) -> usize {
        const TIMESTAMP_OFFSET_PARTITION: usize = 8 + 8 + 4;
        let mut headers = 0;
        self.headers.for_each(|header| {
            headers += chars(&header.name) + header.value.as_ref().map_or(0, bytes::Bytes::len);
        });
        TIMESTAMP_OFFSET_PARTITION + self.topic.as_ref().map_or(0, |topic| chars(topic.as_str())) + headers
    }
}

/// Java's length of a text: in UTF-16, where a character of four bytes counts twice and any other once. Every cached change asks.
fn chars(text: &str) -> usize {
    let units = |byte: u8| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0);
    text.bytes().map(units).sum()
}
