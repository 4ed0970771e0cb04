//! What `start` says of settings.
#![allow(missing_docs, reason = "a test")]

use std::io::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use headwater::memory::{Cluster, ManualClock};
use headwater::prelude::*;
use headwater::processor::TopologySettings;
use headwater::processor::{ProcessError, Processor, ProcessorContext};
use headwater::record::{Headers, Record, Timestamp, Topic, TopicPartition};
use headwater::runtime::Driven;
use headwater::window::TimeWindows;
use tracing_subscriber::util::SubscriberInitExt as _;

fn application() -> headwater::runtime::Builder<headwater::FromFeatures> {
    let builder = StreamsBuilder::new();
    builder.stream::<Option<String>, String>("in").to("out");
    let state = std::env::temp_dir().join(format!("headwater-settings-{}", std::process::id()));
    let application = KafkaStreams::builder(builder.build().expect("a topology")).application_id("settings");
    application.state_dir(state)
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `work` logs.
fn log_of(work: impl FnOnce()) -> String {
    // Of a line that is first reached in a thread that nobody listens to, `tracing` takes it that nobody ever does.
    static SOMEBODY: Once = Once::new();
    SOMEBODY.call_once(|| tracing_subscriber::fmt().with_writer(std::io::sink).finish().init());
    let log = Log::default();
    let writer = log.clone();
    let logged = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).set_default();
    work();
    drop(logged);
    String::from_utf8(log.0.lock().expect("the log").clone()).expect("text")
}

#[test]
fn settings_that_do_nothing_are_told_of_on_the_cluster_in_this_process_too() {
    let cluster = Cluster::new(Arc::new(ManualClock::default()));
    let application = application().on(&cluster);
    let application = application.set("commit.intervall.ms", "5").set("consumer.enable.auto.commit", "true");
    let log = log_of(|| drop(application.drive().expect("an application")));
    let warned =
        "commit.intervall.ms was supplied but is not used: there is no such setting; did you mean commit.interval.ms?";
    assert!(log.lines().any(|line| line.contains("WARN") && line.ends_with(warned)), "{log}");
    let guarded = "Unexpected user-specified consumer config 'consumer.enable.auto.commit' found.";
    assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(guarded)), "{log}");
}

#[cfg(feature = "kafka")]
#[test]
fn a_setting_is_told_of_once_however_many_clients_have_no_use_for_it() {
    let told = |key: &str| {
        let log = log_of(|| {
            let application = application().bootstrap_servers("127.0.0.1:1").set(key, "5").start();
            let close = CloseOptions::default().timeout(Duration::from_secs(1));
            application.expect("an application").close(close).expect("a close");
        });
        let lines: Vec<_> = log.lines().filter(|line| line.contains("builder: ") && line.contains(key)).collect();
        let [only] = lines[..] else { panic!("{lines:#?}") };
        let (who, told) = only.rsplit_once("builder: ").expect("who tells");
        format!("{} {told}", who.split_whitespace().find(|word| ["WARN", "INFO"].contains(word)).expect("a level"))
    };
    let near = "WARN num.streams.thread was supplied but is not used: there is no such setting; did you mean num.stream.threads?";
    assert_eq!(told("num.streams.thread"), near);
    assert_eq!(
        told("colour.of.serde"),
        "INFO colour.of.serde: there is no such setting; processors see it in app_configs"
    );
    let librdkafka = "WARN queue.buffering.max.kbytes has no effect: use buffer.memory, in bytes";
    assert_eq!(told("queue.buffering.max.kbytes"), librdkafka);
    let prefixed =
        "WARN consumer.max.poll.records has no effect: how many records a turn takes goes by how long they take";
    assert_eq!(told("consumer.max.poll.records"), prefixed);
}

#[cfg(feature = "testing")]
#[test]
fn the_test_driver_refuses_misspelt_settings_and_tells_of_others_that_nobody_knows() {
    use headwater::testing::{DriverError, TopologyTestDriver};

    let driver_with = |key: &str| {
        let builder = StreamsBuilder::new();
        builder.stream::<String, String>("in").to("out");
        TopologyTestDriver::builder(builder.build().expect("a topology")).setting(key, "5").build()
    };
    let refused = driver_with("max.task.idel.ms").expect_err("it is misspelt");
    assert!(matches!(refused, DriverError::UnknownSetting { .. }));
    assert_eq!(refused.to_string(), "max.task.idel.ms: there is no such setting; did you mean max.task.idle.ms?");
    let told = |key: &str| log_of(|| drop(driver_with(key).expect("a driver")));
    let log = told("colour.of.serde");
    let own = "INFO headwater_testing::driver::builder: colour.of.serde: there is no such setting; processors see it in app_configs\n";
    assert!(log.ends_with(own), "{log}");
    let of_clients = "WARN headwater_testing::driver::builder: producer.colour.of.serde was supplied but is not used: there is no such setting\n";
    let log = told("producer.colour.of.serde");
    assert!(log.ends_with(of_clients), "{log}");
    assert_eq!(["num.stream.threads", "producer.linger.ms", "topic.retention.ms"].map(told), [""; 3]);
}

#[test]
fn an_optimization_that_the_topology_was_not_built_with_is_told_as_it_was_given() {
    let cluster = Cluster::new(Arc::new(ManualClock::default()));
    let refused =
        application().on(&cluster).set("topology.optimization", "all").drive().expect_err("it is built with none");
    let words =
        "topology.optimization: all differs from what the topology was built with, none; give it to `build_with` too";
    assert!(refused.to_string().contains(words), "{refused}");
}

/// An application on topics `in`, `out` and `dead` of one partition, under a virtual clock.
struct World {
    clock: ManualClock,
    cluster: Cluster,
    application: Driven,
}

impl World {
    fn run(topology: impl FnOnce(&StreamsBuilder), settings: &[(&str, &str)]) -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        for topic in ["in", "out", "dead"] {
            cluster.create_topic(topic, 1).expect("a new topic");
        }
        let builder = StreamsBuilder::new();
        topology(&builder);
        let application = KafkaStreams::builder(builder.build().expect("a topology"))
            .application_id("settings")
            .on(&cluster)
            .set("dsl.store.suppliers.class", "in_memory")
            .set("commit.interval.ms", "1500")
            .set_all(settings.iter().copied());
        let mut world = World { clock, cluster, application: application.drive().expect("an application") };
        world.turn();
        world
    }

    fn turn(&mut self) {
        for _ in 0..100 {
            self.application.turn();
            self.clock.advance(Duration::from_millis(20));
        }
    }

    /// Takes these values in, under the key `k`.
    fn feed(&mut self, values: &[&[u8]]) {
        for value in values {
            let time = Timestamp::from_millis(1_000_000);
            self.cluster.produce(&Topic::from("in"), Some(b"k"), Some(value), time, &Headers::new()).expect("stored");
        }
        self.turn();
    }

    fn count(&self, topic: &str) -> usize {
        self.cluster.records(&Topic::from(topic)).len()
    }
}

#[test]
fn updates_of_a_key_are_one_record_where_there_is_a_cache() {
    for key in ["statestore.cache.max.bytes", "cache.max.bytes.buffering"] {
        let written = |bytes: &str| {
            let count = |builder: &StreamsBuilder| {
                builder.stream::<String, String>("in").group_by_key().count().to_stream().to("out");
            };
            let mut world = World::run(count, &[(key, bytes)]);
            world.feed(&[b"a", b"b", b"c", b"d"]);
            world.count("out")
        };
        assert_eq!((written("0"), written("1000000")), (4, 1), "{key}");
    }
}

/// Asks for a commit before there is anything to commit.
struct Hasty;

impl Processor<String, String, String, String> for Hasty {
    fn init(&mut self, cx: &mut ProcessorContext<'_, '_, String, String>) -> Result<(), ProcessError> {
        cx.commit();
        Ok(())
    }
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, String, String>,
        record: Record<'_, String, String>,
    ) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

#[test]
fn a_task_that_asks_for_a_commit_without_anything_to_commit_does_not_have_others_commit() {
    let two = |builder: &StreamsBuilder| {
        builder.stream::<String, String>("dead").process(|_| Ok(Hasty), &[]).to("out");
        builder.stream::<String, String>("in").to("out");
    };
    for (interval, committed) in [("60000", None), ("1000", Some(1))] {
        let mut world = World::run(two, &[("commit.interval.ms", interval)]);
        world.feed(&[b"a"]);
        let input = TopicPartition::new("in", 0);
        let at = world.cluster.group("settings").committed.get(&input).map(|committed| committed.offset.value());
        assert_eq!(at.filter(|offset| *offset > 0), committed, "{interval}");
    }
}

#[test]
fn changelogs_of_windows_keep_records_longer_than_the_store_by_what_is_said() {
    let retention = |additional: &str| {
        let count = |builder: &StreamsBuilder| {
            let windows = TimeWindows::of_size_with_no_grace(Duration::from_mins(1));
            builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count();
        };
        let world = World::run(count, &[("windowstore.changelog.additional.retention.ms", additional)]);
        let topics = world.cluster.topics();
        let changelog = topics.iter().find(|topic| topic.as_str().ends_with("-changelog")).expect("a changelog");
        let configs = world.cluster.topic(changelog).expect("it is there").configs;
        configs["retention.ms"].parse::<i64>().expect("a number")
    };
    assert_eq!(retention("5000") - retention("1000"), 4_000);
}

#[test]
fn stores_keep_headers_where_the_settings_say() {
    const FORMAT: &str = "dsl.store.format";
    let in_format = |given: &[(&str, &str)], built: Option<&str>| {
        let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
        let cluster = Cluster::new(Arc::new(clock.clone()));
        cluster.create_topic("in", 1).expect("a new topic");
        let builder = StreamsBuilder::new();
        let counted = builder.stream::<String, String>("in").group_by_key().count();
        let _ = counted.suppress(Suppressed::until_time_limit(Duration::from_hours(1), BufferConfig::unbounded()));
        let built = built.map_or_else(TopologySettings::new, |format| TopologySettings::new().with(FORMAT, format));
        let application = KafkaStreams::builder(builder.build_with(&built).expect("a topology"));
        let application = application.application_id("settings").on(&cluster).set("statestore.cache.max.bytes", "0");
        let application = application
            .set("dsl.store.suppliers.class", "in_memory")
            .set("commit.interval.ms", "1500")
            .set_all(given.iter().copied())
            .drive();
        let mut world = World { clock, cluster, application: application.expect("an application") };
        world.turn();
        world.feed(&[b"a", b"b"]);
        let topics = world.cluster.topics();
        let changelog = topics.iter().find(|topic| topic.as_str().contains("SUPPRESS-STATE-STORE"));
        let records = world.cluster.records(changelog.expect("a changelog"));
        // What waits says under which headers its old value was stored.
        records.iter().any(|(_, record)| record.headers.iter().any(|header| header.name.starts_with("vh.")))
    };
    assert_eq!([&[][..], &[(FORMAT, "default")]].map(|given| in_format(given, None)), [false, false]);
    assert_eq!(["headers", "HEADERS"].map(|format| in_format(&[(FORMAT, format)], None)), [true, true]);
    // What the topology was built with wins.
    assert_eq!(
        [("default", "headers"), ("headers", "default")]
            .map(|(given, built)| in_format(&[(FORMAT, given)], Some(built))),
        [true, false]
    );
}

/// Whether an application goes on after a record that is bad for it, and how many dead letters there are.
fn after_a_bad_record(settings: &[(&str, &str)]) -> (bool, usize) {
    let check = |builder: &StreamsBuilder| {
        let checked = builder.stream::<String, String>("in").try_map_values(|_, value: &String| {
            if value == "bad" { Err(headwater::processor::BoxError::from("it is bad")) } else { Ok(value.clone()) }
        });
        checked.to("out");
    };
    let mut world = World::run(check, settings);
    // No text at all, and a text that the operator refuses.
    let bad: &[u8] = if settings.iter().any(|(key, _)| key.contains("deserialization")) { b"\xff\xfe" } else { b"bad" };
    world.feed(&[bad, b"good"]);
    let threads = world.application.snapshot().threads;
    let letters: u64 = threads.iter().flat_map(|thread| thread.tasks.values()).map(|task| task.dead_letters).sum();
    if world.count("out") == 1 {
        assert_eq!(letters, world.count("dead") as u64, "they are counted");
    }
    (world.count("out") == 1, world.count("dead"))
}

#[test]
fn handlers_decide_whether_a_bad_record_ends_the_application() {
    for key in [
        "deserialization.exception.handler",
        "default.deserialization.exception.handler",
        "processing.exception.handler",
    ] {
        let kind = if key.contains("processing") { "Processing" } else { "" };
        let after = |handler: &str| after_a_bad_record(&[(key, &format!("{handler}{kind}ExceptionHandler"))]);
        assert_eq!((after("LogAndContinue"), after("LogAndFail")), ((true, 0), (false, 0)), "{key}");
    }
}

#[test]
fn records_that_are_left_out_go_to_the_topic_of_dead_letters() {
    let handler = ("processing.exception.handler", "LogAndContinueProcessingExceptionHandler");
    let after = |topic: &str| after_a_bad_record(&[handler, ("errors.dead.letter.queue.topic.name", topic)]);
    assert_eq!((after(""), after("dead")), ((true, 0), (true, 1)));
}

#[cfg(feature = "kafka")]
#[test]
fn settings_of_clients_that_cannot_be_are_refused_before_anything_starts() {
    let refused = |key: &str, value: &str| {
        let application = application().bootstrap_servers("127.0.0.1:9").set(key, value);
        let error = application.start().map(drop).expect_err("it was not refused");
        assert_eq!(error.kind(), headwater::ErrorKind::Config, "{error}");
        error.to_string()
    };
    let cases = [
        ("bootstrap.servers", "127.0.0.1:99999", "Invalid port in bootstrap.servers: 127.0.0.1:99999"),
        (
            "bootstrap.servers",
            "a.invalid:1,b.invalid:2",
            "No resolvable bootstrap urls given in bootstrap.servers: a.invalid:1",
        ),
        ("bootstrap.servers", " ", "bootstrap.servers"),
        ("client.dns.lookup", "default", "client.dns.lookup: \"default\" is not one of use_all_dns_ips"),
        ("security.protocol", "SSL", "security.protocol: \"SSL\" is not supported: connections are PLAINTEXT only"),
        ("producer.acks", "two", "acks=two: it is 0, 1 or all"),
        ("producer.compression.type", "brotli", "compression.type=brotli"),
        ("consumer.fetch.min.bytes", "-1", "fetch.min.bytes: \"-1\" is not a number"),
        ("restore.consumer.check.crcs", "perhaps", "check.crcs: \"perhaps\" is neither true nor false"),
        ("main.consumer.isolation.level", "none", "isolation.level: \"none\" is neither"),
    ];
    for (key, value, said) in cases {
        let error = refused(key, value);
        assert!(error.contains(said), "{key}={value}: {error}");
    }
}

#[test]
fn a_topic_of_dead_letters_that_is_not_there_is_told_of_at_the_start() {
    let key = "errors.dead.letter.queue.topic.name";
    let told = |settings: &[(&str, &str)]| {
        let copies = |builder: &StreamsBuilder| builder.stream::<Option<String>, String>("in").to("out");
        let log = log_of(|| drop(World::run(copies, settings)));
        let lines = log.lines().filter(|line| line.contains("WARN") && line.contains(key));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = told(&[(key, "lost"), ("num.stream.threads", "2")]);
    let [only] = &lines[..] else { panic!("{lines:#?}") };
    assert!(only.contains("the topic lost of errors.dead.letter.queue.topic.name does not exist: create it"), "{only}");
    assert_eq!([told(&[(key, "dead")]), told(&[])], [Vec::<String>::new(), Vec::new()]);
}

/// Hands on what it may ask of its application.
struct Asks;

impl Processor<Option<String>, String, Option<String>, String> for Asks {
    fn process(
        &mut self,
        cx: &mut ProcessorContext<'_, '_, Option<String>, String>,
        record: Record<'_, Option<String>, String>,
    ) -> Result<(), ProcessError> {
        let (own, state_dir) = (cx.app_configs_with_prefix("shop."), cx.state_dir().display().to_string());
        let told = [
            cx.application_id(),
            &cx.app_configs()["commit.interval.ms"],
            &cx.app_configs()["num.stream.threads"],
            own.get("limit").map_or("", String::as_str),
            &state_dir,
        ];
        cx.forward(record.with_value(&told.join(" ")))
    }
}

#[test]
fn a_processor_is_told_its_application_s_settings_and_where_its_state_lies() {
    let settings = [("shop.limit", "5000"), ("state.dir", "/nowhere")];
    let asks = |builder: &StreamsBuilder| {
        builder.stream::<Option<String>, String>("in").process(|_| Ok(Asks), &[]).to("out");
    };
    let mut world = World::run(asks, &settings);
    world.feed(&[b"x"]);
    world.turn();
    let out = world.cluster.records(&Topic::from("out"));
    let told = String::from_utf8(out[0].1.value.clone().expect("a value").to_vec()).expect("text");
    assert_eq!(told, "settings 1500 1 5000 /nowhere/settings/0_0");
}
