//! One typed record on its way through a topology.

use std::fmt;

use crate::{Headers, Timestamp};

/// One record on its way: a view of key, value, timestamp and headers.
///
/// It is `Copy`: passing it to several children, filtering it or peeking at it copies five words and never a key or a value.
/// As in Java (`org.apache.kafka.streams.processor.api.Record`), all who are handed one record share its header list, and a record that
/// is made of another one has a list of its own from where it is handed on.
pub struct Record<'a, K, V> {
    /// The key.
    pub key: &'a K,
    /// The value.
    pub value: &'a V,
    /// Event time, milliseconds since the Unix epoch.
    pub timestamp: Timestamp,
    /// The header list, shared by everybody who sees this record.
    pub headers: &'a Headers,
    /// Whether it was made of another record and not handed on yet.
    made: bool,
}

// By hand, so that neither `K` nor `V` need be `Copy`.
impl<K, V> Clone for Record<'_, K, V> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Record<'_, K, V> {}

impl<'a, K, V> Record<'a, K, V> {
    /// A record of these parts.
    #[inline]
    pub fn new(key: &'a K, value: &'a V, timestamp: Timestamp, headers: &'a Headers) -> Self {
        Record { key, value, timestamp, headers, made: true }
    }

    /// The same with another key.
    #[inline]
    #[must_use]
    pub fn with_key<K2>(self, key: &'a K2) -> Record<'a, K2, V> {
        Record { key, value: self.value, timestamp: self.timestamp, headers: self.headers, made: true }
    }

    /// The same with another value.
    #[inline]
    #[must_use]
    pub fn with_value<V2>(self, value: &'a V2) -> Record<'a, K, V2> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers, made: true }
    }

    /// The same at another time.
    #[inline]
    #[must_use]
    pub fn with_timestamp(self, timestamp: Timestamp) -> Self {
        Record { timestamp, made: true, ..self }
    }

    /// The same with another header list.
    #[inline]
    #[must_use]
    pub fn with_headers(self, headers: &'a Headers) -> Self {
        Record { headers, made: true, ..self }
    }

    /// The header list that it is handed on with, if that is one of its own: where it was made of another one.
    #[inline]
    #[doc(hidden)]
    pub fn own_headers(self) -> Option<Headers> {
        self.made.then(|| self.headers.clone())
    }

    /// This record as it is handed on, with the header list of [`Record::own_headers`].
    #[inline]
    #[doc(hidden)]
    #[must_use]
    pub fn handed_on(self, own: Option<&'a Headers>) -> Self {
        Record { headers: own.unwrap_or(self.headers), made: false, ..self }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Record<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", self.key)
            .field("value", self.value)
            .field("timestamp", &self.timestamp)
            .field("headers", self.headers)
            .finish()
    }
}
