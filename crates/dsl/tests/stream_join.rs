//! What a join of streams refuses, and what it writes into a topology.
#![cfg(test)]

use std::time::Duration;

use headwater_dsl::{StreamJoined, StreamsBuilder};
use headwater_store::{Logging, RowFormat, StoreKind, StoreSpec, StoreType};
use headwater_topology::{Topology, TopologyErrors, TopologySettings};
use headwater_window::JoinWindows;

type Options = StreamJoined<String, String, String>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn windows() -> JoinWindows {
    JoinWindows::of_time_difference_and_grace(ms(10), ms(5))
}

fn left_join(windows: JoinWindows, options: Options) -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let (left, right) = (builder.stream::<String, String>("left"), builder.stream::<String, String>("right"));
    left.left_join_with(&right, |_, left, _| left.clone(), windows, options).to("out");
    builder.build()
}

fn store(name: &str, retention: Duration) -> StoreSpec {
    let kind = StoreKind::Window {
        retention,
        window_size: ms(20),
        segment_interval: StoreKind::default_segment_interval(retention),
        retain_duplicates: true,
        time_ordered: false,
        key_index: false,
    };
    StoreSpec { store_type: StoreType::InMemory, ..StoreSpec::new(name, kind) }
}

fn refused(options: Options) -> String {
    left_join(windows(), options).unwrap_err().to_string()
}

#[test]
fn windows_that_end_before_they_begin_are_a_mistake() {
    let error = left_join(windows().before_millis(-11), Options::by_type()).unwrap_err();
    assert_eq!(error.to_string(), "Window interval (ie, beforeMs+afterMs) must not be negative.");
}

#[test]
fn stores_that_do_not_fit_the_windows_are_told_in_java_s_words() {
    assert_eq!(
        refused(Options::by_type().with_this_store(store("ls", ms(30)))),
        "Window settings mismatch. WindowBytesStoreSupplier settings InMemoryWindowBytesStoreSupplier{name='ls', \
         retentionPeriod=30, windowSize=20, retainDuplicates=true} must match JoinWindows settings \
         JoinWindows{beforeMs=10, afterMs=10, graceMs=5} for the window size and retention period"
    );
    let cached = StoreSpec { caching: true, ..store("ls", ms(25)) };
    assert!(refused(Options::by_type().with_other_store(cached)).contains("cannot have a cache"));
    let of_another_kind = StoreSpec::new("ls", StoreKind::KeyValue);
    assert!(refused(Options::by_type().with_this_store(of_another_kind)).contains("must be a window store"));
    let one = store("one", ms(25));
    let twice = refused(Options::by_type().with_this_store(one.clone()).with_other_store(one));
    assert!(twice.starts_with("Both StoreSuppliers have the same name."), "{twice}");
}

/// It was kept elsewhere (KAFKA-15774), and in another format (KAFKA-16046).
#[test]
fn what_waits_is_kept_by_whom_this_stream_s_records_are_kept() {
    let topology = left_join(windows(), Options::by_type().with_this_store(store("ls", ms(25)))).unwrap();
    let spec = |name: &str| topology.store_named(name).and_then(|id| topology.store(id)).unwrap().spec.clone();
    let waiting = spec("ls-left-shared-join-store");
    assert_eq!((waiting.kind, waiting.format), (StoreKind::KeyValue, RowFormat::Plain));
    assert!(matches!(waiting.store_type, StoreType::InMemory));
    let other = spec("KSTREAM-OUTEROTHER-0000000005-store");
    assert!(matches!(other.store_type, StoreType::Configured));
    let Logging::Enabled(configs) = other.logging else { panic!("it is logged") };
    assert_eq!(configs["cleanup.policy"], "delete");
}

#[test]
fn only_the_same_stream_is_joined_in_one_store() {
    let rule = TopologySettings::new().with("topology.optimization", "all");
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    let lengths = stream.map_values(|_, value| value.len().to_string());
    let pair = |_: &String, one: &String, other: &String| format!("{one}{other}");
    stream.join(&stream, pair, windows()).to("itself");
    stream.join(&lengths, pair, windows()).to("lengths");
    let topology = builder.build_with(&rule).unwrap();
    let text = topology.describe();
    assert!(
        text.contains("Processor: KSTREAM-MERGE-0000000006 (stores: [KSTREAM-JOINTHIS-0000000004-store])"),
        "{text}"
    );
    assert!(!text.contains("KSTREAM-JOINOTHER-0000000005"), "{text}");
    assert!(text.contains("Processor: KSTREAM-JOINTHIS-0000000010"), "{text}");
}
