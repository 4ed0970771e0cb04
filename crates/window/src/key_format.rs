//! How windowed keys lie as bytes, equal to Java's (`WindowKeySchema`, `SessionKeySchema`). Numbers are big-endian.
//!
//! | where | bytes |
//! |---|---|
//! | topics, time windows | key, `i64` start |
//! | window stores and their changelogs | key, `i64` start, `i32` sequence |
//! | topics, session stores and their changelogs | key, `i64` end, `i64` start |

use headwater_record::Timestamp;

use crate::Window;

/// Bytes of a time window behind a key in a topic.
pub const TIME_WINDOW_SUFFIX: usize = 8;
/// Bytes of a window behind a key in a window store.
pub const WINDOW_STORE_SUFFIX: usize = 12;
/// Bytes of a session behind a key, in topics and stores.
pub const SESSION_SUFFIX: usize = 16;

/// Appends a window's start, as it lies in topics behind the key.
pub fn put_time_window(start: Timestamp, into: &mut Vec<u8>) {
    into.extend_from_slice(&start.millis().to_be_bytes());
}

/// Appends a window's start and the sequence number, as they lie in window stores behind the key.
pub fn put_window_store_suffix(start: Timestamp, sequence: i32, into: &mut Vec<u8>) {
    put_time_window(start, into);
    into.extend_from_slice(&sequence.to_be_bytes());
}

/// Appends a session's end and start, as they lie behind the key.
pub fn put_session(start: Timestamp, end: Timestamp, into: &mut Vec<u8>) {
    into.extend_from_slice(&end.millis().to_be_bytes());
    into.extend_from_slice(&start.millis().to_be_bytes());
}

fn take_time(bytes: &[u8]) -> Option<(&[u8], Timestamp)> {
    let (rest, time) = bytes.split_last_chunk::<8>()?;
    Some((rest, Timestamp::from_millis(i64::from_be_bytes(*time))))
}

/// A topic's time-windowed key: the key, and when its window starts. `None` when it is too short.
pub fn split_time_windowed(bytes: &[u8]) -> Option<(&[u8], Timestamp)> {
    take_time(bytes)
}

/// A window store's key: the key, when the window starts, the sequence number. `None` when it is too short.
pub fn split_window_store_key(bytes: &[u8]) -> Option<(&[u8], Timestamp, i32)> {
    let (rest, sequence) = bytes.split_last_chunk::<4>()?;
    let (key, start) = take_time(rest)?;
    Some((key, start, i32::from_be_bytes(*sequence)))
}

/// A session's key: the key, and the session. `None` when it is too short.
pub fn split_session_key(bytes: &[u8]) -> Option<(&[u8], Window)> {
    let (rest, start) = take_time(bytes)?;
    let (key, end) = take_time(rest)?;
    Some((key, Window::new(start, end)))
}
