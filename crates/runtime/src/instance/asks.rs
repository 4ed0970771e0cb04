//! Questions of readers to a stream thread, which answers them between two records: its stores are nobody else's.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::Duration;

use headwater_client::Wakeup;
use headwater_record::Timestamp;
use headwater_store::bytes::KeyRange;
use headwater_store::{Asked, View};
use headwater_topology::{StoreId, TaskId};

use crate::Error;
use crate::query::Position;

/// What is read, and how much of its input that has seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) view: Arc<View>,
    pub(crate) position: Arc<Position>,
}

/// What of a store is going to be read.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) keys: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    /// When windows start, or sessions end, both included.
    pub(crate) times: (Timestamp, Timestamp),
    /// Whether what lies in a record cache is left out.
    pub(crate) skips_cache: bool,
}

impl Part {
    /// At any time.
    pub(crate) fn of(keys: (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Self {
        Part { keys, times: (Asked::ALL.from, Asked::ALL.to), skips_cache: false }
    }

    /// The same, as stores are asked.
    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked { keys: self.range(), from: self.times.0, to: self.times.1 }
    }

    /// The keys.
    pub(crate) fn range(&self) -> KeyRange<'_> {
        KeyRange { from: self.keys.0.as_ref().map(Vec::as_slice), to: self.keys.1.as_ref().map(Vec::as_slice) }
    }
}

/// A store is wanted as it is now, with what is not committed.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) task: TaskId,
    pub(crate) store: StoreId,
    pub(crate) part: Part,
    /// Whoever asked does not wait any more when nobody takes it.
    reply: SyncSender<Result<Seen, Error>>,
}

impl Ask {
    pub(crate) fn answer(self, answer: Result<Seen, Error>) {
        let _ = self.reply.send(answer);
    }
}

/// Where a stream thread is asked.
#[derive(Clone)]
pub(crate) struct Asks {
    to: Sender<Ask>,
    is_asked: Arc<AtomicBool>,
    wakeup: Wakeup,
}

impl Asks {
    /// Asks for a store of `task`. The answer comes to whoever waits for it.
    pub(crate) fn ask(&self, task: TaskId, store: StoreId, part: Part) -> Answer {
        let (reply, answer) = mpsc::sync_channel(1);
        // A thread that has ended drops the question, and with it the place of the answer.
        let _ = self.to.send(Ask { task, store, part, reply });
        if !self.is_asked.swap(true, Ordering::AcqRel) {
            (self.wakeup)();
        }
        Answer(answer)
    }
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asks").field("is_asked", &self.is_asked).finish_non_exhaustive()
    }
}

/// The answer to a question, some time.
#[derive(Debug)]
pub(crate) struct Answer(Receiver<Result<Seen, Error>>);

impl Answer {
    /// Waits for it. `None`: the thread has ended.
    pub(crate) fn wait(self, patience: Duration) -> Result<Option<Result<Seen, Error>>, TooLate> {
        match self.0.recv_timeout(patience) {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(TooLate),
        }
    }
}

/// There was no answer in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLate;

/// What a stream thread is asked. When it ends, so does the waiting of those who were not answered.
pub(crate) struct Inbox {
    asks: Asks,
    asked: Receiver<Ask>,
}

impl Inbox {
    /// Of a thread that `wakeup` has look.
    pub(crate) fn new(wakeup: Wakeup) -> Self {
        let (to, asked) = mpsc::channel();
        Inbox { asks: Asks { to, is_asked: Arc::default(), wakeup }, asked }
    }

    /// Where the thread is asked.
    pub(crate) fn asks(&self) -> Asks {
        self.asks.clone()
    }

    /// Whether somebody waits. It is asked after each record.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.asks.is_asked.load(Ordering::Relaxed)
    }

    /// What was asked since the last time.
    pub(crate) fn take(&self) -> Vec<Ask> {
        if !self.is_asked() {
            return Vec::new();
        }
        self.asks.is_asked.swap(false, Ordering::AcqRel);
        self.asked.try_iter().collect()
    }
}
