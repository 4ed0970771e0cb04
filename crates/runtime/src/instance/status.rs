//! What the threads of an application and its users know of each other: state, the wish to close, the error that ended it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use headwater_record::Timestamp;

use super::Gate;
use super::state::{GlobalThreadState, Progress, State, ThreadState};
use crate::{Error, metric};

/// So many steps may wait for a listener that takes long. Of more, it hears where they led, not by which way.
const MOST_STEPS: usize = 100;

/// Called at each step of an application's state: from, to. A panic in it is the failure of a stream thread, about which the uncaught
/// error handler decides.
pub type StateListener = Arc<dyn Fn(State, State) + Send + Sync>;

/// The wish to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    /// Whether members leave their group.
    pub(crate) leave: bool,
    /// How long all steps may take together, from when a thread hears of it: brokers may not answer.
    pub(crate) timeout: Duration,
    /// When somebody wished it.
    pub(crate) since: Timestamp,
}

/// Shared by the threads of one application and by its handle.
pub(crate) struct Status {
    inner: Mutex<Inner>,
    /// Whether there is a wish to close: for those who ask after each record.
    is_closing: AtomicBool,
    listener: Option<StateListener>,
    gate: Gate,
}

struct Inner {
    progress: Progress,
    /// How many threads of the system run for it.
    threads: usize,
    closing: Option<Closing>,
    /// Whether all members of the group are to close.
    shut_down_application: bool,
    error: Option<Error>,
    /// That the listener panicked, until a thread takes the failure upon itself.
    listener_failed: Option<Error>,
    wakers: Vec<Waker>,
    /// Steps that the listener has not heard of yet.
    steps: VecDeque<(State, State)>,
    delivering: bool,
}

impl Status {
    pub(crate) fn new(listener: Option<StateListener>) -> Self {
        let inner = Inner {
            progress: Progress::new(),
            threads: 0,
            closing: None,
            shut_down_application: false,
            error: None,
            listener_failed: None,
            wakers: Vec::new(),
            steps: VecDeque::new(),
            delivering: false,
        };
        Status { inner: Mutex::new(inner), is_closing: AtomicBool::new(false), listener, gate: Gate::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.lock().progress.state()
    }

    pub(crate) fn thread_states(&self) -> Vec<(usize, ThreadState)> {
        self.lock().progress.threads().iter().map(|(thread, state)| (*thread, *state)).collect()
    }

    pub(crate) fn thread_is(&self, thread: usize, state: ThreadState) {
        let steps = self.lock().progress.thread_is(thread, state);
        tracing::debug!(thread, %state, "a stream thread changed its state");
        if state == ThreadState::Dead {
            metric::thread_has_ended(thread);
        }
        self.announce(steps);
    }

    /// A thread of the system runs for the application from now on, until [`Status::thread_leaves`].
    pub(crate) fn thread_enters(&self) {
        self.lock().threads += 1;
    }

    /// Nothing that is the application's, or its user's, runs on that thread any more.
    ///
    /// Before anybody hears that all has ended, `at_end` is done.
    pub(crate) fn thread_leaves(&self, at_end: impl FnOnce()) {
        let mut inner = self.lock();
        inner.threads -= 1;
        if inner.threads == 0 && inner.progress.state().is_final() {
            at_end();
        }
        drop(inner);
        self.gate.open();
    }

    /// Whether it is closed, and everybody who should hear of that has.
    pub(crate) fn has_ended(&self) -> bool {
        let inner = self.lock();
        inner.progress.state().is_final() && inner.threads == 0
    }

    /// `None`: there is no global store.
    pub(crate) fn global_state(&self) -> Option<GlobalThreadState> {
        self.lock().progress.global()
    }

    pub(crate) fn stream_threads_ended(&self) -> bool {
        self.lock().progress.stream_threads_ended()
    }

    pub(crate) fn global_is(&self, state: GlobalThreadState) {
        let steps = self.lock().progress.global_is(state);
        tracing::debug!(%state, "the global thread changed its state");
        self.announce(steps);
        // Stream threads wait for it to have filled its stores.
        self.gate.open();
    }

    pub(crate) fn become_if_possible(&self, next: State) -> bool {
        let step = self.lock().progress.become_if_possible(next);
        let possible = step.is_some();
        self.announce(step);
        possible
    }

    /// Asks all threads to end. The first wish counts.
    pub(crate) fn close(&self, closing: Closing, state: State) {
        self.lock().closing.get_or_insert(closing);
        self.is_closing.store(true, Ordering::Relaxed);
        self.become_if_possible(state);
        self.gate.open();
    }

    pub(crate) fn closing(&self) -> Option<Closing> {
        self.lock().closing
    }

    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    pub(crate) fn shut_down_application(&self) {
        self.lock().shut_down_application = true;
    }

    pub(crate) fn application_shuts_down(&self) -> bool {
        self.lock().shut_down_application
    }

    /// Keeps the first error, for those who wait.
    pub(crate) fn failed(&self, error: Error) {
        self.lock().error.get_or_insert(error);
    }

    /// The error that ended the application, or that came while it closed, once it is closed.
    pub(crate) fn outcome(&self) -> Result<(), Error> {
        let inner = self.lock();
        match inner.error.as_ref().or(inner.listener_failed.as_ref()) {
            Some(error) if inner.progress.state().is_final() => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The failure of the listener, for the thread that fails by it. Nobody fails twice.
    pub(crate) fn take_failure_of_listener(&self) -> Option<Error> {
        self.lock().listener_failed.take()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Whether it is closed; `waker` is called when it is.
    pub(crate) fn is_final_or_wake(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        let is_final = inner.progress.state().is_final();
        if !is_final && !inner.wakers.iter().any(|known| known.will_wake(waker)) {
            inner.wakers.push(waker.clone());
        }
        is_final
    }

    /// Tells the listener, in order and without holding the lock: it may ask for the state, or close.
    fn announce(&self, steps: impl IntoIterator<Item = (State, State)>) {
        let mut inner = self.lock();
        steps.into_iter().for_each(|step| inner.add(step));
        if inner.delivering {
            return;
        }
        inner.delivering = true;
        while let Some((from, to)) = inner.steps.pop_front() {
            if from == to {
                continue;
            }
            let wakers = if to.is_final() { std::mem::take(&mut inner.wakers) } else { Vec::new() };
            drop(inner);
            tracing::info!(%from, %to, "the application changed its state");
            let failed = self.listener.as_ref().and_then(|listener| {
                let heard = catch_unwind(AssertUnwindSafe(|| listener(from, to)));
                heard.err().map(|panic| Error::of_panic("the state listener", panic.as_ref()))
            });
            self.gate.open();
            wakers.into_iter().for_each(Waker::wake);
            inner = self.lock();
            if let Some(error) = failed {
                tracing::error!(%from, %to, %error, "the application goes on changing its state without its listener");
                inner.listener_failed.get_or_insert(error);
            }
        }
        inner.delivering = false;
    }
}

impl Inner {
    fn add(&mut self, (from, to): (State, State)) {
        let is_full = self.steps.len() >= MOST_STEPS;
        match self.steps.back_mut() {
            Some(last) if is_full => last.1 = to,
            _ => self.steps.push_back((from, to)),
        }
    }
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Status").field("state", &self.state()).field("closing", &self.closing()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, OnceLock};

    use super::*;

    #[test]
    fn a_listener_that_takes_long_hears_of_many_steps_where_they_led() {
        let status: Arc<OnceLock<Status>> = Arc::default();
        let heard: Arc<Mutex<Vec<(State, State)>>> = Arc::default();
        let (own, hears) = (Arc::clone(&status), Arc::clone(&heard));
        let listener = move |from, to| {
            let is_first = hears.lock().unwrap().is_empty();
            hears.lock().unwrap().push((from, to));
            let status = own.get().unwrap();
            for _ in 0..if is_first { 10 * MOST_STEPS } else { 0 } {
                status.thread_is(1, ThreadState::PartitionsAssigned);
                status.thread_is(1, ThreadState::Running);
            }
        };
        let status = status.get_or_init(|| Status::new(Some(Arc::new(listener))));
        status.thread_is(1, ThreadState::Created);
        status.become_if_possible(State::Rebalancing);
        assert_eq!(status.lock().steps.len(), 0);
        assert_eq!(status.state(), State::Running);
        let heard = heard.lock().unwrap();
        assert!(heard.len() <= MOST_STEPS + 1, "{} steps", heard.len());
        assert!(heard.windows(2).all(|steps| steps[0].1 == steps[1].0), "one follows from another: {heard:?}");
        assert_eq!(heard.last().map(|step| step.1), Some(State::Running));
    }
}
