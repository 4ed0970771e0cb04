//! The thread that our own connections live on.
#![forbid(unsafe_code)]

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_client::ClientError;
use headwater_record::Deadline;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::clock::remaining;

/// A tokio runtime on one thread, started with the first request and ended with the last clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Io(Arc<Mutex<Option<Running>>>);

#[derive(Debug)]
struct Running {
    handle: Handle,
    // The thread ends when this is dropped.
    _stop: oneshot::Sender<()>,
}

impl Io {
    /// The runtime's handle.
    ///
    /// # Errors
    /// [`ClientError::Config`] when the system gives no thread.
    pub(crate) fn handle(&self) -> Result<Handle, ClientError> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref() {
            return Ok(running.handle.clone());
        }
        let started =
            start().map_err(|error| ClientError::Config(format!("no thread for Kafka connections: {error}")))?;
        let handle = started.handle.clone();
        *running = Some(started);
        Ok(handle)
    }

    /// Runs `work` and waits for its end, at most until `until`.
    ///
    /// # Errors
    /// [`ClientError::TimedOut`] with `what`, and those of `work`.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        what: &str,
        until: Deadline,
        work: impl Future<Output = Result<T, ClientError>> + Send + 'static,
    ) -> Result<T, ClientError> {
        let (done, result) = mpsc::sync_channel(1);
        let task = self.handle()?.spawn(async move {
            // Nobody may be waiting any more.
            let _ = done.send(work.await);
        });
        match result.recv_timeout(remaining(until)) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                Err(ClientError::TimedOut { request: what.to_owned() })
            }
            Err(RecvTimeoutError::Disconnected) => Err(ClientError::Closed),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "connections of a real cluster need a thread of their own")]
fn start() -> std::io::Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::Builder::new().name("headwater-kafka-io".to_owned()).spawn(move || {
        // Ends when the sender is gone; what still runs then is dropped with the runtime.
        let _ = runtime.block_on(stopped);
    })?;
    Ok(Running { handle, _stop: stop })
}
