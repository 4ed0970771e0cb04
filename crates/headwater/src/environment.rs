//! Which cluster and which stores, where the user does not say: chosen by features.

use std::sync::Arc;

use headwater_client::ClientSupplier;
use headwater_runtime::{DefaultEnvironment, Error, StoreMakers, StreamsConfig};
use headwater_store_memory::MemoryStores;

/// A running application; see [`headwater_runtime::KafkaStreams`]. Without `.on(..)` it runs on the real cluster at
/// `bootstrap.servers` (feature `kafka`), with state in RocksDB (feature `rocksdb`). A build without RocksDB needs
/// `dsl.store.suppliers.class` set to `in_memory`, or stores that say that they are in memory.
pub type KafkaStreams = headwater_runtime::KafkaStreams<FromFeatures>;

/// The environment that the features of this crate make.
#[derive(Clone, Copy, Debug)]
pub struct FromFeatures;

impl DefaultEnvironment for FromFeatures {
    fn clients(config: &StreamsConfig) -> Result<Arc<dyn ClientSupplier>, Error> {
        #[cfg(feature = "kafka")]
        {
            let _ = config;
            Ok(Arc::new(headwater_client_kafka::KafkaClients::new()))
        }
        #[cfg(not(feature = "kafka"))]
        {
            let _ = config;
            Err(Error::config(
                "this build has no client for a real Kafka: turn on the feature `kafka` of headwater, or run on a \
                 cluster in this process with `.on(&cluster)`",
            ))
        }
    }

    fn stores(config: &StreamsConfig) -> Result<StoreMakers, Error> {
        let _ = config;
        Ok(StoreMakers {
            in_memory: Arc::new(MemoryStores::new()),
            #[cfg(feature = "rocksdb")]
            persistent: Some(Arc::new(headwater_store_rocksdb::RocksDbStores::new(
                headwater_store::MemoryBudget::default(),
            ))),
            #[cfg(not(feature = "rocksdb"))]
            persistent: None,
        })
    }
}
