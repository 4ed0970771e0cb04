//! Where a producer's transactions stand: what is to be asked next, and what an answer or its absence means. No socket and no clock.
//!
//! Whoever drives it asks what a [`Step`] says and brings back what was [`Said`], until there is a result. What an error code means
//! for a request is in [`codes`], and only there.
//!
//! Under protocol 2 every transaction has an epoch of its own, so that a request may be sent again until it is answered: what comes
//! late is refused. Under protocol 1 the epoch stays, and a request that was never heard of again may meet the next transaction: the
//! producer is then of no more use, and the next one of its `transactional.id` begins an epoch that refuses the lost request. An abort
//! under protocol 1 ends with an epoch that the coordinator raises (KIP-360), so that sequences begin anew under both.
#![forbid(unsafe_code)]

pub(super) mod codes;
pub(super) mod coordinators;

use headwater_client::{ClientError, ErrorClass};

use self::codes::{Verdict, verdict};
use super::sequences::Identity;

/// How transactions are carried, by the cluster's `transaction.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Partitions and groups are added by requests of their own.
    One,
    /// KIP-890: `transaction.version` 2 and later.
    Two,
}

/// What is asked of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// `InitProducerId`: who this producer is.
    Init,
    /// `InitProducerId` with what it is: the next epoch.
    Raise,
    /// `AddPartitionsToTxn`.
    AddPartitions,
    /// `AddOffsetsToTxn`.
    AddOffsets,
    /// `TxnOffsetCommit`.
    CommitOffsets,
    /// `EndTxn`.
    End { commit: bool },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The coordinator answered with this code, and perhaps with who the producer is from now on.
    Code(i16, Option<Identity>),
    /// It was not asked.
    NotSent(ClientError),
    /// It was asked, and nobody knows what it did.
    NotHeard(ClientError),
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ask(Ask),
    /// Ask the same after a pause.
    Again {
        ask: Ask,
        met: ClientError,
    },
    /// That was all.
    Is(Result<(), ClientError>),
}

/// What is known of the open transaction.
#[derive(Debug, Default)]
struct Open {
    /// Whether the cluster may have heard of it.
    touched: bool,
    /// Why it can only be aborted.
    failed: Option<ClientError>,
    /// Offsets that were handed over and are not known to be with it.
    owed: bool,
}

#[derive(Debug)]
enum State {
    /// Nobody knows it yet.
    New,
    /// None is open.
    Ready,
    Open(Open),
    /// The producer is of no more use; whoever has the transaction still open is to hear why.
    Over {
        why: ClientError,
        ended: bool,
    },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Transaction {
    protocol: Protocol,
    identity: Option<Identity>,
    state: State,
    /// A commit of the open transaction was left without an answer: it may have been in time, whatever is said later.
    in_doubt: bool,
}

impl Transaction {
    pub(super) fn new() -> Self {
        Transaction { protocol: Protocol::One, identity: None, state: State::New, in_doubt: false }
    }

    /// Who writes now.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Begins to begin.
    pub(super) fn init(&self) -> Result<Step, ClientError> {
        match &self.state {
            State::New => Ok(Step::Ask(Ask::Init)),
            State::Ready | State::Open(_) => Err(misuse("the producer's transactions were initialised before")),
            State::Over { why, .. } => Err(no_more_use(why)),
        }
    }

    /// Which protocol the cluster speaks, as it says before [`Ask::Init`].
    pub(super) fn speaks(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    pub(super) fn begin(&mut self) -> Result<(), ClientError> {
        match &self.state {
            State::New => Err(misuse("the producer's transactions must be initialised before one begins")),
            State::Ready => {
                self.state = State::Open(Open::default());
                self.in_doubt = false;
                Ok(())
            }
            State::Open(_) => Err(misuse("a transaction is open already: commit or abort it before the next begins")),
            State::Over { why, .. } => Err(no_more_use(why)),
        }
    }

    /// Whether records may be written.
    pub(super) fn writable(&self) -> Result<(), ClientError> {
        self.open().and_then(|open| open.failed.clone().map_or(Ok(()), Err))
    }

    /// Whether one may be ended.
    pub(super) fn may_end(&self) -> Result<(), ClientError> {
        self.open().map(drop)
    }

    /// Whoever had it open has heard of its end.
    pub(super) fn ended(&mut self) {
        if let State::Over { ended, .. } = &mut self.state {
            *ended = true;
        }
    }

    fn open(&self) -> Result<&Open, ClientError> {
        match &self.state {
            State::Open(open) => Ok(open),
            State::New | State::Ready => Err(misuse("no transaction is open: begin one first")),
            State::Over { why, ended: false } => Err(why.clone()),
            State::Over { why, ended: true } => Err(no_more_use(why)),
        }
    }

    /// A batch is on its way to its partition.
    pub(super) fn wrote(&mut self) {
        // Under protocol 1 the cluster hears of the partition before.
        if self.protocol == Protocol::Two {
            self.joined();
        }
    }

    /// The cluster has heard of the transaction.
    pub(super) fn joined(&mut self) {
        if let State::Open(open) = &mut self.state {
            open.touched = true;
        }
    }

    /// A batch was not written; `in_doubt` when it may be, and may still come to be.
    pub(super) fn batch_failed(&mut self, error: &ClientError, in_doubt: bool) {
        if !self.is_open() {
            return;
        }
        if let ClientError::Fenced(_) = error {
            self.over(error.clone());
        } else if in_doubt && self.protocol == Protocol::One {
            self.silence(error);
        } else {
            self.failed(ClientError::TransactionAborted(format!("a batch of it was not written: {error}")));
        }
    }

    /// A request of protocol 1 was never heard of again.
    pub(super) fn silence(&mut self, error: &ClientError) -> ClientError {
        let why = ClientError::TransactionAborted(format!(
            "{error}; what was sent may still arrive, and under transaction.version=1 meet the next transaction"
        ));
        self.over(why.clone());
        why
    }

    /// It can only be aborted.
    pub(super) fn failed(&mut self, why: ClientError) {
        if let State::Open(open) = &mut self.state {
            open.failed.get_or_insert(why);
        }
    }

    fn over(&mut self, why: ClientError) {
        self.state = State::Over { why, ended: false };
    }

    /// Hands over offsets.
    pub(super) fn offsets(&mut self) -> Result<Step, ClientError> {
        self.writable()?;
        let first = if self.protocol == Protocol::One { Ask::AddOffsets } else { Ask::CommitOffsets };
        if let State::Open(open) = &mut self.state {
            open.owed = true;
            // It may be that the answer is lost and no other comes.
            open.touched |= self.protocol == Protocol::Two;
        }
        Ok(Step::Ask(first))
    }

    /// Why it cannot be committed, if that is known already.
    pub(super) fn failure(&self) -> Option<ClientError> {
        let State::Open(open) = &self.state else { return None };
        let owed = || ClientError::TransactionAborted("its offsets were not taken over in time".to_owned());
        open.failed.clone().or_else(|| open.owed.then(owed))
    }

    /// Ends it. Where the cluster has heard nothing of it, there is nothing to ask.
    pub(super) fn end(&mut self, commit: bool) -> Result<Step, ClientError> {
        if self.open()?.touched {
            return Ok(Step::Ask(Ask::End { commit }));
        }
        self.state = State::Ready;
        Ok(Step::Is(Ok(())))
    }

    /// Whether a commit may have been in time although it failed.
    pub(super) fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Takes what was said to `ask`.
    pub(super) fn answered(&mut self, ask: Ask, said: Said) -> Step {
        self.in_doubt |= matches!((ask, &said), (Ask::End { commit: true }, Said::NotHeard(_)));
        match said {
            Said::Code(code, identity) => match verdict(ask, code) {
                Verdict::Done => self.done(ask, identity),
                Verdict::Again(met) | Verdict::Elsewhere(met) => Step::Again { ask, met },
                Verdict::Abort(error) => self.must_abort(ask, error),
                Verdict::Over(error) => self.broke(ask, error),
            },
            Said::NotSent(met) if met.class() == ErrorClass::Retriable => Step::Again { ask, met },
            // The group's coordinator is asked for in its own name.
            Said::NotSent(error) if ask == Ask::CommitOffsets => self.must_abort(ask, error),
            Said::NotSent(error) => self.broke(ask, error),
            // Who the producer is may be asked as often as one likes.
            Said::NotHeard(met) if matches!(ask, Ask::Init | Ask::Raise) || self.protocol == Protocol::Two => {
                Step::Again { ask, met }
            }
            Said::NotHeard(error) if matches!(ask, Ask::End { .. }) => self.broke(ask, error),
            Said::NotHeard(error) => Step::Is(Err(self.silence(&error))),
        }
    }

    fn done(&mut self, ask: Ask, identity: Option<Identity>) -> Step {
        self.identity = identity.or(self.identity);
        match ask {
            Ask::AddPartitions => self.joined(),
            Ask::AddOffsets => {
                self.joined();
                return Step::Ask(Ask::CommitOffsets);
            }
            Ask::CommitOffsets => {
                if let State::Open(open) = &mut self.state {
                    open.owed = false;
                }
            }
            Ask::End { commit: false } if self.protocol == Protocol::One => return Step::Ask(Ask::Raise),
            Ask::Init | Ask::Raise | Ask::End { .. } => self.state = State::Ready,
        }
        Step::Is(Ok(()))
    }

    /// The transaction failed, and the producer lives on once it is aborted.
    fn must_abort(&mut self, ask: Ask, error: ClientError) -> Step {
        match ask {
            Ask::Raise | Ask::End { commit: false } => return self.broke(ask, error),
            Ask::Init => {}
            Ask::AddPartitions | Ask::AddOffsets | Ask::CommitOffsets | Ask::End { commit: true } => {
                self.failed(error.clone());
            }
        }
        Step::Is(Err(error))
    }

    /// No request will do any more; but whoever was refused at the very beginning may begin again.
    fn broke(&mut self, ask: Ask, error: ClientError) -> Step {
        if ask != Ask::Init {
            self.over(error.clone());
        }
        Step::Is(Err(error))
    }

    /// There is no time left to ask again. Only what ends a transaction has to be known.
    pub(super) fn gave_up(&mut self, ask: Ask, met: &ClientError) -> ClientError {
        let error = ClientError::TimedOut { request: format!("{}: {met}", ask.name()) };
        if matches!(ask, Ask::Raise | Ask::End { .. }) {
            self.over(error.clone());
        }
        error
    }

    /// The end of it could not even be asked for.
    pub(super) fn abandoned(&mut self, error: &ClientError) {
        self.over(error.clone());
    }
}

fn misuse(what: &str) -> ClientError {
    ClientError::Config(what.to_owned())
}

fn no_more_use(why: &ClientError) -> ClientError {
    match why {
        ClientError::Fenced(_) => why.clone(),
        why => ClientError::Config(format!("the producer is of no more use, make a new one: {why}")),
    }
}

#[cfg(test)]
mod tests;
