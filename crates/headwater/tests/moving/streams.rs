//! Streams: in windows and sessions, suppressed, joined with each other, and aggregated together.

use std::time::Duration;

use headwater::dsl::SessionWindowedKStream;
use headwater::prelude::*;

use crate::draft::Draft;

/// More than input is apart, and less than the leap at its end.
const GRACE: Duration = Duration::from_mins(5);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn tumbling() -> TimeWindows {
    TimeWindows::of_size_with_no_grace(ms(50))
}

fn sliding() -> SlidingWindows {
    SlidingWindows::of_time_difference_with_no_grace(ms(30))
}

fn sessions() -> SessionWindows {
    SessionWindows::of_inactivity_gap_with_no_grace(ms(60))
}

pub(crate) fn windows(draft: &Draft) {
    let grouped = draft.left().group_by_key();
    draft.windows(&grouped.windowed_by(tumbling().advance_by(ms(20))).count());
    draft.windows(&grouped.windowed_by(sliding()).count());
    draft.windows(&grouped.windowed_by(UnlimitedWindows::of()).count());
}

pub(crate) fn sessions_of_activity(draft: &Draft) {
    let by_session: SessionWindowedKStream<String, String> = draft.left().group_by_key().windowed_by(sessions());
    draft.windows(&by_session.count());
    draft.windows(&by_session.reduce(|one, other| format!("{one}{other}")));
}

/// Their stores keep windows until those are looked for: by themselves they forget a window when it closes.
pub(crate) fn emitted_on_close(draft: &Draft) {
    let (grouped, emit) = (draft.left().group_by_key(), || EmitStrategy::OnWindowClose);
    let kept = |name: &str| Materialized::by_type().with_name(name).with_retention(Duration::from_hours(1));
    draft.each_window(&grouped.windowed_by(tumbling()).emit_strategy(emit()).count_with(kept("tumbling")));
    draft.each_window(&grouped.windowed_by(sliding()).emit_strategy(emit()).count_with(kept("sliding")));
    draft.each_window(&grouped.windowed_by(sessions()).emit_strategy(emit()).count_with(kept("sessions")));
}

pub(crate) fn suppressions(draft: &Draft) {
    let grouped = draft.left().group_by_key();
    let limit = BufferConfig::max_records(1_000).emit_early_when_full();
    // What a cache lets through depends on when it is flushed, and so on the moves.
    let counts = grouped.count_with(Materialized::by_type().with_name("counts").with_caching_disabled());
    draft.rows(&counts.suppress(Suppressed::until_time_limit(ms(40), limit)));
    let finals = || Suppressed::until_window_closes(BufferConfig::unbounded());
    draft.each_window(&grouped.windowed_by(tumbling()).count().suppress(finals()));
    draft.each_window(&grouped.windowed_by(sessions()).count().suppress(finals()));
}

pub(crate) fn joins_of_streams(draft: &Draft) {
    fn pair(_: &String, one: Option<&String>, other: Option<&String>) -> String {
        format!("{one:?} {other:?}")
    }
    let near = || JoinWindows::of_time_difference_and_grace(ms(60), GRACE);
    let (left, right) = (draft.left(), draft.right());
    draft.each(&left.left_join(&right, |key, one, other| pair(key, Some(one), other), near()));
    draft.each(&left.outer_join(&right, pair, near()));
    draft.each(&left.join(&left, |_, one, other| format!("{one} {other}"), near()));
    let [one, other] = [&left, &right].map(|stream| stream.map(|key, value| (value.clone(), key.clone())));
    draft.each(&one.join(&other, |_, one, other| format!("{one} {other}"), near()));
}

pub(crate) fn aggregates_together(draft: &Draft) {
    let (one, other) = (draft.left().group_by_key(), draft.right().group_by(|_, value| format!("k{value}")));
    let together = one.cogroup(|_, _, sum: i64| sum + 1).cogroup(&other, |_, _, sum| sum + 1_000);
    draft.rows(&together.aggregate(|| 0));
    let hops = TimeWindows::of_size_and_grace(ms(60), GRACE).advance_by(ms(20));
    draft.windows(&together.windowed_by(hops).aggregate(|| 0));
    let near = SlidingWindows::of_time_difference_and_grace(ms(30), GRACE);
    draft.windows(&together.windowed_by(near).aggregate(|| 0));
    let gaps = SessionWindows::of_inactivity_gap_and_grace(ms(30), GRACE);
    draft.windows(&together.windowed_by(gaps).aggregate(|| 0, |_, one, other| one + other));
}
