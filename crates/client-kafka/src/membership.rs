//! A place in a group, over two connections to its coordinator: a join that the coordinator parks holds up its connection, so
//! commits, and leaving, have another one.
#![forbid(unsafe_code)]

mod requests;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use headwater_client::{
    ClientConfig, ClientError, CommittedOffset, GroupError, GroupIdentity, GroupMembership, GroupRequest,
    GroupResponse, JoinRequest, KeepAlive, Lease, OffsetCommit,
};
use headwater_record::{Clock, Deadline, TopicPartition};

use crate::clock::{SinceBoot, SystemClock, remaining};
use crate::config::Servers;
use crate::coordinator::Coordinator;
use crate::io::Io;
use crate::metadata::Brokers;
use crate::offsets;

/// So many times within a session it is asked whether a member that waits still has its place.
const BEATS: u32 = 4;

/// [`GroupMembership`] of a real cluster.
#[derive(Debug)]
pub(crate) struct KafkaMembership {
    io: Io,
    shared: Arc<Shared>,
    responses: Receiver<GroupResponse>,
    /// The heartbeats that are sent now.
    kept: Option<KeepAlive>,
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
    /// Until when they are, milliseconds.
    kept_until: AtomicI64,
    /// The id that the coordinator reserved for a join that did not come to its end.
    reserved: Mutex<String>,
    lease: Lease,
    /// How long the session lasts, milliseconds.
    session: AtomicU64,
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
            kept_until: AtomicI64::new(0),
            reserved: Mutex::default(),
            lease: Lease::new(Arc::new(SinceBoot)),
            session: AtomicU64::new(0),
        };
        Ok(KafkaMembership { io, shared: Arc::new(shared), responses, kept: None })
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
        let parks = match &request {
            GroupRequest::Join(JoinRequest { identity, session_timeout, .. }) => {
                let millis = u64::try_from(session_timeout.as_millis()).unwrap_or(u64::MAX);
                shared.session.store(millis, Ordering::SeqCst);
                Some(identity.clone())
            }
            GroupRequest::Sync { identity, .. } => Some(identity.clone()),
            GroupRequest::Leave { .. } => {
                shared.lease.end();
                None
            }
            GroupRequest::Heartbeat(_) => None,
        };
        if parks.is_some() {
            shared.parked.fetch_add(1, Ordering::SeqCst);
        }
        self.io.handle()?.spawn(async move {
            let waits = Arc::new(());
            let is_parked = parks.is_some();
            if let Some(identity) = parks.filter(|identity| identity.generation >= 0) {
                tokio::spawn(confirm(Arc::clone(&shared), identity, Arc::downgrade(&waits)));
            }
            let response = requests::answer(&shared, request).await;
            drop(waits);
            if is_parked {
                shared.parked.fetch_sub(1, Ordering::SeqCst);
            }
            shared.tell(response);
        });
        Ok(())
    }

    fn lease(&self) -> Lease {
        self.shared.lease.clone()
    }

    fn response(&mut self, until: Deadline) -> Option<GroupResponse> {
        if until.passed(SystemClock.now()) {
            return self.responses.try_recv().ok();
        }
        self.responses.recv_timeout(remaining(until)).ok()
    }

    fn keep_alive(&mut self, heartbeats: Option<KeepAlive>) {
        let until = heartbeats.as_ref().map_or(0, |heartbeats| heartbeats.until.time().millis());
        self.shared.kept_until.store(until, Ordering::SeqCst);
        let before = std::mem::replace(&mut self.kept, heartbeats.clone());
        if let (Some(before), Some(heartbeats)) = (before, &heartbeats)
            && (&before.identity, before.interval) == (&heartbeats.identity, heartbeats.interval)
        {
            // They go on: if they began anew, none would ever be due for who prolongs them often.
            return;
        }
        let order = self.shared.heartbeats.fetch_add(1, Ordering::SeqCst) + 1;
        let (Some(heartbeats), Ok(handle)) = (heartbeats, self.io.handle()) else { return };
        handle.spawn(keep_alive(Arc::clone(&self.shared), heartbeats, order));
    }

    fn commit_offsets(&mut self, commit: &OffsetCommit, until: Deadline) -> Result<(), ClientError> {
        let (shared, commit) = (Arc::clone(&self.shared), commit.clone());
        self.io.wait("OffsetCommit", until, async move {
            let sent = shared.lease.now();
            let committed = offsets::commit(&shared.offsets, &commit).await;
            match &committed {
                // It does not say whether the group is rebalancing.
                Ok(()) => shared.lease.confirmed(sent, true),
                Err(error) => shared.lease.refused(error),
            }
            committed
        })
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
        if !shared.is_current(order) {
            return;
        }
        let is_over = SystemClock.now().millis() >= shared.kept_until.load(Ordering::SeqCst);
        // While a join or a sync is parked, its answer says all that a heartbeat could.
        if is_over || shared.parked.load(Ordering::SeqCst) > 0 {
            continue;
        }
        let sent = shared.lease.now();
        let result = requests::heartbeat(&shared.group, &heartbeats.identity).await;
        if !shared.is_current(order) {
            return;
        }
        shared.lease.heartbeat(sent, &result);
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

/// Asks, where that holds nothing up, whether the place of a member is kept whose join or sync `waits`. What else it is told it does not
/// say: the answer to that will.
async fn confirm(shared: Arc<Shared>, identity: GroupIdentity, waits: Weak<()>) {
    let session = Duration::from_millis(shared.session.load(Ordering::SeqCst));
    loop {
        tokio::time::sleep(session / BEATS).await;
        if waits.strong_count() == 0 {
            return;
        }
        let sent = shared.lease.now();
        let result = requests::heartbeat(&shared.offsets, &identity).await;
        // When the round is through, the generation is another: the member hears of it soon.
        if !matches!(result, Err(ClientError::Group(GroupError::IllegalGeneration))) {
            shared.lease.heartbeat(sent, &result);
        }
    }
}
