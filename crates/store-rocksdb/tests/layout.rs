//! How stores lie on disk, byte by byte. What a released version wrote the next one has to read: whoever changes this gives the
//! layout another `type`, so that a store of the old one is told apart (KAFKA-10173 changed a format without a word).
#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::time::Duration;

use headwater_record::{Headers, Offset, RawHeaders, Timestamp};
use headwater_store::{MemoryBudget, OpenContext, Row, RowFormat, Store, StoreKind, StoreSpec, StoreSupplier};
use headwater_store_rocksdb::RocksDbStores;
use rocksdb::{DB, IteratorMode, Options};

const MINUTE: Duration = Duration::from_mins(1);
/// Of all stores.
const RETENTION: Duration = Duration::from_mins(10);

/// Two minutes and a millisecond are `01d4c1`.
const LATER: Timestamp = Timestamp::from_millis(120_001);
/// A minute is `ea60`, and `60` is shown as what it is in ASCII.
const EARLIER: Timestamp = Timestamp::from_millis(60_000);

/// What can be read as it is, other bytes in hexadecimal; `~` stands for five bytes that are zero, as most numbers begin.
fn shown(bytes: &[u8]) -> String {
    let show = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("<{byte:02x}>"),
    };
    bytes.iter().map(show).collect::<String>().replace("<00><00><00><00><00>", "~")
}

/// What is on disk after `fill` and a commit at offset 258: families with keys and values.
fn on_disk(kind: StoreKind, format: RowFormat, fill: impl FnOnce(&mut Store)) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let context = OpenContext { task_directory: Some(directory.path()) };
    let spec = StoreSpec { format, ..StoreSpec::new("s", kind) };
    let mut store = RocksDbStores::new(MemoryBudget::default()).open(&spec, context).unwrap();
    fill(&mut store);
    store.state_mut().commit(Some(Offset::new(258))).unwrap();
    drop(store);
    let path = directory.path().join("rocksdb");
    let families = DB::list_cf(&Options::default(), &path).unwrap();
    let db = DB::open_cf_for_read_only(&Options::default(), &path, &families, false).unwrap();
    let rows = families.iter().flat_map(|family| {
        let rows = db.iterator_cf(db.cf_handle(family).unwrap(), IteratorMode::Start).map(Result::unwrap);
        rows.map(|(key, value)| format!("{family} {} = {}", shown(&key), shown(&value))).collect::<Vec<_>>()
    });
    rows.collect()
}

/// What stores say about themselves that forget.
fn marks(kind: &str, sequence: u8) -> Vec<String> {
    vec![
        "default s/changelog-offset = ~<00><01><02>".to_owned(),
        format!("default s/sequence = ~<00><00><{sequence:02x}>"),
        "default s/time = ~<01><d4><c1>".to_owned(),
        format!("default s/type = {kind}"),
    ]
}

#[test]
fn key_value_stores_lie_as_they_always_did() {
    let headers = Headers::new();
    headers.add("h", Some(b"x"));
    let list = headers.to_vec();
    for (format, row, rows) in [
        (RowFormat::Plain, "v", "plain rows"),
        (RowFormat::Timestamped, "~<00><00><07>v", "timestamped rows"),
        (RowFormat::Headers, "<0a><02><02>h<02>x~<00><00><07>v", "rows with timestamp and headers"),
        (RowFormat::HeadersOnly, "<0a><02><02>h<02>xv", "rows with headers"),
    ] {
        let found = on_disk(StoreKind::KeyValue, format, |store| {
            let Store::KeyValue(store) = store else { panic!("{store:?}") };
            let row = Row { value: b"v", timestamp: Timestamp::from_millis(7), headers: RawHeaders::of(&list) };
            store.put(b"k", Some(row)).unwrap();
        });
        let expected = [
            "default s/changelog-offset = ~<00><01><02>".to_owned(),
            format!("default s/type = a key-value store with {rows}"),
            format!("s/rows k = {row}"),
        ];
        assert_eq!(found, expected);
    }
}

#[test]
fn window_stores_lie_as_they_always_did() {
    let once = "<80>~<00><02>k~<01><d4><c1><00><00><00><00> = w";
    let twice = ["<80>~<00><02>k~<01><d4><c1><00><00><00><01> = v", "<80>~<00><02>k~<01><d4><c1><00><00><00><02> = w"];
    let time_first = "<80>~<00><02>~<01><d4><c1>k<00><00><00><00> = w";
    for (retain_duplicates, time_ordered, rows, last, words) in [
        (false, false, &[once][..], 0, ""),
        (true, false, &twice, 2, ", duplicates"),
        (false, true, &[time_first], 0, ", by time"),
    ] {
        let window_size = Duration::from_millis(10);
        let kind = StoreKind::Window {
            retention: RETENTION,
            window_size,
            segment_interval: MINUTE,
            retain_duplicates,
            time_ordered,
            key_index: false,
        };
        let found = on_disk(kind, RowFormat::Plain, |store| {
            let Store::Window(store) = store else { panic!("{store:?}") };
            for value in [b"v", b"w"] {
                let _ = store.put(b"k", LATER, Some(Row::plain(value))).unwrap();
            }
        });
        let mut expected = marks(&format!("a window store (segments of 60000 ms{words}) with plain rows"), last);
        expected.extend(rows.iter().map(|row| format!("s/rows {row}")));
        assert_eq!(found, expected);
    }
}

#[test]
fn session_stores_lie_as_they_always_did() {
    let by_key = "<80>~<00><02>k~<01><d4><c1>~<00><ea>` = <00>v";
    let by_time =
        ["<80>~<00><02><00>k~<01><d4><c1>~<00><ea>` = <00>v", "<80>~<00><02><01>~<01><d4><c1>~<00><ea>`k = <00>"];
    for (time_ordered, rows, words) in [(false, &[by_key][..], ""), (true, &by_time, ", with an index by time")] {
        let kind = StoreKind::Session { retention: RETENTION, segment_interval: MINUTE, time_ordered };
        let found = on_disk(kind, RowFormat::HeadersOnly, |store| {
            let Store::Session(store) = store else { panic!("{store:?}") };
            let _ = store.put(b"k", EARLIER, LATER, Some(Row::plain(b"v"))).unwrap();
        });
        let mut expected = marks(&format!("a session store (segments of 60000 ms{words}) with rows with headers"), 0);
        expected.extend(rows.iter().map(|row| format!("s/rows {row}")));
        assert_eq!(found, expected);
    }
}

#[test]
fn versioned_stores_lie_as_they_always_did() {
    let kind = StoreKind::Versioned { history_retention: RETENTION, segment_interval: MINUTE };
    let found = on_disk(kind, RowFormat::Plain, |store| {
        let Store::Versioned(store) = store else { panic!("{store:?}") };
        for (value, at) in [(Some(&b"v"[..]), 60_000), (None, 120_000), (Some(b"w"), 120_001)] {
            let _ = store.put(b"k", value, Timestamp::from_millis(at)).unwrap();
        }
    });
    // A version that has ended, by its end, and the latest one.
    let mut expected = marks("a versioned store (segments of 60000 ms) with timestamped rows", 0);
    expected.push("s/rows <80>~<00><02>k<80><00><00><00><00><01><d4><c0> = ~<00><ea>`<01>v".to_owned());
    expected.push("s/rows <ff><ff><ff><ff><ff><ff><ff><ff>k = ~<01><d4><c1>w".to_owned());
    assert_eq!(found, expected);
}
