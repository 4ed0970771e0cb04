//! Settings of the application as a whole.

use super::{Kind, Setting, setting};

const OPTIMISATIONS: &[&str] =
    &["none", "all", "merge.repartition.topics", "reuse.ktable.source.topics", "single.store.self.join"];

const METRICS: &str = "metrics go to the recorder that is installed with the crate `metrics`";
const BUILD: &str = "serdes are values of the topology here, not classes";

pub(super) const SETTINGS: &[Setting] = &[
    setting(
        "application.id",
        Kind::Name,
        None,
        "Names the application: its consumer group, the prefix of its internal topics, its state directory.",
    )
    .effective("application/settings::an_application_is_named_by_its_id"),
    setting(
        "application.server",
        Kind::HostPort,
        Some(""),
        "Where this instance answers queries, told to the other instances.",
    )
    .effective("application/settings::the_place_of_an_instance_is_told_to_all"),
    setting(
        "topology.optimization",
        Kind::Words(OPTIMISATIONS),
        Some("none"),
        "Rewrites of the topology. They are made when the topology is built; here it must say the same.",
    )
    .effective("application/settings::what_a_topology_is_built_with_is_the_same_here"),
    setting(
        "ensure.explicit.internal.resource.naming",
        Kind::Flag,
        Some("false"),
        "Whether generated names of stores and topics are refused when the topology is built.",
    )
    .effective("application/settings::what_a_topology_is_built_with_is_the_same_here"),
    setting("upgrade.from", Kind::Text, Some(""), "The version that a rolling upgrade starts from.")
        .no_effect("all versions of the group's bytes are understood"),
    setting("default.key.serde", Kind::Text, Some(""), "Serde of keys.").no_effect(BUILD),
    setting("default.value.serde", Kind::Text, Some(""), "Serde of values.").no_effect(BUILD),
    setting("default.list.key.serde.inner", Kind::Text, Some(""), "Serde of a list's keys.").no_effect(BUILD),
    setting("default.list.key.serde.type", Kind::Text, Some(""), "Class of a list of keys.").no_effect(BUILD),
    setting("default.list.value.serde.inner", Kind::Text, Some(""), "Serde of a list's values.").no_effect(BUILD),
    setting("default.list.value.serde.type", Kind::Text, Some(""), "Class of a list of values.").no_effect(BUILD),
    setting("windowed.inner.class.serde", Kind::Text, Some(""), "Serde of a windowed key.").no_effect(BUILD),
    setting("window.size.ms", Kind::Text, Some(""), "Length of a windowed key's window.").no_effect(BUILD),
    setting("default.timestamp.extractor", Kind::Text, Some(""), "Class of the timestamp extractor.")
        .no_effect("say it where a topic is read: `Consumed::with_timestamp_extractor`"),
    setting("default.client.supplier", Kind::Text, Some(""), "Class that makes clients.")
        .no_effect("the environment makes clients: `.on(&cluster)`"),
    setting("processor.wrapper.class", Kind::Text, Some(""), "Class that wraps processors.")
        .only_default("classes cannot be loaded; give a wrapper to `wrap_processors` of the builder of the topology"),
    setting("metric.reporters", Kind::Text, Some(""), "Classes that report metrics.").no_effect(METRICS),
    setting("metrics.num.samples", Kind::Number(1, super::I32), Some("2"), "Samples per metric.").no_effect(METRICS),
    setting("metrics.sample.window.ms", super::MILLIS, Some("30000"), "Length of a sample.").no_effect(METRICS),
    setting(
        "metrics.recording.level",
        Kind::Word(&["INFO", "DEBUG", "TRACE"]),
        Some("INFO"),
        "Which metrics are recorded.",
    )
    .no_effect(METRICS),
    setting("built.in.metrics.version", Kind::Text, Some("latest"), "Version of the metrics' names.")
        .no_effect(METRICS),
    setting("enable.metrics.push", Kind::Flag, Some("true"), "Whether metrics are pushed to the broker (KIP-714).")
        .no_effect(METRICS),
    setting("auto.include.jmx.reporter", Kind::Flag, Some("true"), "Whether metrics go to JMX.").no_effect(METRICS),
    setting(
        "log.summary.interval.ms",
        Kind::Number(i64::MIN, i64::MAX),
        Some("120000"),
        "How often each stream thread logs a summary of its work, with the nodes that hand nothing on and why, milliseconds; 0 and less: never.",
    )
    .effective("sight/summary::a_summary_is_logged_at_its_interval"),
    setting(
        "topology.description.push.enabled",
        Kind::Flag,
        Some("true"),
        "Whether the broker is told the topology's description.",
    )
    .no_effect("brokers are not told"),
];
