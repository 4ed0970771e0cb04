//! Who makes clients.

use std::sync::Arc;

use headwater_record::Clock;

use crate::{Admin, ClientConfig, ClientError, Consumer, GroupMembership, Producer};

/// Makes clients of one kind of cluster (Java's `KafkaClientSupplier`).
pub trait ClientSupplier: Send + Sync + std::fmt::Debug {
    /// The clock in whose time the deadlines handed to these clients are: the machine's for a real cluster, perhaps a virtual
    /// one for a cluster in this process. Whatever runs on these clients tells the time by it.
    fn clock(&self) -> Arc<dyn Clock>;

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
