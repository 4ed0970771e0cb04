//! What became of each transaction, as its producer was told: readers must see the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use headwater_client_memory::Cluster;
use headwater_record::{Offset, TopicPartition};

use super::report::{Kind, Violation};

/// Records that were acknowledged: how many from which offset on.
pub(crate) type Written = Vec<(TopicPartition, Offset, u32)>;

#[derive(Debug)]
struct Settled {
    by: String,
    committed: bool,
    written: Written,
}

#[derive(Debug, Default)]
struct Inner {
    settled: Vec<Settled>,
    /// Up to where input was committed for certain; its markers may still be under way.
    offsets: BTreeMap<TopicPartition, Offset>,
    violations: Vec<Violation>,
}

/// All transactions that ended for certain, and what was seen to go wrong on the way.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Inner>);

impl Ledger {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The transaction of `by` with these records has ended, and its producer knows how.
    pub(crate) fn settled(&self, by: &str, committed: bool, written: Written) {
        if !written.is_empty() {
            self.inner().settled.push(Settled { by: by.to_owned(), committed, written });
        }
    }

    /// A transaction that committed these offsets was committed.
    pub(crate) fn committed(&self, offsets: Vec<(TopicPartition, Offset)>) {
        let mut inner = self.inner();
        for (partition, offset) in offsets {
            let known = inner.offsets.entry(partition).or_insert(offset);
            *known = offset.max(*known);
        }
    }

    /// Up to where `partition` was committed in a transaction.
    pub(crate) fn committed_offset(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner().offsets.get(partition).copied()
    }

    pub(crate) fn violated(&self, kind: Kind, what: String) {
        self.inner().violations.push(Violation { kind, what });
    }

    pub(crate) fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut self.inner().violations)
    }

    /// Compares with what readers of committed records see.
    pub(crate) fn check(&self, cluster: &Cluster, violations: &mut Vec<Violation>) {
        let mut seen: BTreeMap<TopicPartition, BTreeSet<Offset>> = BTreeMap::new();
        let mut low = BTreeMap::new();
        let mut compacted = BTreeSet::new();
        for topic in cluster.topics() {
            let view = cluster.topic(&topic);
            if view
                .as_ref()
                .is_some_and(|view| view.configs.get("cleanup.policy").is_some_and(|it| it.contains("compact")))
            {
                compacted.insert(topic.clone());
            }
            for (marks, partition) in view.map(|view| view.partitions).unwrap_or_default().iter().zip(0..) {
                low.insert(TopicPartition::new(topic.clone(), partition), marks.low);
            }
            for (partition, record) in cluster.committed_records(&topic) {
                seen.entry(TopicPartition::new(topic.clone(), partition)).or_default().insert(record.offset);
            }
        }
        let none = BTreeSet::new();
        for Settled { by, committed, written } in &self.inner().settled {
            for (partition, base, count) in written {
                let seen = seen.get(partition).unwrap_or(&none);
                let stays = |offset: &Offset| {
                    !compacted.contains(&partition.topic) && low.get(partition).is_some_and(|low| offset >= low)
                };
                let offsets = (0..*count).map(|number| Offset::new(base.value() + i64::from(number)));
                for offset in offsets {
                    let kind = match (*committed, seen.contains(&offset)) {
                        (true, false) if stays(&offset) => Kind::Lost,
                        (false, true) => Kind::AbortedRead,
                        _ => continue,
                    };
                    let how = if *committed { "committed" } else { "aborted" };
                    violations.push(Violation { kind, what: format!("{partition} at {offset}, {how} by {by}") });
                    break;
                }
            }
        }
    }
}
