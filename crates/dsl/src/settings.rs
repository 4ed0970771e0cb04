//! What the settings of a build change in a topology that was drafted.

use headwater_store::RowFormat;
use headwater_topology::TopologySettings;

/// Whether source topics serve as changelogs of the tables that are read from them.
pub(crate) fn reuses_source_topics(settings: &TopologySettings) -> bool {
    let rules = settings.value("topology.optimization").unwrap_or("none");
    rules.split(',').map(str::trim).any(|rule| rule == "all" || rule == "reuse.ktable.source.topics")
}

/// How rows of DSL stores lie: `dsl.store.format` (KIP-1271).
pub(crate) fn row_format(settings: &TopologySettings) -> Option<RowFormat> {
    settings
        .value("dsl.store.format")
        .map(|format| if format.eq_ignore_ascii_case("headers") { RowFormat::Headers } else { RowFormat::Timestamped })
}
