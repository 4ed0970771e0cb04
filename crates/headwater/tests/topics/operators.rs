//! Every operator that has a repartition topic or a store.

use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::prelude::*;

use crate::branded::branded;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn consumed() -> Consumed<String, String> {
    Consumed::with(branded(), branded())
}

fn produced() -> Produced<String, String> {
    Produced::with(branded(), branded())
}

fn grouped() -> Grouped<String, String> {
    Grouped::with(branded(), branded())
}

fn kept() -> Materialized<String, String> {
    Materialized::inherited().with_key_serde(branded()).with_value_serde(branded())
}

fn join(one: &str, other: &str) -> String {
    format!("{one}{other}")
}

/// The inputs are `in`, `rows`, `others`, `versions` and `shops`.
pub(crate) fn topology(settings: &TopologySettings) -> Topology {
    let builder = StreamsBuilder::new();
    let input: KStream<String, String> = builder.stream_with("in", consumed());
    let moved = input.select_key(|_, value| value.clone());
    aggregates(&input, &moved);
    joins_of_streams(&input, &moved);
    tables(&builder, &input, &moved);
    processors(&builder, &moved);
    builder.build_with(settings).unwrap()
}

fn aggregates(input: &KStream<String, String>, moved: &KStream<String, String>) {
    moved.repartition_with(Repartitioned::with(branded(), branded())).to_with("repartitioned", produced());
    let reduced = moved.group_by_key_with(grouped()).reduce_with(|one, other| join(&one, other), kept());
    reduced.to_stream().to_with("reduced", Produced::inherited());
    let by_key = input.group_by_key_with(grouped());
    let tumbling = TimeWindows::of_size_with_no_grace(MINUTE);
    let windows = by_key.windowed_by(tumbling).reduce_with(|one, other| join(&one, other), kept());
    windows.suppress(Suppressed::until_window_closes(BufferConfig::unbounded())).to_stream().for_each(|_, _| ());
    let sliding = SlidingWindows::of_time_difference_with_no_grace(MINUTE);
    by_key.windowed_by(sliding).reduce_with(|one, other| join(&one, other), kept());
    let sessions = SessionWindows::of_inactivity_gap_with_no_grace(MINUTE);
    by_key.windowed_by(sessions).reduce_with(|one, other| join(&one, other), kept());

    let add = |_: &String, value: &String, sum: String| join(&sum, value);
    let together = by_key.cogroup(add).cogroup(&moved.group_by_key_with(grouped()), add);
    together.aggregate_with(String::new, kept()).to_stream().to_with("together", Produced::inherited());
    together.windowed_by(TimeWindows::of_size_with_no_grace(MINUTE)).aggregate_with(String::new, kept());
    together.windowed_by(sliding).aggregate_with(String::new, kept());
    together.windowed_by(sessions).aggregate_with(String::new, |_, one, other| join(&one, other), kept());
}

fn joins_of_streams(input: &KStream<String, String>, moved: &KStream<String, String>) {
    let near = || JoinWindows::of_time_difference_and_grace(MINUTE, MINUTE);
    let joined = || StreamJoined::with(branded(), branded(), branded());
    let both = |_: &String, one: &String, other: &String| join(one, other);
    moved.join_with(input, both, near(), joined()).to_with("pairs", produced());
    let either = |_: &String, one: Option<&String>, other: Option<&String>| format!("{one:?}{other:?}");
    moved.outer_join_with(input, either, near(), joined()).to_with("either", produced());
    input.join_with(input, both, near(), joined()).to_with("with-itself", produced());
}

fn tables(builder: &StreamsBuilder, input: &KStream<String, String>, moved: &KStream<String, String>) {
    let table = builder.table_with("rows", consumed(), Materialized::inherited());
    let other = builder.table_with("others", consumed(), Materialized::named("kept"));
    let global = builder.global_table_with("shops", consumed(), Materialized::inherited());
    let joined = table.join(&other, |one, other| join(one, other)).to_stream();
    joined.map_values(|_, value| value.clone().unwrap_or_default()).to_with("joined", produced());
    let limit = BufferConfig::max_records(1).emit_early_when_full();
    let limited = table.suppress(Suppressed::until_time_limit(Duration::from_millis(5), limit));
    limited.to_stream().to_with("suppressed", Produced::inherited());
    let groups = table.group_by_with(|_, value| (value.clone(), value.clone()), grouped());
    let sums = groups.reduce_with(|one, other| join(&one, other), |one, _| one, kept());
    sums.to_stream().to_with("sums", Produced::inherited());
    moved.to_table_with(kept()).to_stream().to_with("tabled", Produced::inherited());
    let mapped = table.map_values_with(|_, value| join(value, value), kept().with_name("mapped"));
    mapped.to_stream().to_with("mapped-rows", Produced::inherited());
    let transformed = table.transform_values_with(|_, value| value.cloned(), kept().with_name("transformed"));
    transformed.to_stream().to_with("transformed-rows", Produced::inherited());
    let by_types = Joined::with(branded(), branded());
    moved.join_table_with(&other, |_, one, other| join(one, other), by_types).to_with("found", produced());
    input.join_global(&global, |key, _| key.clone(), |_, one, shop| join(one, shop)).to_with("cities", produced());
    let rows = table.join_on_with(
        &other,
        |_, value| value.clone(),
        |one, other| join(one, other),
        TableJoined::inherited().with_name("lookup"),
        kept(),
    );
    rows.to_stream().to_with("looked-up", Produced::inherited());

    let history = Materialized::inherited().in_versioned_store("history", HOUR, MINUTE);
    let versions = builder.table_with("versions", consumed(), history);
    versions.to_stream().to_with("latest", Produced::inherited());
    let waits = Joined::with(branded(), branded()).with_grace_period(Duration::from_millis(1)).with_name("waiting");
    input.join_table_with(&versions, |_, one, other| join(one, other), waits).to_with("waited", produced());
}

/// Keeps each value in a store of each kind.
struct Keeps {
    latest: Rc<KeyValueState<String, String>>,
    windows: Rc<WindowState<String, String>>,
    sessions: Rc<SessionState<String, String>>,
    versions: Rc<VersionedState<String, String>>,
}

impl Processor<String, String, String, String> for Keeps {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let Record { key, value, timestamp: at, headers, .. } = record;
        let before = self.latest.value(cx, key)?.unwrap_or_default();
        self.latest.put_at(cx, key, value.clone(), &record)?;
        self.windows.put_at(cx, key, at, value.clone(), &record)?;
        let session = headwater::window::Window::new(at, at);
        self.sessions.put(cx.task(), key, session, Some(value.clone()), at, headers)?;
        let latest = self.versions.get(key)?.map(|version| version.value).unwrap_or_default();
        let _ = self.versions.put(cx.task(), key, Some(value.clone()), at)?;
        let kept = (self.windows.fetch(key, at)?, self.sessions.fetch(key, session)?);
        cx.forward(Record::new(key, &format!("{before} {latest} {kept:?}"), at, headers))
    }
}

fn processors(builder: &StreamsBuilder, moved: &KStream<String, String>) {
    builder.add_state_store(StoreSpec::key_value("latest").with_caching_enabled());
    builder.add_state_store(StoreSpec::window("windows", HOUR, MINUTE));
    builder.add_state_store(StoreSpec::session("sessions", HOUR));
    builder.add_state_store(StoreSpec::versioned("versions-of-processor", HOUR));
    let supplier = |stores: &mut StoreAccess<'_, '_>| {
        Ok(Keeps {
            latest: stores.key_value(&StoreHandle::with("latest", branded(), branded()))?,
            windows: stores.window(&StoreHandle::with("windows", branded(), branded()))?,
            sessions: stores.session(&StoreHandle::with("sessions", branded(), branded()))?,
            versions: stores.versioned(&StoreHandle::with("versions-of-processor", branded(), branded()))?,
        })
    };
    let names = ["latest", "windows", "sessions", "versions-of-processor"];
    moved.process(supplier, &names).to_with("processed", produced());
}
