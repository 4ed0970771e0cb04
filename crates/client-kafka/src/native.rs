//! What `rdkafka` has no safe form for: batch consumption, cached watermarks, events, a flush that does not linger. The only unsafe code there is.

#![allow(unsafe_code, reason = "librdkafka's batch consumption has no safe form")]

mod events;
mod flush;
mod messages;
mod queue;

pub(crate) use events::{Event, Events};
pub(crate) use flush::flush;
pub(crate) use messages::{Message, Messages};
pub(crate) use queue::Queue;

/// The consumer that everything here belongs to.
pub(crate) type NativeConsumer = rdkafka::consumer::BaseConsumer<crate::consumer::Context>;
