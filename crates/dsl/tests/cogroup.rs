//! Streams that are aggregated together, as topologies.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use headwater_dsl::{BufferConfig, KGroupedStream, Materialized, StreamsBuilder, Suppressed};
use headwater_window::{SessionWindows, SlidingWindows, TimeWindows};

fn grouped(builder: &StreamsBuilder, topic: &str) -> KGroupedStream<String, i64> {
    builder.stream::<String, i64>(topic).group_by_key()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what aggregations call")]
fn add(_: &String, value: &i64, sum: i64) -> i64 {
    sum + value
}

#[test]
fn windows_of_cogrouped_streams_close_for_a_suppression() {
    const SECOND: Duration = Duration::from_secs(1);
    let builder = StreamsBuilder::new();
    let all = grouped(&builder, "a").cogroup(add).cogroup(&grouped(&builder, "b"), add);
    let closed = || Suppressed::until_window_closes(BufferConfig::unbounded());
    let by_time = all.windowed_by(TimeWindows::of_size_and_grace(SECOND, SECOND)).aggregate(|| 0);
    let _ = by_time.suppress(closed());
    let near = SlidingWindows::of_time_difference_with_no_grace(SECOND);
    let _ = all.windowed_by(near).aggregate(|| 0).suppress(closed());
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(SECOND);
    let _ = all.windowed_by(sessions).aggregate(|| 0, |_, one, other| one + other).suppress(closed());
    assert!(builder.build().is_ok());
    let _ = all.aggregate(|| 0);
    assert!(builder.build().is_ok());
}

#[test]
fn a_grouping_of_another_builder_is_a_mistake_of_both() {
    let (builder, other) = (StreamsBuilder::new(), StreamsBuilder::new());
    let _ = grouped(&builder, "a").cogroup(add).cogroup(&grouped(&other, "b"), add).aggregate(|| 0);
    for builder in [builder, other] {
        let mistakes = builder.build().map(|_| ()).unwrap_err().to_string();
        assert!(mistakes.contains("belong to different builders"), "{mistakes}");
    }
}

#[test]
fn a_store_that_forgets_too_early_is_a_mistake() {
    let builder = StreamsBuilder::new();
    let windows = TimeWindows::of_size_and_grace(Duration::from_millis(10), Duration::from_millis(5));
    let short = Materialized::by_type().with_retention(Duration::from_millis(14));
    let _ = grouped(&builder, "a").cogroup(add).windowed_by(windows).aggregate_with(|| 0, short);
    let mistakes = builder.build().map(|_| ()).unwrap_err().to_string();
    assert!(mistakes.contains("must be no smaller than its window size plus the grace period"), "{mistakes}");
}
