//! Stores of processors that keep headers with their values (KIP-1271).
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use headwater::dsl::StreamsBuilder;
use headwater::processor::prelude::*;
use headwater::record::Header;
use headwater::rocksdb::RocksDbStores;
use headwater::store::MemoryBudget;
use headwater::testing::{StateOnDisk, TestRecord, TopologyTestDriver};
use headwater::window::Window;

const DAY: Duration = Duration::from_hours(24);

/// Keeps what it is told under its key in a store of each kind, or tells which headers lie there.
struct Keeper {
    values: Rc<KeyValueState<String, String>>,
    windows: Rc<WindowState<String, String>>,
    sessions: Rc<SessionState<String, String>>,
}

const START: Timestamp = Timestamp::from_millis(10);

fn session() -> Window {
    Window::new(START, Timestamp::from_millis(20))
}

impl Processor<String, Option<String>, String, String> for Keeper {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, Option<String>>,
    ) -> Result<(), ProcessError> {
        let (key, at, headers) = (record.key, record.timestamp, record.headers);
        if record.value.as_deref() == Some("?") {
            let kept =
                [self.values.headers(key)?, self.windows.headers(key, START)?, self.sessions.headers(key, session())?];
            let shown = kept.map(|kept| kept.map_or("nothing".to_owned(), |kept| shown(&kept.to_vec())));
            return cx.forward(record.with_value(&shown.join(" ")));
        }
        let cx = cx.as_mut();
        self.values.put(cx, key, record.value.clone(), at, headers)?;
        self.windows.put(cx, key, START, record.value.clone(), at, headers)?;
        self.sessions.put(cx, key, session(), record.value.clone(), at, headers)
    }
}

fn shown(headers: &[Header]) -> String {
    let text = |header: &Header| header.value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned());
    let shown = headers.iter().map(|header| format!("{}={}", header.name, text(header).unwrap_or_default()));
    shown.collect::<Vec<_>>().join(",")
}

fn driver(on_disk: Option<&std::path::Path>, cached: bool, with_headers: bool) -> TopologyTestDriver {
    let builder = StreamsBuilder::new();
    let hour = Duration::from_hours(1);
    for spec in
        [StoreSpec::key_value("values"), StoreSpec::window("windows", DAY, hour), StoreSpec::session("sessions", DAY)]
    {
        let spec = if cached { spec.with_caching_enabled() } else { spec };
        builder.add_state_store(if with_headers { spec.with_headers() } else { spec });
    }
    let make = |stores: &mut StoreAccess<'_, '_>| {
        Ok(Keeper {
            values: stores.key_value(&StoreHandle::named("values"))?,
            windows: stores.window(&StoreHandle::named("windows"))?,
            sessions: stores.session(&StoreHandle::named("sessions"))?,
        })
    };
    let told = builder.stream::<String, Option<String>>("in").process(make, &["values", "windows", "sessions"]);
    told.to("out");
    let driver = TopologyTestDriver::builder(builder.build().unwrap());
    match on_disk {
        Some(directory) => driver.persistent_stores(Arc::new(RocksDbStores::new(MemoryBudget::default())), directory),
        None => driver,
    }
    .build()
    .unwrap()
}

fn pipe(driver: &TopologyTestDriver, value: Option<&str>, header: Option<&str>) {
    let record = TestRecord::new("k".to_owned(), value.map(str::to_owned), 5);
    if let Some(header) = header {
        record.headers.add("h", Some(header.as_bytes()));
    }
    driver.input_topic("in").pipe_record(&record).unwrap();
}

fn told(driver: &TopologyTestDriver) -> String {
    pipe(driver, Some("?"), None);
    driver.output_topic::<String, String>("out").read_value().unwrap()
}

#[test]
fn headers_lie_with_the_values_of_processors_and_are_restored() {
    for (on_disk, cached) in [(false, false), (false, true), (true, false), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(on_disk.then(|| directory.path()), cached, true);
        let case = format!("on disk: {on_disk}, cached: {cached}");
        assert_eq!(told(&driver), "nothing nothing nothing", "{case}");
        pipe(&driver, Some("v"), Some("1"));
        assert_eq!(told(&driver), "h=1 h=1 h=1", "{case}");
        for changelog in ["values", "windows", "sessions"] {
            let topic = driver.produced_topics().into_iter().find(|topic| topic.as_str().contains(changelog)).unwrap();
            assert_eq!(shown(&driver.records(topic.as_str())[0].headers), "h=1", "{case}, {changelog}");
        }
        for state in [StateOnDisk::Kept, StateOnDisk::Wiped] {
            driver.restart(state).unwrap();
            assert_eq!(told(&driver), "h=1 h=1 h=1", "{case}, {state:?}");
        }
        pipe(&driver, Some("w"), None);
        assert_eq!(told(&driver), "  ", "{case}");
        pipe(&driver, None, Some("2"));
        assert_eq!(told(&driver), "nothing nothing nothing", "{case}");
    }
}

#[test]
fn a_store_without_headers_has_an_empty_list_with_a_value() {
    for cached in [false, true] {
        let driver = driver(None, cached, false);
        pipe(&driver, Some("v"), Some("1"));
        assert_eq!(told(&driver), "  ", "cached: {cached}");
        let topic = driver.produced_topics().into_iter().find(|topic| topic.as_str().contains("values")).unwrap();
        assert_eq!(shown(&driver.records(topic.as_str())[0].headers), "");
    }
}
