//! Sessions whose results are handed on when they close, on the test driver as it is by default.
#![cfg(test)]

use std::time::Duration;

use headwater::dsl::{EmitStrategy, Produced, StreamsBuilder};
use headwater::testing::TopologyTestDriver;
use headwater::window::SessionWindows;

#[test]
fn every_closed_session_is_told_once_however_far_stream_time_leaps() {
    let builder = StreamsBuilder::new();
    let gap = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    let sessions = builder.stream::<String, String>("in").group_by_key().windowed_by(gap);
    let closed = sessions.emit_strategy(EmitStrategy::OnWindowClose).count().to_stream();
    let shown = closed.map(|session, count| {
        let window = session.window;
        (format!("{}@{}/{}", session.key, window.start.millis(), window.end.millis()), count.unwrap_or_default())
    });
    shown.to_with("out", Produced::by_type());
    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    let input = driver.input_topic::<String, String>("in");
    let times = [("k", 100), ("k", 101), ("x", 110), ("x", 115), ("x", 116), ("x", 117), ("x", 118), ("x", 119)];
    for (key, at) in times.into_iter().chain([("x", 130), ("x", 131), ("x", 160)]) {
        input.pipe_at(key.to_owned(), String::new(), at).unwrap();
    }
    let counts = driver.output_topic::<String, i64>("out").read_key_values().unwrap();
    let counts: Vec<(&str, i64)> = counts.iter().map(|(session, count)| (session.as_str(), *count)).collect();
    assert_eq!(counts, [("k@100/101", 2), ("x@110/119", 6), ("x@130/131", 2)]);
}
