//! The names of the settings of Java's clients, 4.4: a key that is none of them and none of Streams' own is a mistake.

use std::fmt;

use super::options;

/// Of consumers, producers and administrators alike.
const OF_ALL: &[&str] = &[
    "bootstrap.resolve.timeout.ms",
    "bootstrap.servers",
    "client.dns.lookup",
    "client.id",
    "config.providers",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "metadata.cluster.check.enable",
    "metadata.max.age.ms",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.client.callback.handler.class",
    "sasl.jaas.config",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.service.name",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.retry.backoff.max.ms",
    "sasl.login.retry.backoff.ms",
    "sasl.mechanism",
    "sasl.oauthbearer.allow.unverified.audience",
    "sasl.oauthbearer.allow.unverified.issuer",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience",
    "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
    "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
    "security.protocol",
    "security.providers",
    "send.buffer.bytes",
    "socket.connection.setup.timeout.max.ms",
    "socket.connection.setup.timeout.ms",
    "ssl.cipher.suites",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.key.password",
    "ssl.keymanager.algorithm",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

/// Of consumers, and not of all.
const OF_CONSUMERS: &[&str] = &[
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "check.crcs",
    "client.rack",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "exclude.internal.topics",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "interceptor.classes",
    "internal.throw.on.fetch.stable.offset.unsupported",
    "isolation.level",
    "key.deserializer",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "share.acknowledgement.mode",
    "share.acquire.mode",
    "value.deserializer",
];

/// Of producers, and not of all.
const OF_PRODUCERS: &[&str] = &[
    "acks",
    "batch.size",
    "buffer.memory",
    "buffer.memory.allocation.strategy",
    "client.rack",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delivery.timeout.ms",
    "enable.idempotence",
    "interceptor.classes",
    "key.serializer",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.request.size",
    "metadata.max.idle.ms",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "partitioner.rack.aware",
    "retries",
    "transaction.timeout.ms",
    "transaction.two.phase.commit.enable",
    "transactional.id",
    "value.serializer",
];

/// Of administrators, and not of all.
const OF_ADMINS: &[&str] = &["bootstrap.controllers", "default.api.timeout.ms", "retries"];

/// A kind of client, by its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Consumers,
    Producers,
    Admins,
}

const FAMILIES: [Family; 3] = [Family::Consumers, Family::Producers, Family::Admins];

/// Prefixes of settings, with the clients that they are for.
pub(super) const PREFIXES: [(&str, Family); 6] = [
    ("main.consumer.", Family::Consumers),
    ("restore.consumer.", Family::Consumers),
    ("global.consumer.", Family::Consumers),
    ("consumer.", Family::Consumers),
    ("producer.", Family::Producers),
    ("admin.", Family::Admins),
];

impl Family {
    fn own(self) -> &'static [&'static str] {
        match self {
            Family::Consumers => OF_CONSUMERS,
            Family::Producers => OF_PRODUCERS,
            Family::Admins => OF_ADMINS,
        }
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        OF_ALL.iter().chain(self.own()).copied()
    }

    pub(super) fn knows(self, key: &str) -> bool {
        self.names().any(|name| name == key)
    }

    /// Whether a key without prefix may be for these clients: one that others have and they have not is not.
    pub(super) fn takes(self, key: &str) -> bool {
        self.knows(key) || !FAMILIES.iter().any(|other| other.knows(key))
    }
}

/// The prefix of `key` that names a kind of client, the kind, and the rest.
pub(super) fn split(key: &str) -> Option<(&'static str, Family, &str)> {
    PREFIXES.iter().find_map(|(prefix, family)| Some((*prefix, *family, key.strip_prefix(prefix)?)))
}

/// A key that neither Streams nor Kafka's clients have. Its text says what was meant, perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSetting {
    /// The name that is so near that it was meant, nearly certainly.
    pub meant: Option<String>,
    own: bool,
}

impl UnknownSetting {
    /// `None` when there is a setting of this name.
    pub fn named(key: &str) -> Option<Self> {
        is_unknown(key).then(|| {
            let meant = nearest(key);
            UnknownSetting { own: meant.is_none() && split(key).is_none(), meant }
        })
    }

    /// Whether it is like none that there is, nor for clients: one of the user's own, perhaps, that processors ask for.
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// What is to be told when `key` is this.
    pub fn of(&self, key: &str) -> String {
        if self.own { format!("{key}: {self}") } else { format!("{key} was supplied but is not used: {self}") }
    }
}

impl fmt::Display for UnknownSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such setting")?;
        if self.own {
            return f.write_str("; processors see it in app_configs");
        }
        self.meant.as_ref().map_or(Ok(()), |name| write!(f, "; did you mean {name}?"))
    }
}

/// Whether nothing here, in Streams or in Kafka's clients, has a setting of this name.
fn is_unknown(key: &str) -> bool {
    if key.starts_with("topic.") || key.starts_with("client.tag.") || options::find(key).is_some() {
        return false;
    }
    match split(key) {
        Some((_, family, rest)) => !family.knows(rest),
        None => !FAMILIES.iter().any(|family| family.knows(key)),
    }
}

/// The name that was meant, perhaps.
fn nearest(key: &str) -> Option<String> {
    let (prefix, rest, names): (_, _, Vec<&str>) = if let Some((prefix, family, rest)) = split(key) {
        (prefix, rest, family.names().collect())
    } else {
        let clients = FAMILIES.iter().flat_map(|family| family.names());
        ("", key, options::all().map(|setting| setting.key).chain(clients).collect())
    };
    let plain = rest.to_ascii_lowercase().replace(['_', '-'], ".");
    let near = names.into_iter().map(|name| (strsim::osa_distance(&plain, name), name)).min()?;
    // A third of the letters wrong is another word.
    (near.0 * 3 < plain.len().max(near.1.len())).then(|| format!("{prefix}{}", near.1))
}
