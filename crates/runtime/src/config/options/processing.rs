//! Settings of threads and of the way of records through them.

use super::{I32, Kind, MILLIS, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting("num.stream.threads", Kind::Number(1, 10_000), Some("1"), "How many threads process tasks.").effective("application/settings::each_thread_is_a_member"),
    setting(
        "processing.guarantee",
        Kind::Word(&["at_least_once", "exactly_once_v2"]),
        Some("at_least_once"),
        "What a crash may cost: at_least_once loses nothing and may process records again, exactly_once_v2 neither; it commits input offsets, state and output as one transaction.",
    )
    .effective("application/exactly_once::what_is_not_committed_is_not_seen"),
    setting("commit.interval.ms", MILLIS, Some("30000"), "How often offsets and state are committed, milliseconds; 100 under exactly_once_v2 unless set.").effective("application/settings::commits_come_at_their_interval"),
    setting("poll.ms", MILLIS, Some("100"), "How long a thread without work waits for records, milliseconds.").effective("application/settings::a_thread_without_work_waits_for_records_as_long_as_it_is_told"),
    setting(
        "max.task.idle.ms",
        Kind::Number(-1, i64::MAX),
        Some("0"),
        "How long a task waits for records of an input that has none, so that inputs are taken in the order of their timestamps; 0: only for what is at the broker already, -1: never. Milliseconds.",
    ).effective("application/settings::a_task_waits_for_the_input_that_it_lacks"),
    setting(
        "buffered.records.per.partition",
        Kind::Number(1, I32),
        Some("1000"),
        "How many records of a partition are held before no more are fetched.",
    ).effective("application/settings::a_partition_that_has_enough_is_paused"),
    setting(
        "task.timeout.ms",
        MILLIS,
        Some("300000"),
        "How long a task may go on without progress because the cluster does not answer, milliseconds.",
    ).effective("application/settings::a_task_that_cannot_be_restored_is_given_up_after_its_time_out"),
    setting(
        "statestore.cache.max.bytes",
        MILLIS,
        Some("10485760"),
        "Memory for the record caches of all threads together, bytes.",
    ).effective("headwater/tests/settings::updates_of_a_key_are_one_record_where_there_is_a_cache"),
    setting("cache.max.bytes.buffering", MILLIS, None, "The older name of statestore.cache.max.bytes, which wins.").effective("headwater/tests/settings::updates_of_a_key_are_one_record_where_there_is_a_cache"),
    setting(
        "repartition.purge.interval.ms",
        MILLIS,
        Some("30000"),
        "How often records of repartition topics that were consumed are deleted, milliseconds.",
    ).effective("application/settings::consumed_repartition_records_are_deleted_at_their_interval"),
    setting(
        "default.dsl.store",
        Kind::Word(&["rocksDB", "in_memory"]),
        None,
        "The older name of dsl.store.suppliers.class, which wins.",
    ).effective("application/settings::stores_are_where_the_settings_say"),
    setting(
        "dsl.store.suppliers.class",
        Kind::Text,
        Some("rocksDB"),
        "What stores are that do not say themselves: rocksDB or in_memory (Java's class names are understood).",
    ).effective("application/settings::stores_are_where_the_settings_say"),
    setting("dsl.store.format", Kind::Word(&["default", "headers"]), Some("default"), "What the rows of operators' stores keep: headers too, or not (KIP-1285). What `build_with` was given wins.")
        .effective("headwater/tests/settings::stores_keep_headers_where_the_settings_say"),
    setting(
        "enable.transactional.statestores",
        Kind::Flag,
        Some("true"),
        "Whether stores are transactional (KIP-892); Java's default is false.",
    )
    .no_effect("stores are always transactional: content and changelog offset are written as one, after the commit"),
    setting(
        "statestore.uncommitted.max.bytes",
        Kind::Number(-1, i64::MAX),
        Some("67108864"),
        "How many bytes of a thread's stores may wait for a commit, more than that commit at once. -1: any. What was committed stays in memory for reads, up to 256 MiB for all stores of a process (`MemoryBudget`).",
    )
    .effective("application/settings::stores_that_hold_much_commit_early"),
    setting(
        "default.interactive.query.isolation.level",
        Kind::Word(&["READ_UNCOMMITTED", "READ_COMMITTED"]),
        Some("READ_UNCOMMITTED"),
        "What queries see: all that was written until now, in record caches and open transactions too, or what was committed. A query that says it itself wins.",
    )
    .effective("application/queries::the_setting_says_what_is_read"),
    setting("rocksdb.config.setter", Kind::Text, Some(""), "Class that configures RocksDB.").only_default(
        "classes cannot be loaded; the memory of RocksDB is set by `Builder::stores`, with `RocksDbStores::new(MemoryBudget)`",
    ),
];
