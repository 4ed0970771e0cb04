//! What the settings of a build change in a topology that was drafted.

use headwater_store::{RowFormat, StoreKind};
use headwater_topology::{Draft, StoreId, Topology, TopologySettings};

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

/// Gives the stores of the DSL this format; says whether that changed any.
pub(crate) fn use_format(draft: &Draft, topology: &Topology, own: &[StoreId], format: RowFormat) -> bool {
    let mut changed = false;
    for (id, store) in topology.stores().filter(|(id, _)| !own.contains(id)) {
        let format = match store.spec.kind {
            StoreKind::Session { .. } => of_sessions(format),
            _ if store.spec.format.has_timestamp() => format,
            _ => continue,
        };
        if store.spec.format != format {
            draft.change_store(id, |store| store.spec.format = format);
            changed = true;
        }
    }
    changed
}

/// How rows of session stores lie, which have no timestamp.
pub(crate) fn of_sessions(format: RowFormat) -> RowFormat {
    if format.has_headers() { RowFormat::HeadersOnly } else { RowFormat::Plain }
}
