//! Records as bytes, as they came from Kafka or go to it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Header, Headers, Offset, Timestamp};

/// A record as bytes: a view of memory that a batch owns.
///
/// [`RawRecord::to_owned`] copies it, where something really keeps it.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// Its offset in its partition; on the way to Kafka, any value.
    pub offset: Offset,
    /// Its timestamp; [`Timestamp::UNKNOWN`] on the way to Kafka lets the producer set its own time.
    pub timestamp: Timestamp,
    /// Key bytes, or none. Empty bytes are not none.
    pub key: Option<&'a [u8]>,
    /// Value bytes, or none. Empty bytes are not none.
    pub value: Option<&'a [u8]>,
    /// Headers, decoded only when asked for.
    pub headers: RawHeaders<'a>,
}

impl RawRecord<'_> {
    /// A copy that owns its memory.
    pub fn to_owned(&self) -> OwnedRecord {
        OwnedRecord {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.map(Bytes::copy_from_slice),
            value: self.value.map(Bytes::copy_from_slice),
            headers: self.headers.to_headers().to_vec(),
        }
    }

    /// Bytes of key, value and headers together.
    pub fn payload_len(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + self.headers.payload_len()
    }
}

/// A record as bytes that owns its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    /// Its offset in its partition.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// Key bytes, or none.
    pub key: Option<Bytes>,
    /// Value bytes, or none.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<Header>,
}

impl OwnedRecord {
    /// A view of it.
    pub fn view(&self) -> RawRecord<'_> {
        RawRecord {
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: RawHeaders::of(&self.headers),
        }
    }
}

/// One header of a [`RawRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// The name.
    pub name: &'a str,
    /// The value, or none.
    pub value: Option<&'a [u8]>,
}

/// Where the headers of a [`RawRecord`] lie: implemented by clients over their own memory.
pub trait HeaderList: Sync {
    /// How many there are.
    fn len(&self) -> usize;
    /// The header at `index`, `None` past the end. A name that is no UTF-8 is given with replacement characters, as Java reads it.
    fn header(&self, index: usize) -> Option<HeaderView<'_>>;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HeaderList for Vec<Header> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }
    fn header(&self, index: usize) -> Option<HeaderView<'_>> {
        self.get(index).map(|header| HeaderView { name: &header.name, value: header.value.as_deref() })
    }
}

/// The headers of a [`RawRecord`]: nothing, or a list to ask.
#[derive(Clone, Copy, Default)]
pub struct RawHeaders<'a>(Option<&'a dyn HeaderList>);

impl<'a> RawHeaders<'a> {
    /// No headers.
    pub const NONE: RawHeaders<'static> = RawHeaders(None);

    /// The headers of `list`.
    #[inline]
    pub fn of(list: &'a dyn HeaderList) -> Self {
        RawHeaders((!list.is_empty()).then_some(list))
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.map_or(0, HeaderList::len)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = HeaderView<'a>> + use<'a> {
        let list = self.0;
        (0..self.len()).filter_map(move |index| list?.header(index))
    }

    /// A header list of its own; without headers, nothing is allocated.
    #[inline]
    pub fn to_headers(&self) -> Headers {
        if self.0.is_none() {
            return Headers::new();
        }
        self.iter()
            .map(|view| Header { name: Arc::from(view.name), value: view.value.map(Bytes::copy_from_slice) })
            .collect()
    }

    /// Bytes of all names and values together.
    pub fn payload_len(&self) -> usize {
        self.iter().map(|view| view.name.len() + view.value.map_or(0, <[u8]>::len)).sum()
    }
}

impl fmt::Debug for RawHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
