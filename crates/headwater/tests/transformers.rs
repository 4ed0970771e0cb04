//! Transformers of a table's values, at their own node and where their table is looked up.
#![cfg(test)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::prelude::*;
use headwater::processor::WiringError;
use headwater::processor::prelude::*;
use headwater::testing::TopologyTestDriver;

const SECOND: Duration = Duration::from_secs(1);

type Told = Arc<Mutex<Vec<String>>>;

/// Tells when it is called back, and when it is closed.
struct Teller {
    name: &'static str,
    every: Duration,
    told: Told,
}

impl ValueTransformerWithKey<String, String, String> for Teller {
    fn init(&mut self, cx: &mut TransformContext<'_, '_>) -> Result<(), ProcessError> {
        cx.schedule(self.every, PunctuationType::WallClockTime).map(drop)
    }
    fn transform(
        &mut self,
        _: &mut TransformContext<'_, '_>,
        record: Record<'_, String, Option<String>>,
    ) -> Result<Option<String>, ProcessError> {
        Ok(record.value.clone())
    }
    fn punctuate(
        &mut self,
        _: &mut TransformContext<'_, '_>,
        _: ScheduleId,
        time: Timestamp,
    ) -> Result<(), ProcessError> {
        self.told.lock().unwrap().push(format!("{} {time}", self.name));
        Ok(())
    }
    fn close(&mut self) {
        self.told.lock().unwrap().push(format!("{} closed", self.name));
    }
}

fn teller(
    name: &'static str,
    every: Duration,
    told: &Told,
) -> impl Fn(&mut StoreAccess<'_, '_>) -> Result<Teller, WiringError> + Send + Sync + use<> {
    let told = Arc::clone(told);
    move |_| Ok(Teller { name, every, told: Arc::clone(&told) })
}

#[test]
fn all_transformers_are_called_back_by_their_own_schedules_and_closed_though_one_node_has_several() {
    let (builder, told) = (StreamsBuilder::new(), Told::default());
    let first = builder.table::<String, String>("a").transform_values_using(teller("first", SECOND, &told), &[]);
    let second = builder.table::<String, String>("b").transform_values_using(teller("second", 2 * SECOND, &told), &[]);
    // Each side of the joins has transformers for what it looks up; the other side of the second join has both.
    let joined = first.join(&second, |first, second| format!("{first}{second}"));
    let third = builder.table::<String, String>("c");
    joined.join(&third, |joined, third| format!("{joined}{third}")).to_stream().to_with("out", Produced::by_type());

    let driver = TopologyTestDriver::new(builder.build().unwrap()).unwrap();
    driver.advance_wall_clock(SECOND).unwrap();
    driver.advance_wall_clock(SECOND).unwrap();
    driver.close().unwrap();
    let told = told.lock().unwrap();
    let count = |what: &str| told.iter().filter(|told| *told == what).count();
    let counts = ["first 1000", "first 2000", "second 2000", "first closed", "second closed"].map(count);
    assert_eq!((counts, told.len()), ([3, 3, 3, 3, 3], 15), "{told:?}");
}

/// Says how often a row has changed.
struct Changes(Rc<KeyValueState<String, i64>>);

impl ValueTransformerWithKey<String, String, i64> for Changes {
    fn transform(
        &mut self,
        cx: &mut TransformContext<'_, '_>,
        record: Record<'_, String, Option<String>>,
    ) -> Result<Option<i64>, ProcessError> {
        let count = self.0.value(cx, record.key)?.unwrap_or(0) + 1;
        self.0.put_at(cx, record.key, count, &record)?;
        Ok(Some(count))
    }
}

fn changes(stores: &mut StoreAccess<'_, '_>) -> Result<Changes, WiringError> {
    Ok(Changes(stores.key_value(&StoreHandle::named("changes"))?))
}

fn mistake(builder: &StreamsBuilder) -> String {
    let driver = TopologyTestDriver::new(builder.build().unwrap());
    let mut error: Option<&dyn std::error::Error> = Some(driver.as_ref().expect_err("a store is not connected"));
    let mut words = String::new();
    while let Some(cause) = error {
        words += &cause.to_string();
        error = cause.source();
    }
    words
}

#[test]
fn a_store_that_is_not_connected_is_told_of_with_what_to_do() {
    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreSpec::key_value("changes"));
    let _counts: KTable<String, i64> = builder.table("prices").transform_values_using(changes, &[]);
    let told = mistake(&builder);
    let words = "Processor KTABLE-TRANSFORMVALUES-0000000003 has no access to StateStore changes";
    assert!(told.contains(words) && !told.contains("kept nowhere"), "{told}");

    let builder = StreamsBuilder::new();
    builder.add_state_store(StoreSpec::key_value("changes"));
    let counts: KTable<String, i64> = builder.table("prices").transform_values_using(changes, &["changes"]);
    let names = builder.table::<String, String>("names");
    names.join(&counts, |name, count| format!("{name} {count}")).to_stream().to_with("out", Produced::by_type());
    let told = mistake(&builder);
    let words = "Processor KTABLE-JOINTHIS-0000000008 has no access to StateStore changes";
    let advice = "Keep the table in a store, with `transform_values_using_with(.., Materialized::named(..))`";
    assert!(told.contains(words) && told.contains(advice), "{told}");
}
