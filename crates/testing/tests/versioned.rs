//! Versioned stores of processors: what puts, reads and deletes answer, what is logged and what is counted.

use std::rc::Rc;
use std::time::Duration;

use headwater_record::{DefaultSerde, Headers, Record};
use headwater_store::bytes::VersionedPut;
use headwater_store::{RowFormat, StoreKind, StoreSpec};
use headwater_testing::{DriverError, MockProcessorContext, TopologyTestDriver, VersionedRecord};
use headwater_topology::processor::{Processor, ProcessorContext, StoreAccess};
use headwater_topology::state::{Stamped, StoreHandle, VersionedState};
use headwater_topology::{NodeRef, ProcessError, SourceSpec, TopologyBuilder, TopologyErrors};

/// Keeps every value at the time of its record; a value that is empty deletes.
struct Keep(Rc<VersionedState<String, String>>);

impl Processor<String, String, (), ()> for Keep {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, (), ()>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        let value = (!record.value.is_empty()).then(|| record.value.clone());
        self.0.put(cx.task(), record.key, value, record.timestamp).map(|_| ())
    }
}

fn versions() -> StoreSpec {
    let history_retention = Duration::from_millis(100);
    StoreSpec::new("versions", StoreKind::Versioned { history_retention, segment_interval: Duration::from_millis(30) })
}

fn built(store: StoreSpec) -> Result<headwater_topology::Topology, TopologyErrors> {
    let builder = TopologyBuilder::new();
    let input = SourceSpec::topics(["in"], String::default_serde(), String::default_serde());
    let source = builder.add_source("source", input);
    let keep = |stores: &mut StoreAccess<'_, '_>| Ok(Keep(stores.versioned(&StoreHandle::named("versions"))?));
    let _: NodeRef<(), ()> = builder.add_processor("keep", keep, &[&source]);
    builder.add_state_store(store, &["keep"]);
    builder.build()
}

fn at(value: &str, timestamp: i64) -> Stamped<String> {
    Stamped { value: value.to_owned(), timestamp: timestamp.into() }
}

#[test]
fn versions_are_read_as_of_a_time_and_logged_at_theirs() {
    let driver =
        TopologyTestDriver::builder(built(versions()).unwrap()).setting("application.id", "app").build().unwrap();
    let input = driver.input_topic::<String, String>("in");
    let key = "a".to_owned();
    for (value, at) in [("x", 10), ("z", 30), ("y", 20), ("", 40), ("w", 200), ("late", 99)] {
        input.pipe_at(key.clone(), value.to_owned(), at).unwrap();
    }
    let store = driver.versioned_store(&StoreHandle::<String, String>::named("versions")).unwrap();
    assert_eq!(store.get(&key).unwrap(), Some(at("w", 200)));
    assert_eq!(store.get_as_of(&key, 25).unwrap(), None, "that is further back than the history");
    assert_eq!(store.get_as_of(&key, 199).unwrap(), None, "it was deleted then");
    assert_eq!(
        store.versions(&key).unwrap(),
        [VersionedRecord { value: "w".to_owned(), timestamp: 200.into(), valid_to: None }]
    );
    let changelog = driver.output_topic::<String, Option<String>>("app-versions-changelog");
    let logged: Vec<_> =
        changelog.read_records().unwrap().into_iter().map(|r| (r.value, r.timestamp.millis())).collect();
    let text = |value: &str| Some(value.to_owned());
    let expected =
        [(text("x"), 10), (text("z"), 30), (text("y"), 20), (None, 40), (text("w"), 200), (text("late"), 99)];
    assert_eq!(logged, expected, "what is too old is logged too");
    assert_eq!(driver.dropped_records(), 1);
    assert!(matches!(
        driver.key_value_store(&StoreHandle::<String, String>::named("versions")),
        Err(DriverError::StoreKind { kind: "versioned", .. })
    ));
}

#[test]
fn a_put_says_what_became_of_it_and_a_delete_what_it_ended() {
    let mut mock = MockProcessorContext::<(), ()>::new();
    mock.add_state_store(versions());
    let keep =
        mock.make(&|stores: &mut StoreAccess<'_, '_>| Ok(Keep(stores.versioned(&StoreHandle::named("versions"))?)));
    let store = keep.unwrap().0;
    let key = "a".to_owned();
    let put = |value: &str, at: i64| mock.with(|cx| store.put(cx.task(), &key, Some(value.to_owned()), at.into()));
    assert_eq!(put("x", 10).unwrap(), VersionedPut::Latest);
    assert_eq!(put("z", 30).unwrap(), VersionedPut::Latest);
    assert_eq!(put("y", 20).unwrap(), VersionedPut::ValidTo(30.into()));
    let delete = |at: i64| mock.with(|cx| store.delete(cx.task(), &key, at.into())).unwrap();
    assert_eq!(delete(25), Some(at("y", 20)));
    assert_eq!(store.get_as_of(&key, 27.into()).unwrap(), None);
    assert_eq!(store.get_as_of(&key, 22.into()).unwrap(), Some(at("y", 20)));
    assert_eq!(put("w", 200).unwrap(), VersionedPut::Latest);
    assert_eq!(put("late", 99).unwrap(), VersionedPut::Expired);
    assert_eq!(delete(99), None);
    let headers = Headers::new();
    let mut keep = Keep(store);
    let value = String::new();
    mock.with(|cx| keep.process(cx, Record::new(&key, &value, 210.into(), &headers))).unwrap();
    assert_eq!(keep.0.get(&key).unwrap(), None);
}

#[test]
fn what_a_versioned_store_cannot_be_is_a_mistake() {
    let cached = built(StoreSpec { caching: true, ..versions() }).unwrap_err().to_string();
    assert!(cached.starts_with("Versioned stores do not support caching"), "{cached}");
    let stamped = built(StoreSpec { format: RowFormat::Timestamped, ..versions() }).unwrap_err().to_string();
    assert!(stamped.starts_with("Versioned stores have plain rows"), "{stamped}");
}
