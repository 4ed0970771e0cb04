//! Settings: those of Java's clients, by their names.
#![forbid(unsafe_code)]

mod addresses;
mod followed;

use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};

pub(crate) use followed::others;

/// Values of `client.dns.lookup`. The first is what is done; canonical names matter to Kerberos alone.
const DNS_LOOKUPS: [&str; 2] = ["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"];

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
        let addresses = addresses::parse(servers(config)?)?;
        if addresses.is_empty() {
            return Err(no_servers());
        }
        match config.value("security.protocol") {
            None | Some("PLAINTEXT" | "plaintext") => {}
            Some(other) => {
                return Err(ClientError::Config(format!(
                    "security.protocol={other} is not supported yet: connections are PLAINTEXT only; leave the setting out"
                )));
            }
        }
        if let Some(lookup) = config.value("client.dns.lookup")
            && !DNS_LOOKUPS.iter().any(|known| known.eq_ignore_ascii_case(lookup.trim()))
        {
            return Err(ClientError::Config(format!(
                "client.dns.lookup: {lookup:?} is not one of {}",
                DNS_LOOKUPS.join(", ")
            )));
        }
        Ok(Servers {
            addresses,
            client_id: config.value("client.id").unwrap_or(default_id).to_owned(),
            setup_timeout: millis(config, "socket.connection.setup.timeout.ms", 10_000)?,
            request_timeout: millis(config, "request.timeout.ms", 30_000)?,
            retry_backoff: retry_backoff(config)?,
        })
    }

    /// Whether the cluster may be found at all.
    ///
    /// # Errors
    /// [`ClientError::Config`] when no host is known.
    pub(crate) fn resolve(&self) -> Result<(), ClientError> {
        addresses::resolve(&self.addresses)
    }

    pub(crate) fn text(&self) -> String {
        self.addresses.join(",")
    }
}

/// `bootstrap.servers`.
pub(crate) fn servers(config: &ClientConfig) -> Result<&str, ClientError> {
    let servers = config.value("bootstrap.servers").map(str::trim).filter(|servers| !servers.is_empty());
    servers.ok_or_else(no_servers)
}

fn no_servers() -> ClientError {
    ClientError::Config("bootstrap.servers is missing: set it to host:port of one or more brokers".to_owned())
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

/// `retry.backoff.ms`; never nothing at all, since connections are made again at the same pace.
pub(crate) fn retry_backoff(config: &ClientConfig) -> Result<Duration, ClientError> {
    Ok(millis(config, "retry.backoff.ms", 100)?.max(Duration::from_millis(1)))
}

/// A number that is not negative.
pub(crate) fn number(config: &ClientConfig, key: &str, default: i32) -> Result<i32, ClientError> {
    match config.value(key) {
        None => Ok(default),
        Some(value) => {
            let number = value.trim().parse().ok().filter(|number| *number >= 0);
            number
                .ok_or_else(|| ClientError::Config(format!("{key}: {value:?} is not a number from 0 to {}", i32::MAX)))
        }
    }
}

pub(crate) fn flag(config: &ClientConfig, key: &str, default: bool) -> Result<bool, ClientError> {
    match config.value(key).map(str::trim) {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(value) => Err(ClientError::Config(format!("{key}: {value:?} is neither true nor false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_taken_in_order_and_their_absence_is_told() {
        let config = ClientConfig::new().with("bootstrap.servers", "a:9092, b:19092");
        assert_eq!(Servers::of(&config, "c").map(|servers| servers.text()), Ok("a:9092,b:19092".to_owned()));
        for none in [ClientConfig::new(), ClientConfig::new().with("bootstrap.servers", " , ")] {
            let error = Servers::of(&none, "c").map(|_| ()).unwrap_err();
            assert!(error.to_string().contains("bootstrap.servers is missing"), "{error}");
        }
        let error = Servers::of(&config.clone().with("client.dns.lookup", "default"), "c").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("is not one of use_all_dns_ips"), "{error}");
        let error = Servers::of(&config.with("security.protocol", "SSL"), "c").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("security.protocol=SSL is not supported yet"), "{error}");
    }
}
