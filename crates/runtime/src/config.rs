//! Configuration: Kafka's keys and values, checked once, then asked for by meaning.
//!
//! [`StreamsConfig`] is plain data. Objects (handlers, listeners, clients, stores) are given to the application's builder.

mod clients;
mod guards;
mod names;
pub mod options;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientSupplier};
use headwater_store::RowFormat;
use headwater_topology::Application;
use headwater_topology::node::OffsetReset;

pub(crate) use clients::ROLES;
pub use clients::Role;
pub use guards::Overridden;
pub use names::UnknownSetting;

use crate::Error;
use crate::assignment::{AssignmentSettings, HighAvailabilityTaskAssignor, HostPort, StickyAssignor, TaskAssignor};
use crate::commit::ProcessingGuarantee;
use crate::handler::ExceptionHandlers;
use crate::internal_topics::InternalTopicSettings;
use crate::query::IsolationLevel;
use crate::task::ConfiguredStores;
use options::Support;

/// Settings of producers that the runtime reckons with itself, whatever the cluster.
const NUMBERS_OF_PRODUCERS: [&str; 5] =
    ["batch.size", "delivery.timeout.ms", "linger.ms", "max.block.ms", "socket.connection.setup.timeout.ms"];

/// The settings of one application, all of them valid (Java's `StreamsConfig`).
#[derive(Clone, PartialEq, Eq)]
pub struct StreamsConfig {
    properties: BTreeMap<String, String>,
}

/// A setting that was given and has no effect on Streams or its clients.
pub(crate) struct Unused {
    /// What is to be said.
    pub(crate) message: String,
    /// It is the user's own, and no mistake.
    pub(crate) is_own: bool,
}

impl Unused {
    fn warned(message: String) -> Self {
        Unused { message, is_own: false }
    }
}

impl StreamsConfig {
    /// From Kafka's keys and values. Keys that Streams does not know are kept for clients.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) with everything that is wrong, a line for each.
    pub fn from_properties(
        properties: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Result<Self, Error> {
        let properties: BTreeMap<String, String> =
            properties.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let config = StreamsConfig { properties };
        let mistakes = config.mistakes();
        if mistakes.is_empty() { Ok(config) } else { Err(Error::config(mistakes.join("\n"))) }
    }

    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !self.properties.contains_key("application.id") {
            mistakes.push(
                "application.id is missing: give the application a name, which is also its consumer group's".into(),
            );
        }
        for (key, value) in &self.properties {
            if let Some(setting) = options::find(key) {
                mistakes.extend(parse::check(setting, value).err());
            }
        }
        // What the runtime itself follows, and what all clients share, may also be set with a prefix.
        for (key, value) in self.iter().filter(|(key, _)| !guards::is_guarded(key)) {
            let Some((prefix, _, rest)) = names::split(key) else { continue };
            let Some(setting) = options::find(rest) else { continue };
            mistakes.extend(parse::check(setting, value).err().map(|mistake| format!("{prefix}{mistake}")));
        }
        if mistakes.is_empty() {
            mistakes.extend(self.mistakes_of_meaning());
        }
        mistakes
    }

    /// What needs more than one setting, or a closer look, to be seen.
    fn mistakes_of_meaning(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let stores = self.text(&["dsl.store.suppliers.class", "default.dsl.store"]);
        if ConfiguredStores::parse(stores).is_none() {
            mistakes.push(format!("dsl.store.suppliers.class: {stores:?} is neither rocksDB nor in_memory"));
        }
        if let Err(unknown) = ExceptionHandlers::configured(|key| self.given(key)) {
            mistakes.push(unknown.to_string());
        }
        for key in NUMBERS_OF_PRODUCERS {
            let Some(value) = clients::value_for(&self.properties, Role::Producer, key) else { continue };
            if value.trim().parse::<u64>().is_err() {
                mistakes
                    .push(format!("{key} of the producer: {value:?} is not {}", options::Kind::Number(0, i64::MAX)));
            }
        }
        let (heartbeat, session) = (self.heartbeat_interval(), self.session_timeout());
        if heartbeat >= session {
            mistakes.push(format!(
                "heartbeat.interval.ms: {} must be less than session.timeout.ms, which is {}; a third of it is usual",
                heartbeat.as_millis(),
                session.as_millis()
            ));
        }
        let (timeout, interval) = (self.transaction_timeout(), self.commit_interval());
        if self.guarantee() == ProcessingGuarantee::ExactlyOnceV2 && timeout < interval {
            mistakes.push(format!(
                "Transaction timeout {} was set lower than streams commit interval {}. This will cause ongoing transaction always timeout due to inactivity caused by long commit interval. Consider reconfiguring commit interval to match transaction timeout by tuning 'commit.interval.ms' config, or increase the transaction timeout to match commit interval by tuning `producer.transaction.timeout.ms` config.",
                timeout.as_millis(),
                interval.as_millis()
            ));
        }
        mistakes
    }

    /// What should be said about settings that have no effect, a line for each: those that are known, and those that nobody knows
    /// (Java: "These configurations were supplied but are not used yet") but that are of the user's own.
    pub fn warnings(&self) -> Vec<String> {
        self.unused().into_values().filter(|unused| !unused.is_own).map(|unused| unused.message).collect()
    }

    /// As [`StreamsConfig::warnings`], by the key as it was given.
    fn unused(&self) -> BTreeMap<&str, Unused> {
        let mut unused = BTreeMap::new();
        for (key, value) in self.iter() {
            if let Some(unknown) = UnknownSetting::named(key) {
                unused.insert(key, Unused { message: unknown.of(key), is_own: unknown.is_own() });
            }
            let Some(setting) = options::find(key) else { continue };
            match setting.support {
                Support::NoEffect(reason) if !parse::is_default(setting, value) => {
                    unused.insert(key, Unused::warned(format!("{key} has no effect: {reason}")));
                }
                _ => {}
            }
        }
        unused
    }

    /// What is not used, the user's own settings among it, with what the clients of `supplier` do not act on: one line for each key, however many clients have it.
    pub(crate) fn unused_with(&self, supplier: &dyn ClientSupplier) -> Vec<Unused> {
        let mut unused = self.unused();
        for (role, kind) in clients::ROLES {
            for (key, why) in supplier.unused(kind, &self.client(role, "")) {
                let Some(given) = clients::given_for(&self.properties, role, &key) else { continue };
                if let Some(why) = why {
                    unused.insert(given, Unused::warned(format!("{given} has no effect: {why}")));
                } else {
                    let told = || format!("{given} was supplied but is not used: this client has no such setting");
                    unused.entry(given).or_insert_with(|| Unused::warned(told()));
                }
            }
        }
        unused.into_values().collect()
    }

    /// The value that was given for `key`, as it was given.
    pub fn given(&self, key: &str) -> Option<&str> {
        self.properties.get(key).map(String::as_str)
    }

    /// All values: those that were given, and the defaults of others.
    pub fn values(given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let defaults = options::all().filter_map(|setting| Some((setting.key.to_owned(), setting.default?.to_owned())));
        defaults.chain(given.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
    }

    /// What processors may ask of the application.
    pub(crate) fn application(&self) -> Application {
        let id = self.application_id();
        Application { id: id.to_owned(), configs: Self::values(&self.properties), state_dir: self.state_dir().join(id) }
    }

    /// All that was given, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The first of these keys that was given, or the default of the first.
    fn text(&self, keys: &[&str]) -> &str {
        let given = keys.iter().find_map(|key| self.given(key));
        let default = || keys.first().and_then(|key| options::find(key)).and_then(|setting| setting.default);
        given.or_else(default).unwrap_or_default()
    }

    fn number(&self, keys: &[&str]) -> i64 {
        self.text(keys).trim().parse().unwrap_or_default()
    }

    fn millis(&self, key: &str) -> Duration {
        millis(self.number(&[key]))
    }

    /// What the group's settings are may also be said with a consumer's prefix.
    fn consumer_text(&self, key: &str) -> &str {
        clients::value_for(&self.properties, Role::Membership, key).unwrap_or_else(|| self.text(&[key]))
    }

    fn consumer_millis(&self, key: &str) -> Duration {
        millis(self.consumer_text(key).trim().parse().unwrap_or_default())
    }

    /// `application.id`.
    pub fn application_id(&self) -> &str {
        self.text(&["application.id"])
    }

    /// `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> Option<&str> {
        self.given("bootstrap.servers")
    }

    /// `client.id`, or the application's id with `process`.
    pub fn client_id(&self, process: &str) -> String {
        match self.text(&["client.id"]) {
            "" => format!("{}-{process}", self.application_id()),
            id => id.to_owned(),
        }
    }

    /// `application.server`.
    pub fn application_server(&self) -> Option<HostPort> {
        self.text(&["application.server"]).parse().ok()
    }

    /// `state.dir`.
    pub fn state_dir(&self) -> PathBuf {
        self.given("state.dir").map_or_else(|| std::env::temp_dir().join("kafka-streams"), PathBuf::from)
    }

    /// `state.cleanup.delay.ms`.
    pub fn state_cleanup_delay(&self) -> Duration {
        self.millis("state.cleanup.delay.ms")
    }

    /// `num.stream.threads`.
    pub fn threads(&self) -> usize {
        usize::try_from(self.number(&["num.stream.threads"])).unwrap_or(1)
    }

    /// `processing.guarantee`.
    pub fn guarantee(&self) -> ProcessingGuarantee {
        match self.text(&["processing.guarantee"]).trim() {
            "exactly_once_v2" => ProcessingGuarantee::ExactlyOnceV2,
            _ => ProcessingGuarantee::AtLeastOnce,
        }
    }

    /// `commit.interval.ms`, which under exactly-once is 100 ms unless it is set.
    pub fn commit_interval(&self) -> Duration {
        match (self.guarantee(), self.given("commit.interval.ms")) {
            (ProcessingGuarantee::ExactlyOnceV2, None) => Duration::from_millis(100),
            _ => self.millis("commit.interval.ms"),
        }
    }

    /// `transaction.timeout.ms` of the producers.
    pub fn transaction_timeout(&self) -> Duration {
        let given = clients::value_for(&self.properties, Role::Producer, "transaction.timeout.ms");
        given.and_then(|value| value.trim().parse().ok()).map_or(clients::TRANSACTION_TIMEOUT, Duration::from_millis)
    }

    /// `statestore.uncommitted.max.bytes`; `None` for any number.
    pub fn uncommitted_max_bytes(&self) -> Option<usize> {
        usize::try_from(self.number(&["statestore.uncommitted.max.bytes"])).ok()
    }

    /// `default.interactive.query.isolation.level`.
    pub fn interactive_query_isolation_level(&self) -> IsolationLevel {
        match self.text(&["default.interactive.query.isolation.level"]).trim() {
            "READ_COMMITTED" => IsolationLevel::ReadCommitted,
            _ => IsolationLevel::ReadUncommitted,
        }
    }

    /// `poll.ms`.
    pub fn poll(&self) -> Duration {
        self.millis("poll.ms")
    }

    /// `max.task.idle.ms`, milliseconds; -1 when tasks never wait.
    pub fn max_task_idle_ms(&self) -> i64 {
        self.number(&["max.task.idle.ms"])
    }

    /// `buffered.records.per.partition`.
    pub fn buffered_records_per_partition(&self) -> usize {
        usize::try_from(self.number(&["buffered.records.per.partition"])).unwrap_or(1)
    }

    /// `task.timeout.ms`.
    pub fn task_timeout(&self) -> Duration {
        self.millis("task.timeout.ms")
    }

    /// The part of `statestore.cache.max.bytes` that one thread has, bytes.
    pub fn cache_bytes_per_thread(&self) -> usize {
        let total = self.number(&["statestore.cache.max.bytes", "cache.max.bytes.buffering"]);
        usize::try_from(total).unwrap_or(usize::MAX) / self.threads().max(1)
    }

    /// `repartition.purge.interval.ms`.
    pub fn repartition_purge_interval(&self) -> Duration {
        self.millis("repartition.purge.interval.ms")
    }

    /// `dsl.store.suppliers.class`: what stores are that do not say themselves.
    pub fn configured_stores(&self) -> ConfiguredStores {
        ConfiguredStores::parse(self.text(&["dsl.store.suppliers.class", "default.dsl.store"])).unwrap_or_default()
    }

    /// `dsl.store.format`: what the rows of operators' stores keep.
    pub fn row_format(&self) -> RowFormat {
        RowFormat::of_setting(self.text(&["dsl.store.format"]))
    }

    /// `auto.offset.reset`.
    pub fn offset_reset(&self) -> OffsetReset {
        parse::offset_reset(self.consumer_text("auto.offset.reset")).unwrap_or(OffsetReset::Earliest)
    }

    /// `processing.exception.handler.global.enabled`.
    pub fn handles_errors_of_global_stores(&self) -> bool {
        self.text(&["processing.exception.handler.global.enabled"]).trim().eq_ignore_ascii_case("true")
    }

    /// Settings of internal topics.
    pub fn internal_topics(&self) -> InternalTopicSettings {
        InternalTopicSettings {
            replication_factor: i16::try_from(self.number(&["replication.factor"])).unwrap_or(-1),
            additional_retention: self.millis("windowstore.changelog.additional.retention.ms"),
            topic_configs: self.with_prefix("topic.").map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }

    /// Settings of the leader.
    pub fn assignment(&self) -> AssignmentSettings {
        AssignmentSettings {
            acceptable_recovery_lag: self.number(&["acceptable.recovery.lag"]),
            max_warmup_replicas: usize::try_from(self.number(&["max.warmup.replicas"])).unwrap_or(0),
            standby_replicas: usize::try_from(self.number(&["num.standby.replicas"])).unwrap_or(0),
            probing_rebalance_interval: self.millis("probing.rebalance.interval.ms"),
        }
    }

    /// `task.assignor.class`.
    pub fn task_assignor(&self) -> &'static dyn TaskAssignor {
        if self.text(&["task.assignor.class"]).trim().eq_ignore_ascii_case("HighAvailabilityTaskAssignor") {
            &HighAvailabilityTaskAssignor
        } else {
            &StickyAssignor
        }
    }

    /// `group.instance.id`.
    pub fn group_instance_id(&self) -> Option<&str> {
        clients::value_for(&self.properties, Role::Membership, "group.instance.id")
    }

    /// `session.timeout.ms`.
    pub fn session_timeout(&self) -> Duration {
        self.consumer_millis("session.timeout.ms")
    }

    /// `heartbeat.interval.ms`.
    pub fn heartbeat_interval(&self) -> Duration {
        self.consumer_millis("heartbeat.interval.ms")
    }

    /// `max.poll.interval.ms`.
    pub fn max_poll_interval(&self) -> Duration {
        self.consumer_millis("max.poll.interval.ms")
    }

    /// `retry.backoff.ms`.
    pub fn retry_backoff(&self) -> Duration {
        self.consumer_millis("retry.backoff.ms")
    }

    /// `log.summary.interval.ms`; `None` when no summary is logged, as for 0 and less.
    pub fn log_summary_interval(&self) -> Option<Duration> {
        let millis = u64::try_from(self.number(&["log.summary.interval.ms"])).ok()?;
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    /// `metadata.max.age.ms`.
    pub fn metadata_max_age(&self) -> Duration {
        self.consumer_millis("metadata.max.age.ms")
    }

    /// `request.timeout.ms`.
    pub fn request_timeout(&self) -> Duration {
        self.consumer_millis("request.timeout.ms")
    }

    /// `client.rack`.
    pub fn rack(&self) -> Option<&str> {
        Some(self.consumer_text("client.rack")).filter(|rack| !rack.is_empty())
    }

    /// `client.tag.*`, by name.
    pub fn client_tags(&self) -> Vec<(String, String)> {
        self.with_prefix("client.tag.").map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// `topology.optimization`, its words in order.
    pub(crate) fn optimisations(&self) -> Vec<&str> {
        words(self.text(&["topology.optimization"]))
    }
}

/// What `topology.optimization=all` stands for.
const OPTIMISATIONS: [&str; 3] = ["merge.repartition.topics", "reuse.ktable.source.topics", "single.store.self.join"];

/// The optimisations of a list, in order.
pub(crate) fn words(list: &str) -> Vec<&str> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty() && *word != "none");
    let mut words: Vec<&str> =
        words.flat_map(|word| if word == "all" { OPTIMISATIONS.to_vec() } else { vec![word] }).collect();
    words.sort_unstable();
    words.dedup();
    words
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl fmt::Debug for StreamsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(key, value)| (key, if ClientConfig::is_secret(key) { "[hidden]" } else { value });
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}
