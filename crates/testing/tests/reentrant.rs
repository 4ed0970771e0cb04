//! A function that changes a value of a window store may read the store meanwhile, cached or not.
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::rc::Rc;
use std::time::Duration;

use headwater_record::{DefaultSerde, Record, Timestamp};
use headwater_store::{StoreKind, StoreSpec};
use headwater_testing::TopologyTestDriver;
use headwater_topology::ProcessError;
use headwater_topology::by_hand::{NodeRef, SourceSpec, TopologyBuilder};
use headwater_topology::processor::{Processor, ProcessorContext, StoreAccess};
use headwater_topology::state::{Stamped, StoreHandle, WindowState};
use headwater_window::Window;

const SIZE_MS: i64 = 10;

/// Sums up values by windows; a window begins with what the one before it has.
struct Running(Rc<WindowState<String, i64>>);

impl Processor<String, i64, (), ()> for Running {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let state = &self.0;
        let start = record.timestamp.millis() / SIZE_MS * SIZE_MS;
        let window = Window::of_millis(start, start + SIZE_MS);
        state.with_key(record.key, |buf| {
            let mut change = |slot: &mut Option<Stamped<i64>>| {
                let before = state.fetch(record.key, Timestamp::from_millis(start - SIZE_MS))?;
                let before = before.map_or(0, |found| found.value);
                let so_far = slot.as_ref().map_or(before, |found| found.value);
                Ok::<_, ProcessError>(Stamped { value: Some(so_far + record.value), timestamp: record.timestamp })
            };
            state.update(cx.task(), (record.key, buf), window, record.timestamp, record.headers, None, &mut change)
        })
    }
}

fn sums(caching: bool) -> Vec<(i64, i64)> {
    let builder = TopologyBuilder::new();
    let source =
        builder.add_source("source", SourceSpec::topics(["in"], String::default_serde(), i64::default_serde()));
    let make = |stores: &mut StoreAccess<'_, '_>| Ok(Running(stores.window(&StoreHandle::named("w"))?));
    let _: NodeRef<(), ()> = builder.add_processor("running", make, &[&source]);
    let kind = StoreKind::Window {
        retention: Duration::from_mins(2),
        window_size: Duration::from_millis(SIZE_MS.unsigned_abs()),
        segment_interval: Duration::from_mins(1),
        retain_duplicates: false,
        time_ordered: false,
        key_index: false,
    };
    builder.add_state_store(StoreSpec { caching, ..StoreSpec::new("w", kind) }, &["running"]);
    let driver = TopologyTestDriver::builder(builder.build().unwrap())
        .setting("statestore.cache.max.bytes", "1000000")
        .build()
        .unwrap();
    let input = driver.input_topic::<String, i64>("in");
    for (value, time) in [(1, 1), (2, 2), (10, 11), (20, 12), (4, 3), (100, 21)] {
        input.pipe_at("a".to_owned(), value, time).unwrap();
    }
    let entries = driver.window_store(&StoreHandle::<String, i64>::named("w")).unwrap().entries().unwrap();
    entries.iter().map(|(key, found)| (key.window.start.millis(), found.value)).collect()
}

#[test]
fn a_change_may_read_other_windows_of_the_store() {
    let expected = [(0, 7), (10, 33), (20, 133)];
    assert_eq!(sums(false), expected);
    assert_eq!(sums(true), expected);
}
