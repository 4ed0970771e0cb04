//! The settings of internal topics: the library's, over them the application's `topic.*`, over them the program's.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_topology::node::Cleanup;

/// What the application's configuration says about internal topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalTopicSettings {
    /// `replication.factor`; -1 leaves it to the broker.
    pub replication_factor: i16,
    /// `windowstore.changelog.additional.retention.ms`.
    pub additional_retention: Duration,
    /// Settings under `topic.`, without that prefix.
    pub topic_configs: BTreeMap<String, String>,
}

impl Default for InternalTopicSettings {
    fn default() -> Self {
        InternalTopicSettings {
            replication_factor: -1,
            additional_retention: Duration::from_hours(24),
            topic_configs: BTreeMap::new(),
        }
    }
}

const CLEANUP_POLICY: &str = "cleanup.policy";
const RETENTION_MS: &str = "retention.ms";
const MIN_COMPACTION_LAG_MS: &str = "min.compaction.lag.ms";
const SEGMENT_BYTES: &str = "segment.bytes";
const TIMESTAMP_TYPE: &str = "message.timestamp.type";

/// By how much the compaction lag of a versioned store's changelog is longer than its history, in milliseconds.
const ADDITIONAL_COMPACTION_LAG_MS: i64 = 24 * 60 * 60 * 1000;

impl InternalTopicSettings {
    /// The settings of a repartition topic.
    pub(super) fn repartition(&self) -> BTreeMap<String, String> {
        let mut configs = defaults("delete");
        configs.insert(SEGMENT_BYTES.to_owned(), "52428800".to_owned());
        configs.insert(RETENTION_MS.to_owned(), "-1".to_owned());
        configs.extend(self.topic_configs.clone());
        configs
    }

    /// The settings of a changelog that keeps what `cleanup` says; `own` are the program's.
    pub(super) fn changelog(&self, cleanup: Cleanup, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut configs = defaults(match cleanup {
            Cleanup::Compact | Cleanup::CompactAfter { .. } => "compact",
            Cleanup::CompactDelete { .. } => "compact,delete",
            Cleanup::Delete { .. } => "delete",
        });
        configs.extend(self.topic_configs.clone());
        configs.extend(own.clone());
        if let Cleanup::Delete { .. } = cleanup {
            // Java puts it among the join's own settings, over all others: duplicates must not be compacted away.
            configs.insert(CLEANUP_POLICY.to_owned(), "delete".to_owned());
        }
        let computed = match cleanup {
            Cleanup::Compact => return configs,
            Cleanup::CompactDelete { retention } | Cleanup::Delete { retention } => {
                (RETENTION_MS, millis(retention).saturating_add(millis(self.additional_retention)))
            }
            Cleanup::CompactAfter { history } => {
                (MIN_COMPACTION_LAG_MS, millis(history).saturating_add(ADDITIONAL_COMPACTION_LAG_MS))
            }
        };
        if !own.contains_key(computed.0) {
            configs.insert(computed.0.to_owned(), computed.1.to_string());
        }
        configs
    }
}

fn defaults(cleanup: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        (CLEANUP_POLICY.to_owned(), cleanup.to_owned()),
        (TIMESTAMP_TYPE.to_owned(), "CreateTime".to_owned()),
    ])
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
