//! Until when changes of a table are kept back.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use headwater_record::{DefaultSerde, SharedSerde, Timestamp};
use headwater_store::Logging;
use headwater_window::Windowed;

use crate::serdes::Serdes;

/// A key in a window. [`Windowed`] is the one that windowed aggregates make.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a windowed key",
    label = "only the tables of windowed aggregates have windows that close",
    note = "to keep the changes of other tables back, use `Suppressed::until_time_limit`"
)]
pub trait WindowedKey {
    /// When its window ends.
    fn window_end(&self) -> Timestamp;
}

impl<K> WindowedKey for Windowed<K> {
    fn window_end(&self) -> Timestamp {
        self.end()
    }
}

/// Of a buffer that hands changes on early rather than grow beyond its bounds (Java's `EagerBufferConfig`).
#[derive(Clone, Copy, Debug)]
pub struct Eager;

/// Of a buffer that never hands anything on early: should it grow beyond its bounds, the application fails (Java's
/// `StrictBufferConfig`).
#[derive(Clone, Copy, Debug)]
pub struct Strict;

/// [`Eager`] or [`Strict`].
pub trait WhenFull: sealed::Sealed {
    #[doc(hidden)]
    const SHUTS_DOWN: bool;
}

impl WhenFull for Eager {
    const SHUTS_DOWN: bool = false;
}

impl WhenFull for Strict {
    const SHUTS_DOWN: bool = true;
}

/// Of a buffer that never hands anything on early: [`Strict`].
#[diagnostic::on_unimplemented(
    message = "a buffer that hands changes on early when it is full cannot wait until a window closes",
    label = "this buffer is not strict",
    note = "say that the application fails instead, by `.shut_down_when_full()`, or use `BufferConfig::unbounded()`"
)]
pub trait NeverEarly: WhenFull {}

impl NeverEarly for Strict {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Eager {}
    impl Sealed for super::Strict {}
}

/// How much may wait, and what then (Java's `Suppressed.BufferConfig`).
///
/// A change counts with the bytes of its key, of the values before and after, of its headers and its topic's name, and 28 more.
///
/// ```
/// use headwater::dsl::BufferConfig;
/// // At most 10,000 keys and 64 MiB; the application fails rather than hand anything on early.
/// let strict = BufferConfig::max_records(10_000).with_max_bytes(64 << 20).shut_down_when_full();
/// // The same, with early results instead.
/// let eager = strict.emit_early_when_full();
/// assert!(format!("{eager:?}").contains("max_records: 10000, max_bytes: 67108864"));
/// ```
pub struct BufferConfig<P> {
    max_records: u64,
    max_bytes: u64,
    logging: Logging,
    when_full: PhantomData<P>,
}

impl BufferConfig<Eager> {
    /// At most so many keys; more are handed on early, those first that have waited longest.
    pub fn max_records(limit: u64) -> Self {
        Self::of_any_size().with_max_records(limit)
    }

    /// At most so many bytes; more are handed on early.
    pub fn max_bytes(limit: u64) -> Self {
        Self::of_any_size().with_max_bytes(limit)
    }
}

impl BufferConfig<Strict> {
    /// As much as there is memory for.
    pub fn unbounded() -> Self {
        Self::of_any_size()
    }
}

impl<P> BufferConfig<P> {
    fn of_any_size() -> Self {
        // Java's numbers are signed.
        let unbounded = i64::MAX.unsigned_abs();
        let logging = Logging::default();
        BufferConfig { max_records: unbounded, max_bytes: unbounded, logging, when_full: PhantomData }
    }

    fn when_full<Q>(self) -> BufferConfig<Q> {
        let BufferConfig { max_records, max_bytes, logging, .. } = self;
        BufferConfig { max_records, max_bytes, logging, when_full: PhantomData }
    }

    /// With at most so many keys.
    #[must_use]
    pub fn with_max_records(mut self, limit: u64) -> Self {
        self.max_records = limit.min(i64::MAX.unsigned_abs());
        self
    }

    /// With at most so many bytes.
    #[must_use]
    pub fn with_max_bytes(mut self, limit: u64) -> Self {
        self.max_bytes = limit.min(i64::MAX.unsigned_abs());
        self
    }

    /// Without bounds.
    #[must_use]
    pub fn with_no_bound(self) -> BufferConfig<Strict> {
        BufferConfig { logging: self.logging, ..BufferConfig::of_any_size() }
    }

    /// With the same bounds: the application fails when they are exceeded.
    #[must_use]
    pub fn shut_down_when_full(self) -> BufferConfig<Strict> {
        self.when_full()
    }

    /// With the same bounds: changes are handed on early when they are exceeded.
    #[must_use]
    pub fn emit_early_when_full(self) -> BufferConfig<Eager> {
        self.when_full()
    }

    /// Without a changelog: what waits is lost with the task.
    #[must_use]
    pub fn with_logging_disabled(mut self) -> Self {
        self.logging = Logging::Disabled;
        self
    }

    /// With a changelog whose topic has these settings over the usual ones.
    #[must_use]
    pub fn with_logging_enabled(mut self, configs: BTreeMap<String, String>) -> Self {
        self.logging = Logging::Enabled(configs);
        self
    }
}

impl<P> Clone for BufferConfig<P> {
    fn clone(&self) -> Self {
        BufferConfig { logging: self.logging.clone(), when_full: PhantomData, ..*self }
    }
}

impl<P> fmt::Debug for BufferConfig<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferConfig")
            .field("max_records", &self.max_records)
            .field("max_bytes", &self.max_bytes)
            .field("logging", &self.logging)
            .finish_non_exhaustive()
    }
}

/// For how long a change waits.
pub(crate) enum Until<K> {
    /// From the time of the record that it came with.
    TimeLimit(Duration),
    /// From the end of its key's window, as long as late records are taken.
    WindowCloses(fn(&K) -> Timestamp),
}

impl<K> Clone for Until<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Until<K> {}

/// What a buffer may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) max_records: u64,
    pub(crate) max_bytes: u64,
    pub(crate) shuts_down: bool,
}

/// Until when changes of a table are kept back (Java's `Suppressed`, KIP-328). Later changes of a key take the place of earlier
/// ones meanwhile.
///
/// Time is that of the records which come by: without new ones, nothing is handed on, unless [`Suppressed::after_idle`] says otherwise.
///
/// Its serdes are the table's; what else there is stands [in one place](crate#names-and-serdes).
///
/// ```
/// use std::time::Duration;
/// use headwater::dsl::{BufferConfig, Produced, StreamsBuilder, Suppressed};
/// use headwater::window::TimeWindows;
/// let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
/// let counts = builder.stream::<String, String>("visits").group_by_key().windowed_by(minutes).count();
/// // One record for each page and minute, five seconds after the minute.
/// let finals = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("finals"));
/// finals.to_stream().to_with("visits-by-minute", Produced::inherited());
/// assert!(builder.build()?.describe().contains("Processor: finals (stores: [finals-store])"));
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
pub struct Suppressed<K, V> {
    pub(crate) serdes: Serdes<K, V>,
    /// The serde of the values' type, for a table without one.
    pub(crate) own_value: Option<fn() -> SharedSerde<V>>,
    pub(crate) name: Option<String>,
    pub(crate) until: Until<K>,
    /// After how long without records it goes on by the clock on the wall.
    pub(crate) idle: Option<Duration>,
    pub(crate) bounds: Bounds,
    pub(crate) logging: Logging,
}

impl<K: WindowedKey, V> Suppressed<K, V> {
    /// Until a window takes no more records: what is handed on is final, one result per key and window
    /// (`Suppressed#untilWindowCloses`). For this nothing may be handed on early.
    pub fn until_window_closes<P: NeverEarly>(buffer: BufferConfig<P>) -> Self {
        Self::until(Until::WindowCloses(K::window_end), buffer)
    }
}

impl<K, V> Suppressed<K, V> {
    /// Until so much time, in whole milliseconds, has gone by since a key's first change that was kept back
    /// (`Suppressed#untilTimeLimit`). [`KTable::suppress`](crate::KTable::suppress) has an example.
    pub fn until_time_limit<P: WhenFull>(limit: Duration, buffer: BufferConfig<P>) -> Self {
        Self::until(Until::TimeLimit(limit), buffer)
    }

    fn until<P: WhenFull>(until: Until<K>, buffer: BufferConfig<P>) -> Self {
        let BufferConfig { max_records, max_bytes, logging, .. } = buffer;
        let bounds = Bounds { max_records, max_bytes, shuts_down: P::SHUTS_DOWN };
        Suppressed { serdes: Serdes::none(), own_value: None, name: None, until, idle: None, bounds, logging }
    }

    /// Names the operator, and after it its store and the store's changelog.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With what waits handed on by the clock on the wall when no record has come for so long: stream time then goes on from the last record
    /// as that clock does, as far as something waits to be handed on. Off unless it is set; Java has nothing like it.
    ///
    /// What comes later for a window that was closed so is late: it is left out, and counted. So this is to be longer than any pause in which
    /// records may still be under way, as while a producer is down: `docs/looking-inside.md` says what follows from it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::prelude::*;
    /// use headwater::testing::TopologyTestDriver;
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let counts = builder.stream::<String, String>("visits").group_by_key().windowed_by(minutes).count();
    /// let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).after_idle(Duration::from_secs(300));
    /// counts.suppress(finals).to_stream().map(|key, count| (key.key.clone(), *count)).to_with("by-minute", Produced::by_type());
    ///
    /// let driver = TopologyTestDriver::builder(builder.build()?).build()?;
    /// driver.input_topic::<String, String>("visits").pipe_at("home", "ada", 10_000)?;
    /// driver.advance_wall_clock(Duration::from_secs(299))?;
    /// let told = driver.output_topic::<String, i64>("by-minute");
    /// assert!(told.is_empty());
    /// driver.advance_wall_clock(Duration::from_secs(1))?;
    /// assert_eq!(told.read_values()?, [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn after_idle(mut self, idle: Duration) -> Self {
        self.idle = Some(idle);
        self
    }

    /// With the values' own serde where the table has none, such as one of [`map_values`](crate::KTable::map_values): what waits is
    /// kept as bytes.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use headwater::dsl::{BufferConfig, StreamsBuilder, Suppressed};
    /// let builder = StreamsBuilder::new();
    /// let lengths = builder.table::<String, String>("texts").map_values(|_, text| text.len() as i64);
    /// let limit = Suppressed::until_time_limit(Duration::from_secs(60), BufferConfig::unbounded());
    /// lengths.suppress(limit.or_by_type()).to_stream().to("lengths-by-the-minute");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn or_by_type(mut self) -> Self
    where
        V: DefaultSerde,
    {
        self.own_value = Some(V::default_serde);
        self
    }

    /// With this serde for keys, instead of the table's.
    #[must_use]
    pub fn with_key_serde(mut self, key: SharedSerde<K>) -> Self {
        self.serdes.key = Some(key.into());
        self
    }

    /// With this serde for values, instead of the table's.
    #[must_use]
    pub fn with_value_serde(mut self, value: SharedSerde<V>) -> Self {
        self.serdes.value = Some(value.into());
        self
    }
}

impl<K, V> fmt::Debug for Suppressed<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until: &dyn fmt::Debug = match &self.until {
            Until::TimeLimit(limit) => limit,
            Until::WindowCloses(_) => &"window closes",
        };
        f.debug_struct("Suppressed")
            .field("name", &self.name)
            .field("until", until)
            .field("idle", &self.idle)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
