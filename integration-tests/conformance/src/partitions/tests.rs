//! What the rule says of programs, one operator at a time.

use std::path::Path;

use super::advance::Advance;
use super::reason::*;
use super::rule::{Plan, plan};
use super::{EXCEPTIONS, Told};
use crate::scenario::{Action, Scenario};

/// Two streams `s` and `q`, two tables `t` and `u`, a global table `g`.
const SOURCES: &str = r#"
    {"op": "stream", "id": "s", "topic": "s", "consumed": {"key": "string", "value": "string"}},
    {"op": "stream", "id": "q", "topic": "q", "consumed": {"key": "string", "value": "string"}},
    {"op": "table", "id": "t", "topic": "t", "consumed": {"key": "string", "value": "string"}},
    {"op": "table", "id": "u", "topic": "u", "consumed": {"key": "string", "value": "string"}},
    {"op": "global_table", "id": "g", "topic": "g", "consumed": {"key": "string", "value": "string"}}"#;

/// The plan of a program that writes `x` to `out`, on three partitions.
fn planned(statements: &str) -> Result<Plan, Reason> {
    let text = format!(
        r#"{{"title": "t", "dsl": [{SOURCES}, {statements}, {{"op": "to", "on": "x", "topic": "out"}}], "steps": [
            {{"pipe": "s", "key": "a", "value": "1", "ts": 7}}, {{"advance_wall_clock_ms": 5}},
            {{"pipe": "s", "key": "b", "value": "2", "ts": 3}}, {{"pipe": "t", "key": "a", "value": "3", "ts": 3}}]}}"#
    );
    plan(&Scenario::parse(Path::new("a/b.json"), &text).unwrap(), 3)
}

/// What is certain of `out`, and whether that is so when all is fed at once.
fn told(statements: &str) -> Result<(Told, bool), Reason> {
    planned(statements).map(|plan| (plan.told["out"], plan.at_once))
}

const ALL_AT_ONCE: Result<(Told, bool), Reason> = Ok((Told::All, true));
const ALL: Result<(Told, bool), Reason> = Ok((Told::All, false));
const BARE: Result<(Told, bool), Reason> = Ok((Told::Bare, false));
const LAST: Result<(Told, bool), Reason> = Ok((Told::Last, false));

fn times(plan: &Plan) -> Vec<i64> {
    let time = |action: &Action| match action {
        Action::Pipe(input) => Some(input.timestamp),
        Action::AdvanceWallClock { .. } => None,
    };
    plan.steps.iter().filter_map(|step| time(&step.action)).collect()
}

#[test]
fn what_looks_at_records_one_by_one_is_certain() {
    assert_eq!(told(r#"{"op": "filter", "id": "x", "on": "s", "predicate": "v > gt:1"}"#), ALL_AT_ONCE);
    assert_eq!(told(r#"{"op": "select_key", "id": "x", "on": "s", "key": "v"}"#), ALL_AT_ONCE);
    assert_eq!(told(r#"{"op": "merge", "id": "x", "on": "s", "other": "q"}"#), ALL_AT_ONCE);
    let plan = planned(r#"{"op": "peek", "id": "x", "on": "s"}"#).unwrap();
    assert_eq!(times(&plan), [7, 3, 3], "in the order of the scenario, without steps of the clock");
    assert_eq!((plan.until_ms, plan.left_out), (i64::MAX, None));
}

#[test]
fn a_state_is_certain_when_records_of_a_key_come_in_an_order() {
    let counted = |grouped: &str| {
        format!(r#"{grouped}, {{"op": "count", "id": "c", "on": "y"}}, {{"op": "to_stream", "id": "x", "on": "c"}}"#)
    };
    let group = |on: &str| counted(&format!(r#"{{"op": "group_by_key", "id": "y", "on": "{on}"}}"#));
    assert_eq!(told(&group("s")), ALL_AT_ONCE);
    assert_eq!(told(&counted(r#"{"op": "group_by", "id": "y", "on": "s", "key": "v"}"#)), ALL, "one after the other");
    let merged = format!(r#"{{"op": "merge", "id": "m", "on": "s", "other": "q"}}, {}"#, group("m"));
    assert_eq!(told(&merged), ALL, "of two topics");
    let twice = r#"{"op": "repartition", "id": "r", "on": "s"}, {"op": "repartition", "id": "p", "on": "s"},
                   {"op": "merge", "id": "m", "on": "r", "other": "p"}"#;
    assert_eq!(told(&format!("{twice}, {}", group("m"))), Err(SHUFFLED));
    let in_turn = r#"{"op": "repartition", "id": "r", "on": "s"}, {"op": "merge", "id": "m", "on": "r", "other": "s"}"#;
    assert_eq!(told(&format!("{in_turn}, {}", group("m"))), ALL, "the way through the topic is the longer one");
}

#[test]
fn records_that_one_record_spreads_over_partitions_come_together_in_no_order() {
    let regrouped = |on: &str, to: &str| {
        format!(
            r#"{{"op": "group_by", "id": "g{to}", "on": "{on}", "key": "v", "value": "v"}}, {{"op": "count", "id": "{to}", "on": "g{to}"}}"#
        )
    };
    let once = regrouped("t", "c");
    assert_eq!(told(&format!(r#"{once}, {{"op": "to_stream", "id": "x", "on": "c"}}"#)), ALL);
    let twice = regrouped("c", "d");
    assert_eq!(told(&format!(r#"{once}, {twice}, {{"op": "to_stream", "id": "x", "on": "d"}}"#)), Err(SHUFFLED));
}

#[test]
fn a_processor_has_its_state_where_its_records_are() {
    let counter = |on: &str| {
        format!(
            r#"{{"op": "add_state_store", "store": {{"kind": "kv", "name": "n"}}}}, {{"op": "process", "id": "x", "on": "{on}", "stores": ["n"], "processor": {{"type": "counter", "store": "n"}}}}"#
        )
    };
    assert_eq!(told(&counter("s")), ALL_AT_ONCE);
    let moved = r#"{"op": "select_key", "id": "y", "on": "s", "key": "v"}"#;
    assert_eq!(told(&format!("{moved}, {}", counter("y"))), Err(SCATTERED));
    let back = format!(r#"{moved}, {{"op": "repartition", "id": "z", "on": "y"}}, {}"#, counter("z"));
    assert_eq!(told(&back), ALL);
    let processor =
        |processor: &str| told(&format!(r#"{{"op": "process", "id": "x", "on": "s", "processor": {processor}}}"#));
    assert_eq!(processor(r#"{"type": "times"}"#), Err(OWN_TIMES));
    assert_eq!(processor(r#"{"type": "tick", "clock": "stream"}"#), Err(PUNCTUATION));
    assert_eq!(processor(r#"{"type": "tick", "clock": "wall"}"#), Err(WALL_CLOCK));
    assert_eq!(processor(r#"{"type": "kv_commands"}"#), Err(UNKNOWN));
}

#[test]
fn joins_with_tables_are_certain_unless_a_record_meets_itself() {
    let join =
        |on: &str, other: &str| format!(r#"{{"op": "join", "id": "x", "on": "{on}", "other": "{other}", "key": "k"}}"#);
    assert_eq!(told(&join("s", "t")), ALL);
    assert_eq!(told(&join("s", "g")), ALL);
    let table = r#"{"op": "repartition", "id": "r", "on": "s"}, {"op": "to_table", "id": "y", "on": "r"}"#;
    assert_eq!(told(&format!("{table}, {}", join("s", "y"))), ALL, "the stream's record is the first");
    let other = r#"{"op": "repartition", "id": "p", "on": "s"}"#;
    assert_eq!(told(&format!("{table}, {other}, {}", join("p", "y"))), Err(TWO_WAYS));
    let tables = |left: &str, how: &str| {
        told(&format!(
            r#"{{"op": "join", "id": "j", "on": "{left}", "other": "u"{how}}}, {{"op": "to_stream", "id": "x", "on": "j"}}"#
        ))
    };
    assert_eq!(tables("t", ""), ALL);
    assert_eq!(tables("t", r#", "foreign_key": "v""#), ALL);
    assert_eq!(tables("u", r#", "foreign_key": "v""#), Err(TWO_WAYS));
    let both = r#"{"op": "repartition", "id": "r", "on": "s"}, {"op": "to_table", "id": "y", "on": "r"},
                  {"op": "repartition", "id": "p", "on": "s"}, {"op": "to_table", "id": "z", "on": "p"},
                  {"op": "join", "id": "j", "on": "y", "other": "z"}, {"op": "to_stream", "id": "x", "on": "j"}"#;
    assert_eq!(told(both), LAST);
    let left = r#"{"op": "left_join", "id": "y", "on": "u", "other": "u", "foreign_key": "v"}"#;
    assert_eq!(told(&format!(r#"{left}, {{"op": "to_stream", "id": "x", "on": "y"}}"#)), LAST);
    assert_eq!(told(&format!("{left}, {}", join("s", "y"))), ALL, "the stream's record finds the last row");
    assert_eq!(
        told(&format!(r#"{left}, {{"op": "to_stream", "id": "z", "on": "u"}}, {}"#, join("z", "y"))),
        Err(TWO_WAYS)
    );
}

#[test]
fn what_waits_for_time_is_told_when_the_end_advances_it_everywhere() {
    let join =
        |op: &str| format!(r#"{{"op": "{op}", "id": "x", "on": "s", "other": "q", "windows": {{"diff_ms": 5}}}}"#);
    assert_eq!(told(&join("join")), ALL);
    let ways = r#"{"op": "repartition", "id": "r", "on": "s"}, {"op": "repartition", "id": "p", "on": "s"}"#;
    let itself = r#"{"op": "join", "id": "x", "on": "r", "other": "p", "windows": {"diff_ms": 5}}"#;
    assert_eq!(told(&format!("{ways}, {itself}")), BARE, "either may be the second");
    let left = planned(&join("left_join")).unwrap();
    assert_eq!(left.told["out"], Told::Bare);
    let (times, until) = (times(&left), left.until_ms);
    assert_eq!(times[..3], [3, 4, 7], "sorted, no two at one time");
    assert!(times[3..].iter().all(|time| *time == until) && times.len() > 3 && until > 500, "{times:?} {until}");
    let filtered = |predicate: &str| {
        let filter =
            |of: &str| format!(r#"{{"op": "filter", "id": "{of}{of}", "on": "{of}", "predicate": "{predicate}"}}"#);
        let join = r#"{"op": "left_join", "id": "x", "on": "ss", "other": "qq", "windows": {"diff_ms": 5}}"#;
        told(&format!("{}, {}, {join}", filter("s"), filter("q")))
    };
    assert_eq!(filtered("v > not_null"), BARE);
    assert_eq!(filtered("v > contains:1"), BARE, "every other record of the end passes");
    assert_eq!(filtered("k > equals:b"), Err(NO_END));
    let counted = r#"{"op": "group_by_key", "id": "y", "on": "x"}, {"op": "count", "id": "c", "on": "y"},
                     {"op": "to_stream", "id": "z", "on": "c"}, {"op": "to", "on": "z", "topic": "counts"}"#;
    let in_part = planned(&format!("{}, {counted}", join("outer_join"))).unwrap();
    assert_eq!((in_part.told.get("counts"), in_part.left_out), (None, Some(DELAYED)));
    assert_eq!(in_part.told["out"], Told::Bare);
}

#[test]
fn of_a_suppressed_table_the_last_rows_are_certain() {
    let suppress = |on: &str| {
        format!(
            r#"{{"op": "suppress", "id": "y", "on": "{on}", "suppressed": {{"until": "time_limit", "limit_ms": 5, "unbounded": true}}}}"#
        )
    };
    let to_stream = r#"{"op": "to_stream", "id": "x", "on": "y"}"#;
    assert_eq!(told(&format!("{}, {to_stream}", suppress("t"))), LAST);
    let joined = r#"{"op": "join", "id": "j", "on": "y", "other": "u"}, {"op": "to_stream", "id": "x", "on": "j"}"#;
    assert_eq!(told(&format!("{}, {joined}", suppress("t"))), Err(DELAYED));
    let filter = r#"{"op": "filter", "id": "f", "on": "y", "predicate": "v > not_null"}, {"op": "to_stream", "id": "x", "on": "f"}"#;
    assert_eq!(told(&format!("{}, {filter}", suppress("t"))), Err(DELAYED));
    let filtered = r#"{"op": "to_stream", "id": "z", "on": "y"}, {"op": "filter", "id": "x", "on": "z", "predicate": "v > not_null"}"#;
    assert_eq!(told(&format!("{}, {filtered}", suppress("t"))), Err(LAST_ROWS));
    let numbered = r#"{"op": "to_stream", "id": "n", "on": "t", "key": "v > length > to_string"}, {"op": "to_table", "id": "m", "on": "n"}"#;
    assert_eq!(told(&format!("{numbered}, {}, {to_stream}", suppress("m"))), Err(NO_END), "keys that others may have");
}

#[test]
fn windows_are_certain_where_their_stores_see_a_step_in_one_place() {
    let windowed = |on: &str, kind: &str, then: &str| {
        told(&format!(
            r#"{{"op": "group_by_key", "id": "y", "on": "{on}"}}, {{"op": "windowed_by", "id": "w", "on": "y", "windows": {{"type": "{kind}"}}}}{then}, {{"op": "count", "id": "c", "on": "w"}}, {{"op": "to_stream", "id": "x", "on": "c"}}"#
        ))
    };
    assert_eq!(windowed("s", "tumbling", ""), ALL_AT_ONCE);
    assert_eq!(windowed("s", "session", ""), ALL_AT_ONCE);
    let emit =
        |strategy: &str| format!(r#", {{"op": "emit_strategy", "id": "w", "on": "w", "strategy": "{strategy}"}}"#);
    assert_eq!(windowed("s", "hopping", &emit("on_window_update")), ALL_AT_ONCE);
    assert_eq!(windowed("s", "hopping", &emit("on_window_close")), Err(AT_CLOSING));
    let two = |kind: &str| {
        let join = r#"{"op": "join", "id": "j", "on": "t", "other": "u", "foreign_key": "v"}, {"op": "to_stream", "id": "i", "on": "j"}"#;
        told(&format!(
            r#"{join}, {{"op": "group_by_key", "id": "y", "on": "i"}}, {{"op": "windowed_by", "id": "w", "on": "y", "windows": {{"type": "{kind}"}}}}, {{"op": "count", "id": "c", "on": "w"}}, {{"op": "to_stream", "id": "x", "on": "c"}}"#
        ))
    };
    assert_eq!(two("tumbling"), ALL);
    assert_eq!(two("sliding"), Err(FORGOTTEN));
    let late =
        r#"{"op": "process_values", "id": "l", "on": "s", "processor": {"type": "map", "value": "v", "ts_plus": 5}}"#;
    let join = r#"{"op": "join", "id": "x", "on": "l", "other": "q", "windows": {"diff_ms": 5}}"#;
    assert_eq!(told(&format!("{late}, {join}")), Err(UNTIMELY));
}

#[test]
fn versioned_tables_are_certain_as_long_as_nothing_comes_late() {
    let kept = |on: &str| {
        let supplier = r#"{"kind": "versioned", "name": "n", "history_retention_ms": 50}"#;
        format!(r#"{{"op": "to_table", "id": "y", "on": "{on}", "materialized": {{"supplier": {supplier}}}}}"#)
    };
    let to_stream = r#"{"op": "to_stream", "id": "x", "on": "y"}"#;
    let plan = planned(&format!("{}, {to_stream}", kept("s"))).unwrap();
    assert_eq!((plan.told["out"], &times(&plan)[..]), (Told::All, &[3, 4, 7][..]));
    let late =
        r#"{"op": "process_values", "id": "l", "on": "s", "processor": {"type": "map", "value": "v", "ts_plus": 5}}"#;
    assert_eq!(told(&format!("{late}, {}, {to_stream}", kept("l"))), Err(UNTIMELY));
    let join = |how: &str| {
        format!(r#"{{"op": "join", "id": "x", "on": "q", "other": "y", "joined": {{"key": "string"{how}}}}}"#)
    };
    assert_eq!(told(&format!("{}, {}", kept("s"), join(""))), ALL);
    assert_eq!(told(&format!("{}, {}", kept("s"), join(r#", "grace_ms": 5"#))), Err(WAITING));
}

#[test]
fn what_the_rule_does_not_know_is_left_out_as_a_whole() {
    assert_eq!(told(r#"{"op": "frobnicate", "id": "x", "on": "s"}"#), Err(UNKNOWN));
    let topic = r#"{"op": "peek", "id": "x", "on": "s"}, {"op": "to", "on": "x", "topic": "elsewhere", "produced": {"partitioner": "v"}}"#;
    assert_eq!(told(topic), Err(UNKNOWN));
    let loops = r#"{"op": "peek", "id": "x", "on": "s"}, {"op": "to", "on": "x", "topic": "q"}"#;
    assert_eq!(told(loops), Err(UNKNOWN), "a topic that the program reads and writes");
    let of = |text: &str| plan(&Scenario::parse(Path::new("a/b.json"), text).unwrap(), 3).unwrap_err();
    assert_eq!(of(r#"{"title": "t", "dsl": []}"#), NO_INPUT);
    let steps = r#""steps": [{"pipe": "s", "key": "a", "value": "1", "ts": 7}]"#;
    assert_eq!(of(&format!(r#"{{"title": "t", "topology": [{{"op": "add_source"}}], {steps}}}"#)), BY_HAND);
    assert_eq!(of(&format!(r#"{{"title": "t", "dsl": [], "config": {{"max.task.idle.ms": "1"}}, {steps}}}"#)), UNKNOWN);
}

#[test]
fn the_end_comes_to_every_partition_with_keys_of_its_own() {
    for partitions in 1..=4 {
        let end = Advance::of_topic(Some("string"), Some("string"), partitions);
        assert!(end.covers(partitions) && end.has_own_keys, "{partitions}");
        assert!(end.keyed("v > lower > first_char").covers(partitions), "{partitions}");
        assert!(!end.keyed("v > length > to_string").has_own_keys, "{partitions}");
        assert!(!end.valued("v > null_if_contains:|").covers(partitions), "{partitions}");
    }
}

#[test]
fn exceptions_name_scenarios_that_exist() {
    for (name, reason) in EXCEPTIONS {
        assert!(crate::suite::own_scenarios().join(format!("{name}.json")).is_file(), "{name}");
        assert!(!reason.is_empty(), "{name}");
    }
}
