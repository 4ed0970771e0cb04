//! Settings of Java's clients as librdkafka has them.
#![forbid(unsafe_code)]

use headwater_client::ClientConfig;

use super::ignored;

/// What becomes of a setting of Java's clients that librdkafka does not have under its name, or means otherwise.
enum Fate {
    /// headwater follows it itself.
    Ours,
    /// There is nothing it could act upon, for this reason.
    Nothing(&'static str),
    /// librdkafka has it under this name, from the first to the second number.
    Named(&'static str, i64, i64),
}

use Fate::{Named, Nothing, Ours};

const I32: i64 = i32::MAX as i64;
const OURS_IS_THE_GROUP: &str = "membership and assignment are headwater's own";
const NO_CLASSES: &str = "a class of the JVM cannot be loaded here";
const NO_METRICS: &str = "metrics go to the recorder of the crate `metrics`";

/// By the names of Java's `ConsumerConfig` and `ProducerConfig`, compared with librdkafka's CONFIGURATION.md of 2.12.
const JAVAS: [(&str, Fate); 39] = [
    ("key.serializer", Ours),
    ("value.serializer", Ours),
    ("key.deserializer", Ours),
    ("value.deserializer", Ours),
    ("max.block.ms", Ours),
    ("group.instance.id", Ours),
    ("session.timeout.ms", Ours),
    ("heartbeat.interval.ms", Ours),
    ("max.poll.interval.ms", Ours),
    ("max.poll.records", Nothing("how many records a turn takes goes by how long they take")),
    ("default.api.timeout.ms", Nothing("requests have the deadlines of those who ask")),
    ("exclude.internal.topics", Nothing("patterns are matched by headwater, against topics that are not internal")),
    ("partition.assignment.strategy", Nothing(OURS_IS_THE_GROUP)),
    ("group.protocol", Nothing(OURS_IS_THE_GROUP)),
    ("group.remote.assignor", Nothing(OURS_IS_THE_GROUP)),
    ("partitioner.class", Nothing(NO_CLASSES)),
    ("partitioner.ignore.keys", Nothing("records with a key go by its hash")),
    ("partitioner.adaptive.partitioning.enable", Nothing("records without a key go to the partitions in turn")),
    ("partitioner.availability.timeout.ms", Nothing("records without a key go to the partitions in turn")),
    ("interceptor.classes", Nothing(NO_CLASSES)),
    ("security.providers", Nothing(NO_CLASSES)),
    ("metric.reporters", Nothing(NO_METRICS)),
    ("metrics.num.samples", Nothing(NO_METRICS)),
    ("metrics.recording.level", Nothing(NO_METRICS)),
    ("metrics.sample.window.ms", Nothing(NO_METRICS)),
    ("auto.include.jmx.reporter", Nothing(NO_METRICS)),
    ("metadata.max.idle.ms", Nothing("librdkafka keeps the metadata of all topics that it uses")),
    ("socket.connection.setup.timeout.max.ms", Nothing("the time-out of a connection does not grow")),
    // Of the same name over there is the age at which answers are forgotten, three times the interval of asking.
    ("metadata.max.age.ms", Named("topic.metadata.refresh.interval.ms", 1, 3_600_000)),
    ("fetch.max.wait.ms", Named("fetch.wait.max.ms", 0, 300_000)),
    ("fetch.min.bytes", Named("fetch.min.bytes", 1, 100_000_000)),
    ("max.partition.fetch.bytes", Named("max.partition.fetch.bytes", 1, 1_000_000_000)),
    ("max.request.size", Named("message.max.bytes", 1_000, 1_000_000_000)),
    // Below zero, the system decides.
    ("receive.buffer.bytes", Named("socket.receive.buffer.bytes", 0, 100_000_000)),
    ("send.buffer.bytes", Named("socket.send.buffer.bytes", 0, 100_000_000)),
    // Below zero, none is closed.
    ("connections.max.idle.ms", Named("connections.max.idle.ms", 0, I32)),
    ("socket.connection.setup.timeout.ms", Named("socket.connection.setup.timeout.ms", 1_000, I32)),
    ("retry.backoff.ms", Named("retry.backoff.ms", 1, 300_000)),
    ("retry.backoff.max.ms", Named("retry.backoff.max.ms", 1, 300_000)),
];

/// The settings as librdkafka has them, over `defaults` and under `fixed`.
pub(crate) fn for_librdkafka(
    config: &ClientConfig,
    defaults: &[(&str, &str)],
    fixed: &[(&str, &str)],
) -> rdkafka::ClientConfig {
    let mut out = rdkafka::ClientConfig::new();
    for (key, value) in defaults {
        out.set(*key, *value);
    }
    for (key, value) in config.iter() {
        if let Some((_, fate)) = JAVAS.iter().find(|(java, _)| *java == key) {
            match fate {
                Ours => {}
                // What Streams gives every consumer, whether its user knows of it or not.
                Nothing(_) if (key, value) == ("max.poll.records", "1000") => {}
                Nothing(why) => ignored(key, why),
                Named(name, least, most) => {
                    out.set(*name, within(value, *least, *most));
                }
            }
            continue;
        }
        match key {
            "buffer.memory" => {
                let kbytes = value.trim().parse::<u64>().map(|bytes| (bytes / 1024).max(1).to_string());
                out.set("queue.buffering.max.kbytes", kbytes.unwrap_or_else(|_| value.to_owned()));
            }
            "request.timeout.ms" => {
                out.set("socket.timeout.ms", within(value, 10, 300_000));
                // What a produce request tells the broker, as Java's does.
                out.set("request.timeout.ms", within(value, 1, 900_000));
            }
            "compression.gzip.level" | "compression.lz4.level" | "compression.zstd.level" => {
                let of = format!("compression.{}.level", config.value("compression.type").unwrap_or("none"));
                if of == key {
                    out.set("compression.level", within(value, -1, 12));
                }
            }
            key => {
                out.set(key, value);
            }
        }
    }
    for (key, value) in fixed {
        out.set(*key, *value);
    }
    out
}

/// The next number that librdkafka takes; what is none is left for it to refuse.
fn within(value: &str, least: i64, most: i64) -> String {
    value.trim().parse::<i64>().map_or_else(|_| value.to_owned(), |number| number.clamp(least, most).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(key: &str, value: &str) -> rdkafka::ClientConfig {
        for_librdkafka(&ClientConfig::new().with(key, value), &[], &[])
    }

    #[test]
    fn javas_settings_become_librdkafkas() {
        let config = ClientConfig::new().with("fetch.max.wait.ms", "7").with("key.deserializer", "x");
        let out = for_librdkafka(&config, &[("linger.ms", "5")], &[("enable.auto.commit", "false")]);
        assert_eq!(out.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(out.get("key.deserializer"), None);
        assert_eq!((out.get("linger.ms"), out.get("enable.auto.commit")), (Some("5"), Some("false")));
        assert_eq!(translated("buffer.memory", "33554432").get("queue.buffering.max.kbytes"), Some("32768"));
        let timeouts = translated("request.timeout.ms", "40000");
        assert_eq!(
            (timeouts.get("socket.timeout.ms"), timeouts.get("request.timeout.ms")),
            (Some("40000"), Some("40000"))
        );
        let age = translated("metadata.max.age.ms", "300000");
        assert_eq!(age.get("topic.metadata.refresh.interval.ms"), Some("300000"));
        assert_eq!(age.get("metadata.max.age.ms"), None, "librdkafka means the age at which it forgets");
    }

    #[test]
    fn what_java_allows_beyond_librdkafkas_range_becomes_the_nearest() {
        assert_eq!(translated("receive.buffer.bytes", "-1").get("socket.receive.buffer.bytes"), Some("0"));
        assert_eq!(translated("retry.backoff.ms", "0").get("retry.backoff.ms"), Some("1"));
        assert_eq!(translated("fetch.min.bytes", "0").get("fetch.min.bytes"), Some("1"));
        assert_eq!(translated("fetch.min.bytes", "few").get("fetch.min.bytes"), Some("few"), "for it to refuse");
        assert_eq!(translated("buffer.memory", "much").get("queue.buffering.max.kbytes"), Some("much"));
    }

    #[test]
    fn a_level_of_compression_counts_for_its_own_codec() {
        let config = ClientConfig::new().with("compression.type", "zstd").with("compression.zstd.level", "19");
        let out = for_librdkafka(&config.with("compression.gzip.level", "9"), &[], &[]);
        assert_eq!((out.get("compression.type"), out.get("compression.level")), (Some("zstd"), Some("12")));
    }

    #[test]
    fn what_cannot_be_followed_is_not_given_another_meaning() {
        for key in ["metadata.max.idle.ms", "interceptor.classes", "group.remote.assignor", "max.poll.records"] {
            assert!(translated(key, "1").config_map().is_empty(), "{key}");
        }
    }

    /// Each name is one that librdkafka knows, with bounds that it takes: it makes a client with them.
    #[test]
    fn librdkafka_takes_every_translation() {
        for (key, fate) in &JAVAS {
            let Named(name, least, most) = fate else { continue };
            for value in [least, most] {
                let mut out = translated(key, &value.to_string());
                assert_eq!(out.get(name), Some(value.to_string().as_str()), "{key}");
                if let Err(error) = out.set("bootstrap.servers", "127.0.0.1:1").create_native_config() {
                    panic!("{key}={value}: {error}");
                }
            }
        }
    }
}
