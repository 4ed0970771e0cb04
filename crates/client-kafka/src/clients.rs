//! Who makes the clients.
#![forbid(unsafe_code)]

use std::sync::Arc;

use headwater_client::{
    Admin, ClientConfig, ClientError, ClientKind, ClientSupplier, Consumer, GroupMembership, Producer,
};
use headwater_record::Clock;

use crate::admin::KafkaAdmin;
use crate::clock::SystemClock;
use crate::config::Servers;
use crate::consumer::KafkaConsumer;
use crate::io::Io;
use crate::membership::KafkaMembership;
use crate::producer::KafkaProducer;

/// Makes clients of real clusters. Clones share the thread that their connections live on.
///
/// ```no_run
/// use headwater::client::{Admin, ClientConfig, ClientSupplier};
/// use headwater_client_kafka::KafkaClients;
/// use headwater::record::Deadline;
/// use std::time::Duration;
///
/// let clients = KafkaClients::new();
/// let mut admin = clients.admin(&ClientConfig::new().with("bootstrap.servers", "localhost:9092"))?;
/// let until = Deadline::after(clients.clock().now(), Duration::from_secs(10));
/// println!("{:?}", admin.list_topics(until)?);
/// # Ok::<(), headwater::client::ClientError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KafkaClients {
    io: Io,
}

impl KafkaClients {
    /// Clients of any cluster; which one, `bootstrap.servers` says.
    pub fn new() -> Self {
        Self::default()
    }
}

impl ClientSupplier for KafkaClients {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn check(&self, kind: ClientKind, config: &ClientConfig) -> Result<(), ClientError> {
        let servers = Servers::of(config, "headwater")?;
        match kind {
            ClientKind::Consumer => KafkaConsumer::check_settings(config),
            ClientKind::Producer => KafkaProducer::check_settings(config),
            // All clients have the same servers: one look is enough.
            ClientKind::Admin => servers.resolve(),
            ClientKind::Membership => Ok(()),
        }
    }

    fn unused(&self, kind: ClientKind, config: &ClientConfig) -> Vec<(String, Option<&'static str>)> {
        match kind {
            ClientKind::Consumer => KafkaConsumer::unused_settings(config),
            ClientKind::Producer => KafkaProducer::unused_settings(config),
            ClientKind::Admin | ClientKind::Membership => Vec::new(),
        }
    }

    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError> {
        Ok(Box::new(KafkaConsumer::new(self.io.clone(), config)?))
    }

    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError> {
        Ok(Box::new(KafkaProducer::new(self.io.clone(), config)?))
    }

    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError> {
        Ok(Box::new(KafkaAdmin::new(self.io.clone(), config)?))
    }

    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError> {
        Ok(Box::new(KafkaMembership::new(self.io.clone(), group, config)?))
    }
}
