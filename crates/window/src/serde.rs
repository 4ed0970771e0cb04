//! Serdes of windowed keys, as topics have them.

use std::fmt;
use std::time::Duration;

use headwater_record::{Encoded, Serde, SerdeError, SharedSerde};

use crate::key_format::{
    SESSION_SUFFIX, TIME_WINDOW_SUFFIX, put_session, put_time_window, split_session_key, split_time_windowed,
};
use crate::{Window, Windowed, millis};

fn null<K>() -> SerdeError {
    SerdeError::Null { type_name: std::any::type_name::<Windowed<K>>() }
}

fn too_short<K>(expected: usize, found: usize) -> SerdeError {
    SerdeError::Length { type_name: std::any::type_name::<Windowed<K>>(), expected, found }
}

fn serialize_key<K>(inner: &SharedSerde<K>, topic: &str, key: &K, into: &mut Vec<u8>) -> Result<(), SerdeError> {
    match inner.serialize(topic, key, into)? {
        Encoded::Bytes => Ok(()),
        // A window has a key.
        Encoded::Null => Err(null::<K>()),
    }
}

/// Keys in time windows: the key's bytes, then the window's start (Java's `TimeWindowedSerde`). The end is not written: it is the
/// start and the window's size.
pub struct TimeWindowedSerde<K> {
    inner: SharedSerde<K>,
    size_ms: i64,
}

impl<K> TimeWindowedSerde<K> {
    /// Keys of `inner` in windows of `window_size`.
    pub fn new(inner: SharedSerde<K>, window_size: Duration) -> Self {
        TimeWindowedSerde { inner, size_ms: millis(window_size) }
    }
}

impl<K> Serde<Windowed<K>> for TimeWindowedSerde<K> {
    fn serialize(&self, topic: &str, value: &Windowed<K>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        serialize_key(&self.inner, topic, &value.key, into)?;
        put_time_window(value.window.start, into);
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let bytes = bytes.ok_or_else(null::<K>)?;
        let (key, start) = split_time_windowed(bytes).ok_or_else(|| too_short::<K>(TIME_WINDOW_SUFFIX, bytes.len()))?;
        let key = self.inner.deserialize(topic, Some(key))?;
        Ok(Windowed::new(key, Window::of_size(start, self.size_ms)))
    }
    fn encoded_len(&self, value: &Windowed<K>) -> Option<usize> {
        Some(self.inner.encoded_len(&value.key)? + TIME_WINDOW_SUFFIX)
    }
    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        bytes.len().saturating_sub(TIME_WINDOW_SUFFIX)
    }
}

impl<K> fmt::Debug for TimeWindowedSerde<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeWindowedSerde").field("size_ms", &self.size_ms).finish_non_exhaustive()
    }
}

/// Keys in sessions: the key's bytes, then the session's end and its start (Java's `SessionWindowedSerde`).
pub struct SessionWindowedSerde<K> {
    inner: SharedSerde<K>,
}

impl<K> SessionWindowedSerde<K> {
    /// Keys of `inner` in sessions.
    pub fn new(inner: SharedSerde<K>) -> Self {
        SessionWindowedSerde { inner }
    }
}

impl<K> Serde<Windowed<K>> for SessionWindowedSerde<K> {
    fn serialize(&self, topic: &str, value: &Windowed<K>, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        serialize_key(&self.inner, topic, &value.key, into)?;
        put_session(value.window.start, value.window.end, into);
        Ok(Encoded::Bytes)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<Windowed<K>, SerdeError> {
        let bytes = bytes.ok_or_else(null::<K>)?;
        let (key, window) = split_session_key(bytes).ok_or_else(|| too_short::<K>(SESSION_SUFFIX, bytes.len()))?;
        Ok(Windowed::new(self.inner.deserialize(topic, Some(key))?, window))
    }
    fn encoded_len(&self, value: &Windowed<K>) -> Option<usize> {
        Some(self.inner.encoded_len(&value.key)? + SESSION_SUFFIX)
    }
    fn partition_prefix(&self, bytes: &[u8]) -> usize {
        bytes.len().saturating_sub(SESSION_SUFFIX)
    }
}

impl<K> fmt::Debug for SessionWindowedSerde<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionWindowedSerde")
    }
}
