//! Serdes of windowed keys, as topics have them.

use std::fmt;
use std::time::Duration;

use headwater_record::{Encoded, Serde, SerdeError, SharedSerde};

use crate::key_format::{
    SESSION_SUFFIX, TIME_WINDOW_SUFFIX, WINDOW_STORE_SUFFIX, put_session, put_time_window, split_session_key,
    split_time_windowed, split_window_store_key,
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
///
/// Operators write windowed keys with the serde that they inherit; whoever reads them back says this one:
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use headwater::prelude::*;
/// use headwater::record::DefaultSerde;
/// use headwater::testing::TopologyTestDriver;
/// use headwater::window::TimeWindowedSerde;
///
/// const MINUTE: Duration = Duration::from_secs(60);
/// let builder = StreamsBuilder::new();
/// let visits = builder.stream::<String, String>("visits").group_by_key();
/// let counts = visits.windowed_by(TimeWindows::of_size_with_no_grace(MINUTE)).count();
/// counts.to_stream().to_with("visits-by-minute", Produced::inherited());
///
/// let keys = Arc::new(TimeWindowedSerde::new(String::default_serde(), MINUTE));
/// builder
///     .stream_with("visits-by-minute", Consumed::with(keys, i64::default_serde()))
///     .map(|page, count| (page.key.clone(), format!("{count} until {}", page.end().millis())))
///     .to("texts");
///
/// let driver = TopologyTestDriver::new(builder.build()?)?;
/// driver.input_topic::<String, String>("visits").pipe_at("home", "", 61_000)?;
/// let texts = driver.output_topic::<String, String>("texts").read_key_values()?;
/// assert_eq!(texts, [("home".to_owned(), "1 until 120000".to_owned())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TimeWindowedSerde<K> {
    inner: SharedSerde<K>,
    size_ms: i64,
    of_changelog: bool,
}

impl<K> TimeWindowedSerde<K> {
    /// Keys of `inner` in windows of `window_size`.
    pub fn new(inner: SharedSerde<K>, window_size: Duration) -> Self {
        TimeWindowedSerde { inner, size_ms: millis(window_size), of_changelog: false }
    }

    /// Reads keys as they lie in the changelog of a window store, where a number follows the window's start (Java's
    /// `forChangelog`). As in Java, what it writes is what it would write into any other topic.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use headwater::prelude::*;
    /// use headwater::record::DefaultSerde;
    /// use headwater::testing::TopologyTestDriver;
    /// use headwater::window::TimeWindowedSerde;
    ///
    /// const MINUTE: Duration = Duration::from_secs(60);
    /// let builder = StreamsBuilder::new();
    /// let visits = builder.stream::<String, String>("visits").group_by_key();
    /// visits.windowed_by(TimeWindows::of_size_with_no_grace(MINUTE)).count_with(Materialized::named("counts"));
    ///
    /// let driver = TopologyTestDriver::builder(builder.build()?).setting("application.id", "pages").build()?;
    /// driver.input_topic::<String, String>("visits").pipe_at("home", "", 61_000)?;
    /// let keys = Arc::new(TimeWindowedSerde::new(String::default_serde(), MINUTE).for_changelog());
    /// let changelog = driver.output_topic_with("pages-counts-changelog", keys, i64::default_serde());
    /// let (page, count) = changelog.read_key_value()?;
    /// assert_eq!((page.to_string().as_str(), count), ("[home@60000/120000]", 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_changelog(self) -> Self {
        TimeWindowedSerde { of_changelog: true, ..self }
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
        let (split, suffix) = if self.of_changelog {
            (split_window_store_key(bytes).map(|(key, start, _)| (key, start)), WINDOW_STORE_SUFFIX)
        } else {
            (split_time_windowed(bytes), TIME_WINDOW_SUFFIX)
        };
        let (key, start) = split.ok_or_else(|| too_short::<K>(suffix, bytes.len()))?;
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
        f.debug_struct("TimeWindowedSerde")
            .field("size_ms", &self.size_ms)
            .field("of_changelog", &self.of_changelog)
            .finish_non_exhaustive()
    }
}

/// Keys in sessions: the key's bytes, then the session's end and its start (Java's `SessionWindowedSerde`). Changelogs of session
/// stores have the same keys.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use headwater::prelude::*;
/// use headwater::record::DefaultSerde;
/// use headwater::testing::TopologyTestDriver;
/// use headwater::window::SessionWindowedSerde;
///
/// let builder = StreamsBuilder::new();
/// let sessions = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(60));
/// let counts = builder.stream::<String, String>("clicks").group_by_key().windowed_by(sessions).count();
/// counts.to_stream().to_with("clicks-by-session", Produced::inherited());
///
/// // A session that grows is written again under its new key; null deletes the old one.
/// let keys = Arc::new(SessionWindowedSerde::new(String::default_serde()));
/// builder
///     .stream_with("clicks-by-session", Consumed::with(keys, Option::<i64>::default_serde()))
///     .map(|user, clicks| (user.key.clone(), format!("{clicks:?} until {}", user.end().millis())))
///     .to("texts");
///
/// let driver = TopologyTestDriver::new(builder.build()?)?;
/// let clicks = driver.input_topic::<String, String>("clicks");
/// clicks.pipe_at("ann", "", 1_000)?;
/// clicks.pipe_at("ann", "", 5_000)?;
/// let texts = driver.output_topic::<String, String>("texts").read_values()?;
/// assert_eq!(texts, ["Some(1) until 1000", "None until 1000", "Some(2) until 5000"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
