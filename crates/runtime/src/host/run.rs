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
        let spawned = Builder::new().name(instance.thread_name(number)).spawn(move || run(&own, number));
        match spawned {
            Ok(handle) => threads.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle),
            Err(error) => {
                instance.begin_close(CloseOptions::default());
                return Err(Error::new(ErrorKind::Unavailable, format!("the system gives no thread: {error}")));
            }
        }
    }
    Ok(threads)
}

/// A stream thread's life, with those that take its place.
fn run(instance: &Arc<Instance>, number: usize) {
    OWN.set(true);
    let status = &instance.status;
    while let Err(error) = live(instance, number) {
        if !instance.after_failure(number, error) {
            break;
        }
        // One that fails again and again must not spin.
        status.gate().wait_until(Some(instance.config.retry_backoff()), || status.closing().is_some());
    }
    status.thread_is(number, ThreadState::Dead);
}

fn live(instance: &Arc<Instance>, number: usize) -> Result<(), Error> {
    let clock = &instance.environment.clock;
    let (thread, worker) = StreamThread::new(instance, number, clock.now())?;
    std::thread::scope(|scope| {
        let name = instance.thread_name(number).replace("StreamThread", "StateUpdater");
        let spawned = Builder::new().name(name).spawn_scoped(scope, || restore(instance, worker));
        if let Err(error) = spawned {
            return Err(Error::new(ErrorKind::Unavailable, format!("the system gives no thread: {error}")));
        }
        // Owned in here: when it goes, the worker hears of it and ends.
        let mut thread = thread;
        while !thread.has_ended() {
            let turned = catch_unwind(AssertUnwindSafe(|| thread.turn(clock.now())));
            if let Err(error) = turned.unwrap_or_else(|panic| Err(of_panic(panic.as_ref()))) {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| thread.abandon(clock.now()))) {
                    tracing::error!(thread = number, error = %of_panic(panic.as_ref()), "closing a failed thread failed too");
                }
                return Err(error);
            }
        }
        Ok(())
    })
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

fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned());
    Error::new(ErrorKind::User, format!("a stream thread panicked: {text}"))
}
