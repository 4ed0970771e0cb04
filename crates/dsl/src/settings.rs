//! What the settings of a build change in a topology that was drafted.

use headwater_store::RowFormat;
use headwater_topology::TopologySettings;

/// How rows of DSL stores lie: `dsl.store.format` (KIP-1271).
pub(crate) fn row_format(settings: &TopologySettings) -> Option<RowFormat> {
    settings
        .value("dsl.store.format")
        .map(|format| if format.eq_ignore_ascii_case("headers") { RowFormat::Headers } else { RowFormat::Timestamped })
}
