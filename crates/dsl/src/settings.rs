//! What the settings of a build change in a topology that was drafted.

use headwater_topology::TopologySettings;
use headwater_topology::node::Effect;

/// What a processor does to records, as far as the optimiser asks: nothing, unless Kafka's own switch says that it may change keys
/// or values (KAFKA-19668).
pub(crate) fn effect_of_process(settings: &TopologySettings, changes_key: bool) -> Effect {
    match (settings.is_on("__enable.process.processValue.fix__"), changes_key) {
        (false, _) => Effect::Plain,
        (true, true) => Effect::ChangesKey,
        (true, false) => Effect::ChangesValue,
    }
}
