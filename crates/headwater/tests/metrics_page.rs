//! `docs/metrics.md` is what the table of metrics says, and the table what the code records.
//! `HEADWATER_WRITE_PAGES=1 cargo test -p headwater --test metrics_page` writes the page anew.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::record::{Headers, Topic};
use headwater::runtime::State;
use headwater::runtime::metric::{METRICS, MetricKind};
use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

const HEAD: &str = "\
# Metrics

What an application counts goes to the recorder that the process has installed with the crate `metrics`; without one it costs next to
nothing. The table is made from that of the code (`cargo test -p headwater --test metrics_page`), which a recorder is told too: names, units
and texts. Metrics of the level `DEBUG` are those that Java records on it. All that is counted by task and node is in
`KafkaStreams::snapshot`, too.

| metric | kind | unit | labels | level | what it says |
|---|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, unit) = (format!("{:?}", metric.kind).to_lowercase(), metric.unit.as_str());
        let level = if metric.debug { "`DEBUG`" } else { "`INFO`" };
        writeln!(page, "| `{}` | {kind} | {unit} | {} | {level} | {} |", metric.name, labels.join(", "), metric.doc)
            .expect("a String takes all");
    }
    page
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_of_metrics_is_what_the_code_says() {
    let path = root().join("docs/metrics.md");
    if std::env::var_os("HEADWATER_WRITE_PAGES").is_some() {
        fs::write(&path, page()).expect("the page is written");
    }
    let advice =
        "docs/metrics.md is out of date: run HEADWATER_WRITE_PAGES=1 cargo test -p headwater --test metrics_page";
    assert!(fs::read_to_string(&path).unwrap_or_default() == page(), "{advice}");
}

/// The names in quotes of all sources below `folder`, but those of the table.
fn names(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("metric/table.rs") {
            let code = fs::read_to_string(&path).expect("a source");
            let found = code.split("\"headwater_").skip(1).filter_map(|rest| rest.split_once('"'));
            into.extend(found.map(|(name, _)| format!("headwater_{name}")));
        }
    }
}

#[test]
fn the_table_has_all_metrics_and_no_others() {
    let mut recorded = BTreeSet::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        names(&entry.expect("an entry").path().join("src"), &mut recorded);
    }
    let told: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(recorded, told);
}

/// What a recorder is told: what each metric is, how its keys are made, and what gauges say.
#[derive(Clone, Default)]
struct Told {
    described: Arc<Mutex<BTreeMap<String, (MetricKind, Option<Unit>)>>>,
    registered: Arc<Mutex<BTreeSet<(String, MetricKind, Vec<String>)>>>,
    gauges: Arc<Mutex<BTreeMap<Key, f64>>>,
}

impl Told {
    fn describe(&self, name: KeyName, kind: MetricKind, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_owned(), (kind, unit));
    }

    fn register(&self, key: &Key, kind: MetricKind) {
        let labels = key.labels().map(|label| label.key().to_owned()).collect();
        self.registered.lock().unwrap().insert((key.name().to_owned(), kind, labels));
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let gauges = self.gauges.lock().unwrap();
        gauges.iter().filter(|(key, _)| key.name() == name).map(|(_, value)| *value).collect()
    }
}

struct Kept(Told, Key);

impl GaugeFn for Kept {
    fn increment(&self, value: f64) {
        *self.0.gauges.lock().unwrap().entry(self.1.clone()).or_default() += value;
    }
    fn decrement(&self, value: f64) {
        self.increment(-value);
    }
    fn set(&self, value: f64) {
        self.0.gauges.lock().unwrap().insert(self.1.clone(), value);
    }
}

impl Recorder for Told {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(name, MetricKind::Counter, unit);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(name, MetricKind::Gauge, unit);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(name, MetricKind::Histogram, unit);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key, MetricKind::Counter);
        Counter::noop()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key, MetricKind::Gauge);
        Gauge::from_arc(Arc::new(Kept(self.clone(), key.clone())))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key, MetricKind::Histogram);
        Histogram::noop()
    }
}

/// Runs an application with global stores and a suppression until it is closed; `while_it_runs` looks at it.
fn run(told: &Told, while_it_runs: impl FnOnce(&Told)) {
    let builder = StreamsBuilder::new();
    let names = builder.global_table::<String, String>("names");
    let visits = builder.stream::<String, String>("visits");
    let named = visits.join_global(&names, |key, _| key.clone(), |_, visit, name| format!("{name}{visit}"));
    let limit = Suppressed::until_time_limit(Duration::from_millis(1), BufferConfig::unbounded());
    named.group_by_key().count().suppress(limit).to_stream().to("out");
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let cluster = Cluster::new(Arc::new(clock.clone()));
    for topic in ["names", "visits", "out"] {
        cluster.create_topic(topic, 1).unwrap();
    }
    let application = KafkaStreams::builder(builder.build().unwrap()).application_id("told").on(&cluster);
    let settings = [
        ("dsl.store.suppliers.class", "in_memory"),
        ("commit.interval.ms", "100"),
        ("statestore.cache.max.bytes", "0"),
    ];
    let mut application = application.set_all(settings).drive().unwrap();
    let feed = |topic: &str, time: i64| {
        cluster.produce(&Topic::from(topic), Some(b"k"), Some(b"v"), time.into(), &Headers::new()).unwrap();
    };
    feed("names", 1);
    for time in [1, 2, 3_000] {
        feed("visits", time);
    }
    let mut turns = |until: &dyn Fn(&headwater::runtime::Driven) -> bool| {
        for _ in 0..1_000 {
            application.turn();
            clock.advance(Duration::from_millis(20));
            if until(&application) {
                return;
            }
        }
        panic!("it does not come about");
    };
    turns(&|_| !cluster.records(&Topic::from("out")).is_empty());
    while_it_runs(told);
    turns(&|application| {
        application.begin_close(CloseOptions::default());
        application.state() == State::NotRunning
    });
}

#[test]
fn a_recorder_is_told_what_the_table_says() {
    let told = Told::default();
    metrics::with_local_recorder(&told, || run(&told, |_| {}));
    let described = told.described.lock().unwrap();
    let expected: BTreeMap<_, _> =
        METRICS.iter().map(|metric| (metric.name.to_owned(), (metric.kind, Some(metric.unit)))).collect();
    assert_eq!(*described, expected);
    let registered = told.registered.lock().unwrap();
    let suppression = registered.iter().filter(|(name, ..)| name.contains("suppression")).count();
    assert!(registered.len() >= 12 && suppression == 3, "{registered:?}");
    for (name, kind, labels) in registered.iter() {
        let metric = METRICS.iter().find(|metric| metric.name == name).expect("it is in the table");
        assert_eq!((metric.kind, metric.labels), (*kind, &labels.iter().map(String::as_str).collect::<Vec<_>>()[..]));
    }
}

#[test]
fn gauges_of_an_application_that_has_ended_say_that_nothing_is_left() {
    let told = Told::default();
    let gauges = [
        "headwater_tasks_active",
        "headwater_tasks_standby",
        "headwater_thread_running",
        "headwater_global_lag_records",
    ];
    metrics::with_local_recorder(&told, || {
        run(&told, |told| {
            assert_eq!(gauges.map(|gauge| told.values(gauge)), [[1.0], [0.0], [1.0], [0.0]]);
        });
    });
    assert_eq!(gauges.map(|gauge| told.values(gauge)), [[0.0]; 4]);
}
