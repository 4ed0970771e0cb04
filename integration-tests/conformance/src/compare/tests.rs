//! Each part of an outcome is compared, in order, and a difference says where it is.

use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn complete() -> Value {
    json!({
        "describe": ["Topologies:", "   Sub-topology: 0", ""],
        "branches": {"x": "KSTREAM-BRANCH-00000000011"},
        "subtopologies": [{
            "id": 0, "sources": ["in"], "sinks": ["out"],
            "repartition": {"app-r-repartition": {"partitions": 3, "cleanup.policy": "delete"}},
            "changelog": {"app-c-changelog": {"cleanup.policy": "compact"}}
        }],
        "copartition": [["a", "b"]],
        "steps": [{}, {"out": [["'k", "'1", 5], ["'k", null, null, [["h", "'x"], ["n", null]]]]}],
        "stores": {"c": {"kind": "kv", "entries": [["k", 1, 5], ["l", {"double": 1.5}, 6]], "timestamped": true}},
        "dropped": 2
    })
}

fn steps() -> Vec<Step> {
    let text =
        r#"{"title": "t", "steps": [{"advance_wall_clock_ms": 1}, {"pipe": "in", "key": "k", "value": 1, "ts": 5}]}"#;
    Scenario::parse(Path::new("scenarios/table/x.json"), text).unwrap().steps.unwrap()
}

fn outcome(value: &Value) -> Outcome {
    Outcome::parse(value).unwrap()
}

fn difference(java: &Value, here: &Value) -> Difference {
    compare(&outcome(java), &outcome(here), &steps()).unwrap_err()
}

/// What is found when the observed outcome has another value at a JSON pointer.
fn after(pointer: &str, value: Value) -> Difference {
    let mut here = complete();
    *here.pointer_mut(pointer).unwrap() = value;
    difference(&complete(), &here)
}

#[test]
fn equal_outcomes_have_no_difference() {
    assert_eq!(compare(&outcome(&complete()), &outcome(&complete()), &steps()), Ok(()));
}

#[test]
fn a_record_that_differs_is_shown_with_its_step_topic_and_index() {
    let found = after("/steps/1/out/1/3/0/1", json!("'y"));
    let text = r#"{"title": "the title", "steps": []}"#;
    let scenario = Scenario::parse(Path::new("scenarios/table/x.json"), text).unwrap();
    let report = "scenarios/table/x.json: the title\n  \
                  step 1 {\"pipe\":\"in\",\"key\":\"k\",\"value\":1,\"ts\":5}\n  \
                  topic out, record 1\n    \
                  Java [\"'k\",null,null,[[\"h\",\"'x\"],[\"n\",null]]]\n    \
                  here [\"'k\",null,null,[[\"h\",\"'y\"],[\"n\",null]]]";
    assert_eq!(found.report(&scenario), report);
}

#[test]
fn missing_and_additional_records_topics_and_steps_are_found() {
    let found = after("/steps/1", json!({}));
    assert_eq!((found.java.as_str(), found.here.as_str()), ("[\"'k\",\"'1\",5]", "nothing"));
    let found = after("/steps/0", json!({"app-c-changelog": [["'k", null, 1]]}));
    assert!(found.place.ends_with("topic app-c-changelog, record 0"), "{}", found.place);
    assert_eq!((found.java.as_str(), found.here.as_str()), ("nothing", "[\"'k\",null,1]"));
    let mut here = complete();
    here["steps"].as_array_mut().unwrap().push(json!({}));
    assert_eq!(difference(&complete(), &here), Difference::new("number of steps that ran", "2", "3"));
}

#[test]
fn each_other_part_names_its_place() {
    let cases = [
        ("/describe/1", json!("x"), "describe, line 1"),
        ("/branches/x", json!("y"), "branch x"),
        ("/subtopologies/0/sinks", json!([]), "sub-topology 0, sinks"),
        (
            "/subtopologies/0/repartition/app-r-repartition/partitions",
            json!(4),
            "sub-topology 0, repartition topic app-r-repartition",
        ),
        ("/subtopologies/0/changelog", json!({}), "sub-topology 0, changelog topic app-c-changelog"),
        ("/subtopologies", json!([]), "sub-topology 0"),
        ("/copartition", json!([]), "copartition, group 0"),
        ("/stores/c/entries/1/1", json!({"double": 1.0}), "store c, entry 1"),
        ("/stores/c/kind", json!("window"), "store c, kind"),
        ("/stores", json!({}), "store c"),
        ("/dropped", json!(3), "dropped records"),
    ];
    for (pointer, value, place) in cases {
        assert_eq!(after(pointer, value).place, place, "{pointer}");
    }
}

#[test]
fn the_order_is_that_of_the_format() {
    let mut here = complete();
    here["dropped"] = json!(0);
    here["stores"] = json!({});
    here["steps"] = json!([{}, {}]);
    assert!(difference(&complete(), &here).place.starts_with("step 1"));
    here["copartition"] = json!([]);
    assert_eq!(difference(&complete(), &here).place, "copartition, group 0");
    here["describe"] = json!([]);
    assert_eq!(difference(&complete(), &here).place, "describe, line 0");
}

fn failed(phase: &Value, class: &str, message: &str, causes: &Value) -> Value {
    let mut error = json!({"class": class, "message": message, "causes": causes});
    for (name, value) in phase.as_object().unwrap() {
        error[name] = value.clone();
    }
    json!({ "error": error })
}

#[test]
fn phase_step_and_kind_of_an_error_must_match() {
    let step = |number: usize| json!({"phase": "step", "step": number});
    let java = failed(&step(1), "StreamsException", "Exception caught in process. taskId=0_0", &json!([]));
    let same = failed(&step(1), "StreamsException", "other words", &json!([]));
    assert_eq!(compare(&outcome(&java), &outcome(&same), &[]), Ok(()));
    for here in [
        failed(&step(2), "StreamsException", "x", &json!([])),
        failed(&step(1), "ProcessorStateException", "x", &json!([])),
        failed(&json!({"phase": "start"}), "StreamsException", "x", &json!([])),
        complete(),
    ] {
        assert_eq!(difference(&java, &here).place, "error");
    }
    assert_eq!(difference(&complete(), &java).java, "no error");
}

#[test]
fn a_mistake_in_the_program_begins_with_javas_words() {
    let build = json!({"phase": "build"});
    let of = |message: &str| failed(&build, "TopologyException", message, &json!([]));
    let java = of("Invalid topology: Processor f is already added.");
    for fine in [
        "Invalid topology: Processor f is already added.",
        "Processor f is already added.",
        "Invalid topology: Processor f is already added. Give it another name.\nSecond mistake",
    ] {
        assert_eq!(compare(&outcome(&java), &outcome(&of(fine)), &[]), Ok(()), "{fine}");
    }
    let found = difference(&java, &of("Invalid topology: first\nProcessor f is already added."));
    assert_eq!(found.place, "words of the error");
    let setting = failed(&build, "ConfigException", "Processor f is already added.", &json!([]));
    assert_eq!(difference(&java, &setting).place, "error");
}

#[test]
fn what_a_function_raised_is_the_reason_of_the_error() {
    let step = json!({"phase": "step", "step": 0});
    let java = failed(&step, "StreamsException", "x", &json!([["UserError", "failed on bad"]]));
    let told = failed(&step, "StreamsException", "y", &json!([["Wrapped", "z"], ["Other", "failed on bad"]]));
    assert_eq!(compare(&outcome(&java), &outcome(&told), &[]), Ok(()));
    let silent = failed(&step, "StreamsException", "y", &json!([["UserError", "failed on worse"]]));
    assert_eq!(difference(&java, &silent).place, "reason of the error");
    let java = failed(&step, "StreamsException", "x", &json!([["SerializationException", "LongDeserializer"]]));
    assert_eq!(compare(&outcome(&java), &outcome(&silent), &[]), Ok(()));
}

#[test]
fn dead_letter_headers_of_java_need_only_be_there() {
    let with = |class: Value, trace: Value, message: &str| {
        let headers = json!([
            ["__streams.errors.exception", class],
            ["__streams.errors.message", message],
            ["__streams.errors.stacktrace", trace]
        ]);
        json!({"steps": [{"dlq": [[null, "'x", 1, headers]]}], "stores": {}, "dropped": 0})
    };
    let java = with(json!("'conformance.Expr$UserError"), json!("*"), "'failed on bad");
    let here = with(json!("'UserError"), json!("'at line 3"), "'failed on bad");
    assert_eq!(compare(&outcome(&java), &outcome(&here), &steps()), Ok(()));
    let no_class = with(json!(null), json!("*"), "'failed on bad");
    assert!(difference(&java, &no_class).place.ends_with("topic dlq, record 0"));
    let other_words = with(json!("'x"), json!("*"), "'failed");
    assert!(difference(&java, &other_words).place.ends_with("topic dlq, record 0"));
}

#[test]
fn records_are_written_as_scenarios_write_them() {
    use crate::outcome::{Record, STACK_TRACE};
    let trace: Option<&[u8]> = Some(b"at x");
    let record = Record::new(Some(b"k"), Some(&[0]), Some(3), [("h", None), (STACK_TRACE, trace)]);
    let text = format!(r#"["'k","0x00",3,[["h",null],["{STACK_TRACE}","*"]]]"#);
    assert_eq!(record.to_string(), text);
    assert_eq!(Record::new(None, Some(b""), None, []).to_string(), r#"[null,"'",null]"#);
}
