//! Sending, and what becomes of what was sent, without a name or an allocation per record.

use std::ffi::{CString, c_void};
use std::fmt;
use std::ptr::{NonNull, null, null_mut};
use std::time::Duration;

use headwater_record::{Offset, Partition, RawRecord};
use rdkafka::bindings as sys;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaErrorCode;

use super::events::Owned;
use super::messages::{headers, is_error, view};
use super::{Event, NativeProducer};

/// A topic of a [`Sender`], as it numbers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicRef(usize);

/// What a [`Sender`] hears.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// A record has this offset in the log.
    Stored {
        /// The number that it was sent with.
        tag: u32,
        /// Where.
        offset: Offset,
    },
    /// A record was not written. It comes with the time that it was sent with; one without has the time of sending.
    Refused {
        /// The number that it was sent with.
        tag: u32,
        /// Why.
        code: RDKafkaErrorCode,
        /// The record.
        record: RawRecord<'a>,
    },
    /// Something beside records.
    Event(Event),
}

/// A producer whose records go to topics that were looked up before, and whose answers are told as they lie in its queue.
///
/// `BaseProducer` copies and looks up the topic's name with every record, and counts references for every answer.
pub(crate) struct Sender {
    topics: Vec<Topic>,
    queue: Queue,
    // Declared last: topics and queue go before the producer that they belong to.
    producer: NativeProducer,
}

struct Topic(NonNull<sys::rd_kafka_topic_t>);

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: this reference is ours and is not used afterwards; records that are under way have their own.
        unsafe { sys::rd_kafka_topic_destroy(self.0.as_ptr()) };
    }
}

struct Queue(NonNull<sys::rd_kafka_queue_t>);

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: this reference is ours and is not used afterwards.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) };
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    /// `None` when the producer has no queue.
    pub(crate) fn new(producer: NativeProducer) -> Option<Self> {
        // SAFETY: the handle is valid as long as the producer, which is kept beside the queue.
        let queue = unsafe { sys::rd_kafka_queue_get_main(producer.client().native_ptr()) };
        Some(Sender { topics: Vec::new(), queue: Queue(NonNull::new(queue)?), producer })
    }

    /// The producer, for all but records.
    pub(crate) fn producer(&self) -> &NativeProducer {
        &self.producer
    }

    /// Looks up a topic, which need not exist; `None` for a name that no topic can have.
    pub(crate) fn topic(&mut self, name: &str) -> Option<TopicRef> {
        let name = CString::new(name).ok()?;
        // SAFETY: the handle is valid as long as the producer, the name ends with a zero and is copied; without a configuration
        // the topic has the producer's.
        let topic = unsafe { sys::rd_kafka_topic_new(self.producer.client().native_ptr(), name.as_ptr(), null_mut()) };
        self.topics.push(Topic(NonNull::new(topic)?));
        Some(TopicRef(self.topics.len() - 1))
    }

    /// Copies a record into the queue of a partition; a timestamp below zero is replaced by the time of now. What becomes of it
    /// is told with `tag`.
    ///
    /// # Errors
    /// The code of librdkafka; the record is not sent then.
    pub(crate) fn send(
        &self,
        (topic, partition): (TopicRef, Partition),
        record: &RawRecord<'_>,
        timestamp: i64,
        tag: u32,
    ) -> Result<(), RDKafkaErrorCode> {
        let Some(Topic(topic)) = self.topics.get(topic.0) else { return Err(RDKafkaErrorCode::UnknownTopic) };
        let (key, key_len) = parts(record.key);
        let (value, value_len) = parts(record.value);
        let list = List::of(record);
        // SAFETY: producer and topic are valid as long as `self`. Key and value are copied before the call returns. Every type of
        // argument is followed by what it announces, and the last one ends the list.
        let code = unsafe {
            sys::rd_kafka_producev(
                self.producer.client().native_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_PARTITION,
                partition,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                tag as usize as *mut c_void,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                timestamp.max(0),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                list.0,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if is_error(code) {
            return Err(RDKafkaErrorCode::from(code));
        }
        list.given();
        Ok(())
    }

    /// Tells all that there is to hear; waits for the first of it up to `wait`.
    pub(crate) fn hear(&self, mut wait: Duration, mut tell: impl FnMut(Heard<'_>)) {
        loop {
            let millis = i32::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
            // SAFETY: the queue is valid as long as `self`.
            let event = unsafe { sys::rd_kafka_queue_poll(self.queue.0.as_ptr(), millis) };
            let Some(event) = NonNull::new(event).map(Owned::of) else { return };
            wait = Duration::ZERO;
            if event.is_delivery_report() {
                answers(&event, &mut tell);
            } else {
                tell(Heard::Event(event.read()));
            }
        }
    }
}

/// Tells what became of records.
fn answers(event: &Owned, tell: &mut impl FnMut(Heard<'_>)) {
    loop {
        // SAFETY: the event is valid.
        let at = unsafe { sys::rd_kafka_event_message_next(event.as_ptr()) };
        // SAFETY: it is null, or a message that lives as long as the event.
        let Some(message) = (unsafe { at.as_ref() }) else { return };
        let tag = message._private as usize as u32;
        if !is_error(message.err) {
            tell(Heard::Stored { tag, offset: Offset::new(message.offset) });
            continue;
        }
        let code = RDKafkaErrorCode::from(message.err);
        // Of a message with an error librdkafka does not tell the time; it is there all the same.
        // SAFETY: the message is the event's, which is ours: nobody else reads it, and no reference to it lives on.
        unsafe { (*at.cast_mut()).err = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR };
        // SAFETY: as above.
        let Some(message) = (unsafe { at.as_ref() }) else { return };
        let headers = headers(message);
        tell(Heard::Refused { tag, code, record: view(message, headers.as_ref()) });
    }
}

fn parts(bytes: Option<&[u8]>) -> (*const c_void, usize) {
    // Empty is not null: the pointer of an empty slice says so.
    bytes.map_or((null(), 0), |bytes| (bytes.as_ptr().cast(), bytes.len()))
}

/// A record's headers as librdkafka wants them; null without any. Destroyed when dropped.
struct List(*mut sys::rd_kafka_headers_t);

impl List {
    fn of(record: &RawRecord<'_>) -> Self {
        if record.headers.is_empty() {
            return List(null_mut());
        }
        // SAFETY: without conditions.
        let list = List(unsafe { sys::rd_kafka_headers_new(record.headers.len()) });
        for header in record.headers.iter() {
            let (value, len) = parts(header.value);
            let name = header.name;
            // SAFETY: the list is ours; name and value have the lengths that are told, and are copied. It fails for lists that
            // are read only, which ours is not.
            let _ = unsafe {
                sys::rd_kafka_header_add(list.0, name.as_ptr().cast(), name.len() as isize, value, len as isize)
            };
        }
        list
    }

    /// It went with a record that was sent.
    fn given(mut self) {
        self.0 = null_mut();
    }
}

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it is ours, and is not used afterwards.
            unsafe { sys::rd_kafka_headers_destroy(self.0) };
        }
    }
}
