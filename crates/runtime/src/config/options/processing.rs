//! Settings of threads and of the way of records through them.

use super::{I32, Kind, MILLIS, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting("num.stream.threads", Kind::Number(1, 10_000), Some("1"), "How many threads process tasks."),
    setting(
        "processing.guarantee",
        Kind::Word(&["at_least_once", "exactly_once_v2"]),
        Some("at_least_once"),
        "What a crash may cost.",
    )
    .only_default(
        "exactly-once is not there yet; at_least_once loses nothing, and may process records again after a crash",
    ),
    setting("commit.interval.ms", MILLIS, Some("30000"), "How often offsets and state are committed, milliseconds."),
    setting("poll.ms", MILLIS, Some("100"), "How long a thread without work waits for records, milliseconds."),
    setting(
        "max.task.idle.ms",
        Kind::Number(-1, i64::MAX),
        Some("0"),
        "How long a task waits for records of an input that has none, so that inputs are taken in the order of their timestamps; 0: only for what is at the broker already, -1: never. Milliseconds.",
    ),
    setting(
        "buffered.records.per.partition",
        Kind::Number(1, I32),
        Some("1000"),
        "How many records of a partition are held before no more are fetched.",
    ),
    setting(
        "task.timeout.ms",
        MILLIS,
        Some("300000"),
        "How long a task may go on without progress because the cluster does not answer, milliseconds.",
    ),
    setting(
        "statestore.cache.max.bytes",
        MILLIS,
        Some("10485760"),
        "Memory for the record caches of all threads together, bytes.",
    ),
    setting("cache.max.bytes.buffering", MILLIS, None, "The older name of statestore.cache.max.bytes, which wins."),
    setting(
        "repartition.purge.interval.ms",
        MILLIS,
        Some("30000"),
        "How often records of repartition topics that were consumed are deleted, milliseconds.",
    ),
    setting(
        "default.dsl.store",
        Kind::Word(&["rocksDB", "in_memory"]),
        None,
        "The older name of dsl.store.suppliers.class, which wins.",
    ),
    setting(
        "dsl.store.suppliers.class",
        Kind::Text,
        Some("rocksDB"),
        "What stores are that do not say themselves: rocksDB or in_memory (Java's class names are understood).",
    ),
    setting("dsl.store.format", Kind::Word(&["default", "headers"]), Some("default"), "How rows of stores lie.")
        .only_default("stores do not keep headers"),
    setting(
        "enable.transactional.statestores",
        Kind::Flag,
        Some("false"),
        "Whether stores are transactional (KIP-892).",
    )
    .no_effect("a store's content and its changelog offset are always written as one"),
    setting(
        "statestore.uncommitted.max.bytes",
        Kind::Number(-1, i64::MAX),
        Some("67108864"),
        "How many bytes of transactional stores may wait for a commit.",
    )
    .no_effect("what stores hold that is not committed yet is not bounded over all of them"),
    setting(
        "default.interactive.query.isolation.level",
        Kind::Word(&["READ_UNCOMMITTED", "READ_COMMITTED"]),
        Some("READ_UNCOMMITTED"),
        "What queries of transactional stores see.",
    )
    .no_effect("there are no interactive queries yet"),
    setting("rocksdb.config.setter", Kind::Text, Some(""), "Class that configures RocksDB.")
        .only_default("classes cannot be loaded; of RocksDB, its memory can be bounded where its stores are given to the environment"),
];
