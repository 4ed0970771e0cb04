//! The record that a task processed last.

use headwater_record::{Offset, RawHeaders, RawRecord, Timestamp};

/// The bytes of the record that was processed last, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct LastInput {
    key: Vec<u8>,
    value: Vec<u8>,
    has_key: bool,
    has_value: bool,
}

impl LastInput {
    pub(super) fn keep(&mut self, raw: RawRecord<'_>) {
        self.key.clear();
        self.key.extend_from_slice(raw.key.unwrap_or_default());
        self.value.clear();
        self.value.extend_from_slice(raw.value.unwrap_or_default());
        (self.has_key, self.has_value) = (raw.key.is_some(), raw.value.is_some());
    }

    pub(super) fn view(&self) -> RawRecord<'_> {
        RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::UNKNOWN,
            key: self.has_key.then_some(&self.key),
            value: self.has_value.then_some(&self.value),
            headers: RawHeaders::NONE,
        }
    }
}
