//! A record as a test sees it.

use headwater_record::{Headers, Timestamp};

/// A record that goes in or came out (Java's class of this name).
///
/// ```
/// # use headwater::record::DefaultSerde;
/// # use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
/// # let (none, text) = (<()>::default_serde(), String::default_serde());
/// # let builder = TopologyBuilder::new();
/// # let source = builder.add_source("source", SourceSpec::topics(["lines"], none.clone(), text.clone()));
/// # builder.add_sink("sink", SinkSpec::topic("copies", none, text), &[&source]);
/// # let driver = headwater::testing::TopologyTestDriver::new(builder.build()?)?;
/// use headwater::record::Headers;
/// use headwater::testing::TestRecord;
/// // Of a topology that copies `lines` to `copies`.
/// let headers = Headers::new();
/// headers.add("trace", Some(b"7"));
/// let record = TestRecord::new((), "hello".to_owned(), 42).with_headers(headers);
/// driver.input_topic("lines").pipe_record(&record)?;
/// assert_eq!(driver.output_topic("copies").read_record()?, record);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TestRecord<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// The timestamp, in milliseconds since 1970; [`Timestamp::UNKNOWN`] for a record that was written without one.
    pub timestamp: Timestamp,
    /// The headers.
    pub headers: Headers,
}

impl<K, V> TestRecord<K, V> {
    /// A record without headers.
    pub fn new(key: K, value: V, timestamp: impl Into<Timestamp>) -> Self {
        TestRecord { key, value, timestamp: timestamp.into(), headers: Headers::new() }
    }

    /// The same with `headers`.
    #[must_use]
    pub fn with_headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }
}
