//! What a task's database says about its stores: which kind of store wrote the rows, and in which format they are.

use headwater_store::{RowFormat, StoreKind, StoreSpec};

/// The column family that describes the stores: what is said of one lies under its name, a slash, and the keys below.
pub(crate) const META: &str = rocksdb::DEFAULT_COLUMN_FAMILY_NAME;

/// What the store is, as [`describe`] says it.
pub(crate) const TYPE_KEY: &str = "type";
/// The last changelog record that the rows contain: big-endian `i64`.
pub(crate) const OFFSET_KEY: &str = "changelog-offset";
/// The last record of each partition of a global store's topic that the rows contain: after this the partition, a big-endian
/// `i32`; under it a big-endian `i64`.
pub(crate) const OFFSETS_PREFIX: &str = "topic-offset/";
/// The store's time, for stores that forget: big-endian `i64` of milliseconds.
pub(crate) const TIME_KEY: &str = "time";
/// The sequence number given last, for stores that retain duplicates: big-endian `i64`.
pub(crate) const SEQUENCE_KEY: &str = "sequence";

/// The column family of a store's rows. No store has a slash in its name.
pub(crate) fn rows(store: &str) -> String {
    format!("{store}/rows")
}

/// Under what `key` of a store lies.
pub(crate) fn meta(store: &str, key: &str) -> Vec<u8> {
    format!("{store}/{key}").into_bytes()
}

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
