//! What nearly every application uses: `use headwater::prelude::*`.
//!
//! Types, and the three traits that users implement: no function, and no other trait whose methods could clash with the user's own.
//! The rest is in [`crate::dsl`], [`crate::runtime`] and the other modules.

pub use headwater_dsl::{
    BufferConfig, Consumed, EmitStrategy, GlobalKTable, Grouped, Joined, KStream, KTable, Materialized, Produced,
    Repartitioned, StreamJoined, StreamsBuilder, Suppressed, TableJoined,
};
pub use headwater_record::{DefaultSerde, Record, Serde, Timestamp};
pub use headwater_runtime::{CloseOptions, StreamsConfig};
pub use headwater_topology::processor::Processor;
pub use headwater_topology::state::StoreHandle;
pub use headwater_topology::{BoxError, Topology, TopologyErrors, TopologySettings};
pub use headwater_window::{
    JoinWindows, SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Windowed, Windows,
};

pub use crate::KafkaStreams;
