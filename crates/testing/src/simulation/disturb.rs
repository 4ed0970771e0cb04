//! What goes wrong, as the dice fall.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientError;
use headwater_client_memory::{Api, Tombstones, TransactionProtocol};
use headwater_record::{Clock as _, Offset, TopicPartition};
use headwater_runtime::{CloseOptions, State};

use super::process::{Blow, Call, Process, Strike};
use super::world::{APPLICATION, World};

/// What is asked of the cluster.
const APIS: [Api; 15] = [
    Api::Produce,
    Api::Fetch,
    Api::Metadata,
    Api::CreateTopics,
    Api::ListOffsets,
    Api::DeleteRecords,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
    Api::LeaveGroup,
    Api::OffsetCommit,
    Api::OffsetFetch,
    Api::InitProducerId,
    Api::TxnOffsetCommit,
    Api::EndTxn,
];

/// Those that say something to a coordinator.
const OF_COORDINATORS: [Api; 7] = [
    Api::JoinGroup,
    Api::SyncGroup,
    Api::Heartbeat,
    Api::OffsetCommit,
    Api::OffsetFetch,
    Api::InitProducerId,
    Api::TxnOffsetCommit,
];

impl World {
    /// Something goes wrong, or nothing.
    pub(super) fn disturb(&self) {
        match self.throw(|dice| dice.below(24)) {
            0..=5 => self.strike(),
            6 => self.join(),
            7 => self.close_one(),
            8 => self.kill_one(),
            9 => self.fall_asleep(),
            10..=15 => self.plan_fault(),
            16 => self.stand_still(),
            17 => self.cut_off(),
            18 => self.compact(),
            19 => self.delete_heads(),
            20 => self.delete_superseded(),
            _ => {}
        }
    }

    fn pick(&self) -> Option<Arc<Process>> {
        let slots = self.slots.borrow();
        let index = self.throw(|dice| dice.index(slots.len()));
        slots.get(index).map(|slot| Arc::clone(&slot.process))
    }

    fn faulty(&self) {
        self.counts.faults.set(self.counts.faults.get() + 1);
    }

    /// Longer than a session and a transaction last, or an instant in which the others take some turns.
    fn pause_of(&self) -> Duration {
        self.throw(|dice| match dice.below(4) {
            0 | 1 => Duration::from_secs(9 + dice.below(50)),
            2 => Duration::from_millis(1 + dice.below(2_000)),
            _ => Duration::from_millis(1 + dice.below(50)),
        })
    }

    /// An instance will die, or stand still, in the middle of a turn.
    fn strike(&self) {
        let Some(process) = self.pick() else { return };
        let pause = self.pause_of();
        let strike = self.throw(|dice| Strike {
            call: dice.one_of(Call::CommitTransaction, &Call::STRUCK),
            countdown: 1 + if dice.one_in(2) { dice.below(4) } else { dice.below(40) } as u32,
            after: dice.one_in(2),
            blow: if dice.one_in(2) { Blow::Crash } else { Blow::Pause(pause) },
        });
        process.strike(Some(strike));
    }

    /// Another instance, if there is room: on a state directory that was not used before, or that another left behind.
    pub(super) fn join(&self) {
        if self.slots.borrow().len() >= self.plan.most_instances {
            return;
        }
        let place = self.throw(|dice| dice.index(self.plan.most_instances + 2));
        if self.slots.borrow().iter().any(|slot| slot.place == place) {
            return;
        }
        self.prepare(place);
        self.start(place);
    }

    /// One time in a few the directory is lost, or an older copy of it is put back, or kept for later.
    fn prepare(&self, place: usize) {
        let (path, copy) = (self.place(place), self.place(place).with_extension("copy"));
        match self.throw(|dice| dice.below(6)) {
            0 => {
                let _ = std::fs::remove_dir_all(&path);
                self.tell(|| format!("state directory {place} is lost"));
            }
            1 | 2 => {
                let _ = std::fs::remove_dir_all(&copy);
                copy_directory(&path, &copy);
            }
            3 if copy.is_dir() => {
                let _ = std::fs::remove_dir_all(&path);
                let _ = std::fs::rename(&copy, &path);
                self.tell(|| format!("state directory {place} is as it was before"));
                // What it has not heard of is not always told any more.
                if self.throw(|dice| dice.one_in(2)) {
                    self.delete_superseded();
                }
            }
            _ => {}
        }
    }

    fn close_one(&self) {
        let Some(process) = self.pick() else { return };
        self.with_slot(&process, |slot| {
            if let Some(driven) = &slot.driven
                && driven.state() != State::PendingShutdown
            {
                slot.closing = true;
                driven.begin_close(CloseOptions::default());
            }
        });
        self.tell(|| format!("{} is to close", process.name()));
    }

    /// Between two turns, or while it stands still in the middle of one.
    fn kill_one(&self) {
        let Some(process) = self.pick() else { return };
        process.die();
        if let Some(driven) = self.with_slot(&process, |slot| slot.driven.take()).flatten() {
            self.bury(&process, driven);
        }
        if self.throw(|dice| dice.one_in(2)) {
            let seconds = self.throw(|dice| dice.below(20));
            self.clock.advance(Duration::from_secs(seconds));
        }
    }

    /// An instance stands still between two turns.
    fn fall_asleep(&self) {
        let Some(process) = self.pick() else { return };
        let until = self.clock.now().plus(self.pause_of());
        self.with_slot(&process, |slot| slot.asleep = Some(until));
        for client in process.client_ids() {
            self.cluster.faults().of_client(client).unreachable_until(until);
        }
        self.counts.pauses.set(self.counts.pauses.get() + 1);
        self.tell(|| format!("{} takes no turn before {}", process.name(), until.millis() - 1_000_000));
    }

    /// Requests or answers are lost, late or repeated; a coordinator moves, or crashes in the middle of the markers.
    fn plan_fault(&self) {
        self.faulty();
        let faults = self.cluster.faults();
        let times = 1 + self.throw(|dice| dice.below(3)) as u32;
        let late = Duration::from_millis(50 << self.throw(|dice| dice.below(9)));
        let is_one = self.plan.protocol == TransactionProtocol::One;
        let api = self.throw(|dice| {
            if is_one && dice.one_in(6) {
                dice.one_of(Api::AddPartitionsToTxn, &[Api::AddOffsetsToTxn])
            } else {
                dice.one_of(Api::EndTxn, &APIS)
            }
        });
        let what = self.throw(|dice| dice.below(8));
        self.tell(|| format!("fault {what} for {times} of {api:?}, {late:?}"));
        match what {
            0 | 1 => faults.lose_responses(api, times),
            2 => faults.lose_requests(api, times),
            3 => faults.delay_requests(api, 1, late),
            // Under protocol 1 nothing can refuse a late repetition.
            4 if !is_one || !self.plan.exactly_once => faults.repeat_requests(api, 1, late),
            5 => {
                let of_coordinators = self.throw(|dice| dice.one_of(Api::EndTxn, &OF_COORDINATORS));
                faults.move_coordinator(of_coordinators, times);
            }
            6 => {
                let back = self.clock.now().plus(late);
                faults.crash_while_writing_markers(self.throw(|dice| dice.index(5)), back);
            }
            // The coordinator has forgotten the transactional.id, or given it to another; or it wants an abort (KIP-890).
            7 if self.plan.exactly_once => {
                let api = self.throw(|dice| dice.one_of(Api::EndTxn, &[Api::TxnOffsetCommit, Api::Produce]));
                let error = if self.throw(|dice| dice.one_in(2)) {
                    ClientError::Fenced("the transactional.id is not known any more".into())
                } else {
                    ClientError::TransactionAborted("the coordinator says so".into())
                };
                faults.fail_next(api, 1, error);
            }
            _ => {}
        }
    }

    /// All stand still: sessions live on, transactions time out.
    fn stand_still(&self) {
        let duration = Duration::from_millis(self.throw(|dice| dice.below(15_000)));
        self.tell(|| format!("nobody does anything for {duration:?}"));
        self.clock.advance(duration);
    }

    /// Nobody reaches the cluster, or one instance does not.
    fn cut_off(&self) {
        self.faulty();
        let until = self.clock.now().plus(Duration::from_millis(self.throw(|dice| dice.below(4_000))));
        if self.throw(|dice| dice.one_in(2)) {
            self.tell(|| format!("the cluster cannot be reached before {}", until.millis() - 1_000_000));
            self.cluster.faults().unreachable_until(until);
        } else if let Some(process) = self.pick() {
            self.tell(|| format!("{} reaches nobody before {}", process.name(), until.millis() - 1_000_000));
            for client in process.client_ids() {
                self.cluster.faults().of_client(client).unreachable_until(until);
            }
        }
    }

    /// The broker compacts what may be. Tombstones stay: `delete.retention.ms` is longer than anybody is away.
    fn compact(&self) {
        self.tell(|| "compaction".to_owned());
        for topic in self.cluster.topics() {
            let configs = self.cluster.topic(&topic).map(|view| view.configs).unwrap_or_default();
            // A lag lasts longer than a run.
            let is_due = !configs.contains_key("min.compaction.lag.ms");
            if is_due && configs.get("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
                let _ = self.cluster.compact(&topic, Tombstones::Keep);
                self.compacted.borrow_mut().insert(topic);
            }
        }
    }

    /// The broker deletes input that was processed for good, as retention does.
    fn delete_heads(&self) {
        let committed = self.cluster.group(APPLICATION).committed;
        for input in self.simulation.inputs.iter().filter(|input| !input.compacted && !input.kept && !input.first) {
            for partition in 0..input.partitions {
                let partition = TopicPartition::new(input.topic.as_str(), partition);
                if let Some(committed) = committed.get(&partition) {
                    let kept = committed.offset.value() - self.throw(|dice| dice.below(3)) as i64;
                    self.delete_before(&partition, Offset::new(kept.max(0)));
                }
            }
        }
    }

    /// The broker deletes the head of the changelogs, in which nothing lies but what later records say anew, or say to be gone: stores that
    /// contain less than that have missed deletions.
    fn delete_superseded(&self) {
        self.tell(|| "heads of changelogs are deleted".to_owned());
        for topic in self.cluster.topics() {
            let Some(view) = self.cluster.topic(&topic) else { continue };
            if !topic.as_str().ends_with("-changelog") || view.configs.contains_key("min.compaction.lag.ms") {
                continue;
            }
            let records = self.cluster.committed_records(&topic);
            for (marks, partition) in view.partitions.iter().zip(0..) {
                let of_partition = records.iter().filter(|(other, _)| *other == partition).map(|(_, record)| record);
                let last: BTreeMap<_, _> = of_partition.map(|record| (&record.key, record)).collect();
                let rows = last.values().filter(|record| record.value.is_some()).map(|record| record.offset);
                let first = rows.min().unwrap_or(marks.high);
                self.delete_before(&TopicPartition::new(topic.clone(), partition), first);
            }
            self.compacted.borrow_mut().insert(topic);
        }
    }

    fn delete_before(&self, partition: &TopicPartition, offset: Offset) {
        use headwater_client::{ClientConfig, ClientSupplier as _};
        let config = ClientConfig::new().with("client.id", "retention");
        if let Ok(mut admin) = self.cluster.admin(&config) {
            let _ = admin.delete_records(&[(partition.clone(), offset)], headwater_record::Deadline::NOW);
        }
    }
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    let _ = std::fs::create_dir_all(to);
    for entry in entries.filter_map(Result::ok) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_directory(&from, &to);
        } else {
            let _ = std::fs::copy(&from, &to);
        }
    }
}
