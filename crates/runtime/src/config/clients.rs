//! The settings of each kind of client, resolved as Java does: Streams' own defaults, then bare keys, then prefixed ones, then
//! what may not be changed.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientKind};

use super::StreamsConfig;
use super::names::{self, Family};
use super::{guards, options};
use crate::commit::ProcessingGuarantee;

/// What a client is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads input topics.
    MainConsumer,
    /// Reads changelogs.
    RestoreConsumer,
    /// Reads the topics of global stores.
    GlobalConsumer,
    /// Writes.
    Producer,
    /// Asks about topics and changes them.
    Admin,
    /// Takes part in the group and commits.
    Membership,
}

/// How long a transaction may last unless it is said, as in Java (`StreamsConfig.PRODUCER_EOS_OVERRIDES`).
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings that the runtime itself follows, wherever they are given: clients must not act on them.
const OF_THE_RUNTIME: [&str; 5] =
    ["auto.offset.reset", "group.instance.id", "heartbeat.interval.ms", "max.poll.interval.ms", "session.timeout.ms"];

impl Role {
    /// The prefixes that speak to it, the strongest last.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Role::MainConsumer | Role::Membership => &["consumer.", "main.consumer."],
            Role::RestoreConsumer => &["consumer.", "restore.consumer."],
            Role::GlobalConsumer => &["consumer.", "global.consumer."],
            Role::Producer => &["producer."],
            Role::Admin => &["admin."],
        }
    }

    /// Streams' own defaults for it (`StreamsConfig.CONSUMER_DEFAULT_OVERRIDES` and the like).
    fn defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Role::MainConsumer | Role::RestoreConsumer | Role::GlobalConsumer | Role::Membership => {
                &[("max.poll.records", "1000")]
            }
            // Java has `linger.ms` 100 here. Unless it is set, our producer does not wait without need.
            Role::Producer | Role::Admin => &[],
        }
    }

    /// Streams' own defaults for it under exactly-once (`StreamsConfig.PRODUCER_EOS_OVERRIDES`).
    fn exactly_once_defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Role::Producer => &[("transaction.timeout.ms", "10000"), ("delivery.timeout.ms", "2147483647")],
            _ => &[],
        }
    }

    /// What is not the user's under exactly-once (`StreamsConfig.NON_CONFIGURABLE_CONSUMER_EOS_CONFIGS` and its like).
    fn exactly_once_demands(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Role::MainConsumer | Role::RestoreConsumer | Role::GlobalConsumer | Role::Membership => {
                &[("isolation.level", "read_committed")]
            }
            Role::Producer => &[("enable.idempotence", "true")],
            Role::Admin => &[],
        }
    }

    fn family(self) -> Family {
        match self {
            Role::MainConsumer | Role::RestoreConsumer | Role::GlobalConsumer | Role::Membership => Family::Consumers,
            Role::Producer => Family::Producers,
            Role::Admin => Family::Admins,
        }
    }
}

/// Every role, with the kind of its client.
pub(crate) const ROLES: [(Role, ClientKind); 6] = [
    (Role::MainConsumer, ClientKind::Consumer),
    (Role::RestoreConsumer, ClientKind::Consumer),
    (Role::GlobalConsumer, ClientKind::Consumer),
    (Role::Producer, ClientKind::Producer),
    (Role::Membership, ClientKind::Membership),
    (Role::Admin, ClientKind::Admin),
];

/// The key with which the setting `key` of a client of `role` was given, and its value: prefixed ones first.
fn find<'a>(properties: &'a BTreeMap<String, String>, role: Role, key: &str) -> Option<(&'a str, &'a str)> {
    let prefixed = role.prefixes().iter().rev().find_map(|prefix| properties.get_key_value(&format!("{prefix}{key}")));
    let found = prefixed.or_else(|| properties.get_key_value(key));
    found.map(|(key, value)| (key.as_str(), value.as_str()))
}

/// The setting of `key` for a client of `role`, prefixed ones first.
pub(super) fn value_for<'a>(properties: &'a BTreeMap<String, String>, role: Role, key: &str) -> Option<&'a str> {
    find(properties, role, key).map(|(_, value)| value)
}

/// The key with which [`value_for`] was given.
pub(super) fn given_for<'a>(properties: &'a BTreeMap<String, String>, role: Role, key: &str) -> Option<&'a str> {
    find(properties, role, key).map(|(key, _)| key)
}

impl StreamsConfig {
    /// The settings of the client `client_id`, which is for `role`.
    ///
    /// Only what was given is passed on, not the defaults of Streams: `request.timeout.ms` is 40 s there and 30 s for a client.
    /// Keys that neither Streams nor a prefix claims are passed on: they may be the client library's own, or a custom
    /// component's.
    pub fn client(&self, role: Role, client_id: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        let exactly_once = self.guarantee() == ProcessingGuarantee::ExactlyOnceV2;
        let defaults = role.defaults().iter().chain(if exactly_once { role.exactly_once_defaults() } else { &[] });
        for (key, value) in defaults {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            let is_prefixed =
                names::split(key).is_some() || key.starts_with("topic.") || key.starts_with("client.tag.");
            let is_ours = options::find(key).is_some_and(|setting| !setting.for_clients) || guards::is_guarded(key);
            if !is_prefixed && !is_ours && role.family().takes(key) {
                config.set(key, value);
            }
        }
        for prefix in role.prefixes() {
            for (key, value) in self.with_prefix(prefix) {
                if !OF_THE_RUNTIME.contains(&key) && !guards::is_guarded(&format!("{prefix}{key}")) {
                    config.set(key, value);
                }
            }
        }
        for (key, value) in if exactly_once { role.exactly_once_demands() } else { &[] } {
            config.set(*key, *value);
        }
        config.set("client.id", client_id);
        config
    }

    /// The settings that begin with `prefix`, without it.
    pub(crate) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.properties.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }
}
