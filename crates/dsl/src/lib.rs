//! Streams and tables, and the words that are said of them: what a user writes.
//!
//! In reading order: [`StreamsBuilder`], [`KStream`], [`KGroupedStream`], [`CogroupedKStream`], [`KTable`], [`KGroupedTable`], and the options that operators take
//! ([`Consumed`], [`Produced`], [`Grouped`], [`Joined`], [`StreamJoined`], [`TableJoined`], [`Materialized`],
//! [`Repartitioned`], [`Suppressed`], [`Printed`]).
//!
//! Every operator writes a node into the topology that is being drafted and subscribes to its parent's port; nothing runs
//! before a task is wired. Names, numbers, stores and topics are those of Java's `StreamsBuilder`.
//!
//! An operator has a plain form for types with a default serde, a `_with` form that takes its options, and, nearly always where it takes a
//! closure, a `try_` form whose closure may fail: failures go to the processing exception handler. Where a plain closure takes the
//! aggregate by value, `try_` lends it: after a failure the aggregate so far stands, and what was taken could not be given back.
//! A `try_` closure fails with any error. One that uses `?` says which: `Ok::<_, BoxError>(..)` takes them all.
//!
//! ```
//! use headwater::dsl::Produced;
//! use headwater::prelude::*;
//! let builder = StreamsBuilder::new();
//! let texts = builder.stream::<String, String>("texts");
//! texts.map_values(|_, text| text.len() as i64).to("lengths");
//! texts.try_map_values(|_, text| text.parse::<i64>()).to_with("numbers", Produced::named("parsed"));
//! let sums = texts.try_map_values(|_, text| {
//!     let (left, right) = text.split_once('+').ok_or("there is no +")?;
//!     Ok::<_, BoxError>(left.trim().parse::<i64>()? + right.trim().parse::<i64>()?)
//! });
//! sums.to("sums");
//! assert!(builder.build()?.describe().contains("Sink: parsed (topic: numbers)"));
//! # Ok::<(), headwater::processor::TopologyErrors>(())
//! ```
//!
//! # Names and serdes
//!
//! How options begin says which name an operator has and which serdes it uses:
//!
//! | | name | serdes |
//! |---|---|---|
//! | the plain form, without options | generated | those that the stream or table has, or else the types' own |
//! | `named("x")` | `x` | those that the stream or table has, or else the types' own |
//! | `inherited()` | generated | those that the stream or table has; where there is none, `build` says so |
//! | `by_type()` | generated | the types' own, whatever the stream or table has |
//! | `with(key_serde, value_serde)` | generated | these |
//!
//! The types' own serdes are those of [`DefaultSerde`](headwater_record::DefaultSerde): what finds them does not compile for types
//! without. After any beginning `with_name("x")`, `with_key_serde(..)` and `with_value_serde(..)` replace one part. A stream or table has the serdes
//! that it was read with, or that an operator was told; operators that change keys or values lose those of what they change.
//!
//! [`Consumed`], [`Produced`], [`Grouped`], [`Joined`], [`Repartitioned`] and [`Materialized`] have all four; the name of a `Materialized` is its
//! store's. [`StreamJoined`] has them too, with a third serde. [`TableJoined`] has `named` and `inherited`. A [`Suppressed`] begins with
//! how long it waits, and inherits; [`Suppressed::or_by_type`] is its way to the type's own.
//!
//! ```
//! use headwater::prelude::*;
//! let builder = StreamsBuilder::new();
//! let lengths = builder.stream::<String, String>("texts").map_values(|_, text| text.len() as i64);
//! // `map_values` has lost the serde of values.
//! lengths.to("lengths");
//! lengths.to_with("lengths", Produced::named("lengths-sink"));
//! lengths.to_with("lengths", Produced::by_type());
//! lengths.to_with("lengths", Produced::inherited().with_value_serde(i64::default_serde()));
//! assert!(builder.build().is_ok());
//! lengths.to_with("lengths", Produced::inherited());
//! let mistake = builder.build().expect_err("nothing was inherited").to_string();
//! assert!(mistake.contains("no serde for the values, which are `i64`"));
//! ```
//!
//! **Architecture Invariant:** this crate writes topologies and does not know what will run them.
#![forbid(unsafe_code)]

// Rustdoc lists what a type can do in the order of its modules: what most programs begin with comes first. Empty lines keep rustfmt
// from sorting them.
mod builder;
mod operator;

mod stream;

mod table;

mod stream_join;

mod stream_table_join;

mod global_join;

mod table_join;

mod foreign_key_join;

mod process;
mod processor_stores;

mod branched_stream;
mod changed;
mod checks;
mod cogrouped_stream;
mod derivation;
mod emit_strategy;
mod global_table;
mod grouped_stream;
mod grouped_table;
mod old_values;
mod option;
mod queryable;
mod row;
mod serdes;
mod session_stream;
mod settings;
mod sources;
mod topics;
mod transformer;
mod view;
mod windowed_stream;

pub use branched_stream::BranchedKStream;
pub use builder::StreamsBuilder;
pub use cogrouped_stream::{CogroupedKStream, SessionWindowedCogroupedKStream, TimeWindowedCogroupedKStream};
pub use emit_strategy::EmitStrategy;
pub use global_table::GlobalKTable;
pub use grouped_stream::KGroupedStream;
pub use grouped_table::KGroupedTable;
pub use option::{
    BufferConfig, Consumed, Eager, Grouped, Joined, Materialized, NeverEarly, Printed, Produced, Repartitioned,
    StreamJoined, Strict, Suppressed, TableJoined, WhenFull, WindowedKey,
};
pub use processor_stores::ProcessorStores;
pub use row::Row;
pub use session_stream::SessionWindowedKStream;
pub use stream::KStream;
pub use table::KTable;
pub use topics::Topics;
pub use transformer::{TransformContext, ValueTransformerWithKey};
pub use windowed_stream::{TimeWindowedKStream, WindowedBy};
