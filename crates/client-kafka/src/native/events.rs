//! What librdkafka says beside records: errors of a consumer as a whole, and its log.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use rdkafka::bindings as sys;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode;

use super::NativeConsumer;

/// One thing said.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something is wrong with the connection to brokers.
    Error(RDKafkaErrorCode, String),
    /// A line of the log: how grave, from which part, and the text.
    Log(RDKafkaLogLevel, String, String),
    /// Nothing of interest.
    Other,
}

/// The main queue of a consumer, on which no records come.
pub(crate) struct Events {
    handle: NonNull<sys::rd_kafka_queue_t>,
    // Declared last: the queue goes before the consumer that it belongs to.
    consumer: Arc<NativeConsumer>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Events {}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// The events of `consumer`, parted from its records: `BaseConsumer` leads both into one queue, from which batch consumption
    /// would take the events and tell nobody.
    pub(crate) fn of(consumer: Arc<NativeConsumer>) -> Option<Self> {
        // SAFETY: the handle is valid as long as the consumer, which is kept beside the queue.
        let queue = unsafe { sys::rd_kafka_queue_get_main(consumer.client().native_ptr()) };
        let events = Events { handle: NonNull::new(queue)?, consumer };
        // SAFETY: the queue is valid until `drop`; no target means that it keeps what comes.
        unsafe { sys::rd_kafka_queue_forward(events.handle.as_ptr(), null_mut()) };
        Some(events)
    }

    /// The next event, if one is there.
    pub(crate) fn next(&mut self) -> Option<Event> {
        // SAFETY: the queue is valid until `drop`, and without a time-out the call does not wait.
        let event = NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.handle.as_ptr(), 0) })?;
        Some(Owned::of(event).read())
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Led together again: what is left in the queue of records is purged by way of the main queue alone, and each record
        // keeps a broker's thread, for which the end of the consumer would wait for ever.
        // SAFETY: the consumer's handle is valid until the consumer is dropped, later. This reference to the queue is ours and is
        // not used afterwards.
        unsafe {
            sys::rd_kafka_poll_set_consumer(self.consumer.client().native_ptr());
            sys::rd_kafka_queue_destroy(self.handle.as_ptr());
        }
    }
}

/// An event that is destroyed when it is dropped.
pub(super) struct Owned(NonNull<sys::rd_kafka_event_t>);

impl Owned {
    /// An event that nobody else owns.
    pub(super) fn of(event: NonNull<sys::rd_kafka_event_t>) -> Self {
        Owned(event)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }

    /// Whether it tells what became of records.
    pub(super) fn is_delivery_report(&self) -> bool {
        // SAFETY: the event is valid until it is destroyed, in `drop`.
        unsafe { sys::rd_kafka_event_type(self.0.as_ptr()) == sys::RD_KAFKA_EVENT_DR }
    }

    pub(super) fn read(&self) -> Event {
        let event = self.0.as_ptr();
        // SAFETY: the event is valid until it is destroyed, in `drop`.
        match unsafe { sys::rd_kafka_event_type(event) } {
            sys::RD_KAFKA_EVENT_ERROR => {
                // SAFETY: as above; the text lives as long as the event.
                let (code, reason) =
                    unsafe { (sys::rd_kafka_event_error(event), text(sys::rd_kafka_event_error_string(event))) };
                Event::Error(RDKafkaErrorCode::from(code), reason)
            }
            sys::RD_KAFKA_EVENT_LOG => {
                let (mut part, mut line, mut level) = (null(), null(), 0);
                // SAFETY: as above, and the three places outlive the call.
                let found = unsafe { sys::rd_kafka_event_log(event, &raw mut part, &raw mut line, &raw mut level) };
                if found != 0 {
                    return Event::Other;
                }
                // SAFETY: the call gave two texts that live as long as the event.
                let (part, line) = unsafe { (text(part), text(line)) };
                Event::Log(grave(level), part, line)
            }
            _ => Event::Other,
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is ours, and is not used afterwards.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// # Safety
/// `at` is null, or a text that ends with a zero.
unsafe fn text(at: *const c_char) -> String {
    if at.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(at) }.to_string_lossy().trim().to_owned()
}

/// The levels of syslog.
fn grave(level: i32) -> RDKafkaLogLevel {
    match level {
        i32::MIN..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
