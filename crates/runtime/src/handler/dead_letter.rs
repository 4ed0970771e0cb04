//! Records for a dead letter topic, with the headers of KIP-1034.

use headwater_record::{Headers, Topic};
use headwater_topology::BoxError;
use headwater_topology::handler::{DeadLetter, ErrorContext};

const EXCEPTION: &str = "__streams.errors.exception";
const MESSAGE: &str = "__streams.errors.message";
const STACK_TRACE: &str = "__streams.errors.stacktrace";
const TOPIC: &str = "__streams.errors.topic";
const PARTITION: &str = "__streams.errors.partition";
const OFFSET: &str = "__streams.errors.offset";

/// A record for the dead letter topic `topic`: these bytes, the context's time and headers, and after them what went wrong
/// and where the input record lies.
pub fn dead_letter(
    topic: &str,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    context: &ErrorContext<'_>,
    error: &BoxError,
) -> DeadLetter {
    let record = context.record;
    let headers: Headers = record.headers.to_vec().into_iter().collect();
    headers.add(EXCEPTION, Some(type_of(error).as_bytes()));
    headers.add(MESSAGE, Some(error.to_string().as_bytes()));
    headers.add(STACK_TRACE, Some(chain_of(error).as_bytes()));
    headers.add(TOPIC, record.topic.as_ref().map(Topic::as_str).map(str::as_bytes));
    headers.add(PARTITION, Some(record.partition.to_string().as_bytes()));
    headers.add(OFFSET, Some(record.offset.to_string().as_bytes()));
    DeadLetter {
        topic: topic.to_owned(),
        key: key.map(<[u8]>::to_vec),
        value: value.map(<[u8]>::to_vec),
        timestamp: record.timestamp,
        headers,
    }
}

/// The type's or variant's name, as far as `Debug` tells it.
fn type_of(error: &BoxError) -> String {
    let text = format!("{error:?}");
    let name: String = text.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
    if name.is_empty() { "Error".to_owned() } else { name }
}

/// The error and its reasons, a line each.
fn chain_of(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut reason = error.source();
    while let Some(error) = reason {
        text.push_str("\nCaused by: ");
        text.push_str(&error.to_string());
        reason = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use headwater_record::{Headers, Offset, Timestamp, Topic};
    use headwater_topology::handler::ErrorContext;
    use headwater_topology::{BoxError, RecordContext, TaskId};

    use super::dead_letter;

    #[test]
    fn a_dead_letter_carries_the_input_and_says_what_went_wrong() {
        let headers = Headers::new();
        headers.add("trace", Some(b"7"));
        let record = RecordContext {
            timestamp: Timestamp::from_millis(5),
            offset: Offset::new(3),
            partition: 1,
            topic: Some(Topic::from("in")),
            headers,
        };
        let context = ErrorContext {
            record: &record,
            node: "map",
            task: TaskId::new(0, 1),
            source_key: Some(b"k"),
            source_value: None,
        };
        let error: BoxError = "no number".into();
        let letter = dead_letter("dead", context.source_key, context.source_value, &context, &error);
        assert_eq!((letter.topic.as_str(), letter.key.as_deref(), letter.value), ("dead", Some(&b"k"[..]), None));
        assert_eq!(letter.timestamp, Timestamp::from_millis(5));
        let names: Vec<String> = letter.headers.to_vec().iter().map(|header| header.name.to_string()).collect();
        assert_eq!(
            names,
            [
                "trace",
                "__streams.errors.exception",
                "__streams.errors.message",
                "__streams.errors.stacktrace",
                "__streams.errors.topic",
                "__streams.errors.partition",
                "__streams.errors.offset"
            ]
        );
        let value = |name: &str| letter.headers.last(name).and_then(|header| header.value).expect("it was just listed");
        assert_eq!(&value("__streams.errors.message")[..], b"no number");
        assert_eq!(&value("__streams.errors.offset")[..], b"3");
        assert_eq!(record.headers.len(), 1, "the record's own headers are left alone");
    }
}
