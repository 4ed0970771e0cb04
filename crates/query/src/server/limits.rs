//! How much is answered at once.

use std::time::Duration;

/// How much of an instance those who ask may take. What is beyond is refused at once, with an answer that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries of a page, 1,000 unless set; a question may ask for fewer.
    pub page_entries: usize,
    /// A page ends when its entries have so many bytes, 262,144 unless set. One entry it always has.
    pub page_bytes: usize,
    /// How long an answer may take, 5 s unless set; a page ends early.
    pub request_time: Duration,
    /// Requests at the same time, 256 unless set.
    pub requests: usize,
    /// Reads of stores at the same time, each on a thread of its own, 16 unless set. Other requests wait for their turn within their time.
    pub reads: usize,
    /// Those who look at the page, or otherwise at `/v1/events`, at the same time, 16 unless set.
    pub lookers: usize,
    /// Connections at the same time, 1,024 unless set, where the server itself listens.
    pub connections: usize,
    /// How long a connection may take for the head of a request, or be idle, 30 s unless set, where the server itself listens.
    pub head_time: Duration,
    /// How old a connection may become, 10 minutes unless set, where the server itself listens: those who read slowly end then.
    pub connection_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            page_entries: 1_000,
            page_bytes: 256 * 1024,
            request_time: Duration::from_secs(5),
            requests: 256,
            reads: 16,
            lookers: 16,
            connections: 1_024,
            head_time: Duration::from_secs(30),
            connection_time: Duration::from_mins(10),
        }
    }
}
