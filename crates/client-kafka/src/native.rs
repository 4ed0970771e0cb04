//! What `rdkafka` has no safe form for: batch consumption, cached watermarks, events, sending without a
//! name per record, a flush that does not linger. The only unsafe code there is.

#![allow(unsafe_code, reason = "librdkafka's batches and handles have no safe form")]

mod events;
mod flush;
mod messages;
mod queue;
mod send;

pub(crate) use events::{Event, Events};
pub(crate) use flush::flush;
pub(crate) use messages::{Message, Messages};
pub(crate) use queue::Queue;
pub(crate) use send::{Heard, Sender, TopicRef};

/// The consumer that everything here belongs to.
pub(crate) type NativeConsumer = rdkafka::consumer::BaseConsumer<crate::consumer::Context>;

/// The producer likewise.
pub(crate) type NativeProducer = rdkafka::producer::BaseProducer<crate::producer::Context>;
