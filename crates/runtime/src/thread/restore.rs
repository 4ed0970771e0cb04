//! The restore worker beside a stream thread, and the two channels over which tasks' stores go to and fro.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use crate::changelog::{GroupOffsets, Restoring, Standby, UpdateFailure, Updated, Updater, UpdaterSettings};
use crate::config::Role;
use crate::instance::Instance;
use crate::task::TaskStores;
use crate::{Error, metric};

/// How soon the thread looks again for what the worker gives back.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What the thread asks of the worker.
#[derive(Debug)]
enum Order {
    Restore(TaskStores),
    Follow(TaskStores),
    Remove(TaskId),
}

/// What the worker gives back.
#[derive(Debug)]
pub(super) enum Report {
    /// An active task is complete.
    Restored(TaskStores),
    /// A task was asked back, and here it is; whether its stores were committed is beside it.
    Removed(TaskStores, Result<(), UpdateFailure>),
    /// A task cannot go on.
    Failed(TaskStores, UpdateFailure),
}

type OffsetSums = Arc<Mutex<BTreeMap<TaskId, i64>>>;

/// The thread's end of the channels.
#[derive(Debug)]
pub(super) struct RestoreLink {
    orders: Sender<Order>,
    reports: Receiver<Report>,
    offset_sums: OffsetSums,
    /// Whether the worker has ended though nobody asked it to.
    broken: bool,
}

impl RestoreLink {
    pub(super) fn restore(&mut self, stores: TaskStores) {
        self.send(Order::Restore(stores));
    }

    pub(super) fn follow(&mut self, stores: TaskStores) {
        self.send(Order::Follow(stores));
    }

    pub(super) fn ask_back(&mut self, task: TaskId) {
        self.send(Order::Remove(task));
    }

    fn send(&mut self, order: Order) {
        self.broken |= self.orders.send(order).is_err();
    }

    /// The next task that came back.
    pub(super) fn report(&mut self) -> Result<Option<Report>, Error> {
        match self.reports.try_recv() {
            Ok(report) => Ok(Some(report)),
            Err(TryRecvError::Empty) if !self.broken => Ok(None),
            Err(_) => Err(Error::new(
                crate::ErrorKind::Internal,
                "the thread that restores state has ended; its panic is logged",
            )),
        }
    }

    /// The offset sums of the tasks that are with the worker.
    pub(super) fn offset_sums(&self) -> BTreeMap<TaskId, i64> {
        self.offset_sums.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Restores and keeps up to date what a stream thread hands over. It is driven beside the thread, and ends when that has gone.
pub(crate) struct RestoreWorker {
    updater: Updater,
    orders: Receiver<Order>,
    reports: Sender<Report>,
    offset_sums: OffsetSums,
}

/// A link and its worker, whose clients are named after `thread`.
pub(super) fn make(instance: &Instance, thread: &str) -> Result<(RestoreLink, RestoreWorker), Error> {
    let (config, clients) = (&instance.config, &instance.environment.clients);
    let name = thread.replace("StreamThread", "StateUpdater");
    let consumer = clients.consumer(&config.client(Role::RestoreConsumer, &format!("{name}-restore-consumer")))?;
    let admin = clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?;
    let member = config.client(Role::Membership, &format!("{name}-offsets"));
    let offsets = GroupOffsets::new(config.application_id(), clients.membership(config.application_id(), &member)?);
    let settings = UpdaterSettings {
        commit_interval: config.commit_interval(),
        retry_backoff: config.retry_backoff(),
        task_timeout: config.task_timeout(),
        request_timeout: config.request_timeout(),
        ..UpdaterSettings::default()
    };
    let listener = Arc::clone(&instance.restore_listener);
    let updater = Updater::new(consumer, admin, Box::new(offsets), settings, listener);
    let (orders, to_worker) = channel();
    let (from_worker, reports) = channel();
    let offset_sums = OffsetSums::default();
    let worker =
        RestoreWorker { updater, orders: to_worker, reports: from_worker, offset_sums: Arc::clone(&offset_sums) };
    Ok((RestoreLink { orders, reports, offset_sums, broken: false }, worker))
}

impl RestoreWorker {
    /// Takes orders and goes on with all tasks, waiting for records until `until`. Returns whether the thread is still there.
    pub(crate) fn turn(&mut self, now: Timestamp, until: Deadline) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        for updated in self.updater.turn(now, until) {
            self.give(match updated {
                Updated::Restored(stores) => {
                    metric::task_restored();
                    Report::Restored(stores)
                }
                Updated::Failed { stores, failure } => Report::Failed(stores, failure),
            });
        }
        self.tell_sums();
        true
    }

    /// Whether there is nothing to do until an order comes.
    pub(crate) fn is_idle(&self) -> bool {
        self.updater.is_idle()
    }

    /// Waits for an order and takes it. Returns whether the thread is still there.
    pub(crate) fn wait_for_order(&mut self, patience: Duration) -> bool {
        match self.orders.recv_timeout(patience) {
            Ok(order) => {
                self.take(order);
                true
            }
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Restore(stores) => self.updater.restore(Restoring(stores)),
            Order::Follow(stores) => self.updater.follow(Standby(stores)),
            Order::Remove(task) => {
                // One that is not here any more has been given back already.
                if let Some((stores, committed)) = self.updater.remove(task) {
                    self.give(Report::Removed(stores, committed));
                }
            }
        }
        self.tell_sums();
    }

    fn give(&self, report: Report) {
        // When the thread has gone, the stores are closed here.
        let _ = self.reports.send(report);
    }

    fn tell_sums(&self) {
        let sums = self.updater.progress().into_iter().map(|(task, progress)| (task, progress.offset_sum)).collect();
        *self.offset_sums.lock().unwrap_or_else(PoisonError::into_inner) = sums;
    }
}

impl std::fmt::Debug for RestoreWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreWorker").field("updater", &self.updater).finish_non_exhaustive()
    }
}
