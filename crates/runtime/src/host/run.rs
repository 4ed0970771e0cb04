//! Threads of the operating system: each drives a stream thread, or the restore worker beside it.
#![allow(clippy::disallowed_methods, reason = "the one place that makes threads")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use headwater_record::Deadline;

use crate::global::GlobalThread;
use crate::instance::{CloseOptions, GlobalThreadState, Instance, State, ThreadState};
use crate::thread::{RestoreWorker, StreamThread};
use crate::{Error, ErrorKind};

/// How long a restore worker waits for records before it looks for orders.
const RESTORE_POLL: Duration = Duration::from_millis(50);
/// How long the global thread waits for records before it looks whether it is to end.
const GLOBAL_POLL: Duration = Duration::from_millis(100);
/// How long a worker without tasks waits for orders at once.
const IDLE_WAIT: Duration = Duration::from_millis(500);
/// For how long those are waited for that were started before one could not be.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
    static TAKES_TURNS: Cell<bool> = const { Cell::new(false) };
}

/// Notes that this thread takes the turns of an application by hand.
pub(crate) fn take_turns() {
    TAKES_TURNS.set(true);
}

/// Whether this thread took turns by hand: an answer that comes with one it would wait for in vain.
pub(crate) fn takes_turns() -> bool {
    TAKES_TURNS.get()
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
    /// Starts a thread, which says that it leaves when it ends.
    fn spawn(&self, instance: &Instance, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        instance.status.thread_enters();
        let handle = Builder::new().name(name).spawn(run).map_err(|error| {
            instance.status.thread_leaves(|| instance.directory.release());
            Error::new(ErrorKind::Unavailable, format!("the system gives no thread: {error}"))
        })?;
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        Ok(())
    }

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
    for number in 1..=instance.stream_threads() {
        instance.status.thread_is(number, ThreadState::Created);
    }
    if !instance.globals.is_empty() {
        instance.status.global_is(GlobalThreadState::Created);
    }
    instance.status.become_if_possible(State::Rebalancing);
    if !instance.globals.is_empty() {
        let own = Arc::clone(instance);
        threads.spawn(instance, instance.global_thread_name(), move || run_global(&own)).inspect_err(|_| {
            instance.global_thread_has_ended();
            give_up(instance, 1);
        })?;
    }
    for number in 1..=instance.stream_threads() {
        let own = Arc::clone(instance);
        let spawned = threads.spawn(instance, instance.thread_name(number), move || run(&own, number));
        spawned.inspect_err(|_| give_up(instance, number))?;
    }
    Ok(threads)
}

/// Ends what was started before a thread could not be; of the stream threads, those before `number`.
fn give_up(instance: &Instance, number: usize) {
    instance.begin_close(CloseOptions::default());
    (number..=instance.stream_threads()).for_each(|number| instance.status.thread_is(number, ThreadState::Dead));
    // Who starts it again finds nothing in use.
    instance.status.gate().wait_until(Some(PATIENCE), || instance.status.has_ended());
}

/// The life of the thread that fills global stores, with those that take its place.
fn run_global(instance: &Arc<Instance>) {
    OWN.set(true);
    let _end = GlobalEnd { instance };
    let (status, clock) = (&instance.status, &instance.environment.clock);
    let mut thread: Option<GlobalThread> = None;
    loop {
        let mut pause = None;
        let lived = catch("the global thread", || {
            let thread = match &mut thread {
                Some(thread) => thread,
                none => none.insert(GlobalThread::new(instance, clock.now())?),
            };
            let now = clock.now();
            pause = thread.turn(now, Deadline::after(now, instance.config.poll().min(GLOBAL_POLL)))?;
            Ok(())
        });
        match lived {
            Ok(()) if thread.as_ref().is_some_and(GlobalThread::has_ended) => return,
            Ok(()) => {}
            Err(error) => {
                if instance.after_global_failure(error) {
                    thread = None;
                } else if let Some(thread) = &mut thread {
                    thread.give_up(clock.now());
                } else {
                    return;
                }
                pause = Some(instance.config.retry_backoff());
            }
        }
        if let Some(pause) = pause {
            status.gate().wait_until(Some(pause), || false);
        }
    }
}

/// As [`End`], of the global thread.
struct GlobalEnd<'a> {
    instance: &'a Instance,
}

impl Drop for GlobalEnd<'_> {
    fn drop(&mut self) {
        self.instance.global_thread_has_ended();
        self.instance.status.thread_leaves(|| self.instance.directory.release());
    }
}

/// A stream thread's life, with those that take its place.
fn run(instance: &Arc<Instance>, number: usize) {
    OWN.set(true);
    let _end = End { instance, number };
    let status = &instance.status;
    let (globals, is_closing) = (&instance.globals, || status.closing().is_some());
    status.gate().wait_until(None, || globals.is_filled() || is_closing());
    if !globals.is_filled() {
        return;
    }
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
        self.instance.status.thread_leaves(|| self.instance.directory.release());
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
        instance.tell_who_keeps_us_waiting(clock.now());
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
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::of_panic(what, panic.as_ref())))
}
