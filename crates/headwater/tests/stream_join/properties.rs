//! The real thing against the model, record by record, for all small windows.

use headwater::dsl::StreamsBuilder;
use headwater::processor::{Topology, TopologySettings};
use headwater::record::{Headers, Timestamp};
use headwater::testing::TopologyTestDriver;
use headwater::window::JoinWindows;
use proptest::prelude::*;

use crate::model::{Input, Model, Output, Rows, Side, Windows};

fn join_windows(windows: Windows) -> JoinWindows {
    let grace = std::time::Duration::from_millis(windows.grace.unsigned_abs());
    let none = JoinWindows::of_time_difference_and_grace(std::time::Duration::ZERO, grace);
    none.before_millis(windows.before).after_millis(windows.after)
}

/// `left` joined with `right`, or with itself; values are numbers.
pub(crate) fn topology(rows: Rows, windows: Windows, itself: bool) -> StreamsBuilder {
    let shown = |number: Option<&String>| number.map_or("-".to_owned(), String::clone);
    let builder = StreamsBuilder::new();
    let left = builder.stream::<String, String>("left");
    let right = if itself { left.clone() } else { builder.stream("right") };
    let windows = join_windows(windows);
    let joined = match rows {
        Rows::Inner => left.join(&right, |_, one, other| format!("{one} {other}"), windows),
        Rows::Left => left.left_join(&right, move |_, one, other| format!("{one} {}", shown(other)), windows),
        Rows::Outer => {
            left.outer_join(&right, move |_, one, other| format!("{} {}", shown(one), shown(other)), windows)
        }
    };
    joined.to("out");
    builder
}

fn in_memory(topology: Topology) -> TopologyTestDriver {
    TopologyTestDriver::builder(topology).setting("dsl.store.suppliers.class", "in_memory").build().unwrap()
}

/// What is said when the record comes.
pub(crate) fn pipe(driver: &TopologyTestDriver, input: Input) -> Vec<Output> {
    let topic = if input.side == Side::Left { "left" } else { "right" };
    let (key, value) = (input.key.to_string(), input.number.to_string());
    let timestamp = Timestamp::from_millis(input.time);
    driver.pipe(topic, Some(key.as_bytes()), Some(value.as_bytes()), timestamp, &Headers::new()).unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let shown = |record: &headwater::record::OwnedRecord| {
        let value = text(record.value.as_deref());
        let (left, right) = value.split_once(' ').unwrap();
        let key = text(record.key.as_deref()).chars().next().unwrap();
        (key, left.parse().ok(), right.parse().ok(), record.timestamp.millis())
    };
    driver.read_records("out").iter().map(shown).collect()
}

/// Records whose times jump to and fro.
pub(crate) fn inputs(steps: Vec<(bool, char, i64)>) -> Vec<Input> {
    let mut now = 5;
    let input = |(number, (left, key, step)): (usize, (bool, char, i64))| {
        now = (now + step).max(0);
        Input { side: if left { Side::Left } else { Side::Right }, key, time: now, number }
    };
    steps.into_iter().enumerate().map(input).collect()
}

/// Side, key and the way to the next time, which is often none.
pub(crate) fn steps(side: impl Strategy<Value = bool>) -> impl Strategy<Value = Vec<(bool, char, i64)>> {
    let step = prop_oneof![Just(0), 0..4_i64, -6..8_i64];
    prop::collection::vec((side, prop::char::range('a', 'b'), step), 0..30)
}

fn small_windows() -> impl Iterator<Item = Windows> {
    let sides = (-2..5).flat_map(|before| (-2..5).map(move |after| (before, after)));
    let all = sides.filter(|(before, after)| before + after >= 0);
    all.flat_map(|(before, after)| [0, 1, 3].map(|grace| Windows { before, after, grace }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Results without partner came too early (KAFKA-10847); those of windows that are longer to one side were wrong or missing
    /// (KAFKA-13721, KAFKA-15417).
    #[test]
    fn every_result_comes_when_the_model_has_it(
        steps in steps(any::<bool>()),
    ) {
        let inputs = inputs(steps);
        for windows in small_windows() {
            for rows in [Rows::Inner, Rows::Left, Rows::Outer] {
                let driver = in_memory(topology(rows, windows, false).build().unwrap());
                let mut model = Model::new(rows, windows);
                for input in &inputs {
                    prop_assert_eq!(pipe(&driver, *input), model.take(*input), "{:?} {:?} at {:?}", rows, windows, input);
                }
            }
        }
    }

    #[test]
    fn a_stream_joined_with_itself_in_one_store_says_what_it_says_in_two(
        steps in steps(Just(true)),
    ) {
        let inputs = inputs(steps);
        let rule = TopologySettings::new().with("topology.optimization", "single.store.self.join");
        // As long as nothing is forgotten, and records lie in their own windows.
        for windows in small_windows().filter(|windows| windows.before >= 0 && windows.after >= 0 && windows.grace == 0) {
            let windows = Windows { grace: 1000, ..windows };
            let builder = topology(Rows::Inner, windows, true);
            let two = in_memory(builder.build().unwrap());
            let one = in_memory(builder.build_with(&rule).unwrap());
            for input in &inputs {
                prop_assert_eq!(pipe(&one, *input), pipe(&two, *input), "{:?} at {:?}", windows, input);
            }
        }
    }
}
