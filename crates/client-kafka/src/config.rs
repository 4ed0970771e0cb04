//! Settings: those of Java's clients and of librdkafka, for both parts of this crate.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;

/// What every connection needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// `host:port`, in the order given.
    pub(crate) addresses: Vec<String>,
    pub(crate) client_id: String,
    pub(crate) request_timeout: Duration,
    pub(crate) retry_backoff: Duration,
}

impl Servers {
    /// # Errors
    /// [`ClientError::Config`] without servers, or with a security protocol that is not there yet.
    pub(crate) fn of(config: &ClientConfig, default_id: &str) -> Result<Self, ClientError> {
        let text = servers(config)?;
        let addresses: Vec<String> = text
            .split(',')
            .map(str::trim)
            .filter(|address| !address.is_empty())
            .map(|address| if has_port(address) { address.to_owned() } else { format!("{address}:9092") })
            .collect();
        match config.value("security.protocol") {
            None | Some("PLAINTEXT" | "plaintext") => {}
            Some(other) => {
                return Err(ClientError::Config(format!(
                    "security.protocol={other} is not supported yet: group membership speaks PLAINTEXT only; leave the setting out"
                )));
            }
        }
        Ok(Servers {
            addresses,
            client_id: config.value("client.id").unwrap_or(default_id).to_owned(),
            request_timeout: millis(config, "request.timeout.ms", 30_000)?,
            retry_backoff: millis(config, "retry.backoff.ms", 100)?,
        })
    }

    pub(crate) fn text(&self) -> String {
        self.addresses.join(",")
    }
}

fn has_port(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `bootstrap.servers`.
pub(crate) fn servers(config: &ClientConfig) -> Result<&str, ClientError> {
    let servers = config.value("bootstrap.servers").map(str::trim).filter(|servers| !servers.is_empty());
    servers.ok_or_else(|| {
        ClientError::Config("bootstrap.servers is missing: set it to host:port of one or more brokers".to_owned())
    })
}

pub(crate) fn millis(config: &ClientConfig, key: &str, default: u64) -> Result<Duration, ClientError> {
    match config.value(key) {
        None => Ok(Duration::from_millis(default)),
        Some(value) => value
            .trim()
            .parse()
            .map(Duration::from_millis)
            .map_err(|_| ClientError::Config(format!("{key}: {value:?} is not a number of milliseconds"))),
    }
}

/// Settings of Java's clients that mean nothing here: types are the caller's, and membership is ours.
const ONLY_JAVAS: [&str; 24] = [
    "key.serializer",
    "value.serializer",
    "key.deserializer",
    "value.deserializer",
    "partition.assignment.strategy",
    "partitioner.class",
    "partitioner.ignore.keys",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "interceptor.classes",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "max.poll.records",
    "max.block.ms",
    "default.api.timeout.ms",
    "exclude.internal.topics",
    "auto.include.jmx.reporter",
    "group.instance.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "group.protocol",
];

/// Settings that librdkafka has under another name.
const RENAMED: [(&str, &str); 6] = [
    ("fetch.max.wait.ms", "fetch.wait.max.ms"),
    ("max.request.size", "message.max.bytes"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    ("request.timeout.ms", "socket.timeout.ms"),
    ("metadata.max.idle.ms", "topic.metadata.propagation.max.ms"),
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
    for (key, value) in config.iter().filter(|(key, _)| !ONLY_JAVAS.contains(key)) {
        let name = RENAMED.iter().find(|(java, _)| *java == key).map_or(key, |(_, name)| name);
        if key == "buffer.memory" {
            let kbytes = value.trim().parse::<u64>().map_or(1024, |bytes| (bytes / 1024).max(1));
            out.set("queue.buffering.max.kbytes", kbytes.to_string());
        } else {
            out.set(name, value);
        }
    }
    for (key, value) in fixed {
        out.set(*key, *value);
    }
    out
}

/// Makes a client of librdkafka. Settings that it does not know are left out, with a warning.
///
/// # Errors
/// [`ClientError::Config`] for values that it refuses.
pub(crate) fn create<C: ClientContext + Clone, T: FromClientConfigAndContext<C>>(
    mut config: rdkafka::ClientConfig,
    context: &C,
) -> Result<T, ClientError> {
    loop {
        match config.create_with_context(context.clone()) {
            Ok(client) => return Ok(client),
            Err(KafkaError::ClientConfig(_, reason, key, value)) => {
                if reason.contains("No such configuration property") && config.get(&key).is_some() {
                    tracing::warn!(key, "librdkafka has no such setting; it is left out");
                    config.remove(&key);
                } else {
                    return Err(ClientError::Config(format!("{key}={value}: {reason}")));
                }
            }
            Err(error) => return Err(ClientError::Config(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_settings_become_librdkafkas() {
        let config = ClientConfig::new()
            .with("fetch.max.wait.ms", "7")
            .with("key.deserializer", "x")
            .with("buffer.memory", "33554432");
        let out = for_librdkafka(&config, &[("linger.ms", "5")], &[("enable.auto.commit", "false")]);
        assert_eq!(out.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(out.get("key.deserializer"), None);
        assert_eq!(out.get("queue.buffering.max.kbytes"), Some("32768"));
        assert_eq!((out.get("linger.ms"), out.get("enable.auto.commit")), (Some("5"), Some("false")));
    }

    #[test]
    fn servers_get_the_usual_port_and_their_absence_is_told() {
        let config = ClientConfig::new().with("bootstrap.servers", "a, b:19092");
        assert_eq!(Servers::of(&config, "c").map(|servers| servers.text()), Ok("a:9092,b:19092".to_owned()));
        let error = Servers::of(&ClientConfig::new(), "c").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("bootstrap.servers is missing"), "{error}");
        let error = Servers::of(&config.with("security.protocol", "SSL"), "c").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("security.protocol=SSL is not supported yet"), "{error}");
    }
}
