//! Events that are delivered twice pass once: a processor with a window store.
//!
//! `cargo run -p headwater --no-default-features --features testing --example deduplication`

use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::prelude::*;
use headwater::testing::TopologyTestDriver;

/// An event that comes again within this time of the last is a duplicate.
const WITHIN: Duration = Duration::from_mins(10);

/// Hands on the first event of each id.
struct Deduplicate {
    seen: Rc<WindowState<String, i64>>,
}

impl Processor<(), String, (), String> for Deduplicate {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), String>,
        record: Record<'_, (), String>,
    ) -> Result<(), ProcessError> {
        let (id, at) = (record.value, record.timestamp);
        let duplicate = self.seen.any(cx, id, (at.minus(WITHIN), at.plus(WITHIN)), |_, _| true)?;
        // A duplicate is remembered too: it is the last that later ones are measured by.
        self.seen.put_at(cx, id, at, at.millis(), &record)?;
        if duplicate { Ok(()) } else { cx.forward(record) }
    }
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreSpec::window("seen", WITHIN, WITHIN));
    builder
        .values::<String>("events")
        .process(|stores| Ok(Deduplicate { seen: stores.window(&StoreHandle::named("seen"))? }), &["seen"])
        .to("distinct-events");
    builder.build()
}

/// Runs the topology on six events, of which three are new.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = TopologyTestDriver::new(topology()?)?;
    let events = driver.input_topic::<(), String>("events").auto_advance(0, Duration::from_mins(1));
    events.pipe_values(["a", "b", "a", "b", "a"])?;
    events.advance_time(2 * WITHIN);
    events.pipe_value("a")?;
    assert_eq!(driver.output_topic::<(), String>("distinct-events").read_values()?, ["a", "b", "a"]);
    Ok(())
}
