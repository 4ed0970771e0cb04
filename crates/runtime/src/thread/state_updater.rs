//! The state updater of a stream thread (Java's `StateUpdater`): what restores stores and keeps standbys up to date beside it, and
//! the two channels over which tasks' stores go to and fro. It also asks the cluster what the stream thread must not wait for.

mod asker;
mod worker;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_topology::TaskId;

pub(super) use self::asker::Asker;
use self::asker::MOST_QUESTIONS;
pub(crate) use self::worker::RestoreWorker;
use super::context::ThreadContext;
use super::question::Question;
use crate::Error;
use crate::changelog::{StandbyEnd, TaskProgress, UpdateFailure};
use crate::task::TaskStores;

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
    /// Give a task back, which is to be this if it was a standby.
    Remove(TaskId, StandbyEnd),
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

/// How far the tasks are that are with the worker.
type SharedProgress = Arc<Mutex<BTreeMap<TaskId, TaskProgress>>>;

/// The thread's end of the channels.
#[derive(Debug)]
pub(super) struct StateUpdater {
    orders: SyncSender<Order>,
    reports: Receiver<Report>,
    progress: SharedProgress,
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

    /// How far the tasks are that are with the worker.
    pub(super) fn progress(&self) -> MutexGuard<'_, BTreeMap<TaskId, TaskProgress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state updater of the thread, its way to ask the cluster, and the worker for both.
pub(super) fn make(cx: &ThreadContext) -> Result<(StateUpdater, Asker, RestoreWorker), Error> {
    let (orders, to_worker) = sync_channel(MOST_WAITING);
    let (from_worker, reports) = sync_channel(MOST_WAITING);
    let (to_thread, answers) = sync_channel(MOST_QUESTIONS);
    let progress = SharedProgress::default();
    let worker = RestoreWorker::new(cx, to_worker, from_worker, to_thread, Arc::clone(&progress))?;
    let asker = Asker { orders: orders.clone(), answers, under_way: 0 };
    Ok((StateUpdater { orders, reports, progress, broken: false }, asker, worker))
}

#[cfg(test)]
mod tests {
    use headwater_topology::TaskId;

    use super::{Asker, MOST_QUESTIONS, Order, Question, SharedProgress, StateUpdater, sync_channel};
    use crate::changelog::StandbyEnd;
    use crate::thread::question::Answer;

    #[test]
    fn an_order_for_which_there_is_no_room_comes_back() {
        let (orders, to_worker) = sync_channel(1);
        let ((_from_worker, reports), (_to_thread, answers)) = (sync_channel(1), sync_channel(1));
        let mut asker = Asker { orders: orders.clone(), answers, under_way: 0 };
        let mut updater = StateUpdater { orders, reports, progress: SharedProgress::default(), broken: false };
        assert!(updater.send(Order::Remove(TaskId::new(0, 0), StandbyEnd::Migrated)).is_none());
        let back = updater.send(Order::Remove(TaskId::new(0, 1), StandbyEnd::Migrated));
        assert!(matches!(back, Some(Order::Remove(task, _)) if task == TaskId::new(0, 1)));
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
