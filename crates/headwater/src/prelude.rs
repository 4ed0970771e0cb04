//! What nearly every application uses: `use headwater::prelude::*`.
//!
//! Types only: no function and no trait whose methods could clash with the user's own, but the two that users
//! implement. The rest is in [`crate::dsl`], [`crate::runtime`] and the other modules.

pub use headwater_dsl::{
    BufferConfig, Consumed, EmitStrategy, GlobalKTable, Grouped, Joined, KStream, KTable, Materialized, Produced,
    StreamJoined, StreamsBuilder, Suppressed, TableJoined,
};
pub use headwater_record::{Record, Serde, Timestamp};
pub use headwater_runtime::{CloseOptions, StreamsConfig};
pub use headwater_topology::processor::Processor;
pub use headwater_topology::state::StoreHandle;
pub use headwater_window::{JoinWindows, SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Windowed};

pub use crate::KafkaStreams;
