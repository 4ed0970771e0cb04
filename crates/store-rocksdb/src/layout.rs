//! What a database says about itself: which kind of store wrote it, and in which format its rows are.

use headwater_store::{RowFormat, StoreKind, StoreSpec};

/// The column family beside the rows.
pub(crate) const META: &str = "headwater";
/// The column family of the rows.
pub(crate) const ROWS: &str = rocksdb::DEFAULT_COLUMN_FAMILY_NAME;

/// What the store is, as [`describe`] says it.
pub(crate) const TYPE_KEY: &[u8] = b"type";
/// The last changelog record that the rows contain: big-endian `i64`.
pub(crate) const OFFSET_KEY: &[u8] = b"changelog-offset";
/// The last record of each partition of a global store's topic that the rows contain: after this the partition, a big-endian
/// `i32`; under it a big-endian `i64`.
pub(crate) const OFFSETS_PREFIX: &[u8] = b"topic-offset/";
/// The store's time, for stores that forget: big-endian `i64` of milliseconds.
pub(crate) const TIME_KEY: &[u8] = b"time";
/// The sequence number given last, for stores that retain duplicates: big-endian `i64`.
pub(crate) const SEQUENCE_KEY: &[u8] = b"sequence";

/// Kind and row format in words; stores whose words are the same read each other's rows.
pub(crate) fn describe(spec: &StoreSpec) -> String {
    let rows = match spec.format {
        RowFormat::Plain => "plain rows",
        RowFormat::Timestamped => "timestamped rows",
        RowFormat::Headers => "rows with timestamp and headers",
        RowFormat::HeadersOnly => "rows with headers",
    };
    let kind = match spec.kind {
        StoreKind::KeyValue => "a key-value store".to_owned(),
        StoreKind::Window { segment_interval, retain_duplicates, time_ordered, .. } => {
            let duplicates = if retain_duplicates { ", duplicates" } else { "" };
            let order = if time_ordered { ", by time" } else { "" };
            format!("a window store (segments of {} ms{duplicates}{order})", segment_interval.as_millis())
        }
        StoreKind::Session { segment_interval, time_ordered, .. } => {
            let order = if time_ordered { ", with an index by time" } else { "" };
            format!("a session store (segments of {} ms{order})", segment_interval.as_millis())
        }
        StoreKind::Versioned { segment_interval, .. } => {
            format!("a versioned store (segments of {} ms)", segment_interval.as_millis())
        }
        other => format!("{other:?}"),
    };
    format!("{kind} with {rows}")
}
