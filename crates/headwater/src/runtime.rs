//! What runs a topology: settings, the application's builder and its states, listeners, exception handlers, and the environment that it runs in.
//!
//! ```no_run
//! use headwater::prelude::*;
//! use headwater::runtime::{State, UncaughtResponse};
//!
//! let builder = StreamsBuilder::new();
//! builder.stream::<String, String>("in").to("out");
//! let streams = KafkaStreams::builder(builder.build()?)
//!     .application_id("copies")
//!     .bootstrap_servers("localhost:9092")
//!     .uncaught_error_handler(|_error| UncaughtResponse::ShutdownApplication)
//!     .start()?;
//! assert_ne!(streams.state(), State::Error);
//! streams.close(CloseOptions::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[doc(inline)]
pub use headwater_runtime::application::{
    CacheUse, Closed, CommitMetadata, DropReason, Explanation, GlobalThreadState, Handle, Health, Held, HoldKind,
    InputProgress, KeyQueryMetadata, LagInfo, Metadata, NodeMetadata, Rebalance, RestoreProgress, Snapshot,
    StateListener, StreamsMetadata, TaskExplanation, TaskMetadata, TaskPhase, TaskRole, ThreadMetadata, ThreadState,
    UncaughtHandler,
};
#[doc(inline)]
pub use headwater_runtime::assignment::HostPort;
#[doc(inline)]
pub use headwater_runtime::changelog::{RestoreListener, StandbyEnd, StandbyUpdateListener, StoreProgress};
#[doc(inline)]
pub use headwater_runtime::global::GlobalProgress;
#[doc(inline)]
pub use headwater_runtime::query;
#[doc(inline)]
pub use headwater_runtime::{
    Builder, CloseOptions, DefaultEnvironment, Driven, Environment, Error, ErrorKind, KafkaStreams, NoDefault, State,
    StoreMakers, StreamsConfig, SystemClock, UncaughtResponse, config, handler, metric,
};
// What an application is made of inside: public, since the test driver and the project's proofs drive it, and of no use to a service.
#[doc(hidden)]
pub use headwater_runtime::*;
