//! The state updater of a stream thread (Java's `StateUpdater`): what restores stores and keeps standbys up to date beside it, and
//! the two channels over which tasks' stores go to and fro. It also asks the cluster what the stream thread must not wait for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headwater_record::{Deadline, Timestamp};
use headwater_topology::TaskId;

use super::asker::{Answer, Asker, MOST_QUESTIONS, Question};
use super::cluster::Cluster;
use super::context::ThreadContext;
use crate::changelog::{GroupOffsets, Restoring, Standby, UpdateFailure, Updated, Updater, UpdaterSettings};
use crate::config::Role;
use crate::task::TaskStores;
use crate::{Error, metric};

/// How soon the thread looks again for what the worker gives back.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// So many orders, and as many reports, may wait. A task has one of either under way: with more tasks the rest has its turn later.
const MOST_WAITING: usize = 1_000;

/// What the thread asks of the worker.
#[derive(Debug)]
pub(super) enum Order {
    /// Bring an active task up to date.
    Restore(TaskStores),
    /// Keep a standby up to date.
    Follow(TaskStores),
    /// Give a task back.
    Remove(TaskId),
    /// Ask the cluster.
    Ask(Question),
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
pub(super) struct StateUpdater {
    orders: SyncSender<Order>,
    reports: Receiver<Report>,
    offset_sums: OffsetSums,
    /// Whether the worker has ended though nobody asked it to.
    broken: bool,
}

impl StateUpdater {
    /// Gives the worker an order. Without room for it, it comes back.
    pub(super) fn send(&mut self, order: Order) -> Option<Order> {
        match self.orders.try_send(order) {
            Ok(()) => None,
            Err(TrySendError::Full(order)) => Some(order),
            Err(TrySendError::Disconnected(_)) => {
                self.broken = true;
                None
            }
        }
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
    reports: SyncSender<Report>,
    /// Reports for which there is no room yet. As long as there are any, the worker does nothing else.
    held: VecDeque<Report>,
    offset_sums: OffsetSums,
    cluster: Cluster,
    /// What the thread asks; [`MOST_QUESTIONS`] at most.
    questions: VecDeque<Question>,
    answers: SyncSender<Answer>,
}

/// The state updater of the thread, and its worker.
pub(super) fn make(cx: &ThreadContext) -> Result<(StateUpdater, Asker, RestoreWorker), Error> {
    let cluster = Cluster::new(cx)?;
    let (config, clients) = (cx.config(), &cx.instance.environment.clients);
    let name = cx.instance.thread_name(cx.number).replace("StreamThread", "StateUpdater");
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
    let listener = Arc::clone(&cx.instance.restore_listener);
    let updater = Updater::new(consumer, admin, Box::new(offsets), settings, listener);
    let (orders, to_worker) = sync_channel(MOST_WAITING);
    let (from_worker, reports) = sync_channel(MOST_WAITING);
    let (to_thread, answers) = sync_channel(MOST_QUESTIONS);
    let offset_sums = OffsetSums::default();
    let worker = RestoreWorker {
        updater,
        orders: to_worker,
        reports: from_worker,
        held: VecDeque::new(),
        offset_sums: Arc::clone(&offset_sums),
        cluster,
        questions: VecDeque::new(),
        answers: to_thread,
    };
    let asker = Asker { orders: orders.clone(), answers, under_way: 0 };
    Ok((StateUpdater { orders, reports, offset_sums, broken: false }, asker, worker))
}

impl RestoreWorker {
    /// Takes orders and goes on with all tasks, waiting for records until `until`. Returns whether the thread is still there.
    pub(crate) fn turn(&mut self, now: Timestamp, until: Deadline) -> bool {
        while self.report_held() {
            match self.orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        if !self.held.is_empty() {
            return true;
        }
        // What nobody waits for can wait for the tasks.
        let is_urgent = |question: &Question| !matches!(question, Question::Purge(_));
        self.answer(now, is_urgent);
        for updated in self.updater.turn(now, until) {
            self.held.push_back(match updated {
                Updated::Restored(stores) => {
                    metric::task_restored();
                    Report::Restored(stores)
                }
                Updated::Failed { stores, failure } => Report::Failed(stores, failure),
            });
        }
        self.report_held();
        self.tell_sums();
        self.answer(now, |_| true);
        true
    }

    /// Whether there is nothing to do until an order comes.
    pub(crate) fn is_idle(&self) -> bool {
        self.updater.is_idle() && self.held.is_empty() && self.questions.is_empty()
    }

    /// Waits for an order and takes it. Returns whether the thread is still there.
    pub(crate) fn wait_for_order(&mut self, patience: Duration) -> bool {
        match self.orders.recv_timeout(patience) {
            Ok(order) => {
                self.take(order);
                self.report_held();
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
                    self.held.push_back(Report::Removed(stores, committed));
                }
            }
            Order::Ask(question) => self.questions.push_back(question),
        }
        self.tell_sums();
    }

    /// Gives the thread what there is to report, as far as there is room. Whether that was all.
    fn report_held(&mut self) -> bool {
        while let Some(report) = self.held.pop_front() {
            // When the thread has gone, the stores are closed here.
            if let Err(TrySendError::Full(report)) = self.reports.try_send(report) {
                self.held.push_front(report);
                return false;
            }
        }
        true
    }

    /// Asks the cluster what the thread wants to know.
    fn answer(&mut self, now: Timestamp, is_wanted: impl Fn(&Question) -> bool) {
        for question in std::mem::take(&mut self.questions) {
            if !is_wanted(&question) {
                self.questions.push_back(question);
                continue;
            }
            // There is room for all that may be under way, and when the thread has gone nobody needs an answer.
            let _ = self.answers.try_send(self.cluster.answer(question, now));
        }
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

#[cfg(test)]
mod tests {
    use headwater_topology::TaskId;

    use super::{Answer, Asker, MOST_QUESTIONS, OffsetSums, Order, Question, StateUpdater, sync_channel};

    #[test]
    fn an_order_for_which_there_is_no_room_comes_back() {
        let (orders, to_worker) = sync_channel(1);
        let ((_from_worker, reports), (_to_thread, answers)) = (sync_channel(1), sync_channel(1));
        let mut asker = Asker { orders: orders.clone(), answers, under_way: 0 };
        let mut updater = StateUpdater { orders, reports, offset_sums: OffsetSums::default(), broken: false };
        assert!(updater.send(Order::Remove(TaskId::new(0, 0))).is_none());
        let back = updater.send(Order::Remove(TaskId::new(0, 1)));
        assert!(matches!(back, Some(Order::Remove(task)) if task == TaskId::new(0, 1)));
        assert!(!asker.ask(Question::Topics), "questions go the same way");
        to_worker.try_recv().unwrap();
        assert!(asker.ask(Question::Topics));
    }

    #[test]
    fn no_more_is_asked_than_there_is_room_for_answers() {
        let (orders, _to_worker) = sync_channel(MOST_QUESTIONS + 1);
        let (to_thread, answers) = sync_channel(MOST_QUESTIONS);
        let mut asker = Asker { orders, answers, under_way: 0 };
        assert_eq!((0..=MOST_QUESTIONS).filter(|_| asker.ask(Question::Topics)).count(), MOST_QUESTIONS);
        to_thread.try_send(Answer::Purged).unwrap();
        assert!(matches!(asker.answer(), Some(Answer::Purged)));
        assert!(asker.ask(Question::Topics));
    }
}
