//! Which topics serdes are told: those that Java 4.4.0 tells them, some of which do not exist.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use headwater::dsl::{Consumed, Materialized, StreamsBuilder};
use headwater::record::{DefaultSerde, Encoded, Headers, Serde, SerdeError, SharedSerde, Timestamp};
use headwater::testing::TopologyTestDriver;

type Heard = Arc<Mutex<BTreeSet<String>>>;

/// Says which topics it was told, as `w` when it wrote and `r` when it read.
struct Listening(SharedSerde<String>, Heard);

impl Serde<String> for Listening {
    fn serialize(&self, topic: &str, value: &String, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.1.lock().unwrap().insert(format!("w {topic}"));
        self.0.serialize(topic, value, into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<String, SerdeError> {
        self.1.lock().unwrap().insert(format!("r {topic}"));
        self.0.deserialize(topic, bytes)
    }
}

fn listening() -> (SharedSerde<String>, Heard) {
    let heard = Heard::default();
    (Arc::new(Listening(String::default_serde(), Arc::clone(&heard))), heard)
}

fn heard(heard: &Heard) -> Vec<String> {
    heard.lock().unwrap().iter().cloned().collect()
}

#[test]
fn serdes_are_told_the_topics_of_java() {
    let [left_key, left_value, right_key, right_value] = std::array::from_fn(|_| listening());
    let builder = StreamsBuilder::new();
    let serdes = |key: &(SharedSerde<_>, _), value: &(SharedSerde<_>, _)| {
        Consumed::with(Arc::clone(&key.0), Arc::clone(&value.0))
    };
    let kept = || Materialized::inherited().with_caching_disabled();
    let left = builder.table_with("l", serdes(&left_key, &left_value), kept());
    let right = builder.table_with("r", serdes(&right_key, &right_value), kept());
    let foreign_key = |_: &String, row: &String| row[..1].to_owned();
    let joined = left.join_on(&right, foreign_key, |left, right| format!("{left}{right}"));
    joined.to_stream().for_each(|_, _| ());
    let driver =
        TopologyTestDriver::builder(builder.build().unwrap()).setting("application.id", "app").build().unwrap();
    let mut at = 0;
    for (topic, key, value) in [
        ("r", "x", Some("X")),
        ("l", "a", Some("x1")),
        ("l", "a", Some("y2")),
        ("l", "a", None),
        ("l", "b", Some("x3")),
        ("r", "x", Some("Y")),
    ] {
        at += 1;
        let (key, value) = (Some(key.as_bytes()), value.map(str::as_bytes));
        driver.pipe(topic, key, value, Timestamp::from_millis(at), &Headers::new()).unwrap();
    }
    let subscriptions = "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic";
    let responses = "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-0000000014-topic";
    let (left, right) = ("app-l-STATE-STORE-0000000000-changelog", "app-r-STATE-STORE-0000000003-changelog");
    let told = |parts: &[(&str, &str)]| {
        let mut told: Vec<String> = parts.iter().map(|(way, topic)| format!("{way} {topic}")).collect();
        told.sort();
        told
    };
    let (pk, fk, vh) = (format!("{subscriptions}-pk"), format!("{subscriptions}-fk"), format!("{subscriptions}-vh"));
    assert_eq!(
        heard(&left_key.1),
        told(&[("r", "l"), ("w", left), ("w", &pk), ("r", &pk), ("w", responses), ("r", responses)])
    );
    assert_eq!(heard(&left_value.1), told(&[("r", "l"), ("w", left), ("r", left), ("w", &vh)]));
    assert_eq!(
        heard(&right_key.1),
        told(&[("r", "r"), ("w", right), ("w", &fk), ("w", subscriptions), ("r", subscriptions)])
    );
    assert_eq!(
        heard(&right_value.1),
        told(&[("r", "r"), ("w", right), ("r", right), ("w", responses), ("r", responses)])
    );
}
