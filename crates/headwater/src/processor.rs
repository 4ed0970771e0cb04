//! The Processor API: nodes that do with a record what they like, their stores and schedules, and topologies by hand.
//!
//! ```
//! use headwater::prelude::*;
//! use headwater::processor::prelude::*;
//!
//! /// Hands on the first record of each key.
//! struct First {
//!     seen: Rc<KeyValueState<String, i64>>,
//! }
//!
//! impl Processor<String, String, String, String> for First {
//!     fn process(
//!         &mut self,
//!         cx: &mut ProcessorContext<'_, '_, String, String>,
//!         record: Record<'_, String, String>,
//!     ) -> Result<(), ProcessError> {
//!         if self.seen.value(cx, record.key)?.is_some() {
//!             return Ok(());
//!         }
//!         self.seen.put_at(cx, record.key, record.timestamp.millis(), &record)?;
//!         cx.forward(record)
//!     }
//! }
//!
//! let builder = StreamsBuilder::new();
//! builder.add_state_store(StoreSpec::key_value("seen"));
//! builder
//!     .stream::<String, String>("orders")
//!     .process(|stores| Ok(First { seen: stores.key_value(&StoreHandle::named("seen"))? }), &["seen"])
//!     .to("first-orders");
//! # builder.build()?;
//! # Ok::<(), headwater::processor::TopologyErrors>(())
//! ```

#[doc(inline)]
pub use headwater_topology::processor::{
    At, FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Processor, ProcessorContext, ProcessorSupplier,
    ProcessorWrapper, RecordMetadata, StoreAccess,
};
#[doc(inline)]
pub use headwater_topology::{
    BoxError, Failure, FailureKind, Half, NodeRef, NullError, ProcessError, PunctuationType, RecordContext, ScheduleId,
    Scheduled, SinkSpec, SourceSpec, Subtopology, SubtopologyId, TaskContext, TaskId, Topology, TopologyBuilder,
    TopologyError, TopologyErrors, TopologySettings, WiringError, by_hand, handler,
};
// What nodes are made of inside: public, since other crates of headwater write nodes, and of no use to a service.
#[doc(hidden)]
pub use headwater_topology::processor::*;
#[doc(hidden)]
pub use headwater_topology::*;

/// What the nodes of a topology are, as [`Topology::nodes`] tells of them, and how sources and sinks are told what to do.
pub mod node {
    #[doc(hidden)]
    pub use headwater_topology::node::*;
    #[doc(inline)]
    pub use headwater_topology::node::{Cleanup, NodeKind, NodeSpec, OffsetReset, SinkTopic, SourceTopics, StoreNode};

    /// How topics are read.
    pub mod source {
        #[doc(hidden)]
        pub use headwater_topology::node::source::*;
        #[doc(inline)]
        pub use headwater_topology::node::source::{ConsumedRecord, ExtractTimestamp, TimestampExtractor};
    }

    /// How topics are written.
    pub mod sink {
        #[doc(hidden)]
        pub use headwater_topology::node::sink::*;
        #[doc(inline)]
        pub use headwater_topology::node::sink::{ChoosePartitions, ExtractTopic};
    }
}

/// The stores of a processor, typed: [`StoreAccess`] opens them by a [`StoreHandle`](state::StoreHandle).
pub mod state {
    #[doc(hidden)]
    pub use headwater_topology::state::*;
    #[doc(inline)]
    pub use headwater_topology::state::{
        KeyValueState, Keys, SessionState, Stamped, StoreHandle, TimedState, VersionedState, WindowState,
    };
}

/// What a processor needs, and a topology by hand: `use headwater::processor::prelude::*`, beside `headwater::prelude::*`. The
/// order of a scan is a [`headwater::store::bytes::Order`](headwater_store::bytes::Order): many programs have an `Order` of their own.
pub mod prelude {
    pub use std::rc::Rc;

    pub use headwater_dsl::{TransformContext, ValueTransformerWithKey};
    pub use headwater_record::{Headers, Record, Timestamp};
    pub use headwater_store::StoreSpec;
    pub use headwater_topology::processor::{
        FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, Processor, ProcessorContext, StoreAccess,
    };
    pub use headwater_topology::state::{
        KeyValueState, Keys, SessionState, Stamped, StoreHandle, TimedState, VersionedState, WindowState,
    };
    pub use headwater_topology::{
        NodeRef, ProcessError, PunctuationType, ScheduleId, SinkSpec, SourceSpec, TopologyBuilder,
    };
}
