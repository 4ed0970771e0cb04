//! What a suppression tells of itself, to whatever recorder the process has installed with the crate `metrics`.

use headwater_topology::{NodeId, Wiring};
use metrics::{Counter, Histogram, Level, counter, histogram};

/// The meters of one suppression in one task, on the level on which Java records them. A recorder that is installed later than
/// they are made hears nothing of them.
pub(super) struct Meters {
    emitted: Counter,
    records: Histogram,
    bytes: Histogram,
}

impl Meters {
    /// Those of `node`, whose changes wait in `store`.
    pub(super) fn new(wiring: &Wiring<'_>, node: NodeId, store: &str) -> Self {
        let (task, node, store) = (wiring.task().to_string(), wiring.name(node).to_string(), store.to_owned());
        let emit = "headwater_suppression_emit_total";
        let (records, bytes) = ("headwater_suppression_buffer_records", "headwater_suppression_buffer_bytes");
        Meters {
            emitted: counter!(level: Level::DEBUG, emit, "task" => task.clone(), "node" => node),
            records: histogram!(level: Level::DEBUG, records, "task" => task.clone(), "store" => store.clone()),
            bytes: histogram!(level: Level::DEBUG, bytes, "task" => task, "store" => store),
        }
    }

    /// A change was handed on.
    pub(super) fn emitted(&self) {
        self.emitted.increment(1);
    }

    /// What waits has changed.
    pub(super) fn buffered(&self, records: usize, bytes: usize) {
        self.records.record(records as f64);
        self.bytes.record(bytes as f64);
    }
}
