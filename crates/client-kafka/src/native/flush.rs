//! Sending what a producer holds back, without waiting longer than needed.

use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

/// Has librdkafka send all that `producer` holds, whatever it lingers for, and waits up to `wait` for the answers. They are to be
/// polled for afterwards.
///
/// `BaseProducer::flush` gives no time to librdkafka itself, so that batches linger, and then sleeps through the answers.
pub(crate) fn flush<C: ProducerContext>(producer: &BaseProducer<C>, wait: Duration) {
    let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the handle is valid as long as the producer, which is borrowed. What is not answered yet is told by the count of
    // messages in flight, so the code says nothing new.
    let _ = unsafe { sys::rd_kafka_flush(producer.client().native_ptr(), millis) };
}
