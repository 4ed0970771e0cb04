//! A topology is a value: drafted, frozen, and wired into the live graph of each task.
//!
//! In reading order: [`node`] (the graph as plain data), [`Draft`] (what the DSL and the Processor API write into), `plan` (rules
//! that rewrite it, and the order in which it is written), [`Topology`] (frozen), [`edge`](Inlet) (what travels between nodes), [`Wiring`] (from a frozen topology to a
//! live graph), [`state`] (typed stores of a running task), [`processor`] (the low-level API), [`handler`] (who decides about
//! failed records).
//!
//! **Architecture Invariant:** a draft is written, a plan is rewritten, a topology never changes. What is added to a draft after
//! a topology was frozen belongs to the next one.
//!
//! **Architecture Invariant:** this crate has no clock, no thread and no Kafka client. How records leave it ([`Emit`]) and who
//! decides about failures ([`Handlers`]) is given to it.
#![forbid(unsafe_code)]

mod application;
pub mod by_hand;
mod caught;
mod context;
mod copartition;
mod describe;
mod draft;
mod edge;
mod error;
mod frozen;
mod grace;
mod graph;
pub mod handler;
mod held;
mod id;
mod idle;
pub mod java_order;
mod known;
pub mod naming;
pub mod node;
mod plan;
mod port;
pub mod priority_queue;
pub mod processor;
mod punctuate;
mod settings;
mod shared_store;
pub mod state;
mod stream_time;
mod subtopology;
mod tally;
mod task_graph;
mod wiring;

pub use application::Application;
pub use by_hand::{NodeRef, SinkSpec, SourceSpec, TopologyBuilder};
pub use context::{Destination, Emit, Handlers, OutputTopic, TaskClock, TaskContext};
pub use draft::Draft;
pub use edge::{Catch, Change, Edge, Inlet, Outlet, RawInlet, Stream, Table, Update};
pub use error::{
    BoxError, Failure, FailureKind, Half, NullError, ProcessError, TopologyError, TopologyErrors, WiringError,
};
pub use frozen::Topology;
pub use headwater_store::RecordContext;
pub use held::{Held, HoldKind, Idle};
pub use id::{NodeId, StoreId, SubtopologyId, TaskId, TaskIdError};
pub use idle::{CloseIdle, Idleness};
pub use known::{known, nearest, opened_by};
pub use plan::StreamJoin;
pub use port::{MakeInlet, Port};
pub use punctuate::{PunctuationType, Punctuations, ScheduleId, Scheduled};
pub use settings::TopologySettings;
pub use shared_store::{GlobalStore, SharedStore};
pub use stream_time::StreamTime;
pub use subtopology::Subtopology;
pub use tally::{DropReason, EdgeCount};
pub use task_graph::TaskGraph;
pub use wiring::{MakeSource, Wiring};
