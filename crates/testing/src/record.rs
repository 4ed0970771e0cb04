//! A record as a test sees it.

use headwater_record::{Headers, Timestamp};

/// A record that goes in or came out.
#[derive(Clone, Debug, PartialEq)]
pub struct TestRecord<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The timestamp; [`Timestamp::UNKNOWN`] for a record that was written without one.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl<K, V> TestRecord<K, V> {
    /// A record without headers.
    pub fn new(key: K, value: V, timestamp: impl Into<Timestamp>) -> Self {
        TestRecord { key, value, timestamp: timestamp.into(), headers: Headers::new() }
    }

    /// The same with `headers`.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}
