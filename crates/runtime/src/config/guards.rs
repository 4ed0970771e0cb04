//! Settings of clients that Streams decides itself (`StreamsConfig.checkIfUnexpectedUserSpecifiedConsumerConfig`, and what Java
//! overrides without a word): whoever sets them otherwise is told.

use super::StreamsConfig;
use super::names::{self, Family};

/// A setting that is not the user's.
struct Guard {
    key: &'static str,
    /// What holds instead.
    ours: &'static str,
    /// Whose it is; `None`: of any client, where it has a prefix.
    of: Option<Family>,
    /// Whether Java logs an error.
    loud: bool,
}

const fn consumers(key: &'static str, ours: &'static str) -> Guard {
    Guard { key, ours, of: Some(Family::Consumers), loud: false }
}

const GUARDS: [Guard; 14] = [
    Guard { loud: true, ..consumers("enable.auto.commit", "false") },
    Guard { loud: true, ..consumers("allow.auto.create.topics", "false") },
    consumers("auto.commit.interval.ms", "commit.interval.ms, by the application"),
    consumers("group.id", "the application.id"),
    consumers("group.protocol", "group.protocol without prefix"),
    consumers("group.remote.assignor", "tasks are assigned by the group's leader"),
    consumers("partition.assignment.strategy", "stream, which assigns tasks"),
    consumers("key.deserializer", "bytes; serdes are given where topics are read"),
    consumers("value.deserializer", "bytes; serdes are given where topics are read"),
    Guard {
        of: Some(Family::Producers),
        ..consumers("key.serializer", "bytes; serdes are given where topics are written")
    },
    Guard {
        of: Some(Family::Producers),
        ..consumers("value.serializer", "bytes; serdes are given where topics are written")
    },
    Guard {
        of: Some(Family::Producers),
        ..consumers("transactional.id", "made of application.id, process and thread under exactly_once_v2")
    },
    Guard { of: None, ..consumers("bootstrap.servers", "bootstrap.servers without prefix") },
    Guard {
        of: None,
        ..consumers("client.id", "client.id without prefix, with the name of the thread and the client")
    },
];

/// What the consumers that restore and that fill global stores do not do, since they are in no group and read whole topics.
const NOT_OF_RESTORING: [&str; 5] =
    ["auto.offset.reset", "group.instance.id", "heartbeat.interval.ms", "max.poll.interval.ms", "session.timeout.ms"];

/// A setting that was given and does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// What is to be said.
    pub message: String,
    /// Whether it is said as an error, as Java says it, not as a warning.
    pub is_error: bool,
}

/// Whether the setting `key`, as it was given, is not passed on to clients.
pub(super) fn is_guarded(key: &str) -> bool {
    guard(key).is_some()
}

fn guard(key: &str) -> Option<(&'static str, &'static str, bool)> {
    let (prefix, family, rest) = match names::split(key) {
        Some((prefix, family, rest)) => (prefix, Some(family), rest),
        None => ("", None, key),
    };
    let in_place = |guard: &&Guard| match (guard.of, family) {
        // Without prefix, these are settings of Streams.
        (None, None) => false,
        (Some(_), None) => guard.key != "group.protocol",
        (of, Some(family)) => of.is_none_or(|of| of == family),
    };
    if let Some(guard) = GUARDS.iter().filter(in_place).find(|guard| guard.key == rest) {
        return Some((guard.key, guard.ours, guard.loud));
    }
    let ours = match prefix {
        "restore.consumer." => "none: the consumer that restores is in no group and reads whole changelogs",
        "global.consumer." => "none: the consumer of global stores is in no group and reads whole topics",
        _ => return None,
    };
    NOT_OF_RESTORING.iter().find(|name| **name == rest).map(|name| (*name, ours, false))
}

impl StreamsConfig {
    /// The settings that Streams decides itself and that were given otherwise.
    pub fn overridden(&self) -> Vec<Overridden> {
        let overridden = self.iter().filter_map(|(key, value)| {
            let (name, ours, is_error) = guard(key)?;
            if value.trim() == ours {
                return None;
            }
            let client = match names::split(key) {
                Some((_, Family::Producers, _)) => "producer",
                Some((_, Family::Admins, _)) => "admin",
                None if name.ends_with(".serializer") => "producer",
                _ => "consumer",
            };
            let message = format!(
                "Unexpected user-specified {client} config '{key}' found. User setting ({value}) will be ignored and the Streams default setting ({ours}) will be used."
            );
            Some(Overridden { message, is_error })
        });
        overridden.collect()
    }
}
