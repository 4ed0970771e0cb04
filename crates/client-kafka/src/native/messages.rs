//! Messages as librdkafka holds them: keys and values are borrowed, nothing is copied.

use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;

use bytes::Bytes;
use headwater_record::{Header, Offset, Partition, RawHeaders, RawRecord, Timestamp};
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;

use super::NativeConsumer;

/// A message that is destroyed when it is dropped.
pub(super) struct Owned(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message belongs to whoever took it from the queue; librdkafka lets any thread read and destroy it.
unsafe impl Send for Owned {}

impl Owned {
    /// # Safety
    /// `message` is null, or a message that nobody else owns.
    pub(super) unsafe fn new(message: *mut sys::rd_kafka_message_t) -> Option<Self> {
        NonNull::new(message).map(Owned)
    }

    fn raw(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is valid until it is destroyed, in `drop`.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is ours, and is not used afterwards.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// One message, or what librdkafka has to say instead.
pub(crate) struct Message {
    message: Owned,
    // Only there when the record has headers.
    headers: Option<Vec<Header>>,
}

impl Message {
    pub(super) fn of(message: Owned) -> Self {
        let headers = headers(message.raw());
        Message { message, headers }
    }

    /// What went wrong, if this is no record.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.message.raw().err;
        is_error(code).then(|| RDKafkaErrorCode::from(code))
    }

    /// What librdkafka says about what went wrong.
    pub(crate) fn reason(&self) -> String {
        // SAFETY: the message is valid; the text is null, or ends with a zero and lives as long as the message.
        let text = unsafe { sys::rd_kafka_message_errstr(self.message.0.as_ptr()) };
        if text.is_null() {
            return String::new();
        }
        // SAFETY: as above.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }

    /// The topic's name, where there is one.
    pub(crate) fn topic(&self) -> Option<&str> {
        let topic = self.message.raw().rkt;
        if topic.is_null() {
            return None;
        }
        // SAFETY: the message keeps its topic alive, and the name, which ends with a zero, lives as long as the topic.
        unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) }.to_str().ok()
    }

    pub(crate) fn partition(&self) -> Partition {
        self.message.raw().partition
    }

    pub(crate) fn offset(&self) -> Offset {
        Offset::new(self.message.raw().offset)
    }

    /// The identity of topic and partition, cheap to compare: equal for messages of one partition that lie in one queue.
    pub(crate) fn place(&self) -> (usize, Partition) {
        (self.message.raw().rkt as usize, self.partition())
    }

    /// Bytes of key and value.
    pub(crate) fn len(&self) -> usize {
        self.message.raw().key_len + self.message.raw().len
    }

    /// The record, borrowed.
    pub(crate) fn record(&self) -> RawRecord<'_> {
        view(self.message.raw(), self.headers.as_ref())
    }
}

pub(super) fn is_error(code: sys::rd_kafka_resp_err_t) -> bool {
    code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// The record of a message of librdkafka, borrowed.
pub(super) fn view<'a>(message: &'a sys::rd_kafka_message_t, headers: Option<&'a Vec<Header>>) -> RawRecord<'a> {
    let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the message is valid, and the kind outlives the call.
    let timestamp = unsafe { sys::rd_kafka_message_timestamp(message, &raw mut kind) };
    RawRecord {
        offset: Offset::new(message.offset),
        timestamp: Timestamp::from_millis(timestamp),
        // SAFETY: librdkafka says that so many bytes lie there, as long as the message lives.
        key: unsafe { bytes(message.key, message.key_len) },
        // SAFETY: as for the key.
        value: unsafe { bytes(message.payload, message.len) },
        headers: headers.map_or(RawHeaders::NONE, |headers| RawHeaders::of(headers)),
    }
}

/// # Safety
/// `at` is null, or `len` bytes lie there for as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    if at.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(at.cast(), len) })
}

/// Copies of a message's headers, if it has any.
pub(super) fn headers(message: &sys::rd_kafka_message_t) -> Option<Vec<Header>> {
    let mut list: *mut sys::rd_kafka_headers_t = null_mut();
    // SAFETY: the message is valid; the list that is given belongs to it.
    let code = unsafe { sys::rd_kafka_message_headers(message, &raw mut list) };
    if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || list.is_null() {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let (mut name, mut value, mut len) = (null(), null(), 0_usize);
        // SAFETY: the list belongs to the message, and the three places outlive the call.
        let code =
            unsafe { sys::rd_kafka_header_get_all(list, headers.len(), &raw mut name, &raw mut value, &raw mut len) };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return (!headers.is_empty()).then_some(headers);
        }
        // SAFETY: the name ends with a zero, and lives as long as the list.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
        // SAFETY: so many bytes lie there, as long as the list lives.
        let value = unsafe { bytes(value, len) };
        headers.push(Header { name: name.as_ref().into(), value: value.map(Bytes::copy_from_slice) });
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}@{}", self.topic(), self.partition(), self.offset())
    }
}

/// Messages of one partition, in order.
#[derive(Debug)]
pub(crate) struct Messages {
    rest: std::vec::IntoIter<Message>,
    head: Option<Message>,
    bytes: usize,
    // Declared last: the messages go before the consumer that they came from.
    _consumer: KeepAlive,
}

struct KeepAlive(#[allow(dead_code, reason = "it only keeps the consumer alive")] Arc<NativeConsumer>);

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeepAlive")
    }
}

impl Messages {
    pub(super) fn new(consumer: Arc<NativeConsumer>, messages: Vec<Message>) -> Self {
        // Keys, values, and what librdkafka keeps beside each.
        let bytes = messages.iter().map(|message| message.len() + 128).sum();
        let mut messages = messages.into_iter();
        let head = messages.next();
        Messages { rest: messages, head, bytes, _consumer: KeepAlive(consumer) }
    }

    pub(crate) fn head(&self) -> Option<&Message> {
        self.head.as_ref()
    }

    /// Drops the head.
    pub(crate) fn advance(&mut self) {
        if let Some(head) = self.head.take() {
            self.bytes = self.bytes.saturating_sub(head.len() + 128);
        }
        self.head = self.rest.next();
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len() + usize::from(self.head.is_some())
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes
    }
}
