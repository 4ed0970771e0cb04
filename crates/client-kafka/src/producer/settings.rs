//! Settings of producers, those of Java's `ProducerConfig` with its rules.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};

use super::sequences::Rules;
use crate::batch::{Codec, Compression};
use crate::config::{flag, millis, number, retry_backoff};

/// What `batch.size` is unless it is set, bytes.
///
/// Java's is 16 KiB, from a time when a batch had its memory before its first record. What a batch costs (a hand-over between
/// threads, a checksum, its part of a request and of the answer, an append to the broker's log) is paid once, however large it is:
/// sixteen times fewer batches cost a fraction. Memory is taken by need, and `linger.ms` bounds the wait, so that a larger limit costs
/// those nothing who never reach it.
const BATCH_SIZE: i32 = 256 << 10;
/// The broker remembers the last five batches of a producer, and so finds those that came twice.
const MOST_IN_FLIGHT: i32 = 5;

pub(crate) const FOLLOWED: [&str; 23] = [
    "acks",
    "batch.size",
    "bootstrap.servers",
    "buffer.memory",
    "client.id",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delivery.timeout.ms",
    "enable.idempotence",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "max.request.size",
    "metadata.max.age.ms",
    "request.timeout.ms",
    "retries",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "socket.connection.setup.timeout.ms",
    "transaction.timeout.ms",
    "transactional.id",
];

/// How a producer is to work.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// -1 is all replicas in sync.
    pub(super) acks: i16,
    /// `batch.size`, at most `max.request.size`, bytes.
    pub(super) batch_size: usize,
    /// How batches are compressed.
    pub(super) codec: Codec,
    /// How long a batch waits at most.
    pub(super) linger: Duration,
    /// Whether it does, although its broker is free.
    pub(super) linger_is_set: bool,
    pub(super) buffer_memory: usize,
    pub(super) max_request_size: usize,
    /// How many requests are under way to a broker.
    pub(super) max_in_flight: usize,
    pub(super) request_timeout: Duration,
    pub(super) retry_backoff: Duration,
    pub(super) metadata_max_age: Duration,
    /// What holds for each partition.
    pub(super) rules: Rules,
    /// Whose transactions it writes in, if it does.
    pub(super) transactions: Option<Transactions>,
}

/// `transactional.id` and `transaction.timeout.ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Transactions {
    pub(super) id: Arc<str>,
    pub(super) timeout: Duration,
}

impl Settings {
    /// # Errors
    /// [`ClientError::Config`] for values that are none, and for those that do not go together.
    pub(super) fn of(config: &ClientConfig) -> Result<Self, ClientError> {
        let acks = acks(config)?;
        let retries = number(config, "retries", i32::MAX)?;
        let max_in_flight = number(config, "max.in.flight.requests.per.connection", MOST_IN_FLIGHT)?;
        if max_in_flight == 0 {
            return Err(ClientError::Config("max.in.flight.requests.per.connection must be at least 1".to_owned()));
        }
        let idempotent = idempotent(config, acks, retries, max_in_flight)?;
        let transactions = transactions(config, idempotent)?;
        let max_request_size = number(config, "max.request.size", 1 << 20)? as usize;
        let linger = millis(config, "linger.ms", 100)?;
        let request_timeout = millis(config, "request.timeout.ms", 30_000)?;
        let retry_backoff = retry_backoff(config)?;
        Ok(Settings {
            acks,
            codec: codec(config)?,
            batch_size: (number(config, "batch.size", BATCH_SIZE)? as usize).min(max_request_size),
            linger,
            linger_is_set: config.value("linger.ms").is_some(),
            buffer_memory: bytes(config, "buffer.memory", 32 << 20)?,
            max_request_size,
            max_in_flight: max_in_flight as usize,
            request_timeout,
            retry_backoff,
            metadata_max_age: millis(config, "metadata.max.age.ms", 300_000)?,
            rules: Rules {
                idempotent,
                transactional: transactions.is_some(),
                in_flight: max_in_flight as usize,
                retries: retries as u32,
                backoff: retry_backoff,
                backoff_max: millis(config, "retry.backoff.max.ms", 1_000)?.max(retry_backoff),
                delivery_timeout: delivery_timeout(config, linger + request_timeout)?,
            },
            transactions,
        })
    }
}

fn acks(config: &ClientConfig) -> Result<i16, ClientError> {
    match config.value("acks").map_or("all", str::trim) {
        "all" | "-1" => Ok(-1),
        "1" => Ok(1),
        "0" => Ok(0),
        other => Err(ClientError::Config(format!("acks={other}: it is 0, 1 or all"))),
    }
}

/// `compression.type`, and the level that was given for it.
fn codec(config: &ClientConfig) -> Result<Codec, ClientError> {
    let name = config.value("compression.type").map_or("none", str::trim);
    let compression = Compression::named(name).ok_or_else(|| {
        ClientError::Config(format!("compression.type={name}: it is none, gzip, snappy, lz4 or zstd"))
    })?;
    let key = format!("compression.{name}.level");
    let level = config.value(&key).map(|level| {
        level.trim().parse().map_err(|_| ClientError::Config(format!("{key}: {level:?} is not a number")))
    });
    Codec::new(compression, level.transpose()?).map_err(|levels| ClientError::Config(format!("{key}: {levels}")))
}

/// Whether batches are numbered so that none is stored twice. It is the default, but gives way to settings that it does not go with.
fn idempotent(config: &ClientConfig, acks: i16, retries: i32, max_in_flight: i32) -> Result<bool, ClientError> {
    const KEY: &str = "enable.idempotence";
    let asked_for = config.value(KEY).is_some();
    let wanted = flag(config, KEY, true)?;
    let hindrance = if acks != -1 {
        Some("acks must be all")
    } else if retries == 0 {
        Some("retries must not be 0")
    } else if max_in_flight > MOST_IN_FLIGHT {
        Some("max.in.flight.requests.per.connection must be at most 5")
    } else {
        None
    };
    match hindrance.filter(|_| wanted) {
        None => Ok(wanted),
        Some(hindrance) if asked_for => Err(ClientError::Config(format!("{KEY}=true: {hindrance} for it"))),
        Some(hindrance) => {
            tracing::warn!("records may be written twice or out of order: {KEY} is off, since {hindrance} for it");
            Ok(false)
        }
    }
}

fn transactions(config: &ClientConfig, idempotent: bool) -> Result<Option<Transactions>, ClientError> {
    const KEY: &str = "transactional.id";
    let timeout = millis(config, "transaction.timeout.ms", 60_000)?;
    let Some(id) = config.value(KEY) else { return Ok(None) };
    if id.is_empty() {
        return Err(ClientError::Config(format!("{KEY} is empty: give it a name, or leave it out")));
    }
    if !idempotent {
        return Err(ClientError::Config(format!(
            "{KEY}={id}: transactions need enable.idempotence=true, and what goes with it: acks=all, retries above 0, and \
             max.in.flight.requests.per.connection of at most 5"
        )));
    }
    Ok(Some(Transactions { id: id.into(), timeout }))
}

/// It has to leave time for one attempt. Unless it was given it grows by need.
fn delivery_timeout(config: &ClientConfig, attempt: Duration) -> Result<Duration, ClientError> {
    const KEY: &str = "delivery.timeout.ms";
    let timeout = millis(config, KEY, 120_000)?;
    if timeout >= attempt {
        return Ok(timeout);
    }
    if config.value(KEY).is_none() {
        return Ok(attempt);
    }
    Err(ClientError::Config(format!(
        "{KEY}={}: it must be at least linger.ms and request.timeout.ms together, which are {} ms",
        timeout.as_millis(),
        attempt.as_millis()
    )))
}

fn bytes(config: &ClientConfig, key: &str, default: usize) -> Result<usize, ClientError> {
    let Some(value) = config.value(key) else { return Ok(default) };
    value.trim().parse().map_err(|_| ClientError::Config(format!("{key}: {value:?} is not a number of bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(settings: &[(&str, &str)]) -> Result<Settings, ClientError> {
        let config = settings.iter().fold(ClientConfig::new(), |config, (key, value)| config.with(*key, *value));
        Settings::of(&config)
    }

    #[test]
    fn defaults_are_those_of_java_and_streams() {
        let settings = with(&[]).expect("defaults");
        assert_eq!((settings.acks, settings.rules.idempotent, settings.max_in_flight), (-1, true, 5));
        assert_eq!((settings.buffer_memory, settings.max_request_size), (32 << 20, 1 << 20));
        assert_eq!((settings.linger, settings.linger_is_set), (Duration::from_millis(100), false));
        let set = with(&[("linger.ms", "100")]).expect("what it is by default");
        assert_eq!((set.linger, set.linger_is_set), (Duration::from_millis(100), true));
        assert_eq!(settings.rules.delivery_timeout, Duration::from_mins(2));
        assert_eq!(settings.rules.retries, i32::MAX as u32);
    }

    #[test]
    fn idempotence_gives_way_to_what_it_does_not_go_with_unless_it_was_asked_for() {
        for hindrance in
            [("acks", "1"), ("acks", "0"), ("retries", "0"), ("max.in.flight.requests.per.connection", "6")]
        {
            assert_eq!(with(&[hindrance]).map(|settings| settings.rules.idempotent), Ok(false), "{hindrance:?}");
            let off = with(&[hindrance, ("enable.idempotence", "false")]);
            assert_eq!(off.map(|settings| settings.rules.idempotent), Ok(false), "{hindrance:?}");
            let error = with(&[hindrance, ("enable.idempotence", "true")]).expect_err("both cannot be");
            assert!(error.to_string().contains(hindrance.0), "{error}");
        }
    }

    #[test]
    fn a_delivery_timeout_must_leave_time_for_an_attempt() {
        let error = with(&[("delivery.timeout.ms", "30000")]).expect_err("shorter than a request");
        assert!(error.to_string().contains("at least linger.ms and request.timeout.ms"), "{error}");
        let short = with(&[("delivery.timeout.ms", "300"), ("request.timeout.ms", "200")]).expect("just enough");
        assert_eq!(short.rules.delivery_timeout, Duration::from_millis(300));
        let grown = with(&[("request.timeout.ms", "200000")]).expect("grows by need");
        assert_eq!(grown.rules.delivery_timeout, Duration::from_millis(200_100));
    }

    #[test]
    fn a_level_of_compression_counts_for_its_own_codec() {
        let zstd = ("compression.type", "zstd");
        let codec = |level| Codec::new(Compression::Zstd, level).expect("a level");
        let with = |level| with(&[zstd, level]).map(|settings| settings.codec);
        assert_eq!(with(("compression.gzip.level", "77")), Ok(codec(None)));
        assert_eq!(with(("compression.zstd.level", "19")), Ok(codec(Some(19))));
        for level in ["23", "high"] {
            let error = with(("compression.zstd.level", level)).expect_err(level);
            assert!(matches!(&error, ClientError::Config(text) if text.contains("compression.zstd.level")), "{error}");
        }
    }

    #[test]
    fn transactions_need_idempotence_and_a_name() {
        let id = ("transactional.id", "app-7-1");
        let timeout =
            |settings: &[_]| with(settings).map(|settings| settings.transactions.map(|of| (of.id, of.timeout)));
        assert_eq!(timeout(&[]), Ok(None));
        assert_eq!(timeout(&[id]), Ok(Some(("app-7-1".into(), Duration::from_mins(1)))));
        let short = ("transaction.timeout.ms", "10000");
        assert_eq!(timeout(&[id, short]), Ok(Some(("app-7-1".into(), Duration::from_secs(10)))));
        for hindrance in [("enable.idempotence", "false"), ("acks", "1"), ("retries", "0")] {
            let error = with(&[id, hindrance]).expect_err("both cannot be");
            assert!(error.to_string().contains("transactions need enable.idempotence=true"), "{error}");
        }
    }

    #[test]
    fn values_that_are_none_are_told() {
        for (key, value) in [
            ("acks", "2"),
            ("batch.size", "-1"),
            ("buffer.memory", "much"),
            ("compression.type", "rar"),
            ("enable.idempotence", "yes"),
            ("linger.ms", "-1"),
            ("max.in.flight.requests.per.connection", "0"),
            ("max.request.size", "3000000000"),
            ("transaction.timeout.ms", "soon"),
            ("transactional.id", ""),
        ] {
            let error = with(&[(key, value)]).expect_err(key);
            assert!(matches!(&error, ClientError::Config(text) if text.contains(key)), "{error}");
        }
    }
}
