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
        "How many changelog records a copy may be behind to count as caught up.",
    ).no_effect("a task goes to whoever has most of its state, however far behind"),
    setting("max.warmup.replicas", Kind::Number(1, I32), Some("2"), "How many tasks are warmed up elsewhere at once.")
        .no_effect("tasks are not warmed up before they move"),
    setting(
        "probing.rebalance.interval.ms",
        Kind::Number(60_000, i64::MAX),
        Some("600000"),
        "How often it is asked whether a copy has caught up, milliseconds.",
    ).no_effect("tasks are not warmed up before they move, so that nobody asks whether they are"),
    setting("task.assignor.class", Kind::Text, Some(""), "Class of the assignor.")
        .only_default("tasks are assigned by the built-in sticky assignor"),
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
