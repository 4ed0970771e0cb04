//! Settings: those of Java's clients and of librdkafka, for both parts of this crate.
#![forbid(unsafe_code)]

mod translate;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

pub(crate) use translate::for_librdkafka;

/// What every connection needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// `host:port`, in the order given.
    pub(crate) addresses: Vec<String>,
    pub(crate) client_id: String,
    /// `socket.connection.setup.timeout.ms`: for a connection, and for its first answer.
    pub(crate) setup_timeout: Duration,
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
            setup_timeout: millis(config, "socket.connection.setup.timeout.ms", 10_000)?,
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

/// Makes a client of librdkafka. Settings that it does not know are left out, with a warning.
///
/// # Errors
/// [`ClientError::Config`] for values that it refuses.
pub(crate) fn create<C: ClientContext + Clone, T: FromClientConfigAndContext<C>>(
    mut config: rdkafka::ClientConfig,
    context: &C,
) -> Result<T, ClientError> {
    // What librdkafka would not say, nobody could ask for; what is shown is for the subscriber to decide.
    let wants_all = config.get("debug").is_some();
    config.set_log_level(if wants_all { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    loop {
        match config.create_with_context(context.clone()) {
            Ok(client) => return Ok(client),
            Err(KafkaError::ClientConfig(_, reason, key, value)) => {
                if reason.contains("No such configuration property") && config.get(&key).is_some() {
                    ignored(&key, "librdkafka has no such setting");
                    config.remove(&key);
                } else {
                    return Err(ClientError::Config(format!("{key}={value}: {reason}")));
                }
            }
            Err(error) => return Err(ClientError::Config(error.to_string())),
        }
    }
}

/// Says once in the life of the process that a setting has no effect.
fn ignored(key: &str, why: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned()) {
        tracing::warn!(key, why, "a client setting has no effect; leave it out");
    }
}

/// A line of librdkafka's log. It calls an error what it tries again: a connection that was refused.
pub(crate) fn log(level: RDKafkaLogLevel, part: &str, text: &str) {
    match level {
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", part, "{text}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", part, "{text}"),
        _ => tracing::warn!(target: "librdkafka", part, "{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
