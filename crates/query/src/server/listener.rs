//! Connections, where the server itself listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use headwater_runtime::Error;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::Limits;

/// The head of a request may be so long, in bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// Until a connection is accepted again after the system had none to give.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that listens. Dropping it ends it at once; [`Serving::stop`] lets it finish its answers.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Where it listens, with the port that the system chose when it was asked to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and requests, and waits for the answers that are under way, each as long as it may take.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // It panics only when somebody's hook does, and then it has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn listen(wanted: SocketAddr, router: Router, limits: Limits) -> Result<Serving, Error> {
    let refused = |error: std::io::Error| {
        Error::config(format!("the query server cannot listen at {wanted}: {error}")).with_source(error)
    };
    let listener = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let (stop, stopped) = watch::channel(false);
    tracing::info!(%address, "the query server listens");
    Ok(Serving { address, stop, task: tokio::spawn(accept(listener, router, limits, stopped)) })
}

async fn accept(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    open.spawn(converse(stream, router.clone(), limits.clone(), stop.clone(), place));
                } else {
                    // The end of the connection tells it, and costs least.
                    tracing::debug!("a connection was refused: there are as many as may be");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the query server cannot take a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Until it is to end, or nobody is there any more who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn converse(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Answers are small and awaited.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_time).max_buf_size(HEAD_BYTES);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        // What goes wrong with a connection is the other side's, or its end.
        _ = connection.as_mut() => return,
        () = stopped(&mut stop) => {}
        () = tokio::time::sleep(limits.connection_time) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.request_time, connection).await;
}
