//! Closing the task of a driver and starting it again over the same topics.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError, ClientSupplier, CommittedOffset, StartAt};
use headwater_record::{Clock, Deadline, Offset, Timestamp, TopicPartition};
use headwater_runtime::changelog::{GroupOffsets, Restoring, Silent, Updated, Updater, UpdaterSettings};
use headwater_runtime::task::{Committed, Parts, StreamTask, TaskSpec, TaskStores};

use super::live::{Live, Stopped};
use crate::DriverError;

/// What is left of a task's stores when it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateOnDisk {
    /// Everything on disk: stores there go on from what they hold, and those in memory are restored from their changelogs.
    Kept,
    /// Nothing: all stores are restored from their changelogs.
    Wiped,
    /// The open stores themselves, as when a task moves to another thread of its instance.
    HandedOver,
}

/// So many turns without an end are taken for a restore that does not end.
const TURNS: usize = 100_000;

impl Live {
    pub(super) fn restart(&mut self, state: StateOnDisk) -> Result<(), DriverError> {
        let Some(stopped) = self.stop()? else { return Err(DriverError::Closed) };
        let Stopped { spec, stores, is_complete, committed } = stopped;
        committed?;
        let stores = match state {
            StateOnDisk::HandedOver if is_complete => stores,
            StateOnDisk::HandedOver => self.restored(stores)?,
            StateOnDisk::Kept | StateOnDisk::Wiped => self.reopened(&spec, stores, state)?,
        };
        let now = self.clock.now();
        let committed = self.committed(&spec)?;
        let parts = Parts {
            topology: &self.topology,
            stores,
            globals: self.global.stores().clone(),
            committed: committed.iter().map(|(at, offset)| (at.clone(), Committed::of(offset))).collect(),
            settings: self.made_of.task.clone(),
            spec: spec.clone(),
        };
        self.running = Some(StreamTask::start(parts, &mut self.output, now)?);
        // What was read but not committed is read again.
        let read: Vec<_> = spec.partitions().filter(|at| self.consumer.position(at).is_some()).cloned().collect();
        self.consumer.unassign(&read)?;
        let left = |at| committed.get(at).map_or(Offset::ZERO, |committed| committed.offset);
        let starts: Vec<_> = read.iter().map(|at| (at.clone(), StartAt::Offset(left(at)))).collect();
        self.consumer.assign(&starts)?;
        self.read_inputs()?;
        self.fetch(&[])?;
        self.complete()
    }

    /// Where the inputs were left at the last commit.
    fn committed(&mut self, spec: &TaskSpec) -> Result<HashMap<TopicPartition, CommittedOffset>, DriverError> {
        let inputs: Vec<TopicPartition> = spec.partitions().cloned().collect();
        let until = Deadline::after(self.clock.now(), Duration::from_mins(2));
        let committed = self.group.committed_offsets(&self.identity.group, &inputs, true, until)?;
        Ok(inputs.into_iter().zip(committed).filter_map(|(input, committed)| Some((input, committed?))).collect())
    }

    fn reopened(&self, spec: &TaskSpec, old: TaskStores, state: StateOnDisk) -> Result<TaskStores, DriverError> {
        drop(old);
        if state == StateOnDisk::Wiped {
            self.made_of.stores.wipe()?;
        }
        let setting = |key: &str| self.made_of.settings.get(key).map(String::as_str);
        self.restored(self.made_of.stores.of_task(&self.topology, spec, setting)?)
    }

    /// `stores` with all that their changelogs hold, as a running application restores them.
    fn restored(&self, stores: TaskStores) -> Result<TaskStores, DriverError> {
        for changelog in &stores.changelogs {
            let topic = &changelog.partition.topic;
            if self.cluster.topic(topic).is_none() {
                self.cluster.create_topic(topic.clone(), 1)?;
            }
        }
        let client = ClientConfig::new().with("client.id", "topology-test-driver-restore");
        let group = &self.identity.group;
        let mut updater = Updater::new(
            self.cluster.consumer(&client)?,
            self.cluster.admin(&client)?,
            Box::new(GroupOffsets::new(group, self.cluster.membership(group, &client)?)),
            UpdaterSettings::default(),
            Arc::new(Silent),
        );
        updater.restore(Restoring(stores));
        let mut now: Timestamp = self.clock.now();
        for _ in 0..TURNS {
            match updater.turn(now, Deadline::NOW).pop() {
                Some(Updated::Restored(restored)) => return Ok(restored),
                Some(Updated::Failed { failure, .. }) => return Err(DriverError::Restore(failure)),
                // The wall clock stands still for the topology, not for who asks the cluster again.
                None => now = now.plus(Duration::from_millis(1)),
            }
        }
        let request = "the restore of a store";
        Err(DriverError::Restore(ClientError::TimedOut { request: request.into() }.into()))
    }
}

impl super::stores::StoreChoice {
    /// Deletes what lies in the directory of the stores.
    fn wipe(&self) -> Result<(), DriverError> {
        let Some((_, directory)) = &self.persistent else { return Ok(()) };
        match fs::remove_dir_all(directory) {
            // Nothing lies there yet.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            wiped => wiped.map_err(|error| DriverError::Directory(format!("{}: {error}", directory.display()))),
        }
    }
}
