//! The calls of a transaction, on the caller's thread: each asks one coordinator after another, and waits for the answers.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientError, CommittedOffset, ErrorClass, GroupIdentity, TransactionOutcome, Transactional};
use headwater_record::{Clock, Deadline, TopicPartition};
use tokio::time::sleep;

use super::sender::{Event, MARKERS};
use super::sequences::Identity;
use super::settings::Settings;
use super::transaction::coordinators::{Coordinators, Offsets};
use super::transaction::{Ask, Protocol, Said, Step, Transaction};
use super::{KafkaProducer, Place};
use crate::clock::{SystemClock, remaining};
use crate::io::Io;
use crate::metadata::Brokers;

/// Transactions of a producer, and whom it asks.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) stands: Transaction,
    pub(super) coordinators: Arc<Coordinators>,
    io: Io,
    /// Between two attempts: the first pause, doubled each time up to the longest.
    backoff: Duration,
    longest_backoff: Duration,
}

impl Transactions {
    /// Those that the settings ask for.
    pub(super) fn of(settings: &Settings, io: &Io, cluster: &Arc<Brokers>) -> Option<Self> {
        let of = settings.transactions.as_ref()?;
        Some(Transactions {
            stands: Transaction::new(),
            coordinators: Arc::new(Coordinators::new(Arc::clone(cluster), &of.id, of.timeout)),
            io: io.clone(),
            backoff: settings.rules.backoff.min(MARKERS),
            longest_backoff: settings.rules.backoff_max,
        })
    }

    /// Learns which protocol the cluster speaks.
    fn learn_protocol(&mut self, until: Deadline) -> Result<(), ClientError> {
        let (mut failures, mut last) = (0, None);
        loop {
            let pause = self.pause(failures);
            if failures > 0 && remaining(until) <= pause {
                return Err(last.unwrap_or(ClientError::Closed));
            }
            let coordinators = Arc::clone(&self.coordinators);
            let learnt = self.io.wait("FindCoordinator", until, async move {
                sleep(pause).await;
                coordinators.protocol().await
            });
            match learnt {
                Ok(protocol) => {
                    self.stands.speaks(protocol);
                    return Ok(());
                }
                Err(error) if error.class() != ErrorClass::Retriable => return Err(error),
                // What was said before says more than that there is no time left.
                Err(error) if until.passed(SystemClock.now()) => return Err(last.unwrap_or(error)),
                Err(error) => (failures, last) = (failures + 1, Some(error)),
            }
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            _ => self.backoff.saturating_mul(1 << (failures - 1).min(16)).min(self.longest_backoff),
        }
    }

    /// Asks what `step` says, and what follows from the answers, until there is a result or no time.
    fn carry_out(&mut self, step: Step, offers: Option<&Offsets>, until: Deadline) -> Result<(), ClientError> {
        let (mut step, mut failures) = (step, 0);
        loop {
            let ask = match step {
                Step::Is(result) => return result,
                Step::Ask(ask) => {
                    failures = 0;
                    ask
                }
                Step::Again { ask, met } => {
                    failures += 1;
                    tracing::debug!(request = ask.name(), error = %met, "asking a coordinator again");
                    if remaining(until) <= self.pause(failures) {
                        return Err(self.stands.gave_up(ask, &met));
                    }
                    ask
                }
            };
            let said = self.ask(ask, self.pause(failures), offers, until);
            step = self.stands.answered(ask, said);
        }
    }

    fn ask(&self, ask: Ask, pause: Duration, offers: Option<&Offsets>, until: Deadline) -> Said {
        let (coordinators, protocol) = (Arc::clone(&self.coordinators), self.stands.protocol());
        let (identity, offers) = (self.stands.identity(), offers.cloned());
        let said = self.io.wait(ask.name(), until, async move {
            sleep(pause).await;
            Ok(exchange(&coordinators, ask, identity, protocol, offers).await)
        });
        said.unwrap_or_else(Said::NotHeard)
    }
}

async fn exchange(
    coordinators: &Coordinators,
    ask: Ask,
    identity: Option<Identity>,
    protocol: Protocol,
    offers: Option<Offsets>,
) -> Said {
    match (ask, identity, offers) {
        (Ask::Init, ..) => coordinators.init(ask, None).await,
        (Ask::Raise, known, _) => coordinators.init(ask, known).await,
        (Ask::AddOffsets, Some(of), Some(offers)) => coordinators.add_offsets(of, &offers.member.group).await,
        (Ask::CommitOffsets, Some(of), Some(offers)) => coordinators.commit_offsets(of, protocol, &offers).await,
        (Ask::End { commit }, Some(of), _) => coordinators.end(of, protocol, commit).await,
        // Partitions are the sender's, and whoever has no identity was never told that a transaction is open.
        _ => Said::NotSent(ClientError::Closed),
    }
}

impl KafkaProducer {
    fn transactions_mut(&mut self) -> Result<&mut Transactions, ClientError> {
        let none = || ClientError::Config("the producer has no transactional.id".to_owned());
        self.transactions.as_mut().ok_or_else(none)
    }

    /// Tells the sender who writes from now on.
    fn go_on(&mut self) -> Result<(), ClientError> {
        let stands = &self.transactions_mut()?.stands;
        let protocol = stands.protocol();
        let Some(identity) = stands.identity() else { return Ok(()) };
        self.sender.send(Event::Next { identity, protocol }).map_err(|_| ClientError::Closed)
    }

    /// Ends the open transaction as it may be ended now.
    fn end(&mut self, commit: bool, until: Deadline) -> Result<(), ClientError> {
        let transactions = self.transactions_mut()?;
        let first = transactions.stands.end(commit)?;
        transactions.carry_out(first, None, until)?;
        // It has ended, whatever became of the sender: the next record finds that out.
        let _ = self.go_on();
        Ok(())
    }

    /// Forgets all records that are not acknowledged, and waits until nothing of them is under way.
    fn forget_records(&mut self, until: Deadline) -> Result<(), ClientError> {
        for place in &mut self.places {
            if let Some(open) = place.open.take() {
                self.memory.give_back(open.len(), Vec::new());
            }
        }
        self.opened.clear();
        self.quiet = false;
        self.sender.send(Event::Abandon).map_err(|_| ClientError::Closed)?;
        let mut forgotten = Vec::new();
        while !self.quiet {
            if remaining(until).is_zero() {
                return Err(ClientError::TimedOut { request: "what was sent before the transaction's end".to_owned() });
            }
            self.wait(until, &mut forgotten)?;
        }
        Ok(())
    }

    fn abort_now(&mut self, until: Deadline) -> Result<(), ClientError> {
        if let Err(error) = self.forget_records(until) {
            self.transactions_mut()?.stands.abandoned(&error);
            return Err(error);
        }
        self.end(false, until)
    }

    /// Why the open transaction cannot be committed, if that is known already.
    fn hindrance(&mut self) -> Result<Option<ClientError>, ClientError> {
        let is_open = |place: &Place| place.open.is_some();
        let unacknowledged = self.gathering.unanswered() > 0 || self.places.iter().any(is_open);
        let failure = self.transactions_mut()?.stands.failure();
        let unflushed = || {
            ClientError::TransactionAborted(
                "records of it were not acknowledged when it was to be committed: flush the producer before".to_owned(),
            )
        };
        Ok(failure.or_else(|| unacknowledged.then(unflushed)))
    }

    fn is_open(&self) -> bool {
        self.transactions.as_ref().is_some_and(|transactions| transactions.stands.is_open())
    }
}

impl Transactional for KafkaProducer {
    fn init(&mut self, until: Deadline) -> Result<(), ClientError> {
        let transactions = self.transactions_mut()?;
        let first = transactions.stands.init()?;
        transactions.learn_protocol(until)?;
        transactions.carry_out(first, None, until)?;
        self.go_on()
    }

    fn begin(&mut self) -> Result<(), ClientError> {
        self.transactions_mut()?.stands.begin()
    }

    fn send_offsets(
        &mut self,
        identity: &GroupIdentity,
        offsets: &[(TopicPartition, CommittedOffset)],
        until: Deadline,
    ) -> Result<(), ClientError> {
        let transactions = self.transactions_mut()?;
        if offsets.is_empty() {
            return transactions.stands.writable();
        }
        let offers = Offsets { member: identity.clone(), offsets: offsets.to_vec() };
        let first = transactions.stands.offsets()?;
        transactions.carry_out(first, Some(&offers), until)
    }

    fn commit(&mut self, until: Deadline) -> TransactionOutcome {
        if let Err(error @ ClientError::Config(_)) = self.may_end() {
            return TransactionOutcome::Aborted(error);
        }
        let outcome = self.commit_now(until);
        self.ended();
        outcome
    }

    fn abort(&mut self, until: Deadline) -> Result<(), ClientError> {
        self.may_end()?;
        let result = self.abort_now(until);
        self.ended();
        result
    }
}

impl KafkaProducer {
    fn may_end(&mut self) -> Result<(), ClientError> {
        self.transactions_mut()?.stands.may_end()
    }

    fn ended(&mut self) {
        if let Some(transactions) = &mut self.transactions {
            transactions.stands.ended();
        }
    }

    fn commit_now(&mut self, until: Deadline) -> TransactionOutcome {
        let why = match self.hear(&mut Vec::new()).and_then(|()| self.hindrance()) {
            Ok(None) => match self.end(true, until) {
                Ok(()) => return TransactionOutcome::Committed,
                // It can be aborted, and must be.
                Err(error) if self.is_open() => error,
                Err(error) => return self.lost(error),
            },
            Ok(Some(why)) => why,
            Err(error) => return self.lost(error),
        };
        match self.abort_now(until) {
            Ok(()) => TransactionOutcome::Aborted(why),
            Err(error) => self.lost(error),
        }
    }

    /// How a transaction ended whose producer is of no more use.
    fn lost(&self, error: ClientError) -> TransactionOutcome {
        let in_doubt = self.transactions.as_ref().is_some_and(|transactions| transactions.stands.in_doubt());
        match error {
            ClientError::Fenced(_) if !in_doubt => TransactionOutcome::Fenced(error),
            error => TransactionOutcome::Indefinite(error),
        }
    }
}
