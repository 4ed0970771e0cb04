//! Against brute force, after every write.

use headwater::record::{Headers, Timestamp};
use headwater::testing::TopologyTestDriver;
use proptest::prelude::*;

use crate::model::{Rows, Setting, brute_force, read, set, topology};

/// One write: into the left table or the right one, under a key, a value or a tombstone, at a time.
#[derive(Clone, Debug)]
struct Write {
    topic: &'static str,
    key: String,
    value: Option<String>,
    timestamp: i64,
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let left = ("[a-d]", prop::option::weighted(0.8, "[xyz-][1-3]"), 0..50_i64)
        .prop_map(|(key, value, timestamp)| Write { topic: "left", key, value, timestamp });
    let right = ("[xyz]", prop::option::weighted(0.7, "[A-C]"), 0..50_i64).prop_map(|(key, value, timestamp)| Write {
        topic: "right",
        key,
        value,
        timestamp,
    });
    prop::collection::vec(prop_oneof![3 => left, 2 => right], 0..40)
}

fn settings() -> impl Strategy<Value = Setting> {
    any::<(bool, bool, bool)>().prop_map(|(left, caching, kept)| Setting { left, caching, kept })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_every_write_the_result_is_what_the_tables_say(setting in settings(), writes in writes()) {
        let driver = TopologyTestDriver::new(topology(setting)).unwrap();
        let (mut left, mut right, mut joined) = (Rows::new(), Rows::new(), Rows::new());
        for Write { topic, key, value, timestamp } in writes {
            let (key_bytes, value_bytes) = (Some(key.as_bytes()), value.as_deref().map(str::as_bytes));
            let timestamp = Timestamp::from_millis(timestamp);
            driver.pipe(topic, key_bytes, value_bytes, timestamp, &Headers::new()).unwrap();
            set(if topic == "left" { &mut left } else { &mut right }, key, value);
            driver.read_records("out").iter().for_each(|record| read(record, &mut joined));
            prop_assert_eq!(&joined, &brute_force(&left, &right, setting));
        }
    }
}
