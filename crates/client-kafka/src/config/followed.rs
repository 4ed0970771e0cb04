//! Settings that clients of our own do not follow, with what to do instead.
#![forbid(unsafe_code)]

use headwater_client::ClientConfig;

const NO_CLASSES: &str = "a class of the JVM cannot be loaded here";
const NO_METRICS: &str = "metrics go to the recorder of the crate `metrics`";
const IN_TURN: &str = "records without a key go to the partitions in turn";
const OURS_IS_THE_GROUP: &str = "membership and assignment are headwater's own";
const THE_SYSTEM_DECIDES: &str = "the system sizes the buffers of sockets";
const ONE_AHEAD: &str = "one answer is fetched ahead: see fetch.max.bytes and max.partition.fetch.bytes";
const KEPT_OPEN: &str = "connections are kept open";
const SAME_BACKOFF: &str = "connections are made again as requests are sent again: see retry.backoff.ms";

/// Settings that others follow, or that have no effect where they have this value, which Streams gives every client.
const NOTHING_TO_SAY: [(&str, Option<&str>); 17] = [
    ("client.dns.lookup", Some("use_all_dns_ips")),
    ("group.id", None),
    ("key.serializer", None),
    ("value.serializer", None),
    ("key.deserializer", None),
    ("value.deserializer", None),
    ("max.block.ms", None),
    ("group.instance.id", None),
    ("session.timeout.ms", None),
    ("heartbeat.interval.ms", None),
    ("max.poll.interval.ms", None),
    ("max.poll.records", Some("1000")),
    ("connections.max.idle.ms", Some("540000")),
    ("receive.buffer.bytes", Some("32768")),
    ("send.buffer.bytes", Some("131072")),
    ("reconnect.backoff.ms", Some("50")),
    ("reconnect.backoff.max.ms", Some("1000")),
];

/// Names of Java's clients, and of librdkafka's that are not Java's.
const REASONS: [(&str, &str); 44] = [
    ("max.poll.records", "how many records a turn takes goes by how long they take"),
    ("default.api.timeout.ms", "requests have the deadlines of those who ask"),
    ("exclude.internal.topics", "patterns are matched by headwater, against topics that are not internal"),
    ("partition.assignment.strategy", OURS_IS_THE_GROUP),
    ("group.protocol", OURS_IS_THE_GROUP),
    ("group.remote.assignor", OURS_IS_THE_GROUP),
    ("partitioner.class", NO_CLASSES),
    ("partitioner.ignore.keys", "records with a key go by its hash"),
    ("partitioner.adaptive.partitioning.enable", IN_TURN),
    ("partitioner.availability.timeout.ms", IN_TURN),
    ("interceptor.classes", NO_CLASSES),
    ("security.providers", NO_CLASSES),
    ("metric.reporters", NO_METRICS),
    ("metrics.num.samples", NO_METRICS),
    ("metrics.recording.level", NO_METRICS),
    ("metrics.sample.window.ms", NO_METRICS),
    ("auto.include.jmx.reporter", NO_METRICS),
    ("enable.metrics.push", NO_METRICS),
    ("statistics.interval.ms", NO_METRICS),
    ("metadata.max.idle.ms", "the metadata of all topics that are written to is kept"),
    ("socket.connection.setup.timeout.max.ms", "the time-out of a connection does not grow"),
    ("connections.max.idle.ms", KEPT_OPEN),
    ("receive.buffer.bytes", THE_SYSTEM_DECIDES),
    ("send.buffer.bytes", THE_SYSTEM_DECIDES),
    ("reconnect.backoff.ms", SAME_BACKOFF),
    ("reconnect.backoff.max.ms", SAME_BACKOFF),
    ("allow.auto.create.topics", "no topic is made by asking for it"),
    ("client.dns.lookup", "the addresses of a host are tried in turn"),
    ("fetch.wait.max.ms", "use fetch.max.wait.ms"),
    ("queued.min.messages", ONE_AHEAD),
    ("queued.max.messages.kbytes", ONE_AHEAD),
    ("debug", "what is logged, the subscriber of the crate `tracing` decides"),
    ("queue.buffering.max.kbytes", "use buffer.memory, in bytes"),
    ("queue.buffering.max.messages", "use buffer.memory, in bytes"),
    ("queue.buffering.max.ms", "use linger.ms"),
    ("batch.num.messages", "use batch.size, in bytes"),
    ("message.max.bytes", "use max.request.size"),
    ("message.timeout.ms", "use delivery.timeout.ms"),
    ("message.send.max.retries", "use retries"),
    ("request.required.acks", "use acks"),
    ("compression.codec", "use compression.type"),
    ("compression.level", "use the level of the type, such as compression.zstd.level"),
    ("socket.timeout.ms", "use request.timeout.ms"),
    ("topic.metadata.refresh.interval.ms", "use metadata.max.age.ms"),
];

/// The settings that are not among `followed`, and why they have no effect, where that is known.
pub(crate) fn others(config: &ClientConfig, followed: &[&str]) -> Vec<(String, Option<&'static str>)> {
    let nothing_to_say = |key: &str, value: &str| {
        NOTHING_TO_SAY.iter().any(|(known, usual)| *known == key && usual.is_none_or(|usual| usual == value.trim()))
    };
    let others = config.iter().filter(|(key, value)| !followed.contains(key) && !nothing_to_say(key, value));
    let with_reason = others.map(|(key, _)| {
        let reason = REASONS.iter().find(|(known, _)| *known == key);
        (key.to_owned(), reason.map(|(_, why)| *why))
    });
    with_reason.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_effect_is_told_with_what_to_do_instead() {
        let config = ClientConfig::new()
            .with("acks", "all")
            .with("key.serializer", "x")
            .with("max.poll.records", "1000")
            .with("send.buffer.bytes", "7")
            .with("queue.buffering.max.kbytes", "1")
            .with("lingr.ms", "1");
        let told = others(&config, &["acks"]);
        let told: Vec<_> = told.iter().map(|(key, why)| (key.as_str(), *why)).collect();
        assert_eq!(
            told,
            [
                ("lingr.ms", None),
                ("queue.buffering.max.kbytes", Some("use buffer.memory, in bytes")),
                ("send.buffer.bytes", Some(THE_SYSTEM_DECIDES)),
            ]
        );
    }
}
