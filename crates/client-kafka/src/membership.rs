//! A place in a group, over two connections to its coordinator: a join that the coordinator parks holds up its connection, so
//! commits, and leaving, have another one.
#![forbid(unsafe_code)]

mod requests;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use headwater_client::{
    ClientConfig, ClientError, CommittedOffset, GroupMembership, GroupRequest, GroupResponse, KeepAlive, OffsetCommit,
};
use headwater_record::{Clock, Deadline, TopicPartition};

use crate::clock::{SystemClock, remaining};
use crate::config::Servers;
use crate::coordinator::Coordinator;
use crate::io::Io;
use crate::metadata::Brokers;
use crate::offsets;

/// [`GroupMembership`] of a real cluster.
#[derive(Debug)]
pub(crate) struct KafkaMembership {
    io: Io,
    shared: Arc<Shared>,
    responses: Receiver<GroupResponse>,
}

/// What the requests under way share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// For joining, syncing and heartbeats.
    group: Coordinator,
    /// For commits, fetches and leaving.
    offsets: Coordinator,
    responses: Mutex<Sender<GroupResponse>>,
    /// Requests that the coordinator may have parked.
    parked: AtomicUsize,
    /// Which heartbeats are sent: those of an earlier order stop.
    heartbeats: AtomicU64,
    /// The id that the coordinator reserved for a join that did not come to its end.
    reserved: Mutex<String>,
}

impl KafkaMembership {
    pub(crate) fn new(io: Io, group: &str, config: &ClientConfig) -> Result<Self, ClientError> {
        let brokers = Arc::new(Brokers::new(Servers::of(config, "headwater")?));
        let (sender, responses) = mpsc::channel();
        let shared = Shared {
            group: Coordinator::of_group(Arc::clone(&brokers), group),
            offsets: Coordinator::of_group(brokers, group),
            responses: Mutex::new(sender),
            parked: AtomicUsize::new(0),
            heartbeats: AtomicU64::new(0),
            reserved: Mutex::default(),
        };
        Ok(KafkaMembership { io, shared: Arc::new(shared), responses })
    }
}

impl Shared {
    fn tell(&self, response: GroupResponse) {
        // The member may be gone.
        let _ = self.responses.lock().unwrap_or_else(PoisonError::into_inner).send(response);
    }

    fn is_current(&self, order: u64) -> bool {
        self.heartbeats.load(Ordering::SeqCst) == order
    }
}

impl GroupMembership for KafkaMembership {
    fn submit(&mut self, request: GroupRequest) -> Result<(), ClientError> {
        let shared = Arc::clone(&self.shared);
        let parks = matches!(request, GroupRequest::Join(_) | GroupRequest::Sync { .. });
        if parks {
            shared.parked.fetch_add(1, Ordering::SeqCst);
        }
        self.io.handle()?.spawn(async move {
            let response = requests::answer(&shared, request).await;
            if parks {
                shared.parked.fetch_sub(1, Ordering::SeqCst);
            }
            shared.tell(response);
        });
        Ok(())
    }

    fn response(&mut self, until: Deadline) -> Option<GroupResponse> {
        if until.passed(SystemClock.now()) {
            return self.responses.try_recv().ok();
        }
        self.responses.recv_timeout(remaining(until)).ok()
    }

    fn keep_alive(&mut self, heartbeats: Option<KeepAlive>) {
        let order = self.shared.heartbeats.fetch_add(1, Ordering::SeqCst) + 1;
        let (Some(heartbeats), Ok(handle)) = (heartbeats, self.io.handle()) else { return };
        handle.spawn(keep_alive(Arc::clone(&self.shared), heartbeats, order));
    }

    fn commit_offsets(&mut self, commit: &OffsetCommit, until: Deadline) -> Result<(), ClientError> {
        let (shared, commit) = (Arc::clone(&self.shared), commit.clone());
        self.io.wait("OffsetCommit", until, async move { offsets::commit(&shared.offsets, &commit).await })
    }

    fn committed_offsets(
        &mut self,
        group: &str,
        partitions: &[TopicPartition],
        require_stable: bool,
        until: Deadline,
    ) -> Result<Vec<Option<CommittedOffset>>, ClientError> {
        let (shared, group, partitions) = (Arc::clone(&self.shared), group.to_owned(), partitions.to_vec());
        self.io.wait("OffsetFetch", until, async move {
            offsets::fetch(&shared.offsets, &group, &partitions, require_stable).await
        })
    }
}

impl Drop for KafkaMembership {
    fn drop(&mut self) {
        self.keep_alive(None);
    }
}

/// Sends heartbeats until another order comes; only failures are told, and the same one not twice in a row.
async fn keep_alive(shared: Arc<Shared>, heartbeats: KeepAlive, order: u64) {
    let mut told: Option<ClientError> = None;
    loop {
        tokio::time::sleep(heartbeats.interval).await;
        if !shared.is_current(order) || heartbeats.until.passed(SystemClock.now()) {
            return;
        }
        // While a join or a sync is parked, its answer says all that a heartbeat could.
        if shared.parked.load(Ordering::SeqCst) > 0 {
            continue;
        }
        let result = requests::heartbeat(&shared, &heartbeats.identity).await;
        if !shared.is_current(order) {
            return;
        }
        match result {
            Ok(()) => told = None,
            Err(error) if told.as_ref() == Some(&error) => {}
            Err(error) => {
                told = Some(error.clone());
                shared.tell(GroupResponse::Heartbeat(Err(error)));
            }
        }
    }
}
