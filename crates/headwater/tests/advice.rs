//! Errors say what is wrong, and what to do here.
#![cfg(test)]

use headwater::prelude::*;
use headwater::record::Headers;
use headwater::testing::TopologyTestDriver;

fn driver(build: impl FnOnce(&StreamsBuilder)) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    build(&builder);
    TopologyTestDriver::new(builder.build().unwrap()).unwrap()
}

#[test]
fn a_record_without_key_is_answered_with_the_cure_before_the_handler() {
    let driver = driver(|builder| builder.stream::<String, String>("in").to("out"));
    let keyless = driver.pipe("in", None, Some(b"text"), Timestamp::ZERO, &Headers::new()).unwrap_err();
    for text in [keyless.to_string(), format!("{keyless:?}")] {
        let cure = text.find("builder.values::<Value>(topic)").expect(&text);
        assert!(text.contains("the key is null") && text.find("LogAndContinue").is_some_and(|at| at > cure), "{text}");
    }
    assert!(keyless.to_string().contains("`Option<String>`"), "{keyless}");
}

#[test]
fn a_null_value_is_not_taken_for_a_missing_key() {
    let driver = driver(|builder| builder.stream::<String, String>("in").to("out"));
    let deleted = driver.pipe("in", Some(b"k"), None, Timestamp::ZERO, &Headers::new()).unwrap_err().to_string();
    assert!(deleted.contains("the value is null") && !deleted.contains("builder.values"), "{deleted}");
}

#[test]
fn a_partition_that_is_not_there_is_named_with_topic_and_count() {
    let driver = driver(|builder| {
        let chosen = Produced::inherited().with_partitioner(|_, _, _, _, _| Some(vec![0, 7]));
        builder.stream::<String, String>("in").to_with("out", chosen);
    });
    let error = driver.input_topic::<String, String>("in").pipe("k", "v").unwrap_err().to_string();
    assert!(error.contains("chose partition 7 of out, which has 1 partitions"), "{error}");
    assert!(driver.records("out").is_empty(), "nothing of the record is written");
}

#[test]
fn a_store_that_is_taken_for_another_kind_is_named_with_both_kinds_and_the_processor() {
    use std::time::Duration;

    use headwater::processor::prelude::*;

    struct Keeps(#[allow(dead_code, reason = "it is only opened")] Rc<KeyValueState<String, i64>>);
    impl Processor<String, String, (), ()> for Keeps {
        fn process(
            &mut self,
            _: &mut ProcessorContext<'_, '_, (), ()>,
            _: Record<'_, String, String>,
        ) -> Result<(), ProcessError> {
            Ok(())
        }
    }
    let topology = |store: StoreSpec| {
        let builder = StreamsBuilder::new();
        builder.add_state_store(store);
        let visits = builder.stream::<String, String>("visits");
        let keeps = |stores: &mut StoreAccess<'_, '_>| Ok(Keeps(stores.key_value(&StoreHandle::named("kept"))?));
        visits.process_named::<_, (), ()>("keeper", keeps, &["kept"]);
        builder.build().unwrap()
    };
    let hour = Duration::from_hours(1);
    let window = TopologyTestDriver::new(topology(StoreSpec::window("kept", hour, hour))).unwrap_err().to_string();
    let said =
        "Processor keeper opens StateStore kept as a key-value store, but it is a window store: open it by `window`";
    assert!(window.ends_with(said), "{window}");

    let driver = TopologyTestDriver::new(topology(StoreSpec::key_value("kept"))).unwrap();
    let session = driver.session_store(&StoreHandle::<String, i64>::named("kept")).unwrap_err().to_string();
    assert_eq!(session, "store kept is a key-value store, not a session store: open it by `key_value_store`");
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreSpec::key_value("kept"));
    let visits = builder.stream::<String, String>("visits");
    visits.process_named::<_, (), ()>(
        "keeper",
        |stores| Ok(Keeps(stores.key_value(&StoreHandle::named("ketp"))?)),
        &["kept"],
    );
    let unknown = TopologyTestDriver::new(builder.build().unwrap()).unwrap_err().to_string();
    let said = "Processor keeper has no access to StateStore ketp: there is no store ketp in the topology: did you mean kept? There is kept. Add it with `add_state_store`";
    assert!(unknown.ends_with(said), "{unknown}");

    let missing = driver.session_store(&StoreHandle::<String, i64>::named("lost")).unwrap_err().to_string();
    assert_eq!(missing, "there is no store lost in the topology: there is kept");
}
