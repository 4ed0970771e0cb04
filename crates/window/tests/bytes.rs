//! The bytes of windowed keys, as recorded from Java in the scenarios named.

use std::time::Duration;

use headwater_record::{DefaultSerde, Serde, Timestamp};
use headwater_window::key_format::{put_window_store_suffix, split_session_key, split_window_store_key};
use headwater_window::{SessionWindowedSerde, TimeWindowedSerde, Window, Windowed};

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn bytes<K>(serde: &dyn Serde<Windowed<K>>, key: Windowed<K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    serde.serialize("topic", &key, &mut bytes).expect("the key has bytes");
    bytes
}

#[test]
fn a_key_in_a_time_window_is_the_key_and_the_start() {
    // window/hopping.json
    let serde = TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10));
    let key = Windowed::new("a".to_owned(), Window::of_millis(12, 22));
    let written = bytes(&serde, key.clone());
    assert_eq!(hex(&written), "61000000000000000c");
    assert_eq!(serde.deserialize("topic", Some(&written)).unwrap(), key);
    assert_eq!(serde.encoded_len(&key), Some(9));
    assert_eq!(serde.partition_prefix(&written), 1);
}

#[test]
fn a_key_in_a_session_is_the_key_the_end_and_the_start() {
    // processor/session-commands.json
    let serde = SessionWindowedSerde::new(String::default_serde());
    let key = Windowed::new("a".to_owned(), Window::of_millis(10, 20));
    let written = bytes(&serde, key.clone());
    assert_eq!(hex(&written), "610000000000000014000000000000000a");
    assert_eq!(serde.deserialize("topic", Some(&written)).unwrap(), key);
    assert_eq!(serde.partition_prefix(&written), 1);
    assert_eq!(split_session_key(&written), Some((&b"a"[..], Window::of_millis(10, 20))));
}

#[test]
fn a_window_store_s_key_ends_in_start_and_sequence() {
    // processor/window-commands-duplicates.json
    let mut key = b"a".to_vec();
    put_window_store_suffix(Timestamp::from_millis(5), 3, &mut key);
    assert_eq!(hex(&key), "61000000000000000500000003");
    assert_eq!(split_window_store_key(&key), Some((&b"a"[..], Timestamp::from_millis(5), 3)));
    assert_eq!(split_window_store_key(&key[2..]), None);
}

#[test]
fn the_key_of_a_window_store_s_changelog_is_read_as_such_and_written_as_any() {
    let plain = TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10));
    let serde = TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10)).for_changelog();
    let mut stored = b"a".to_vec();
    put_window_store_suffix(Timestamp::from_millis(5), 3, &mut stored);
    let key = Windowed::new("a".to_owned(), Window::of_millis(5, 15));
    assert_eq!(serde.deserialize("topic", Some(&stored)).unwrap(), key);
    assert_eq!(bytes(&serde, key.clone()), bytes(&plain, key));
    assert!(serde.deserialize("topic", Some(&[0; 11])).is_err());
}

#[test]
fn the_end_of_a_window_that_would_lie_beyond_all_time_is_the_latest_time() {
    let serde = TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10));
    let written = bytes(&serde, Windowed::new("a".to_owned(), Window::of_millis(i64::MAX - 1, 0)));
    assert_eq!(serde.deserialize("topic", Some(&written)).unwrap().end(), Timestamp::MAX);
}

#[test]
fn null_and_bytes_that_are_too_short_are_no_windowed_keys() {
    let time = TimeWindowedSerde::new(String::default_serde(), Duration::from_millis(10));
    let session = SessionWindowedSerde::new(String::default_serde());
    assert!(time.deserialize("topic", None).is_err());
    assert!(time.deserialize("topic", Some(&[0; 7])).is_err());
    assert!(session.deserialize("topic", None).is_err());
    assert!(session.deserialize("topic", Some(&[0; 15])).is_err());
    let null_key = TimeWindowedSerde::new(Option::<String>::default_serde(), Duration::from_millis(10));
    assert!(null_key.serialize("topic", &Windowed::new(None, Window::of_millis(0, 10)), &mut Vec::new()).is_err());
}
