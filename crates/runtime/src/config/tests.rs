//! What configurations are taken for.

use std::time::Duration;

use headwater_topology::node::OffsetReset;

use super::options::{Support, all};
use super::{Role, StreamsConfig, parse};
use crate::ErrorKind;
use crate::commit::ProcessingGuarantee;

fn config(properties: &[(&str, &str)]) -> StreamsConfig {
    let base = [("application.id", "app"), ("bootstrap.servers", "broker:9092")];
    StreamsConfig::from_properties(base.into_iter().chain(properties.iter().copied())).unwrap()
}

fn mistake(properties: &[(&str, &str)]) -> String {
    let base = [("application.id", "app")];
    let error = StreamsConfig::from_properties(base.into_iter().chain(properties.iter().copied())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

#[test]
fn every_default_is_a_value_of_its_setting() {
    for setting in all() {
        assert!(!setting.doc.is_empty(), "{}", setting.key);
        if let Some(default) = setting.default.filter(|default| !default.is_empty()) {
            assert_eq!(parse::check(setting, default), Ok(()));
        }
    }
}

#[test]
fn no_key_stands_twice_in_the_table() {
    let mut keys: Vec<&str> = all().map(|setting| setting.key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn unset_settings_have_javas_defaults() {
    let config = config(&[]);
    assert_eq!(config.commit_interval(), Duration::from_secs(30));
    assert_eq!(config.poll(), Duration::from_millis(100));
    assert_eq!(config.threads(), 1);
    assert_eq!(config.cache_bytes_per_thread(), 10 << 20);
    assert_eq!(config.offset_reset(), OffsetReset::Earliest);
    assert_eq!(config.session_timeout(), Duration::from_secs(45));
    assert_eq!(config.heartbeat_interval(), Duration::from_secs(3));
    assert_eq!(config.internal_topics().replication_factor, -1);
}

#[test]
fn exactly_once_has_javas_defaults_and_demands() {
    let given = [
        ("processing.guarantee", "exactly_once_v2"),
        ("consumer.isolation.level", "read_uncommitted"),
        ("producer.enable.idempotence", "false"),
        ("producer.transactional.id", "mine"),
    ];
    let exactly_once = config(&given);
    assert_eq!(exactly_once.guarantee(), ProcessingGuarantee::ExactlyOnceV2);
    assert_eq!(exactly_once.commit_interval(), Duration::from_millis(100));
    assert_eq!(config(&[given[0], ("commit.interval.ms", "700")]).commit_interval(), Duration::from_millis(700));
    for role in [Role::MainConsumer, Role::RestoreConsumer, Role::GlobalConsumer] {
        assert_eq!(exactly_once.client(role, "c").value("isolation.level"), Some("read_committed"), "{role:?}");
    }
    let producer = exactly_once.client(Role::Producer, "p");
    assert_eq!(producer.value("enable.idempotence"), Some("true"));
    assert_eq!(producer.value("transaction.timeout.ms"), Some("10000"));
    assert_eq!(producer.value("delivery.timeout.ms"), Some("2147483647"));
    assert_eq!(producer.value("transactional.id"), None, "it is the thread's");
    let at_least_once = config(&[given[1]]);
    assert_eq!(at_least_once.client(Role::MainConsumer, "c").value("isolation.level"), Some("read_uncommitted"));
    assert_eq!(at_least_once.client(Role::Producer, "p").value("transaction.timeout.ms"), None);
}

#[test]
fn a_wrong_value_is_told_with_key_value_and_what_is_allowed() {
    assert_eq!(
        mistake(&[("num.stream.threads", "none"), ("commit.interval.ms", "-4")]),
        "commit.interval.ms: \"-4\" is not a whole number of at least 0\n\
         num.stream.threads: \"none\" is not a whole number from 1 to 10000"
    );
    assert_eq!(mistake(&[("group.protocol", "modern")]), "group.protocol: \"modern\" is not one of classic, streams");
    assert_eq!(
        mistake(&[("heartbeat.interval.ms", "45000")]),
        "heartbeat.interval.ms: 45000 must be less than session.timeout.ms, which is 45000; a third of it is usual"
    );
}

#[test]
fn what_is_known_and_not_there_is_an_error_that_says_so() {
    let removed = mistake(&[("processing.guarantee", "exactly_once")]);
    assert!(removed.contains("is not one of at_least_once, exactly_once_v2"), "{removed}");
    assert!(mistake(&[("group.protocol", "streams")]).contains("KIP-1071"));
    assert!(mistake(&[("dsl.store.suppliers.class", "com.example.Mine")]).contains("neither rocksDB nor in_memory"));
    assert!(mistake(&[("production.exception.handler", "com.example.Mine")]).contains("com.example.Mine"));
}

#[test]
fn of_production_there_is_one_handler_by_name() {
    for key in ["production.exception.handler", "default.production.exception.handler"] {
        for known in
            ["DefaultProductionExceptionHandler", "org.apache.kafka.streams.errors.DefaultProductionExceptionHandler"]
        {
            assert_eq!(config(&[(key, known)]).given(key), Some(known));
        }
        assert!(mistake(&[(key, "com.example.Mine")]).contains("one of your own is given in code"));
    }
}

#[test]
fn settings_without_effect_give_a_warning() {
    let warnings = config(&[("metrics.recording.level", "DEBUG"), ("metrics.num.samples", "2")]).warnings();
    assert_eq!(warnings.len(), 1, "the default is no news: {warnings:?}");
    assert!(warnings[0].starts_with("metrics.recording.level has no effect"));
    assert!(all().any(|setting| matches!(setting.support, Support::OnlyDefault(_))));
}

/// What is said of settings that Streams decides itself: errors marked.
fn overridden(properties: &[(&str, &str)]) -> Vec<String> {
    let told = config(properties).overridden().into_iter();
    told.map(|it| format!("{}{}", if it.is_error { "ERROR " } else { "" }, it.message)).collect()
}

#[test]
fn settings_that_java_guards_are_told_in_its_words_and_do_not_count() {
    let told =
        overridden(&[("consumer.enable.auto.commit", "true"), ("allow.auto.create.topics", "true"), ("group.id", "g")]);
    assert_eq!(
        told,
        [
            "ERROR Unexpected user-specified consumer config 'allow.auto.create.topics' found. User setting (true) will be ignored and the Streams default setting (false) will be used.",
            "ERROR Unexpected user-specified consumer config 'consumer.enable.auto.commit' found. User setting (true) will be ignored and the Streams default setting (false) will be used.",
            "Unexpected user-specified consumer config 'group.id' found. User setting (g) will be ignored and the Streams default setting (the application.id) will be used.",
        ]
    );
    let guarded = [
        "key.deserializer",
        "main.consumer.value.deserializer",
        "partition.assignment.strategy",
        "consumer.group.protocol",
        "consumer.group.remote.assignor",
        "producer.key.serializer",
        "value.serializer",
        "admin.bootstrap.servers",
        "consumer.bootstrap.servers",
        "producer.client.id",
        "restore.consumer.auto.offset.reset",
    ];
    for key in guarded {
        assert_eq!(overridden(&[(key, "mine")]).len(), 1, "{key}");
        for role in [Role::MainConsumer, Role::RestoreConsumer, Role::Producer, Role::Admin, Role::Membership] {
            let client = config(&[(key, "mine")]).client(role, "c");
            assert!(client.iter().all(|(_, value)| value != "mine"), "{key}: {client:?}");
            assert_eq!(client.value("bootstrap.servers"), Some("broker:9092"));
        }
    }
    let agreed = [("enable.auto.commit", "false"), ("consumer.allow.auto.create.topics", "false"), ("client.id", "me")];
    assert_eq!(overridden(&agreed), Vec::<String>::new());
}

#[test]
fn settings_that_nobody_knows_are_told_with_the_name_that_was_meant() {
    let told = |key: &str| config(&[(key, "1")]).warnings();
    let near = [
        ("commit.intervall.ms", "commit.interval.ms"),
        ("commit_interval_ms", "commit.interval.ms"),
        ("COMMIT.INTERVAL.MS", "commit.interval.ms"),
        ("num.stream.thread", "num.stream.threads"),
        ("producer.lingr.ms", "producer.linger.ms"),
        ("main.consumer.fetch.min.byte", "main.consumer.fetch.min.bytes"),
        ("max.pol.records", "max.poll.records"),
    ];
    for (key, meant) in near {
        let said = format!("{key} was supplied but is not used: there is no such setting; did you mean {meant}?");
        assert_eq!(told(key), [said]);
    }
    // What others have, these clients have not.
    assert!(told("producer.fetch.min.bytes")[0].starts_with("producer.fetch.min.bytes was supplied but is not used"));
    let of_clients = "producer.colour.of.serde was supplied but is not used: there is no such setting";
    assert_eq!(told("producer.colour.of.serde"), [of_clients]);
    // One of the user's own is no mistake.
    assert_eq!(told("custom.thing"), Vec::<String>::new());
    for known in ["topic.retention.ms", "client.tag.zone", "consumer.sasl.jaas.config", "ssl.key.password", "linger.ms"]
    {
        assert_eq!(told(known), Vec::<String>::new(), "{known}");
    }
}

#[test]
fn values_with_a_prefix_are_checked_like_those_without() {
    for key in ["consumer.request.timeout.ms", "producer.retry.backoff.ms", "admin.metadata.max.age.ms"] {
        assert!(mistake(&[(key, "soon")]).starts_with(&format!("{key}: \"soon\" is not a whole number")), "{key}");
    }
    for key in ["linger.ms", "producer.max.block.ms", "producer.batch.size"] {
        assert!(mistake(&[(key, "-1")]).contains("of the producer: \"-1\" is not a whole number"), "{key}");
    }
}

#[test]
fn an_application_without_id_is_refused() {
    let error = StreamsConfig::from_properties([("bootstrap.servers", "b:9092")]).unwrap_err();
    assert!(error.to_string().starts_with("application.id is missing"));
}

#[test]
fn producers_do_not_linger_unless_they_are_told_to() {
    // Java Streams has its producers wait for 100 ms.
    assert_eq!(config(&[]).client(Role::Producer, "p").value("linger.ms"), None);
    assert_eq!(config(&[("linger.ms", "100")]).client(Role::Producer, "p").value("linger.ms"), Some("100"));
}

#[test]
fn prefixed_settings_win_over_bare_ones_for_their_clients() {
    let config = config(&[
        ("fetch.min.bytes", "1"),
        ("consumer.fetch.min.bytes", "2"),
        ("restore.consumer.fetch.min.bytes", "3"),
        ("main.consumer.max.poll.records", "7"),
        ("producer.linger.ms", "5"),
        ("sasl.username", "me"),
        ("custom.thing", "x"),
        ("topic.retention.ms", "9"),
    ]);
    let main = config.client(Role::MainConsumer, "m");
    let restore = config.client(Role::RestoreConsumer, "r");
    let producer = config.client(Role::Producer, "p");
    let admin = config.client(Role::Admin, "a");
    assert_eq!(main.value("fetch.min.bytes"), Some("2"));
    assert_eq!(main.value("max.poll.records"), Some("7"));
    assert_eq!(restore.value("fetch.min.bytes"), Some("3"));
    assert_eq!(restore.value("max.poll.records"), Some("1000"));
    assert_eq!(producer.value("linger.ms"), Some("5"));
    assert_eq!(producer.value("fetch.min.bytes"), None);
    assert_eq!(admin.value("linger.ms"), None);
    for client in [&main, &restore, &producer, &admin] {
        assert_eq!(client.value("bootstrap.servers"), Some("broker:9092"));
        assert_eq!(client.value("sasl.username"), Some("me"));
        assert_eq!(client.value("custom.thing"), Some("x"), "unknown keys are passed on");
        assert_eq!(client.value("topic.retention.ms"), None);
        assert_eq!(client.value("commit.interval.ms"), None);
        assert_eq!(client.value("application.id"), None);
    }
    assert_eq!(config.internal_topics().topic_configs.get("retention.ms").map(String::as_str), Some("9"));
}

#[test]
fn the_group_settings_may_be_given_with_a_consumers_prefix() {
    let config = config(&[("consumer.session.timeout.ms", "10000"), ("main.consumer.auto.offset.reset", "latest")]);
    assert_eq!(config.session_timeout(), Duration::from_secs(10));
    assert_eq!(config.offset_reset(), OffsetReset::Latest);
    assert_eq!(config.client(Role::MainConsumer, "m").value("auto.offset.reset"), None);
    assert!(mistake(&[("consumer.session.timeout.ms", "soon")]).starts_with("consumer.session.timeout.ms: \"soon\""));
}

#[test]
fn clients_have_their_own_defaults() {
    assert_eq!(config(&[]).client(Role::Producer, "p").value("request.timeout.ms"), None);
    let given = config(&[("request.timeout.ms", "7000")]);
    assert_eq!(given.client(Role::Producer, "p").value("request.timeout.ms"), Some("7000"));
}

#[test]
fn all_optimisations_are_those_by_name() {
    let named = "single.store.self.join, merge.repartition.topics,reuse.ktable.source.topics";
    assert_eq!(super::words("all"), super::words(named));
    assert_eq!(super::words("none"), super::words(""));
}

#[test]
fn offsets_may_be_reset_by_a_duration() {
    /// Hours and minutes that are too long together.
    const OVERFLOW: &str = "by_duration:PT5124095576030431H1M";
    for (text, millis) in [("PT1H30M", 5_400_000), ("P1D", 86_400_000), ("PT0.5S", 500), ("P1DT2S", 86_402_000)] {
        let reset = config(&[("auto.offset.reset", &format!("by_duration:{text}"))]).offset_reset();
        assert_eq!(reset, OffsetReset::ByDuration(Duration::from_millis(millis)), "{text}");
    }
    for text in ["by_duration:", "by_duration:P", "by_duration:1h", "by_duration:PT", "by_duration:PTx", OVERFLOW] {
        assert!(mistake(&[("auto.offset.reset", text)]).contains("is not earliest"), "{text}");
    }
}

#[test]
fn older_names_are_understood_and_newer_ones_win() {
    assert_eq!(config(&[("cache.max.bytes.buffering", "64")]).cache_bytes_per_thread(), 64);
    let both =
        [("cache.max.bytes.buffering", "64"), ("statestore.cache.max.bytes", "100"), ("num.stream.threads", "4")];
    assert_eq!(config(&both).cache_bytes_per_thread(), 25);
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", config(&[("sasl.password", "hunter2"), ("producer.ssl.key.password", "x1")]));
    assert!(!shown.contains("hunter2") && !shown.contains("x1"), "{shown}");
}

#[test]
fn the_consumer_of_global_stores_has_a_prefix_of_its_own() {
    let given = [("consumer.fetch.max.bytes", "1"), ("global.consumer.fetch.max.bytes", "2"), ("fetch.min.bytes", "3")];
    let config = config(&given);
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let of = |role: Role, key: &str| config.client(role, "client").value(key).map(str::to_owned);
    assert_eq!(of(Role::GlobalConsumer, "fetch.max.bytes").as_deref(), Some("2"));
    assert_eq!(of(Role::MainConsumer, "fetch.max.bytes").as_deref(), Some("1"));
    assert_eq!(of(Role::GlobalConsumer, "fetch.min.bytes").as_deref(), Some("3"));
    assert_eq!(of(Role::GlobalConsumer, "client.id").as_deref(), Some("client"));
}

#[test]
fn what_the_consumer_of_global_stores_does_not_do_is_told() {
    let config = config(&[("global.consumer.auto.offset.reset", "latest")]);
    let overridden = config.overridden();
    assert!(overridden.iter().any(|told| told.message.contains("global.consumer.auto.offset.reset")), "{overridden:?}");
}
