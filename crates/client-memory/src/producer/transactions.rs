//! Transactions: what the producer remembers of the one that is open.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use headwater_client::{ClientConfig, ClientError};

use crate::client::number;
use crate::transaction::{Participant, TransactionProtocol};

/// Where a producer stands between transactions and in them.
#[derive(Debug)]
pub(super) enum Standing {
    /// Before the first `init`.
    New,
    /// None is open.
    Ready,
    /// One is.
    Open,
    /// One is open that can only be aborted.
    Doomed(ClientError),
}

/// The transactional side of a producer.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) id: Arc<str>,
    /// `transaction.timeout.ms`.
    pub(super) timeout: Duration,
    pub(super) protocol: TransactionProtocol,
    pub(super) standing: Standing,
    /// Whether the cluster may have heard of the open transaction.
    pub(super) begun: bool,
    /// What was added to it, under protocol 1.
    pub(super) added: BTreeSet<Participant>,
    /// Whether offsets were to be sent with it, and nobody answered.
    pub(super) owes_offsets: bool,
    /// Whether a batch of it that was given up may still arrive.
    pub(super) may_arrive: bool,
}

impl Transactions {
    /// Those of `transactional.id`, if there is one.
    ///
    /// # Errors
    /// [`ClientError::Config`] for an empty id, a time-out that is none, and `enable.idempotence=false`.
    pub(super) fn of(config: &ClientConfig, protocol: TransactionProtocol) -> Result<Option<Self>, ClientError> {
        let timeout = number(config, "transaction.timeout.ms", 60_000, 1)?;
        let Some(id) = config.value("transactional.id") else {
            return Ok(None);
        };
        if id.is_empty() || config.value("enable.idempotence") == Some("false") {
            let message = "transactional.id: must not be empty, and needs enable.idempotence=true";
            return Err(ClientError::Config(message.into()));
        }
        Ok(Some(Transactions {
            id: id.into(),
            timeout: Duration::from_millis(timeout as u64),
            protocol,
            standing: Standing::New,
            begun: false,
            added: BTreeSet::new(),
            owes_offsets: false,
            may_arrive: false,
        }))
    }

    /// Whether records may be appended.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open)
    }

    /// Why records may not be appended.
    pub(super) fn check_open(&self) -> Result<(), ClientError> {
        match &self.standing {
            Standing::Open => Ok(()),
            Standing::Doomed(why) => Err(ClientError::TransactionAborted(why.to_string())),
            Standing::Ready => Err(misuse("no transaction is open: begin one first")),
            Standing::New => Err(misuse("transactions are not initialised: call init first")),
        }
    }

    /// Something of the open transaction is sent; gives the `transactional.id`.
    pub(super) fn sends(&mut self) -> Arc<str> {
        // Under protocol 1 the cluster has heard of it when something was added.
        self.begun |= self.protocol == TransactionProtocol::Two;
        Arc::clone(&self.id)
    }

    /// The open transaction can only be aborted.
    pub(super) fn doom(&mut self, why: &ClientError) {
        if self.is_open() {
            self.standing = Standing::Doomed(why.clone());
        }
    }

    /// The cluster has added something to the open transaction.
    pub(super) fn added(&mut self, participant: Participant) {
        self.begun = true;
        self.added.insert(participant);
    }

    /// None is open any more.
    pub(super) fn ended(&mut self) {
        (self.standing, self.begun) = (Standing::Ready, false);
        (self.owes_offsets, self.may_arrive) = (false, false);
        self.added.clear();
    }
}

/// What makes no sense where it is asked.
pub(super) fn misuse(message: &str) -> ClientError {
    ClientError::Config(message.into())
}
