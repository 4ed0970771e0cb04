//! Settings of one client.

use std::collections::BTreeMap;
use std::fmt;

/// Kafka client settings by their names, such as `bootstrap.servers` or `fetch.max.bytes`, for one client.
///
/// Prefixes (`main.consumer.`, `producer.`, …) are resolved before. `Debug` redacts secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientConfig {
    properties: BTreeMap<String, String>,
}

impl ClientConfig {
    /// No settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `key` set to `value`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets `key` to `value`.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.properties.insert(key.into(), value.into());
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }

    /// All settings, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether the value of this setting must not be shown.
    pub fn is_secret(key: &str) -> bool {
        const SECRET: [&str; 6] = ["password", "secret", "jaas", "token", "private", "ssl.key.pem"];
        let key = key.to_ascii_lowercase();
        SECRET.iter().any(|word| key.contains(word))
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(key, value)| (key, if Self::is_secret(key) { "[hidden]" } else { value })))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::ClientConfig;

    #[test]
    fn secrets_are_not_shown() {
        let config = ClientConfig::new().with("sasl.password", "hunter2").with("client.id", "c");
        assert_eq!(format!("{config:?}"), r#"{"client.id": "c", "sasl.password": "[hidden]"}"#);
    }
}
