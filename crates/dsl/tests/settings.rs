//! What the settings of a build change.
#![allow(missing_docs, reason = "tests")]

use headwater_dsl::{Consumed, Materialized, StreamsBuilder};
use headwater_store::{RowFormat, StoreKind, StoreSpec};
use headwater_topology::{Topology, TopologySettings};

fn built(builder: &StreamsBuilder, settings: &[(&str, &str)]) -> Topology {
    let settings: TopologySettings = settings.iter().copied().collect();
    builder.build_with(&settings).expect("the program has no mistakes")
}

fn changelog(topology: &Topology, store: &str) -> Option<String> {
    let id = topology.store_named(store).expect("the store was made");
    topology.store(id).and_then(|store| store.source_changelog.clone())
}

fn format(topology: &Topology, store: &str) -> RowFormat {
    let id = topology.store_named(store).expect("the store was made");
    topology.store(id).expect("the store is there").spec.format
}

#[test]
fn a_source_topic_serves_as_changelog_when_the_settings_say_so() {
    let builder = StreamsBuilder::new();
    let _ = builder.table_with("t", Consumed::<String, String>::by_type(), Materialized::named("kept"));
    builder.stream::<String, String>("in").to_table_with(Materialized::named("of-stream")).to_stream().to("out");
    for reuse in ["all", "merge.repartition.topics,reuse.ktable.source.topics"] {
        let topology = built(&builder, &[("topology.optimization", reuse)]);
        assert_eq!(changelog(&topology, "kept").as_deref(), Some("t"), "{reuse}");
        assert_eq!(changelog(&topology, "of-stream"), None, "{reuse}");
    }
    for no_reuse in ["none", "merge.repartition.topics"] {
        assert_eq!(changelog(&built(&builder, &[("topology.optimization", no_reuse)]), "kept"), None, "{no_reuse}");
    }
}

#[test]
fn the_row_format_is_for_stores_of_operators_only() {
    let builder = StreamsBuilder::new();
    let own = StoreSpec { format: RowFormat::Timestamped, ..StoreSpec::new("own", StoreKind::KeyValue) };
    builder.add_state_store(own);
    builder
        .stream::<String, String>("in")
        .group_by_key()
        .count_with(Materialized::named("counts"))
        .to_stream()
        .to("out");
    let topology = built(&builder, &[("dsl.store.format", "HEADERS")]);
    assert!(matches!(format(&topology, "counts"), RowFormat::Headers));
    assert!(matches!(format(&topology, "own"), RowFormat::Timestamped));
    assert!(matches!(format(&built(&builder, &[("dsl.store.format", "default")]), "counts"), RowFormat::Timestamped));
}

#[test]
fn an_optimization_that_does_not_exist_is_a_mistake() {
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").to("out");
    let settings: TopologySettings = [("topology.optimization", "none,merge.repartition.topics")].into_iter().collect();
    let mistakes = builder.build_with(&settings).expect_err("none stands alone").to_string();
    assert!(
        mistakes.starts_with("\"none,merge.repartition.topics\" is not a valid optimization config."),
        "{mistakes}"
    );
    let rules = "reuse.ktable.source.topics, merge.repartition.topics, single.store.self.join";
    for wrong in ["none,merge.repartition.topics", "sum"] {
        let mistakes = builder.build_with(&TopologySettings::new().with("topology.optimization", wrong));
        let mistakes = mistakes.expect_err("it is none of them").to_string();
        let cure =
            format!("topology.optimization is none, all, or some of {rules}, separated by commas, and not {wrong:?}");
        assert!(mistakes.ends_with(&cure), "{mistakes}");
    }
}

#[test]
fn a_misspelt_setting_is_a_mistake_that_names_the_one_that_was_meant() {
    for wrong in ["topology.optimisation", "TOPOLOGY_OPTIMIZATION", "topology.optimizations"] {
        let settings = || TopologySettings::new().with(wrong, "all");
        let given_at_last = StreamsBuilder::new().build_with(&settings());
        for built in [given_at_last, StreamsBuilder::with_settings(settings()).build()] {
            let mistakes = built.expect_err("there is no such setting").to_string();
            assert!(mistakes.starts_with(wrong), "{mistakes}");
            assert!(mistakes.contains("did you mean topology.optimization?"), "{mistakes}");
        }
    }
    let settings = TopologySettings::new().with("ensure.explicit.internal.resource.naming", "yes");
    let mistakes = StreamsBuilder::new().build_with(&settings).expect_err("yes is no flag").to_string();
    assert_eq!(mistakes, "ensure.explicit.internal.resource.naming: \"yes\" is not true or false");
}

#[test]
fn generated_names_are_mistakes_where_explicit_ones_are_asked_for() {
    let settings = TopologySettings::new().with("ensure.explicit.internal.resource.naming", "true");
    let builder = StreamsBuilder::with_settings(settings);
    builder.stream::<String, String>("in").group_by(|_, text| text.clone()).count().to_stream().to("out");
    let mistakes = builder.build().expect_err("names were generated").to_string();
    let expected = "Invalid topology: Following changelog topic(s) has not been named: KSTREAM-AGGREGATE-STATE-STORE-0000000002-changelog\nFollowing state store(s) has not been named: KSTREAM-AGGREGATE-STATE-STORE-0000000002\nFollowing repartition topic(s) has not been named: KSTREAM-AGGREGATE-STATE-STORE-0000000002-repartition\n";
    assert_eq!(mistakes, expected);
}

#[test]
fn a_table_needs_a_name_for_its_store_before_anybody_needs_the_store() {
    let settings = || TopologySettings::new().with("ensure.explicit.internal.resource.naming", "true");
    let builder = StreamsBuilder::with_settings(settings());
    builder.table::<String, String>("stock").to_stream().to("out");
    let _ = builder.stream::<String, String>("in").to_table();
    let mistakes = builder.build().expect_err("names were generated").to_string();
    let stores = "has not been named: stock-STATE-STORE-0000000000, KSTREAM-TOTABLE-STATE-STORE-0000000007\n";
    assert!(mistakes.contains(stores), "{mistakes}");
    let named = StreamsBuilder::with_settings(settings());
    let kept = Materialized::named("pieces");
    named.table_with("stock", Consumed::<String, String>::by_type(), kept).to_stream().to("out");
    assert!(named.build().is_ok());
}
