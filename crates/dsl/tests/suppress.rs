//! Programs that suppress: names, topics and mistakes, as Java Kafka Streams recorded them.
#![allow(missing_docs, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use headwater_dsl::{BufferConfig, Consumed, Grouped, KTable, Materialized, StreamsBuilder, Suppressed};
use headwater_record::{DefaultSerde, SharedSerde};
use headwater_store::{Logging, StoreKind};
use headwater_topology::{Topology, TopologySettings};
use headwater_window::{TimeWindowedSerde, TimeWindows, Windowed};

const MS: Duration = Duration::from_millis(1);

fn until_closed<V>() -> Suppressed<Windowed<String>, V> {
    Suppressed::until_window_closes(BufferConfig::unbounded())
}

fn visits(builder: &StreamsBuilder) -> KTable<Windowed<String>, i64> {
    let grouped = builder.stream::<String, String>("in").group_by_key();
    grouped.windowed_by(TimeWindows::of_size_with_no_grace(10 * MS)).count_with(Materialized::named("c"))
}

fn lines(topology: &Topology) -> Vec<String> {
    topology.describe().lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_suppression_and_its_store_have_generated_names() {
    let builder = StreamsBuilder::new();
    let limit = Suppressed::until_time_limit(MS, BufferConfig::max_records(2));
    builder.table::<String, String>("t").suppress(limit).to_stream().to("out");
    let lines = lines(&builder.build().expect("the program has no mistakes"));
    for line in [
        "Processor: KTABLE-SUPPRESS-0000000003 (stores: [KTABLE-SUPPRESS-STATE-STORE-0000000004])",
        "Processor: KTABLE-TOSTREAM-0000000005 (stores: [])",
    ] {
        assert!(lines.iter().any(|other| other == line), "{line}");
    }
}

#[test]
fn a_named_suppression_uses_up_no_number_and_names_its_store() {
    let builder = StreamsBuilder::new();
    let _ = visits(&builder).suppress(until_closed().with_name("sup")).to_stream();
    let topology = builder.build().expect("the program has no mistakes");
    let lines = lines(&topology);
    assert!(lines.iter().any(|line| line == "Processor: sup (stores: [sup-store])"), "{lines:?}");
    let store = topology.store_named("sup-store").and_then(|id| topology.store(id)).expect("it was made");
    assert_eq!(store.spec.kind, StoreKind::Suppress);
    assert!(!store.spec.caching);
}

#[test]
fn a_changelog_is_kept_unless_it_is_switched_off_whatever_is_said_after() {
    let builder = StreamsBuilder::new();
    let table = builder.table::<String, String>("t");
    let off = BufferConfig::max_records(2).with_logging_disabled().with_max_bytes(100).shut_down_when_full();
    let _ = table.suppress(Suppressed::until_time_limit(MS, off.clone()).with_name("off"));
    let _ = table.suppress(Suppressed::until_time_limit(MS, off.with_no_bound()).with_name("still-off"));
    let settings = [("retention.ms".to_owned(), "1000".to_owned())];
    let on = BufferConfig::unbounded().with_logging_enabled(settings.clone().into()).emit_early_when_full();
    let _ = table.suppress(Suppressed::until_time_limit(MS, on).with_name("on"));
    let topology = builder.build().expect("the program has no mistakes");
    let logging = |name| topology.store(topology.store_named(name).unwrap()).unwrap().spec.logging.clone();
    assert_eq!(logging("off-store"), Logging::Disabled);
    assert_eq!(logging("still-off-store"), Logging::Disabled);
    assert_eq!(logging("on-store"), Logging::Enabled(settings.into()));
}

#[test]
fn windows_are_found_above_other_operators() {
    let builder = StreamsBuilder::new();
    let visits = visits(&builder);
    let (many, few) = (visits.filter(|_, count| *count > 9), visits.filter_not(|_, count| *count > 9));
    let _ = many.join(&few, |many, few| many + few).suppress(until_closed().with_value_serde(i64::default_serde()));
    builder.build().expect("the program has no mistakes");
}

#[test]
fn windows_that_do_not_close_are_a_mistake_which_names_the_way_to_the_topic() {
    let builder = StreamsBuilder::new();
    let key: SharedSerde<Windowed<String>> = Arc::new(TimeWindowedSerde::new(String::default_serde(), 10 * MS));
    let table =
        builder.table_with("t", Consumed::with(key.clone(), String::default_serde()), Materialized::inherited());
    let grouped = Grouped::with(key, String::default_serde());
    let regrouped = table.group_by_with(|key, value| (key.clone(), value.clone()), grouped);
    let _ = regrouped.count().suppress(until_closed());
    let _ = table.filter(|_, _| true).suppress(until_closed().with_name("no / name"));
    let mistakes: Vec<String> = match builder.build() {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    };
    let words = "Invalid topology: Window close time is only defined for windowed computations. Got";
    assert_eq!(
        mistakes.first().map(String::as_str),
        Some(&*format!(
            "{words} [root->KTABLE-SOURCE-0000000002->KTABLE-SELECT-0000000003->KSTREAM-SOURCE-0000000006->KTABLE-AGGREGATE-0000000007]."
        ))
    );
    assert!(mistakes.iter().any(|mistake| mistake.contains("no / name")), "{mistakes:?}");
    let second = format!("{words} [root->KTABLE-SOURCE-0000000002->KTABLE-FILTER-0000000010].");
    assert!(mistakes.contains(&second), "{mistakes:?}");
}

#[test]
fn a_suppression_without_serdes_is_a_mistake() {
    let builder = StreamsBuilder::new();
    let lengths = builder.table::<String, String>("t").map_values(|_, text| text.len() as i64);
    let limit = || Suppressed::until_time_limit(MS, BufferConfig::unbounded());
    let _ = lengths.suppress(limit().with_value_serde(i64::default_serde()));
    assert!(builder.build().is_ok());
    let _ = lengths.suppress(limit());
    let mistakes = builder.build().expect_err("nobody knows how the lengths are written").to_string();
    assert!(mistakes.contains("KTABLE-SUPPRESS-0000000006 has no serde for the values, which are `i64`"), "{mistakes}");
    assert!(mistakes.contains("add `.or_by_type()` to the `Suppressed`"), "{mistakes}");
}

#[test]
fn a_generated_buffer_counts_as_unnamed_by_its_changelog_only() {
    let settings = TopologySettings::new().with("ensure.explicit.internal.resource.naming", "true");
    let builder = StreamsBuilder::with_settings(settings);
    let _ = visits(&builder).suppress(until_closed());
    let mistakes = builder.build().expect_err("names were generated").to_string();
    let expected = "Invalid topology: Following changelog topic(s) has not been named: KTABLE-SUPPRESS-STATE-STORE-0000000003-changelog\n";
    assert_eq!(mistakes, expected);
}
