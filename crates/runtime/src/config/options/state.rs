//! Settings of local state and of internal topics.

use super::{I32, Kind, MILLIS, Setting, setting};

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "state.dir",
        Kind::Name,
        None,
        "Directory of local state; the system's directory for temporary files with /kafka-streams unless set.",
    )
    .effective("application/disk::a_directory_belongs_to_one_instance"),
    setting(
        "state.cleanup.delay.ms",
        MILLIS,
        Some("600000"),
        "After how long the local state of a task that has gone elsewhere is deleted, milliseconds.",
    )
    .effective("application/disk::state_of_tasks_that_went_elsewhere_is_deleted_after_a_while"),
    setting(
        "state.cleanup.dir.max.age.ms",
        Kind::Number(-1, i64::MAX),
        Some("-1"),
        "Age at which local state is deleted at the start.",
    )
    .only_default("local state is deleted after state.cleanup.delay.ms only"),
    setting(
        "allow.os.group.write.access",
        Kind::Flag,
        Some("false"),
        "Whether the group of the operating system may write local state.",
    )
    .only_default("directories are made for the user alone"),
    setting(
        "replication.factor",
        Kind::Number(-1, 32_767),
        Some("-1"),
        "Replicas of internal topics; -1 leaves it to the broker.",
    )
    .effective("application/settings::internal_topics_have_as_many_replicas_as_they_are_told"),
    setting(
        "windowstore.changelog.additional.retention.ms",
        MILLIS,
        Some("86400000"),
        "How much longer than a window store its changelog keeps records, milliseconds.",
    )
    .effective("headwater/tests/settings::changelogs_of_windows_keep_records_longer_than_the_store_by_what_is_said"),
    setting(
        "num.standby.replicas",
        Kind::Number(0, I32),
        Some("0"),
        "How many copies of each state are kept warm on other instances.",
    )
    .effective("application/settings::standbys_are_as_many_as_they_are_told"),
];
