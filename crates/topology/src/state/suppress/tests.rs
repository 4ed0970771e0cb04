//! Stamps of values that wait, where stores keep headers.

use std::sync::Arc;

use headwater_record::serde::StringSerde;
use headwater_record::{Headers, Offset, SharedSerde, Timestamp};
use headwater_store::suppress::BufferedBytes;
use headwater_store::{RecordContext, RowFormat};

use super::buffer::{Buffer, Held, PartBytes};
use super::headers_of;
use super::stamp::Stamp;

const UNKNOWN: &[u8] = &[0, 255, 255, 255, 255, 255, 255, 255, 255];

/// What a changelog has of the key `k`: the values 1, 2, 3, the last of the time 30 with a header.
fn logged(stamps: Option<(&[u8], &[u8])>) -> BufferedBytes {
    let headers = Headers::new();
    headers.add("h", Some(b"3"));
    let context = RecordContext {
        timestamp: Timestamp::from_millis(30),
        offset: Offset::new(7),
        partition: 0,
        topic: Some("in".into()),
        headers,
    };
    let value = |text: &str| Some(text.as_bytes().into());
    BufferedBytes {
        time: Timestamp::from_millis(5),
        context,
        prior: value("1"),
        old: value("2"),
        new: value("3"),
        prior_stamp: stamps.map(|(prior, _)| prior.into()),
        old_stamp: stamps.map(|(_, old)| old.into()),
    }
}

/// The entry as it is restored, and what it weighs.
fn restored(entry: BufferedBytes, stamped: bool) -> (Held<String>, usize) {
    let serde: SharedSerde<String> = Arc::new(StringSerde);
    let mut buffer = Buffer::new(true);
    buffer.restore(&PartBytes { serde: &serde, topic: "changelog", stamped }, b"k"[..].into(), entry);
    let held = Held::clone(&buffer.held(b"k").unwrap());
    (held, buffer.bytes())
}

/// The headers that the changelog has of it, those with stamps as time and header `h`.
fn shown(held: &Held<String>) -> Vec<String> {
    let headers = headers_of(held);
    let shown = headers.iter().map(|header| {
        let value = header.value.as_deref().unwrap();
        if &*header.name == "v" {
            return format!("v={}", value[0]);
        }
        let stamp = RowFormat::Headers.decode(value.to_vec()).unwrap();
        let h = stamp.headers().last("h").and_then(|header| header.value).map_or(0, |value| value[0] - b'0');
        format!("{}={}/{h}", header.name, stamp.timestamp())
    });
    shown.collect()
}

#[test]
fn stamps_come_back_from_the_changelog_and_go_there_again() {
    let old = Stamp::new(Timestamp::from_millis(20), &logged(None).context.headers);
    let (held, bytes) = restored(logged(Some((UNKNOWN, old.bytes().unwrap()))), true);
    assert_eq!(shown(&held), ["v=3", "vh.prior=-1/0", "vh.old=20/3"]);
    let new = held.new.stamp.read().unwrap().unwrap();
    assert_eq!((new.timestamp().millis(), new.headers().len()), (30, 1), "the new value's is its record's");
    let (_, plain) = restored(logged(None), false);
    assert_eq!(bytes - plain, UNKNOWN.len() + 2 * old.len(), "they weigh what they take");
}

#[test]
fn values_that_were_logged_without_stamps_have_the_time_of_their_last_change() {
    assert_eq!(shown(&restored(logged(None), true).0), ["v=3", "vh.prior=30/0", "vh.old=30/0"]);
    let same = BufferedBytes { prior: Some(b"2"[..].into()), ..logged(None) };
    assert_eq!(shown(&restored(same, true).0), ["v=3", "vh.old=30/0"], "one that is prior and old has one stamp");
    let none = BufferedBytes { prior: None, old: None, ..logged(None) };
    assert_eq!(shown(&restored(none, true).0), ["v=3"], "no value has no stamp");
}

#[test]
fn stamps_are_left_out_where_stores_keep_no_headers() {
    assert_eq!(shown(&restored(logged(Some((UNKNOWN, UNKNOWN))), false).0), ["v=3"]);
}
