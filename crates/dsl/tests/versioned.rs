//! What versioned tables cannot be, and which tables have versions.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use headwater_dsl::{BufferConfig, Consumed, Joined, KTable, Materialized, StreamsBuilder, Suppressed};
use headwater_window::{SessionWindows, TimeWindows};

const HOUR: Duration = Duration::from_hours(1);

fn versioned(builder: &StreamsBuilder) -> KTable<String, String> {
    let kept = Materialized::versioned("versions", HOUR);
    builder.table_with("rows", Consumed::<String, String>::by_type(), kept)
}

fn mistake(write: impl FnOnce(&StreamsBuilder)) -> String {
    let builder = StreamsBuilder::new();
    write(&builder);
    builder.build().unwrap_err().to_string()
}

fn unsuppressed() -> Suppressed<String, String> {
    Suppressed::until_time_limit(HOUR, BufferConfig::max_records(1).emit_early_when_full())
}

#[test]
fn versions_are_not_suppressed_and_not_global() {
    let words = "Invalid topology: suppress() is only supported for non-versioned KTables";
    assert_eq!(mistake(|builder| drop(versioned(builder).suppress(unsuppressed()))), words);
    let inherited = mistake(|builder| drop(versioned(builder).filter(|_, _| true).suppress(unsuppressed())));
    assert_eq!(inherited, format!("{words} (note that version semantics might be inherited from upstream)"));
    let global = mistake(|builder| {
        let kept = Materialized::versioned("versions", HOUR);
        let _ = builder.global_table_with("rows", Consumed::<String, String>::by_type(), kept);
    });
    assert_eq!(global, "Invalid topology: GlobalTables cannot be versioned.");
}

#[test]
fn windows_and_sessions_have_no_versions() {
    for windows in [true, false] {
        let words = mistake(|builder| {
            let grouped = builder.stream::<String, String>("in").group_by_key();
            let kept = Materialized::versioned("versions", HOUR);
            if windows {
                let _ = grouped.windowed_by(TimeWindows::of_size_with_no_grace(HOUR)).count_with(kept);
            } else {
                let _ = grouped.windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(HOUR)).count_with(kept);
            }
        });
        assert!(words.starts_with("store versions keeps windows or sessions, which have no versions"), "{words}");
    }
}

#[test]
fn segments_have_a_width() {
    let words = mistake(|builder| {
        let kept = Materialized::inherited().in_versioned_store("versions", HOUR, Duration::ZERO);
        let _ = builder.table_with("rows", Consumed::<String, String>::by_type(), kept);
    });
    assert!(words.starts_with("segmentInterval cannot be zero or negative"), "{words}");
}

#[test]
fn a_grace_period_asks_for_versions_that_are_kept_as_long() {
    let joined = |grace: Duration, made: fn(&KTable<String, String>) -> KTable<String, String>| {
        let builder = StreamsBuilder::new();
        let table = made(&versioned(&builder));
        let joined = Joined::inherited().with_grace_period(grace);
        let stream = builder.stream::<String, String>("in");
        stream.join_table_with(&table, |_, one, other| format!("{one}{other}"), joined).to("out");
        builder.build().map(|topology| topology.describe()).map_err(|mistakes| mistakes.to_string())
    };
    // A table that is made of one with versions, and kept nowhere, has them.
    for made in [KTable::clone, |table: &KTable<String, String>| table.filter(|_, row| !row.is_empty())] {
        assert!(joined(HOUR, made).unwrap().contains("-Buffer"));
        let short = joined(HOUR * 2, made).unwrap_err();
        assert_eq!(short, "History retention must be at least grace period.");
    }
    // One that is kept without, or would be if its store had a name, or is joined of two, has none.
    let without: [fn(&KTable<String, String>) -> KTable<String, String>; 3] = [
        |table| table.filter_with(|_, _| true, Materialized::named("latest")),
        |table| table.filter_with(|_, _| true, Materialized::inherited()),
        |table| table.join(table, |one, other| format!("{one}{other}")),
    ];
    for made in without {
        let words = joined(HOUR, made).unwrap_err();
        assert_eq!(words, "KTable must be versioned to use a grace period in a stream table join.");
    }
}
