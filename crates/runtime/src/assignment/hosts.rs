//! Where a process answers queries.

use std::fmt;
use std::str::FromStr;

use super::CodecError;

/// Host and port of a process (`application.server`, Java's `HostInfo`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The host's name or address.
    pub host: String,
    /// The port.
    pub port: i32,
}

impl HostPort {
    /// `host` and `port`.
    pub fn new(host: impl Into<String>, port: i32) -> Self {
        HostPort { host: host.into(), port }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = CodecError;

    /// `host:port`, also with a protocol before it and with an IPv6 address in brackets, as Kafka's `Utils.getHost` takes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || CodecError::Invalid { what: "application.server", field: "host:port", value: text.to_owned() };
        let address = text.split_once("://").map_or(text, |(_, address)| address);
        let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match port.parse::<u16>() {
            Ok(port) if !host.is_empty() => Ok(HostPort::new(host, i32::from(port))),
            _ => Err(invalid()),
        }
    }
}
