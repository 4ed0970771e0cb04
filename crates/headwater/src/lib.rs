//! Kafka Streams for Rust: streams and tables over Apache Kafka, as a library.
//!
//! A service writes a topology of streams and tables and starts as many instances as it likes; Kafka spreads the work
//! and keeps the state, and a crash or a new version loses nothing. After a crash records may be processed again
//! (at least once), or have their effect exactly once (`processing.guarantee=exactly_once_v2`). Names, topics and bytes are those of Java Kafka Streams.
//!
//! ```
//! use headwater::prelude::*;
//!
//! let builder = StreamsBuilder::new();
//! builder
//!     .values::<String>("lines")
//!     .flat_map_values(|(), line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
//!     .group_by(|(), word| word.clone())
//!     .count()
//!     .to_stream()
//!     .to("counts");
//! let topology = builder.build()?;
//! assert!(topology.describe().contains("Source: KSTREAM-SOURCE-0000000000 (topics: [lines])"));
//! # Ok::<(), headwater::processor::TopologyErrors>(())
//! ```
//!
//! With the feature `testing`, a test runs a topology record by record and reads its output and its stores:
//!
//! ```
//! # #[cfg(feature = "testing")] {
//! use std::time::Duration;
//!
//! use headwater::prelude::*;
//! use headwater::testing::TopologyTestDriver;
//!
//! let builder = StreamsBuilder::new();
//! let visits = builder.stream::<String, String>("visits").group_by_key();
//! let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
//! let counts = visits.windowed_by(minutes).count_with(Materialized::named("visits-by-minute"));
//! let finals = counts.suppress(Suppressed::until_window_closes(BufferConfig::unbounded()));
//! finals.to_stream().map(|page, count| (page.key.clone(), *count)).to_with("finals", Produced::by_type());
//!
//! let driver = TopologyTestDriver::new(builder.build()?)?;
//! let visits = driver.input_topic::<String, String>("visits");
//! let finals = driver.output_topic::<String, Option<i64>>("finals");
//! // Times are milliseconds.
//! for time in [1_000, 59_000, 61_000] {
//!     visits.pipe_at("home", "", time)?;
//! }
//! let counts = driver.window_store(&StoreHandle::<String, i64>::named("visits-by-minute"))?;
//! assert_eq!(counts.get(&"home".to_owned(), 0)?, Some(2));
//! assert!(finals.is_empty(), "late visits of the first minute still count");
//! visits.pipe_at("home", "", 65_000)?;
//! assert_eq!(finals.read_key_values()?, [("home".to_owned(), Some(2))]);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! In reading order: [`dsl`] (streams, tables, their operators and options), [`record`] (what flows, and serdes),
//! [`KafkaStreams`] (running a topology), `testing` (the test driver, feature `testing`), [`processor`] (the low-level
//! API), [`store`] and [`window`], [`memory`] (a Kafka in this process).
//!
//! Stores are in RocksDB unless the store itself or the setting `dsl.store.suppliers.class` says that they are in
//! memory; without the feature `rocksdb` one of the two must.
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `kafka` | yes | real clusters |
//! | `rocksdb` | yes | state on disk, in RocksDB |
//! | `json` | no | JSON: `#[derive(headwater::Json)]`, `record::serde::json` |
//! | `protobuf` | no | Protocol Buffers: `#[derive(headwater::Protobuf)]`, `record::serde::protobuf` |
//! | `query` | no | questions over the network: `query::QueryServer`, `query::Client` |
//! | `testing` | no | `testing::TopologyTestDriver` |
//!
//! **Architecture Invariant:** this crate has no logic of its own but the choice of environment.
#![forbid(unsafe_code)]

mod environment;
pub mod prelude;
pub mod processor;
pub mod runtime;
pub mod store;

pub use environment::{FromFeatures, KafkaStreams};
#[doc(inline)]
pub use headwater_client as client;
#[cfg(feature = "kafka")]
#[doc(inline)]
pub use headwater_client_kafka as kafka;
#[doc(inline)]
pub use headwater_client_memory as memory;
/// Writes a type as JSON in Kafka: keys, values and the content of stores (feature `json`).
///
/// It goes by the type's `serde::Serialize` and `serde::Deserialize`. A `Vec` of it is a JSON array, and `None` of an `Option` of it
/// is Kafka's null. As with every JSON key, two keys are the same only when their text is: leave maps out of them.
///
/// ```
/// use headwater::prelude::*;
///
/// #[derive(serde::Serialize, serde::Deserialize, headwater::Json, Clone)]
/// struct Order {
///     item: String,
///     pieces: u32,
/// }
///
/// let builder = StreamsBuilder::new();
/// let orders = builder.stream::<String, Order>("orders");
/// orders.group_by(|_, order| order.item.clone()).reduce(|last, order| Order { pieces: last.pieces + order.pieces, ..last });
/// # builder.build()?;
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[cfg(feature = "json")]
pub use headwater_derive::Json;
/// Writes a message of `prost` as Protocol Buffers in Kafka (feature `protobuf`).
///
/// Code that `prost-build` generates has it with `Config::type_attribute(".", "#[derive(headwater::Protobuf)]")`.
///
/// ```
/// use headwater::prelude::*;
///
/// #[derive(Clone, PartialEq, prost::Message, headwater::Protobuf)]
/// struct Payment {
///     #[prost(string, tag = "1")]
///     from: String,
///     #[prost(int64, tag = "2")]
///     cents: i64,
/// }
///
/// let builder = StreamsBuilder::new();
/// builder.values::<Payment>("payments").filter(|_, payment| payment.cents > 100_000).to("large-payments");
/// # builder.build()?;
/// # Ok::<(), headwater::processor::TopologyErrors>(())
/// ```
#[cfg(feature = "protobuf")]
pub use headwater_derive::Protobuf;
#[doc(inline)]
pub use headwater_dsl as dsl;
#[cfg(feature = "query")]
#[doc(inline)]
pub use headwater_query as query;
#[doc(inline)]
pub use headwater_record as record;
pub use headwater_runtime::{Error, ErrorKind, StreamsConfig};
/// State in RocksDB (feature `rocksdb`): what an application has by itself, and a test asks for.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use std::sync::Arc;
///
/// use headwater::prelude::*;
/// use headwater::rocksdb::RocksDbStores;
/// use headwater::store::MemoryBudget;
/// use headwater::testing::TopologyTestDriver;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("visits").group_by_key().count().to_stream().to("counts");
///
/// let directory = std::env::temp_dir().join(format!("visits-{}", std::process::id()));
/// let driver = TopologyTestDriver::builder(builder.build()?)
///     .persistent_stores(Arc::new(RocksDbStores::new(MemoryBudget::default())), &directory)
///     .build()?;
/// driver.input_topic::<String, String>("visits").pipe("home", "now")?;
/// assert_eq!(driver.output_topic::<String, Option<i64>>("counts").read_value()?, Some(1));
/// driver.close()?;
/// std::fs::remove_dir_all(&directory)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "rocksdb")]
#[doc(inline)]
pub use headwater_store_rocksdb as rocksdb;
#[cfg(feature = "testing")]
#[doc(inline)]
pub use headwater_testing as testing;
#[doc(inline)]
pub use headwater_window as window;

/// The code of `docs/coming-from-java.md` runs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/coming-from-java.md")]
struct ComingFromJava;

/// The code of `docs/queries.md` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/queries.md")]
struct QueriesPage;

/// The code of `docs/looking-inside.md` compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/looking-inside.md")]
struct LookingInsidePage;
