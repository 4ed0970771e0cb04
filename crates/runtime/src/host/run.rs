//! Threads of the operating system: each drives a stream thread, or the restore worker beside it.
#![allow(clippy::disallowed_methods, reason = "the one place that makes threads")]

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use headwater_record::Deadline;

use crate::application::{CloseOptions, Instance, State, ThreadState};
use crate::thread::{RestoreWorker, StreamThread};
use crate::{Error, ErrorKind};

/// How long a restore worker waits for records before it looks for orders.
const RESTORE_POLL: Duration = Duration::from_millis(50);
/// How long a worker without tasks waits for orders at once.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// For how long those are waited for that were started before one could not be.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is a thread of an application, which must not wait for its end.
pub(crate) fn is_own_thread() -> bool {
    OWN.get()
}

/// The threads of one application.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl Threads {
    /// Waits until all have ended.
    pub(crate) fn join(&self) {
        let handles = std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        for handle in handles {
            // A panic was caught within.
            let _ = handle.join();
        }
    }
}

/// Starts all threads of an application.
pub(crate) fn spawn_all(instance: &Arc<Instance>) -> Result<Threads, Error> {
    let threads = Threads::default();
    for number in 1..=instance.config.threads() {
        instance.status.thread_is(number, ThreadState::Created);
    }
    instance.status.become_if_possible(State::Rebalancing);
    for number in 1..=instance.config.threads() {
        let own = Arc::clone(instance);
        instance.status.thread_enters();
        let spawned = Builder::new().name(instance.thread_name(number)).spawn(move || run(&own, number));
        match spawned {
            Ok(handle) => threads.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle),
            Err(error) => {
                instance.begin_close(CloseOptions::default());
                instance.status.thread_leaves();
                (number..=instance.config.threads())
                    .for_each(|number| instance.status.thread_is(number, ThreadState::Dead));
                // Who starts it again finds nothing in use.
                instance.status.gate().wait_until(Some(PATIENCE), || instance.status.has_ended());
                return Err(Error::new(ErrorKind::Unavailable, format!("the system gives no thread: {error}")));
            }
        }
    }
    Ok(threads)
}

/// A stream thread's life, with those that take its place.
fn run(instance: &Arc<Instance>, number: usize) {
    OWN.set(true);
    let _end = End { instance, number };
    let status = &instance.status;
    while let Err(error) = catch("a stream thread", || live(instance, number)) {
        if !instance.after_failure(number, error) {
            break;
        }
        // One that fails again and again must not spin.
        if status.gate().wait_until(Some(instance.config.retry_backoff()), || status.is_closing()) {
            break;
        }
    }
}

/// Tells the application that a thread has ended, however it came to it: whoever closes it waits for that.
struct End<'a> {
    instance: &'a Instance,
    number: usize,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.instance.status.thread_is(self.number, ThreadState::Dead);
        self.instance.status.thread_leaves();
    }
}

fn live(instance: &Arc<Instance>, number: usize) -> Result<(), Error> {
    let clock = &instance.environment.clock;
    let (thread, worker) = StreamThread::new(instance, number, clock.now())?;
    let worker_failed = Mutex::new(None);
    let lived = std::thread::scope(|scope| {
        let name = instance.thread_name(number).replace("StreamThread", "StateUpdater");
        let work = || {
            let worked = catch("restoring state", || {
                restore(instance, worker);
                Ok(())
            });
            if let Err(error) = worked {
                tracing::error!(thread = number, %error, "the thread that restores state failed");
                *worker_failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        };
        let spawned = Builder::new().name(name).spawn_scoped(scope, work);
        if let Err(error) = spawned {
            return Err(Error::new(ErrorKind::Unavailable, format!("the system gives no thread: {error}")));
        }
        // Owned in here: when it goes, the worker hears of it and ends.
        let mut thread = thread;
        while !thread.has_ended() {
            if let Err(error) = catch("a stream thread", || thread.turn(clock.now())) {
                let abandoned = catch("closing a failed thread", || {
                    thread.abandon(clock.now());
                    Ok(())
                });
                if let Err(error) = abandoned {
                    tracing::error!(thread = number, %error, "closing a failed thread failed too");
                }
                return Err(error);
            }
        }
        Ok(())
    });
    // The thread only saw that its worker was gone.
    let worker_failed = worker_failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    lived.map_err(|error| worker_failed.unwrap_or(error))
}

fn restore(instance: &Arc<Instance>, mut worker: RestoreWorker) {
    OWN.set(true);
    let clock = &instance.environment.clock;
    loop {
        let alive = if worker.is_idle() {
            worker.wait_for_order(IDLE_WAIT)
        } else {
            let now = clock.now();
            worker.turn(now, Deadline::after(now, RESTORE_POLL))
        };
        if !alive {
            return;
        }
    }
}

/// A panic of `what` as an error.
fn catch(what: &str, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(of_panic(what, panic.as_ref())))
}

/// What the user's code panicked with, as an error. `what` is who called it.
pub(crate) fn of_panic(what: &str, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned());
    Error::new(ErrorKind::User, format!("{what} panicked: {text}"))
}
