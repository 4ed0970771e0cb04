//! With a cache, changes leave at a commit or when the cache is full.

use headwater_topology::ProcessError;

use crate::bench::{Bench, Setting};

const SETTING: Setting = Setting { cache: Some(1 << 20), send_old: true, owned: true, measured: true };

/// What an entry of a one-letter key and a one-letter value weighs: key, node, flag, timestamp and value, context with topic `in`.
const ENTRY: usize = 1 + 24 + 1 + (8 + 1) + (20 + 2);

#[test]
fn updates_of_a_key_become_one_change_in_the_order_of_last_updates() {
    let mut bench = Bench::new(SETTING);
    for (key, command) in [("a", "+1"), ("b", "+2"), ("a", "+3")] {
        assert!(bench.push(key, command, 5).unwrap().is_empty());
    }
    let expected = ["log b 2 @5", "out b 2<-- from 1 @5", "log a 13 @5", "out a 13<-- from 2 @5"];
    assert_eq!(bench.flush(), expected);
    assert!(bench.flush().is_empty());
}

#[test]
fn the_old_value_is_that_of_the_last_flush() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1", 5).unwrap();
    bench.flush();
    bench.push("a", "+2", 6).unwrap();
    bench.push("a", "+3", 4).unwrap();
    assert_eq!(bench.flush(), ["log a 123 @6", "out a 123<-1 from 2 @6"]);
}

#[test]
fn a_tombstone_leaves_only_when_there_was_a_value() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1", 5).unwrap();
    bench.push("a", "-", 6).unwrap();
    assert!(bench.flush().is_empty());
    bench.push("a", "+1", 5).unwrap();
    bench.flush();
    bench.push("a", "-", 7).unwrap();
    assert_eq!(bench.push("a", "?", 8).unwrap(), ["out a - @0"]);
    assert_eq!(bench.flush(), ["log a - @7", "out a -<-1 from 3 @7"]);
    assert_eq!(bench.budget.used(), 0);
}

#[test]
fn a_tombstone_of_a_store_without_owner_is_always_written() {
    let mut bench = Bench::new(Setting { owned: false, ..SETTING });
    bench.push("a", "-", 6).unwrap();
    assert_eq!(bench.flush(), ["log a - @6"]);
}

#[test]
fn an_entry_weighs_the_same_read_or_written_but_for_its_topic() {
    let mut bench = Bench::new(Setting { cache: Some(ENTRY), ..SETTING });
    bench.push("a", "+1", 5).unwrap();
    assert_eq!(bench.budget.used(), ENTRY);
    assert_eq!(bench.push("b", "+1", 5).unwrap().len(), 4, "a has to go, and b is written with it");
    assert_eq!(bench.budget.used(), ENTRY);
    assert_eq!(bench.push("a", "?", 6).unwrap(), ["out a 1 @5 @0"], "b is clean and goes silently");
    assert_eq!(bench.budget.used(), ENTRY - "in".len());
}

#[test]
fn the_entry_used_longest_ago_leaves_first_and_takes_the_others_changes_along() {
    let mut bench = Bench::new(Setting { cache: Some(2 * ENTRY), ..SETTING });
    bench.push("a", "+1", 1).unwrap();
    bench.push("b", "+2", 2).unwrap();
    bench.push("a", "?", 3).unwrap();
    let left = bench.push("c", "+3", 4).unwrap();
    let expected = [
        "log b 2 @2",
        "out b 2<-- from 1 @2",
        "log a 1 @1",
        "out a 1<-- from 0 @1",
        "log c 3 @4",
        "out c 3<-- from 3 @4",
    ];
    assert_eq!(left, expected);
    assert!(bench.flush().is_empty());
}

#[test]
fn a_failed_update_leaves_the_value_in_the_cache() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1", 5).unwrap();
    assert!(matches!(bench.push("a", "!", 6), Err(ProcessError::User(_))));
    assert_eq!(bench.push("a", "?", 6).unwrap(), ["out a 1 @5 @0"]);
    bench.flush();
    assert!(matches!(bench.push("a", "!!", 6), Err(ProcessError::User(_))), "what is written can be read again");
    assert_eq!(bench.push("a", "?", 6).unwrap(), ["out a 1 @5 @0"]);
}

#[test]
fn a_failed_update_that_lost_a_value_not_yet_written_is_fatal() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1", 5).unwrap();
    assert!(matches!(bench.push("a", "!!", 6), Err(ProcessError::Failed(_))));
}

#[test]
fn a_failed_update_that_took_the_value_is_undone_from_its_bytes_or_fatal() {
    let mut bench = Bench::new(Setting { measured: false, ..SETTING });
    bench.push("a", "+1", 5).unwrap();
    assert!(matches!(bench.push("a", "!!", 6), Err(ProcessError::User(_))));
    bench.push("b", "+1%", 5).unwrap();
    assert!(matches!(bench.push("b", "!!", 6), Err(ProcessError::Failed(_))), "its bytes cannot be read");
    assert_eq!(bench.flush(), ["log a 1 @5", "out a 1<-- from 0 @5"], "and nobody hears that it was deleted");
}

#[test]
fn a_value_that_has_no_bytes_leaves_the_one_before_in_the_cache() {
    let mut bench = Bench::new(Setting { measured: false, ..SETTING });
    bench.push("a", "+1", 5).unwrap();
    assert!(matches!(bench.push("a", "+#", 6), Err(ProcessError::Serde(_))));
    assert!(matches!(bench.push("b", "+#", 6), Err(ProcessError::Serde(_))));
    assert_eq!(bench.push("a", "+2", 7).unwrap(), [""; 0]);
    assert_eq!(bench.flush(), ["log a 12 @7", "out a 12<-- from 3 @7"]);
}

#[test]
fn a_listener_may_write_to_the_store_whose_flush_it_hears() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1*", 5).unwrap();
    bench.push("b", "+2", 6).unwrap();
    let flushed = bench.flush();
    assert_eq!(flushed, ["log a 1* @5", "out a 1*<-- from 0 @5", "log b 2 @6", "out b 2<-- from 1 @6"]);
    assert_eq!(bench.push("a", "?", 7).unwrap(), ["out a again @5 @0"]);
    assert_eq!(bench.flush(), ["log a again @5", "out a again<-1* from 0 @5"]);
}

#[test]
fn a_flush_that_comes_back_into_a_full_cache_ends() {
    let mut bench = Bench::new(Setting { cache: Some(0x10), ..SETTING });
    let left = bench.push("a", "+1*", 5).unwrap();
    let expected = ["log a 1* @5", "out a 1*<-- from 0 @5", "log a again @5", "out a again<-1* from 0 @5"];
    assert_eq!(left, expected);
}

#[test]
fn a_range_sees_the_cache_over_the_store() {
    let mut bench = Bench::new(SETTING);
    for key in ["a", "b", "c"] {
        bench.push(key, "=x", 1).unwrap();
    }
    bench.flush();
    bench.push("b", "-", 2).unwrap();
    bench.push("c", "=y", 2).unwrap();
    bench.push("d", "=z", 2).unwrap();
    assert_eq!(bench.push("b", ">", 3).unwrap(), ["out c y @0", "out d z @0"]);
    assert_eq!(bench.push("a", "<", 3).unwrap(), ["out d z @0", "out c y @0", "out a x @0"]);
}

#[test]
fn a_prefix_goes_both_ways_and_stops_when_told() {
    let mut bench = Bench::new(SETTING);
    // More than are read at once.
    let keys: Vec<String> = (0..600).map(|number| format!("k{number:03}")).collect();
    for key in keys.iter().map(String::as_str).chain(["j", "l", "k"]) {
        bench.push(key, "=x", 1).unwrap();
    }
    let told = |keys: &[String]| keys.iter().map(|key| format!("out {key} x @0")).collect::<Vec<_>>();
    assert_eq!(bench.push("k", "*", 2).unwrap(), [vec!["out k x @0".to_owned()], told(&keys)].concat());
    assert_eq!(bench.push("k2", "*", 2).unwrap(), told(&keys[200..300]));
    assert_eq!(bench.push("k", "*k520", 2).unwrap().len(), 522);
    let backward: Vec<String> = keys.iter().rev().take(300).cloned().collect();
    assert_eq!(bench.push("k", "~k300", 2).unwrap(), told(&backward));
    assert!(bench.push("m", "*", 2).unwrap().is_empty());
}
