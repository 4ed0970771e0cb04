//! One life of an instance: where in its calls it is struck, and whether it still lives.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_record::{Offset, TopicPartition};

use super::stage;

/// What an instance calls outside of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Fetch,
    Position,
    Append,
    Send,
    Flush,
    InitTransactions,
    BeginTransaction,
    SendOffsets,
    CommitTransaction,
    AbortTransaction,
    JoinOrSync,
    Response,
    KeepAlive,
    CommitOffsets,
    CommittedOffsets,
    Admin,
    StoreOpen,
    StoreGet,
    StorePut,
    StoreRestore,
    StoreCommit,
    StoreSync,
}

impl Call {
    /// Those that are drawn to be struck: the more is at stake, the more often.
    pub(crate) const STRUCK: [Call; 21] = [
        Call::CommitTransaction,
        Call::SendOffsets,
        Call::SendOffsets,
        Call::CommitOffsets,
        Call::Flush,
        Call::Flush,
        Call::Send,
        Call::Append,
        Call::InitTransactions,
        Call::AbortTransaction,
        Call::StoreCommit,
        Call::StoreCommit,
        Call::StorePut,
        Call::StoreGet,
        Call::StoreRestore,
        Call::StoreOpen,
        Call::CommittedOffsets,
        Call::JoinOrSync,
        Call::Response,
        Call::Fetch,
        Call::Admin,
    ];
}

/// What happens to an instance in the middle of its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    /// It dies.
    Crash,
    /// It stands still while the others and the clock go on.
    Pause(Duration),
}

/// A blow at a call that is yet to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    /// Which calls count.
    pub(crate) call: Call,
    /// At how many of them.
    pub(crate) countdown: u32,
    /// Whether the call has its effect first.
    pub(crate) after: bool,
    pub(crate) blow: Blow,
}

#[derive(Debug, Default)]
struct Inner {
    dead: bool,
    strike: Option<Strike>,
    client_ids: Vec<String>,
    /// Up to where each partition was handed out.
    polled: BTreeMap<TopicPartition, Offset>,
}

/// One life of an instance, shared by all its clients and stores.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    inner: Mutex<Inner>,
}

impl Process {
    pub(crate) fn new(name: String) -> Self {
        Process { name, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.inner().dead
    }

    /// Nothing that it does from here on has any effect.
    pub(crate) fn die(&self) {
        self.inner().dead = true;
    }

    pub(crate) fn strike(&self, strike: Option<Strike>) {
        self.inner().strike = strike;
    }

    pub(crate) fn client(&self, id: &str) {
        let mut inner = self.inner();
        if !inner.client_ids.iter().any(|known| known == id) {
            inner.client_ids.push(id.to_owned());
        }
    }

    pub(crate) fn client_ids(&self) -> Vec<String> {
        self.inner().client_ids.clone()
    }

    /// Its consumer stands at `offset` now.
    pub(crate) fn polled(&self, partition: &TopicPartition, offset: Offset) {
        self.inner().polled.insert(partition.clone(), offset);
    }

    /// Up to where `partition` was handed out.
    pub(crate) fn position(&self, partition: &TopicPartition) -> Option<Offset> {
        self.inner().polled.get(partition).copied()
    }

    /// Does `act`, unless the process is dead or dies at it.
    pub(crate) fn call<T>(&self, call: Call, act: impl FnOnce() -> T) -> Option<T> {
        let strike = {
            let mut inner = self.inner();
            if inner.dead {
                return None;
            }
            let due = match &mut inner.strike {
                Some(strike) if strike.call == call => {
                    strike.countdown = strike.countdown.saturating_sub(1);
                    strike.countdown == 0
                }
                _ => false,
            };
            if due { inner.strike.take() } else { None }
        };
        let Some(strike) = strike else { return Some(act()) };
        if !strike.after {
            self.suffer(strike);
            return (!self.is_dead()).then(act);
        }
        let result = act();
        self.suffer(strike);
        (!self.is_dead()).then_some(result)
    }

    fn suffer(&self, strike: Strike) {
        stage::tell(|| {
            let when = if strike.after { "after" } else { "before" };
            format!("{} {:?} {when} {:?}", self.name, strike.blow, strike.call)
        });
        match strike.blow {
            Blow::Crash => self.die(),
            Blow::Pause(duration) => stage::pause(self, duration),
        }
    }
}
