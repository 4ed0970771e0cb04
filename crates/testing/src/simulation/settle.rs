//! How a run comes to rest, and what is compared then.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_record::{Offset, OwnedRecord, Partition, Topic, TopicPartition};
use headwater_runtime::{CloseOptions, Driven, State};
use headwater_store_memory::MemoryStores;
use headwater_topology::node::{NodeKind, SourceTopics};

use super::output::{Expected, check_together};
use super::report::{Kind, Violation};
use super::stores::fold;
use super::world::{APPLICATION, World};

/// In so many rounds it has to come to rest.
const PATIENCE: u32 = 4_000;

impl World {
    /// Nothing goes wrong any more.
    pub(super) fn calm_down(&self) {
        self.tell(|| "calm".to_owned());
        self.cluster.faults().forget_rules();
        for slot in self.slots.borrow_mut().iter_mut() {
            slot.process.strike(None);
            slot.asleep = None;
        }
        self.clock.advance(Duration::from_secs(4));
    }

    /// Rounds until `done`; whether it came to that.
    fn until(&self, what: &str, done: impl Fn() -> bool) -> bool {
        for round in 0..PATIENCE {
            if round % 4 == 0 && done() {
                return true;
            }
            if self.slots.borrow().is_empty() {
                self.start(0);
            }
            self.round();
            self.clock.advance(Duration::from_millis(if round < 200 { 20 } else { 100 }));
        }
        let slots = self.slots.borrow();
        let states: Vec<_> = slots.iter().filter_map(|slot| slot.driven.as_ref().map(Driven::state)).collect();
        let lags = self.lags();
        let group = self.cluster.group(APPLICATION);
        let what = format!(
            "{what}: never, in {PATIENCE} rounds; instances {states:?}, group {:?} of generation {}, not processed {lags:?}",
            group.state, group.generation
        );
        self.ledger.violated(Kind::Stuck, what);
        false
    }

    /// The topics that tasks read.
    fn read_topics(&self) -> Vec<Topic> {
        let topology = (self.simulation.topology)().for_application(APPLICATION);
        let parts = topology.subtopologies().iter().filter(|part| !part.global);
        let nodes = parts.flat_map(|part| part.nodes.iter()).filter_map(|id| topology.node(*id));
        let mut topics = Vec::new();
        for node in nodes {
            match &node.kind {
                NodeKind::Source { topics: SourceTopics::Named(names), .. } => {
                    topics.extend(names.iter().map(|name| Topic::from(name.as_str())));
                }
                NodeKind::Source { topics: SourceTopics::Pattern(_), .. } => {
                    topics.extend(self.simulation.inputs.iter().map(|input| Topic::from(input.topic.as_str())));
                }
                _ => {}
            }
        }
        topics
    }

    /// Partitions with records that are not processed for good.
    fn lags(&self) -> Vec<TopicPartition> {
        let committed = self.cluster.group(APPLICATION).committed;
        let mut lags = Vec::new();
        for topic in self.read_topics() {
            let partitions = self.cluster.topic(&topic).map_or(0, |view| view.partitions.len());
            for partition in 0..partitions as Partition {
                let partition = TopicPartition::new(topic.clone(), partition);
                let from = committed.get(&partition).map_or(Offset::ZERO, |committed| committed.offset);
                if self.cluster.has_committed_records(&partition, from) {
                    lags.push(partition);
                }
            }
        }
        lags
    }

    /// Until all that was fed is processed for good.
    pub(super) fn settle(&self) -> bool {
        self.until("all input is processed", || {
            let slots = self.slots.borrow();
            let runs =
                |slot: &super::world::Slot| slot.driven.as_ref().is_some_and(|driven| driven.state() == State::Running);
            slots.iter().all(|slot| slot.closing || runs(slot)) && self.lags().is_empty() && self.is_stable()
        })
    }

    /// Whether no transaction is open any more whose end would show something.
    fn is_stable(&self) -> bool {
        self.cluster.topics().iter().all(|topic| {
            let partitions = self.cluster.topic(topic).map(|view| view.partitions).unwrap_or_default();
            partitions.iter().zip(0..).all(|(marks, partition)| {
                self.cluster.end_offset(&TopicPartition::new(topic.clone(), partition)) == Some(marks.high)
            })
        })
    }

    /// What is committed never goes back.
    pub(super) fn watch_committed(&self) {
        let mut before = self.committed.borrow_mut();
        for (partition, committed) in self.cluster.group(APPLICATION).committed {
            let known = before.entry(partition.clone()).or_insert(committed.offset);
            if committed.offset < *known {
                let what = format!("{partition} was committed up to {known}, and now up to {}", committed.offset);
                self.ledger.violated(Kind::CommittedOffset, what);
            }
            *known = committed.offset;
        }
    }

    /// Writes where everything stands.
    pub(super) fn tell_marks(&self) {
        for topic in self.cluster.topics() {
            for (marks, partition) in self.cluster.topic(&topic).iter().flat_map(|view| &view.partitions).zip(0..) {
                let partition = TopicPartition::new(topic.clone(), partition);
                let end = self.cluster.end_offset(&partition).unwrap_or_default();
                self.tell(|| {
                    format!("{partition} begins at {}, is stable up to {}, ends at {end}", marks.low, marks.high)
                });
            }
        }
        for (partition, committed) in self.cluster.group(APPLICATION).committed {
            self.tell(|| format!("{partition} is committed up to {}", committed.offset));
        }
    }

    /// Closes all instances in good order, and hears what their stores held.
    pub(super) fn close_all(&self) -> bool {
        self.witness.listen();
        for slot in self.slots.borrow_mut().iter_mut() {
            slot.closing = true;
            if let Some(driven) = &slot.driven {
                driven.begin_close(CloseOptions::default());
            }
        }
        for _ in 0..PATIENCE {
            if self.slots.borrow().is_empty() {
                return true;
            }
            self.round();
            self.clock.advance(Duration::from_millis(20));
        }
        self.ledger.violated(Kind::Stuck, "not all instances closed".to_owned());
        false
    }

    /// What readers of committed records see in the output topics.
    pub(super) fn seen(&self) -> Expected {
        let outputs = self.simulation.outputs.iter();
        outputs
            .map(|output| {
                let records = self.cluster.committed_records(&Topic::from(output.topic.as_str()));
                let outcomes = records.iter().map(|(_, record)| {
                    let bytes = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
                    (bytes(record.key.as_deref()), bytes(record.value.as_deref()))
                });
                (output.topic.clone(), outcomes.collect())
            })
            .collect()
    }

    /// Compares all that can be compared at the end.
    pub(super) fn check(&self, expected: &Expected, violations: &mut Vec<Violation>) {
        let (seen, none) = (self.seen(), Vec::new());
        for output in &self.simulation.outputs {
            let of = |all: &Expected| all.get(&output.topic).cloned();
            let (expected, seen) = (of(expected).unwrap_or_default(), of(&seen).unwrap_or_else(|| none.clone()));
            output.check(self.plan.exactly_once, &expected, &seen, violations);
        }
        if self.plan.exactly_once {
            for topics in &self.simulation.together {
                check_together(topics, &seen, violations);
            }
        }
        self.ledger.check(&self.cluster, violations);
        self.check_stores(violations);
    }

    /// What each store held must be what its changelog says up to the offset that the store says.
    fn check_stores(&self, violations: &mut Vec<Violation>) {
        let topology = (self.simulation.topology)().for_application(APPLICATION);
        let changelogs: BTreeMap<String, String> = topology
            .stores()
            .filter_map(|(id, node)| Some((node.spec.name.clone(), topology.changelog_topic(id)?)))
            .collect();
        let mut of_topic: BTreeMap<Topic, Vec<(Partition, OwnedRecord)>> = BTreeMap::new();
        for held in self.witness.take() {
            let (Some(changelog), Some(offset)) = (changelogs.get(&held.spec.name), held.offset) else { continue };
            let topic = Topic::from(changelog.as_str());
            let records = of_topic.entry(topic.clone()).or_insert_with(|| self.readable(&topic));
            let partitions: Vec<Partition> = match held.partition {
                Some(partition) => vec![partition],
                None => (0..self.cluster.topic(&topic).map_or(0, |view| view.partitions.len() as Partition)).collect(),
            };
            let make = if self.plan.on_disk { MemoryStores::in_place_of_disk() } else { MemoryStores::new() };
            let mut agrees = partitions.iter().map(|partition| {
                let of_partition = || records.iter().filter(|(other, _)| other == partition).map(|(_, record)| record);
                // A store that lies behind has what compaction has taken away since, or has not.
                let is_behind = of_partition().any(|record| record.offset > offset);
                let mut contained = of_partition().filter(|record| record.offset <= offset).map(OwnedRecord::view);
                let rows = fold(&make, &held.spec, &held.keys, &mut contained);
                is_behind && self.compacted.borrow().contains(&topic)
                    || !matches!(rows, Ok(Some(rows)) if rows != held.rows)
            });
            if !agrees.any(|agrees| agrees) {
                let name = &held.spec.name;
                let what =
                    format!("store {name}, partition {:?}, up to {offset}: {} rows", held.partition, held.rows.len());
                violations.push(Violation { kind: Kind::StateAgainstChangelog, what });
            }
        }
    }

    /// What readers of a changelog see.
    fn readable(&self, topic: &Topic) -> Vec<(Partition, OwnedRecord)> {
        if self.plan.exactly_once { self.cluster.committed_records(topic) } else { self.cluster.records(topic) }
    }
}
