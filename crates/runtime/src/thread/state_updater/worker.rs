//! The worker beside a stream thread: it restores, follows standbys, and waits for the cluster's answers.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use headwater_record::{Deadline, Timestamp};

use super::{Order, Report, SharedProgress};
use crate::changelog::{GroupOffsets, Restoring, Standby, Updated, Updater, UpdaterSettings};
use crate::config::Role;
use crate::instance::Instance;
use crate::thread::cluster::Cluster;
use crate::thread::context::ThreadContext;
use crate::thread::question::{Answer, Question};
use crate::{Error, metric};

/// Restores and keeps up to date what a stream thread hands over. It is driven beside the thread, and ends when that has gone.
pub(crate) struct RestoreWorker {
    updater: Updater,
    orders: Receiver<Order>,
    reports: SyncSender<Report>,
    /// Reports for which there is no room yet. As long as there are any, the worker does nothing else.
    held: VecDeque<Report>,
    progress: SharedProgress,
    cluster: Cluster,
    /// What the thread asks; it sees to it that there is room for the answers.
    questions: VecDeque<Question>,
    answers: SyncSender<Answer>,
    instance: Arc<Instance>,
    /// How many of those were served who wait for views of stores.
    views_served: u64,
}

impl RestoreWorker {
    /// Takes `orders`, and gives what becomes of them.
    pub(super) fn new(
        cx: &ThreadContext,
        orders: Receiver<Order>,
        reports: SyncSender<Report>,
        answers: SyncSender<Answer>,
        progress: SharedProgress,
    ) -> Result<Self, Error> {
        let (config, clients) = (cx.config(), &cx.instance.environment.clients);
        let name = cx.instance.thread_name(cx.number).replace("StreamThread", "StateUpdater");
        let consumer = clients.consumer(&config.client(Role::RestoreConsumer, &format!("{name}-restore-consumer")))?;
        let admin = clients.admin(&config.client(Role::Admin, &format!("{name}-admin")))?;
        let group = config.application_id();
        let member = config.client(Role::Membership, &format!("{name}-offsets"));
        let offsets = GroupOffsets::new(group, clients.membership(group, &member)?);
        let settings = UpdaterSettings {
            commit_interval: config.commit_interval(),
            retry_backoff: config.retry_backoff(),
            task_timeout: config.task_timeout(),
            request_timeout: config.request_timeout(),
            ..UpdaterSettings::default()
        };
        let listener = Arc::clone(&cx.instance.restore_listener);
        Ok(RestoreWorker {
            updater: Updater::new(consumer, admin, Box::new(offsets), settings, listener)
                .with_standby_update_listener(Arc::clone(&cx.instance.standby_update_listener)),
            orders,
            reports,
            held: VecDeque::new(),
            progress,
            cluster: Cluster::new(cx)?,
            questions: VecDeque::new(),
            answers,
            instance: Arc::clone(&cx.instance),
            views_served: 0,
        })
    }

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
        let serves = self.serve_readers();
        let updated = self.updater.turn(now, until);
        if serves {
            self.instance.stores.gate().open();
        }
        for updated in updated {
            self.held.push_back(match updated {
                Updated::Restored(stores) => {
                    metric::task_restored();
                    Report::Restored(stores)
                }
                Updated::Failed { stores, failure } => Report::Failed(stores, failure),
            });
        }
        self.report_held();
        self.tell_progress();
        self.answer(now, |_| true);
        true
    }

    /// Has the next turn serve those who wait for views that stores have after a commit only. Whether somebody does.
    fn serve_readers(&mut self) -> bool {
        let asked = self.instance.stores.asked();
        if asked == self.views_served {
            return false;
        }
        self.views_served = asked;
        self.updater.commit_next();
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
            Order::Remove(task, end) => {
                // One that is not here any more has been given back already.
                if let Some((stores, committed)) = self.updater.remove(task, end) {
                    self.held.push_back(Report::Removed(stores, committed));
                }
            }
            Order::Ask(question) => self.questions.push_back(question),
        }
        self.tell_progress();
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

    fn tell_progress(&self) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = self.updater.progress();
    }
}

impl std::fmt::Debug for RestoreWorker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreWorker").field("updater", &self.updater).finish_non_exhaustive()
    }
}
