//! Since when a waiting value is there, and with which headers, where stores keep headers (`dsl.store.format=HEADERS`).

use headwater_record::{Headers, RawHeaders, Timestamp};
use headwater_store::{Row, RowBuf, RowFormat, StoreError};

/// A time and headers as bytes: what lies before the value of a row of [`RowFormat::Headers`]. Empty where stores keep no headers,
/// and for no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Box<[u8]>);

impl Stamp {
    /// Of a value that came at `timestamp` with `headers`.
    pub(super) fn new(timestamp: Timestamp, headers: &Headers) -> Self {
        let list = headers.snapshot();
        let headers = list.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list));
        let mut bytes = Vec::new();
        RowFormat::Headers.encode(Row { value: &[], timestamp, headers }, &mut bytes);
        Stamp(bytes.into())
    }

    /// Of a value of which only the time is known, or not even that ([`Timestamp::UNKNOWN`]).
    pub(super) fn without_headers(timestamp: Timestamp) -> Self {
        Self::new(timestamp, &Headers::new())
    }

    /// As a changelog has it.
    pub(super) fn of_bytes(bytes: Box<[u8]>) -> Self {
        Stamp(bytes)
    }

    /// As a changelog has it; `None` for none.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        (!self.0.is_empty()).then_some(&*self.0)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Time and headers; `None` for none.
    ///
    /// # Errors
    /// When the bytes are no stamp.
    pub(super) fn read(&self) -> Result<Option<RowBuf>, StoreError> {
        self.bytes().map(|bytes| RowFormat::Headers.decode(bytes.to_vec())).transpose()
    }
}
