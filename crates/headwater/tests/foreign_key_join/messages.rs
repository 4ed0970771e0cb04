//! What comes through the join's topics from other versions, and too late.

use headwater::record::{Headers, Timestamp};
use headwater::testing::{DriverError, TopologyTestDriver};

use crate::model::{Setting, topology};

const SUBSCRIPTIONS: &str = "app-joined-subscription-registration-topic";
const RESPONSES: &str = "app-joined-subscription-response-topic";
const KEPT: &str = "app-joined-subscription-store-changelog";
const HASH: [u8; 16] = [7; 16];

struct Bed(TopologyTestDriver);

impl Bed {
    /// The right table has `x`: `X`, the left one the row `a`: `x1`.
    fn new() -> Bed {
        let topology = topology(Setting { left: true, caching: false, kept: false });
        let bed = Bed(TopologyTestDriver::builder(topology).setting("application.id", "app").build().unwrap());
        bed.pipe("right", b"x", b"X").unwrap();
        bed.pipe("left", b"a", b"x1").unwrap();
        assert_eq!(bed.said("out"), [("a".to_owned(), b"x1+X".to_vec())]);
        bed
    }

    fn pipe(&self, topic: &str, key: &[u8], value: &[u8]) -> Result<(), DriverError> {
        self.0.pipe(topic, Some(key), Some(value), Timestamp::from_millis(1), &Headers::new())
    }

    /// What was written to a topic since last asked: key and value.
    fn said(&self, topic: &str) -> Vec<(String, Vec<u8>)> {
        let records = self.0.read_records(topic);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        records.iter().map(|r| (text(r.key.as_deref().unwrap()), r.value.as_deref().unwrap().to_vec())).collect()
    }

    /// Why a record was refused.
    fn refusal(&self, topic: &str, value: &[u8]) -> String {
        format!("{:?}", self.pipe(topic, b"a", value).unwrap_err())
    }
}

#[test]
fn a_subscription_of_version_0_is_answered_and_kept_as_it_is() {
    let bed = Bed::new();
    bed.said(RESPONSES);
    bed.said(KEPT);
    let subscription = [&[0, 2][..], &HASH, b"b"].concat();
    bed.pipe(SUBSCRIPTIONS, b"x", &subscription).unwrap();
    assert_eq!(bed.said(KEPT), [("\0\0\0\u{1}xb".to_owned(), subscription)]);
    assert_eq!(bed.said(RESPONSES), [("b".to_owned(), [&[0][..], &HASH, b"X"].concat())]);
    bed.said(SUBSCRIPTIONS);
    bed.pipe("right", b"x", b"Y").unwrap();
    let answered: Vec<String> = bed.said(RESPONSES).into_iter().map(|(key, _)| key).collect();
    assert_eq!(answered, ["a", "b"], "in the order of their bytes");
}

#[test]
fn a_response_counts_only_if_the_row_is_still_the_one_that_asked() {
    let bed = Bed::new();
    let (_, mut response) = bed.said(RESPONSES).remove(0);
    *response.last_mut().unwrap() = b'Z';
    bed.pipe(RESPONSES, b"a", &response).unwrap();
    assert_eq!(bed.said("out"), [("a".to_owned(), b"x1+Z".to_vec())]);
    bed.pipe("left", b"a", b"x2").unwrap();
    assert_eq!(bed.said("out"), [("a".to_owned(), b"x2+X".to_vec())]);
    // To the row as it was before.
    bed.pipe(RESPONSES, b"a", &response).unwrap();
    // To a row that is gone, or never was.
    bed.pipe(RESPONSES, b"b", &response).unwrap();
    bed.pipe(RESPONSES, b"a", &[0x80]).unwrap();
    assert!(bed.said("out").is_empty());
    assert_eq!(bed.0.dropped_records(), 3);
}

/// It went on to hear of it (KAFKA-9244).
#[test]
fn a_row_that_has_another_foreign_key_hears_no_more_of_the_old_one() {
    let bed = Bed::new();
    bed.pipe("left", b"a", b"y1").unwrap();
    assert_eq!(bed.said("out"), [("a".to_owned(), b"y1+nothing".to_vec())]);
    bed.said(RESPONSES);
    bed.pipe("right", b"x", b"Z").unwrap();
    assert_eq!(bed.said(RESPONSES), []);
    bed.pipe("right", b"y", b"Y").unwrap();
    assert_eq!(bed.said("out"), [("a".to_owned(), b"y1+Y".to_vec())]);
}

#[test]
fn messages_of_later_versions_and_broken_ones_are_refused() {
    let refused = |topic, value: &[u8]| Bed::new().refusal(topic, value);
    let later = refused(SUBSCRIPTIONS, &[0x82, 2, b'a', 0, 0, 0, 0]);
    assert!(later.contains("SubscriptionWrapper is of an incompatible version."), "{later}");
    let later = refused(RESPONSES, &[0x81, b'X']);
    assert!(later.contains("SubscriptionResponseWrapper is of an incompatible version."), "{later}");
    for (topic, broken) in
        [(SUBSCRIPTIONS, &[0x81, 9, b'a', 0, 0, 0, 0][..]), (SUBSCRIPTIONS, &[1, 2, 3]), (RESPONSES, &[0, 1])]
    {
        let broken = refused(topic, broken);
        assert!(broken.contains("Deserialization exception handler"), "{broken}");
    }
}
