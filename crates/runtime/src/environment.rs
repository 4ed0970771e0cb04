//! What an application stands on: clients, stores, a clock. A value, so that a test or a simulation changes one line.

use std::sync::Arc;

use headwater_client::ClientSupplier;
use headwater_record::Clock;
use headwater_store::StoreSupplier;

use crate::task::StoreChoice;
use crate::{Error, StreamsConfig};

/// The makes of stores there are.
#[derive(Clone, Debug)]
pub struct StoreMakers {
    /// Keeps its stores in memory.
    pub in_memory: Arc<dyn StoreSupplier>,
    /// Keeps its stores on disk; `None` when this build has none.
    pub persistent: Option<Arc<dyn StoreSupplier>>,
}

impl StoreMakers {
    /// The makes, and which of them stores are of that do not say.
    pub(crate) fn choice(&self, config: &StreamsConfig) -> StoreChoice<'_> {
        StoreChoice {
            in_memory: self.in_memory.as_ref(),
            persistent: self.persistent.as_deref(),
            configured: config.configured_stores(),
        }
    }
}

/// What an application stands on.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Makes clients.
    pub clients: Arc<dyn ClientSupplier>,
    /// Makes stores.
    pub stores: StoreMakers,
    /// Tells the time: that of the clients' deadlines.
    pub clock: Arc<dyn Clock>,
}

/// Chooses what the user did not: the facade does it by features and configuration.
pub trait DefaultEnvironment {
    /// Clients.
    ///
    /// # Errors
    /// When there are none in this build.
    fn clients(config: &StreamsConfig) -> Result<Arc<dyn ClientSupplier>, Error>;

    /// Stores.
    ///
    /// # Errors
    /// When there are none in this build.
    fn stores(config: &StreamsConfig) -> Result<StoreMakers, Error>;
}

/// Chooses nothing: clients and stores must be given to the builder.
#[derive(Clone, Copy, Debug)]
pub struct NoDefault;

impl DefaultEnvironment for NoDefault {
    fn clients(_config: &StreamsConfig) -> Result<Arc<dyn ClientSupplier>, Error> {
        Err(Error::config("no clients were given: use `.on(&cluster)`"))
    }

    fn stores(_config: &StreamsConfig) -> Result<StoreMakers, Error> {
        Err(Error::config("no stores were given: use `.stores(..)`"))
    }
}
