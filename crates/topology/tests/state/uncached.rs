//! Without a cache every write goes through at once.

use headwater_topology::ProcessError;

use crate::bench::{Bench, Setting};

const SETTING: Setting = Setting { cache: None, send_old: true, owned: true, measured: true };

#[test]
fn an_update_is_logged_and_handed_on_at_once() {
    let mut bench = Bench::new(SETTING);
    assert_eq!(bench.push("a", "+1", 5).unwrap(), ["log a 1 @5", "out a 1<-new from 0 @5"]);
    assert_eq!(bench.push("a", "+2", 3).unwrap(), ["log a 12 @5", "out a 12<-1 from 1 @5"]);
    assert_eq!(bench.push("a", "-", 7).unwrap(), ["log a - @7", "out a -<-12 from 2 @7"]);
    assert!(bench.flush().is_empty());
}

#[test]
fn old_values_are_left_out_where_nobody_wants_them() {
    let mut bench = Bench::new(Setting { send_old: false, ..SETTING });
    bench.push("a", "+1", 5).unwrap();
    assert_eq!(bench.push("a", "+2", 6).unwrap(), ["log a 12 @6", "out a 12<-- from 1 @6"]);
}

#[test]
fn a_put_is_logged_and_nobody_hears_of_it() {
    let mut bench = Bench::new(SETTING);
    assert_eq!(bench.push("a", "=1", 5).unwrap(), ["log a 1 @5"]);
    assert_eq!(bench.push("a", "?", 6).unwrap(), ["out a 1 @5 @0"]);
}

#[test]
fn a_failed_update_changes_nothing() {
    let mut bench = Bench::new(SETTING);
    bench.push("a", "+1", 5).unwrap();
    assert!(matches!(bench.push("a", "!!", 6), Err(ProcessError::User(_))));
    assert_eq!(bench.push("a", "?", 6).unwrap(), ["out a 1 @5 @0"]);
}

#[test]
fn a_range_goes_both_ways() {
    let mut bench = Bench::new(SETTING);
    for key in ["b", "c", "a"] {
        bench.push(key, "=x", 1).unwrap();
    }
    assert_eq!(bench.push("b", ">", 2).unwrap(), ["out b x @0", "out c x @0"]);
    assert_eq!(bench.push("a", "<", 2).unwrap(), ["out c x @0", "out b x @0", "out a x @0"]);
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
