//! Transactions: what is sent, and what the producer is told.
//!
//! The page of [`Transactional`] says what goes out under which protocol, and what no answer means.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{
    ClientError, CommittedOffset, ErrorClass, GroupIdentity, OffsetCommit, TransactionOutcome, Transactional,
};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use super::transactions::{Standing, Transactions, misuse};
use super::{MemoryProducer, Patience};
use crate::client::submit;
use crate::cluster::State;
use crate::fault::Api;
use crate::transaction::{Event, Identity, Participant, TransactionEnd, TransactionProtocol};

const INVALID_TXN_STATE: i16 = 48;

impl MemoryProducer {
    /// Under protocol 1, adds the partitions that are written for the first time in this transaction. Whether batches may be sent.
    pub(super) fn add_partitions(&mut self, state: &mut State, now: Timestamp) -> Result<bool, ClientError> {
        let by = self.identity();
        let Some(transactions) = &mut self.transactions else {
            return Ok(true);
        };
        if transactions.protocol == TransactionProtocol::Two {
            return Ok(true);
        }
        let targets = self.dirty.iter().filter_map(|number| self.targets.get(*number as usize));
        let written = targets.map(|target| Participant::Partition(target.partition.clone()));
        let new: Vec<_> = written.filter(|participant| !transactions.added.contains(participant)).collect();
        if new.is_empty() {
            return Ok(true);
        }
        let (id, asked) = (Arc::clone(&transactions.id), new.clone());
        let answer = submit(state, Api::AddPartitionsToTxn, &self.client.id, now, move |state, now| {
            for participant in &asked {
                state.transact(now, &id, Event::Add { by, participant: participant.clone() })?;
            }
            Ok(())
        });
        match answer {
            Ok(()) => {
                for participant in new {
                    transactions.added(participant);
                }
                Ok(true)
            }
            Err(error @ ClientError::TimedOut { .. }) => Err(self.spend(&error)),
            // The batches stay, and with them this is asked again.
            Err(error) if error.class() == ErrorClass::Retriable => Ok(false),
            Err(error) => Err(self.refused(error)),
        }
    }

    fn identity(&self) -> Identity {
        Identity { producer: self.id, epoch: self.epoch }
    }

    /// Goes on as the coordinator says.
    fn become_identity(&mut self, identity: Identity) {
        if identity != self.identity() {
            (self.id, self.epoch) = (identity.producer, identity.epoch);
            self.targets.iter_mut().for_each(|target| target.begin_anew(identity.epoch));
        }
    }

    /// Something may still be under way that could meet a later transaction: this producer is never used again
    /// (`docs/decisions/0012-exactly-once-goes-on-from-local-state.md`).
    fn spend(&mut self, why: &ClientError) -> ClientError {
        let message =
            format!("{why}: what was sent may still arrive, so this producer is of no more use; make a new one");
        self.fatal.get_or_insert(ClientError::Config(message.clone()));
        ClientError::TransactionAborted(message)
    }

    /// The cluster refused something of the open transaction.
    fn refused(&mut self, error: ClientError) -> ClientError {
        if error.class() == ErrorClass::Fenced && !matches!(error, ClientError::Group(_)) {
            self.fatal.get_or_insert(error.clone());
        } else if let Some(transactions) = &mut self.transactions {
            transactions.doom(&error);
        }
        error
    }

    /// Asks until there is an answer that is not to be asked again, or until `until`. An end of a transaction that was left without an
    /// answer once may have happened whatever is answered to its repetition, unless that succeeds.
    fn ask<T>(
        &self,
        api: Api,
        until: Deadline,
        repeat_unanswered: bool,
        request: impl Fn(&mut State, Timestamp) -> Result<T, ClientError> + Clone + Send + 'static,
    ) -> Result<T, ClientError> {
        let mut patience = Patience::default();
        let mut unanswered = false;
        loop {
            let error = match self.client.submit(api, until, request.clone()) {
                Err(error @ ClientError::TimedOut { .. }) if !repeat_unanswered => return Err(error),
                Err(error) if error.class() == ErrorClass::Retriable => error,
                Err(error) if unanswered && api == Api::EndTxn => {
                    return Err(ClientError::TimedOut { request: format!("{api:?}, and then: {error}") });
                }
                answer => return answer,
            };
            unanswered |= matches!(error, ClientError::TimedOut { .. });
            if until.passed(self.client.shared.clock.now()) || !patience.again(&self.client, until) {
                return Err(ClientError::TimedOut { request: format!("{api:?}, at last because {error}") });
            }
        }
    }

    /// Forgets what was not acknowledged; whether some of it may still arrive.
    fn forget_records(&mut self) -> bool {
        self.dirty.clear();
        self.late.clear();
        self.buffered = 0;
        let mut may_arrive = false;
        for target in &mut self.targets {
            may_arrive |= target.forget();
        }
        may_arrive
    }

    /// `EndTxn`, if the cluster may have heard of the transaction.
    ///
    /// # Errors
    /// Any means that this producer is of no more use.
    fn end(&mut self, end: TransactionEnd, until: Deadline) -> Result<(), ClientError> {
        let by = self.identity();
        let Some(transactions) = &mut self.transactions else {
            return Err(no_transactions());
        };
        if !transactions.begun {
            transactions.ended();
            return Ok(());
        }
        let id = Arc::clone(&transactions.id);
        let safe = transactions.protocol == TransactionProtocol::Two;
        let request = move |state: &mut State, now| state.transact(now, &id, Event::End { by, end });
        match self.ask(Api::EndTxn, until, safe, request) {
            Ok(identity) => {
                self.become_identity(identity);
                if let Some(transactions) = &mut self.transactions {
                    transactions.ended();
                }
                Ok(())
            }
            Err(ClientError::Broker { code: INVALID_TXN_STATE, message, .. }) if end == TransactionEnd::Commit => {
                let message = format!("the coordinator gave the transaction up before its commit: {message}");
                Err(self.refused(ClientError::Fenced(message)))
            }
            Err(error) if error.class() == ErrorClass::Fenced => Err(self.refused(error)),
            Err(error) => {
                self.spend(&error);
                Err(error)
            }
        }
    }

    /// Sends an abort, and tells why.
    fn abort_because(&mut self, why: ClientError, until: Deadline) -> TransactionOutcome {
        match self.abort(until) {
            Ok(()) => TransactionOutcome::Aborted(why),
            Err(error) if error.class() == ErrorClass::Fenced => TransactionOutcome::Fenced(error),
            Err(error) => TransactionOutcome::Indefinite(error),
        }
    }

    /// Why the open transaction must not be committed.
    fn objection(&self) -> Option<ClientError> {
        match &self.transactions {
            Some(Transactions { standing: Standing::Doomed(why), .. }) => Some(why.clone()),
            Some(Transactions { owes_offsets: true, .. }) => Some(misuse("its offsets were not sent: ask again")),
            _ if self.dirty.is_empty() && self.late.is_empty() => None,
            _ => Some(misuse("not all records were acknowledged: flush before commit")),
        }
    }
}

impl Transactional for MemoryProducer {
    fn init(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.check_usable()?;
        let transactions = self.transactions.as_ref().ok_or_else(no_transactions)?;
        if matches!(transactions.standing, Standing::Open | Standing::Doomed(_)) {
            return Err(misuse("a transaction is open: transactions are initialised before the first"));
        }
        let (id, timeout) = (Arc::clone(&transactions.id), transactions.timeout);
        let request = move |state: &mut State, now| state.init_producer(now, &id, timeout);
        let identity = self.ask(Api::InitProducerId, until, true, request)?;
        self.become_identity(identity);
        if let Some(transactions) = &mut self.transactions {
            transactions.ended();
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.check_usable()?;
        let transactions = self.transactions.as_mut().ok_or_else(no_transactions)?;
        match transactions.standing {
            Standing::Ready => {
                transactions.standing = Standing::Open;
                Ok(())
            }
            Standing::New => transactions.check_open(),
            Standing::Open | Standing::Doomed(_) => Err(misuse("a transaction is open already")),
        }
    }

    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<(), ClientError> {
        self.check_usable()?;
        let by = self.identity();
        let transactions = self.transactions.as_mut().ok_or_else(no_transactions)?;
        transactions.check_open()?;
        if offsets.is_empty() {
            return Ok(());
        }
        let id = transactions.sends();
        let safe = transactions.protocol == TransactionProtocol::Two;
        let group = Participant::Group(identity.group.clone());
        if !safe && !transactions.added.contains(&group) {
            let (id, participant) = (Arc::clone(&id), group.clone());
            let request = move |state: &mut State, now| {
                state.transact(now, &id, Event::Add { by, participant: participant.clone() })
            };
            match self.ask(Api::AddOffsetsToTxn, until, false, request) {
                Ok(_) => {
                    if let Some(transactions) = &mut self.transactions {
                        transactions.added(group);
                    }
                }
                Err(error @ ClientError::TimedOut { .. }) => return Err(self.spend(&error)),
                Err(error) => return Err(self.refused(error)),
            }
        }
        let commit = OffsetCommit { identity: identity.clone(), offsets: offsets.to_vec() };
        let request = move |state: &mut State, now| state.commit_in_transaction(now, &id, by, &commit);
        match self.ask(Api::TxnOffsetCommit, until, safe, request) {
            Err(error @ ClientError::TimedOut { .. }) if !safe => Err(self.spend(&error)),
            answer @ (Ok(()) | Err(ClientError::TimedOut { .. })) => {
                if let Some(transactions) = &mut self.transactions {
                    transactions.owes_offsets = answer.is_err();
                }
                answer
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    fn commit(&mut self, until: Deadline) -> TransactionOutcome {
        match &self.fatal {
            Some(error) if error.class() == ErrorClass::Fenced => return TransactionOutcome::Fenced(error.clone()),
            Some(error) => return TransactionOutcome::Indefinite(error.clone()),
            None => {}
        }
        match self.transactions.as_ref().map(|transactions| &transactions.standing) {
            Some(Standing::Open | Standing::Doomed(_)) => {}
            _ => return TransactionOutcome::Aborted(misuse("no transaction is open: there is nothing to commit")),
        }
        if let Some(why) = self.objection() {
            return self.abort_because(why, until);
        }
        match self.end(TransactionEnd::Commit, until) {
            Ok(()) => TransactionOutcome::Committed,
            Err(error) if error.class() == ErrorClass::Fenced => TransactionOutcome::Fenced(error),
            Err(error) => TransactionOutcome::Indefinite(error),
        }
    }

    fn abort(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.check_usable()?;
        let transactions = self.transactions.as_ref().ok_or_else(no_transactions)?;
        if !matches!(transactions.standing, Standing::Open | Standing::Doomed(_)) {
            return Err(misuse("no transaction is open: there is nothing to abort"));
        }
        let (keeps_epoch, given_up) = (transactions.protocol == TransactionProtocol::One, transactions.may_arrive);
        if (self.forget_records() || given_up) && keeps_epoch {
            let error = ClientError::TimedOut { request: "Produce".into() };
            self.spend(&error);
            return Err(error);
        }
        self.end(TransactionEnd::Abort, until)
    }
}

fn no_transactions() -> ClientError {
    misuse("this producer has no transactions: it was made without a transactional.id")
}
