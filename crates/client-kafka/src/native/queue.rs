//! The queue of a consumer, from which many messages are taken at once.

use std::ffi::CString;
use std::fmt;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::time::Duration;

use headwater_record::{Offset, TopicPartition};
use rdkafka::bindings as sys;
use rdkafka::consumer::Consumer;

use super::messages::Owned;
use super::{Message, Messages, NativeConsumer};

/// Messages that are taken in one call.
const BATCH: usize = 4096;

/// The queue of a consumer.
pub(crate) struct Queue {
    consumer: Arc<NativeConsumer>,
    handle: NonNull<sys::rd_kafka_queue_t>,
    taken: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's queues may be used from any thread; `taken` is empty between calls.
unsafe impl Send for Queue {}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// The queue of `consumer`; `None` when it has none.
    pub(crate) fn of(consumer: Arc<NativeConsumer>) -> Option<Self> {
        // SAFETY: the handle is valid as long as the consumer, which is kept beside the queue.
        let queue = unsafe { sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Some(Queue { consumer, handle: NonNull::new(queue)?, taken: vec![null_mut(); BATCH] })
    }

    /// Takes what there is, in order; waits for the first message up to `wait`.
    pub(crate) fn take(&mut self, wait: Duration, into: &mut Vec<Message>) {
        if self.call(Duration::ZERO, BATCH, into) == 0 && !wait.is_zero() && self.call(wait, 1, into) > 0 {
            // The call waits until it has all that it was asked for: so it was asked for one.
            self.call(Duration::ZERO, BATCH, into);
        }
    }

    fn call(&mut self, wait: Duration, limit: usize, into: &mut Vec<Message>) -> usize {
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let limit = limit.min(self.taken.len());
        // SAFETY: the queue is valid until `drop`, and the buffer has room for `limit` pointers.
        let got =
            unsafe { sys::rd_kafka_consume_batch_queue(self.handle.as_ptr(), millis, self.taken.as_mut_ptr(), limit) };
        let got = usize::try_from(got).unwrap_or(0);
        for slot in self.taken.iter_mut().take(got) {
            let message = std::mem::replace(slot, null_mut());
            // SAFETY: the call gave us this message, and this is the only place that takes it over.
            into.extend(unsafe { Owned::new(message) }.map(Message::of));
        }
        got
    }

    /// What the consumer has heard of a partition, without asking: the first and the last offset.
    pub(crate) fn watermarks(&self, partition: &TopicPartition) -> Option<(Offset, Offset)> {
        let topic = CString::new(partition.topic.as_str()).ok()?;
        let (mut low, mut high) = (-1_i64, -1_i64);
        // SAFETY: the handle is valid as long as the consumer, the text ends with a zero, and the numbers outlive the call.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.consumer.client().native_ptr(),
                topic.as_ptr(),
                partition.partition,
                &raw mut low,
                &raw mut high,
            )
        };
        let known = code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
        known.then(|| (Offset::new(low.max(0)), Offset::new(high)))
    }

    /// Puts messages of one partition into a batch that keeps the consumer alive.
    pub(crate) fn batch(&self, messages: Vec<Message>) -> Messages {
        Messages::new(Arc::clone(&self.consumer), messages)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and is not used afterwards; the consumer is dropped later.
        unsafe { sys::rd_kafka_queue_destroy(self.handle.as_ptr()) };
    }
}
