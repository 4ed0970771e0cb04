//! Who makes clients.

use std::sync::Arc;

use headwater_record::Clock;

use crate::{Admin, ClientConfig, ClientError, Consumer, GroupMembership, Producer};

/// What a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// A [`Consumer`].
    Consumer,
    /// A [`Producer`].
    Producer,
    /// An [`Admin`].
    Admin,
    /// A [`GroupMembership`].
    Membership,
}

/// Makes clients of one kind of cluster (Java's `KafkaClientSupplier`).
pub trait ClientSupplier: Send + Sync + std::fmt::Debug {
    /// The clock in whose time the deadlines handed to these clients are: the machine's for a real cluster, perhaps a virtual
    /// one for a cluster in this process. Whatever runs on these clients tells the time by it.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Refuses settings with which no such client can be made, before anything is: values that are none, and brokers that cannot be
    /// found. Whether brokers answer is not asked.
    ///
    /// # Errors
    /// [`ClientError::Config`] that says which setting, and what it may be.
    fn check(&self, kind: ClientKind, config: &ClientConfig) -> Result<(), ClientError> {
        let _ = (kind, config);
        Ok(())
    }

    /// The settings of `config` on which no such client acts, each with the reason or what to set instead; without where nothing is known
    /// of it. Whoever gives settings on tells of them, once each.
    fn unused(&self, kind: ClientKind, config: &ClientConfig) -> Vec<(String, Option<&'static str>)> {
        let _ = (kind, config);
        Vec::new()
    }

    /// A consumer.
    ///
    /// # Errors
    /// [`ClientError::Config`] for settings that cannot be.
    fn consumer(&self, config: &ClientConfig) -> Result<Box<dyn Consumer>, ClientError>;

    /// A producer.
    ///
    /// # Errors
    /// As [`ClientSupplier::consumer`].
    fn producer(&self, config: &ClientConfig) -> Result<Box<dyn Producer>, ClientError>;

    /// An administrator.
    ///
    /// # Errors
    /// As [`ClientSupplier::consumer`].
    fn admin(&self, config: &ClientConfig) -> Result<Box<dyn Admin>, ClientError>;

    /// A connection to the coordinator of group `group`.
    ///
    /// # Errors
    /// As [`ClientSupplier::consumer`].
    fn membership(&self, group: &str, config: &ClientConfig) -> Result<Box<dyn GroupMembership>, ClientError>;
}
