//! Changelog records on their way into a store: copied once into reused memory, so that a store gets many at a time.

use std::ops::Range;

use headwater_record::{Header, Offset, RawHeaders, RawRecord, Timestamp};

/// Records of one changelog. Its memory is kept when it is cleared.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
    records: Vec<Copied>,
}

#[derive(Debug)]
struct Copied {
    offset: Offset,
    timestamp: Timestamp,
    key: Range<usize>,
    value: Option<Range<usize>>,
    /// Empty for most, and then without memory of its own.
    headers: Vec<Header>,
}

impl Chunk {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// Appends a record whose key is `key`.
    pub(crate) fn push(&mut self, key: &[u8], record: &RawRecord<'_>) {
        let headers = if record.headers.is_empty() { Vec::new() } else { record.headers.to_headers().to_vec() };
        let key = self.append(key);
        let value = record.value.map(|value| self.append(value));
        self.records.push(Copied { offset: record.offset, timestamp: record.timestamp, key, value, headers });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// How much memory the keys and values take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The records in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = RawRecord<'_>> {
        let bytes = |range: &Range<usize>| self.bytes.get(range.clone());
        self.records.iter().map(move |record| RawRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            key: bytes(&record.key),
            value: record.value.as_ref().and_then(bytes),
            headers: RawHeaders::of(&record.headers),
        })
    }
}

#[cfg(test)]
mod tests {
    use headwater_record::{Header, Offset, OwnedRecord, Timestamp};

    use super::Chunk;

    #[test]
    fn records_come_out_as_they_went_in() {
        let records = [
            OwnedRecord {
                offset: Offset::new(4),
                timestamp: Timestamp::from_millis(9),
                key: Some(b"k".as_slice().into()),
                value: Some(b"".as_slice().into()),
                headers: vec![Header { name: "h".into(), value: None }],
            },
            OwnedRecord {
                offset: Offset::new(6),
                timestamp: Timestamp::ZERO,
                key: Some(b"".as_slice().into()),
                value: None,
                headers: Vec::new(),
            },
        ];
        let mut chunk = Chunk::default();
        for record in &records {
            chunk.push(record.key.as_deref().unwrap(), &record.view());
        }
        assert_eq!((chunk.len(), chunk.bytes()), (2, 1));
        let out: Vec<OwnedRecord> = chunk.records().map(|record| record.to_owned()).collect();
        assert_eq!(out, records);
        chunk.clear();
        assert_eq!(chunk.records().count(), 0);
    }
}
