//! The way to the coordinator of a group or of transactions: found through any broker, and found again when it moves.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use headwater_client::ClientError;
use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::protocol::StrBytes;
use tokio::sync::Mutex;

use crate::config::Servers;
use crate::connection::Connection;
use crate::error::{About, coordinator_moved, of_code, unavailable};
use crate::metadata::Brokers;

/// Whom a coordinator is asked for, in Kafka's numbers.
#[derive(Clone, Copy, Debug)]
enum Of {
    Group = 0,
    Transactions = 1,
}

/// One connection to a coordinator, opened when it is needed.
#[derive(Debug)]
pub(crate) struct Coordinator {
    brokers: Arc<Brokers>,
    of: Of,
    /// The group's id, or the `transactional.id`.
    key: String,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Coordinator {
    /// That of the group `group`.
    pub(crate) fn of_group(brokers: Arc<Brokers>, group: &str) -> Self {
        Coordinator { brokers, of: Of::Group, key: group.to_owned(), connection: Mutex::new(None) }
    }

    /// That of the transactions of `id`.
    pub(crate) fn of_transactions(brokers: Arc<Brokers>, id: &str) -> Self {
        Coordinator { brokers, of: Of::Transactions, key: id.to_owned(), connection: Mutex::new(None) }
    }

    pub(crate) fn servers(&self) -> &Servers {
        self.brokers.servers()
    }

    /// The connection; a new one when there is none or the last one was closed.
    ///
    /// # Errors
    /// [`ClientError::Unavailable`], or what the brokers answer; retriable while the coordinator is being chosen.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, ClientError> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(Arc::clone(open));
        }
        let address = self.find().await?;
        let opened = Arc::new(Connection::open(&address, self.servers()).await?);
        *connection = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// The next request looks for the coordinator again.
    pub(crate) async fn forget(&self) {
        *self.connection.lock().await = None;
    }

    /// The error that `code` stands for. The coordinator is looked for again when it has moved.
    pub(crate) async fn check(&self, code: i16, about: About<'_>) -> Result<(), ClientError> {
        if coordinator_moved(code) {
            self.forget().await;
        }
        of_code(code, about).map_or(Ok(()), Err)
    }

    /// Keeps the connection unless it broke.
    pub(crate) async fn after<T>(&self, result: Result<T, ClientError>) -> Result<T, ClientError> {
        if let Err(ClientError::Unavailable { .. } | ClientError::TimedOut { .. }) = &result {
            self.forget().await;
        }
        result
    }

    async fn find(&self) -> Result<String, ClientError> {
        // Whoever can tell where the coordinator went, when the servers that were configured are not there.
        self.brokers.look(Some(&[])).await?;
        let broker = self.brokers.any().await?;
        let request = FindCoordinatorRequest::default()
            .with_key_type(self.of as i8)
            // Version 4 and later answer for a list of keys; the single one is for older versions.
            .with_coordinator_keys(vec![StrBytes::from_string(self.key.clone())]);
        let response = broker.call(&request, self.servers().request_timeout).await?;
        let found = response
            .coordinators
            .first()
            .ok_or_else(|| unavailable(&self.servers().text(), "the answer names no coordinator"))?;
        if let Some(error) = of_code(found.error_code, About::Request("FindCoordinator")) {
            return Err(error);
        }
        Ok(format!("{}:{}", found.host, found.port))
    }
}

/// For how long an answer to a request that waits for other members may take.
pub(crate) fn patience(rebalance_timeout: Duration) -> Duration {
    rebalance_timeout + Duration::from_secs(5)
}
