//! Settings of the group: membership and assignment.

use super::{I32, Kind, MILLIS, Setting, setting};

const RACK: &str = "racks are not looked at when tasks are assigned";

pub(super) const SETTINGS: &[Setting] = &[
    setting("group.protocol", Kind::Word(&["classic", "streams"]), Some("classic"), "How membership is agreed on.")
        .only_default("the streams protocol (KIP-1071) is not there yet"),
    setting(
        "group.instance.id",
        Kind::Name,
        None,
        "Name of this instance as a static member: a return within session.timeout.ms moves no task. Threads append their number.",
    ).effective("application/settings::a_static_member_remains_when_it_closes"),
    setting(
        "session.timeout.ms",
        Kind::Number(1, I32),
        Some("45000"),
        "Without a heartbeat for so long a member is removed, milliseconds.",
    ).effective("application/settings::the_dead_are_replaced_after_their_session"),
    setting(
        "heartbeat.interval.ms",
        Kind::Number(1, I32),
        Some("3000"),
        "How often a member gives a sign of life, milliseconds.",
    ).effective("application/settings::a_member_hears_of_a_rebalance_with_its_heartbeats"),
    setting(
        "max.poll.interval.ms",
        Kind::Number(1, I32),
        Some("300000"),
        "How long a thread may be busy without taking part in its group, milliseconds.",
    ).effective("application/settings::a_thread_that_is_busy_for_too_long_loses_its_tasks"),
    setting("client.rack", Kind::Text, Some(""), "The rack this instance is in.").effective("application/settings::the_rack_of_an_instance_is_told_to_the_group").for_clients(),
    setting(
        "acceptable.recovery.lag",
        MILLIS,
        Some("10000"),
        "How many changelog records a copy may be behind to count as caught up, where `task.assignor.class` is `HighAvailabilityTaskAssignor`.",
    ).effective("application/placing::a_copy_is_caught_up_when_it_lags_no_more_than_is_acceptable"),
    setting(
        "max.warmup.replicas",
        Kind::Number(1, I32),
        Some("2"),
        "How many tasks are warmed up elsewhere at once, where `task.assignor.class` is `HighAvailabilityTaskAssignor`.",
    ).effective("application/placing::so_many_tasks_are_warmed_up_at_once_as_are_told"),
    setting(
        "probing.rebalance.interval.ms",
        Kind::Number(60_000, i64::MAX),
        Some("600000"),
        "How often it is asked whether a copy has caught up, milliseconds, where `task.assignor.class` is `HighAvailabilityTaskAssignor`.",
    ).effective("application/placing::whether_copies_have_caught_up_is_asked_at_the_interval"),
    setting(
        "task.assignor.class",
        Kind::Word(&["StickyAssignor", "HighAvailabilityTaskAssignor"]),
        Some("StickyAssignor"),
        "Who decides, in the member that leads the group, which instance gets which tasks: one that moves none that need not move, or Java's default, which lets a task run where its state is until its place is warmed up.",
    ).effective("application/placing::a_newcomer_is_warmed_up_before_tasks_move_to_it"),
    setting(
        "rack.aware.assignment.strategy",
        Kind::Word(&["none", "min_traffic", "balance_subtopology"]),
        Some("none"),
        "How racks are looked at.",
    )
    .no_effect(RACK),
    setting("rack.aware.assignment.tags", Kind::Text, Some(""), "Tags by which standbys are spread.").no_effect(RACK),
    setting("rack.aware.assignment.traffic_cost", Kind::Text, Some(""), "Cost of traffic between racks.")
        .no_effect(RACK),
    setting("rack.aware.assignment.non_overlap_cost", Kind::Text, Some(""), "Cost of moving a task.").no_effect(RACK),
    setting(
        "auto.offset.reset",
        Kind::OffsetReset,
        Some("earliest"),
        "From where topics are read for which nothing was committed, unless the source says.",
    ).effective("application/settings::what_was_there_before_is_read_or_left"),
];
