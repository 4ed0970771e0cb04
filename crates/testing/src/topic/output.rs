//! A topic to read from.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use headwater_record::{OwnedRecord, SharedSerde};

use crate::driver::Live;
use crate::{DriverError, TestRecord};

/// A topic to read from (Java's class of this name). Each record is read once, whichever handle reads it.
///
/// ```
/// # use headwater::record::DefaultSerde;
/// # use headwater::processor::{SinkSpec, SourceSpec, TopologyBuilder};
/// # let (none, text) = (<()>::default_serde(), String::default_serde());
/// # let builder = TopologyBuilder::new();
/// # let source = builder.add_source("source", SourceSpec::topics(["lines"], none.clone(), text.clone()));
/// # builder.add_sink("sink", SinkSpec::topic("copies", none, text), &[&source]);
/// # let driver = headwater::testing::TopologyTestDriver::new(builder.build()?)?;
/// // Of a topology that copies `lines` to `copies`.
/// driver.input_topic::<(), String>("lines").pipe_values(["one", "two", "three"])?;
/// let copies = driver.output_topic::<(), String>("copies");
/// assert_eq!(copies.read_value()?, "one");
/// assert_eq!(copies.read_key_value()?, ((), "two".to_owned()));
/// assert_eq!(copies.len(), 1);
/// assert_eq!(copies.read_values()?, ["three"]);
/// assert_eq!(copies.read_value().unwrap_err().to_string(), "Empty topic: copies");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TestOutputTopic<K, V> {
    live: Rc<RefCell<Live>>,
    topic: String,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
}

impl<K, V> TestOutputTopic<K, V> {
    pub(crate) fn new(live: Rc<RefCell<Live>>, topic: &str, key: SharedSerde<K>, value: SharedSerde<V>) -> Self {
        TestOutputTopic { live, topic: topic.to_owned(), key, value }
    }

    fn decode(&self, record: &OwnedRecord) -> Result<TestRecord<K, V>, DriverError> {
        Ok(TestRecord {
            key: self.key.deserialize(&self.topic, record.key.as_deref())?,
            value: self.value.deserialize(&self.topic, record.value.as_deref())?,
            timestamp: record.timestamp,
            headers: record.headers.iter().cloned().collect(),
        })
    }

    /// The next record.
    ///
    /// # Errors
    /// [`DriverError::EmptyTopic`] when all were read, [`DriverError::UninitializedTopic`] when nothing was ever written,
    /// [`DriverError::Serde`] for bytes that are none of the types.
    pub fn read_record(&self) -> Result<TestRecord<K, V>, DriverError> {
        let record = {
            let live = &mut *self.live.borrow_mut();
            let record = live.outputs.read(&self.topic);
            record.ok_or_else(|| {
                let topic = self.topic.clone();
                if live.outputs.knows(&topic) {
                    DriverError::EmptyTopic { topic }
                } else {
                    let hint = live.hint_of_output(&topic);
                    DriverError::UninitializedTopic { topic, hint }
                }
            })?
        };
        self.decode(&record)
    }

    /// The next record's key and value.
    ///
    /// # Errors
    /// As [`TestOutputTopic::read_record`].
    pub fn read_key_value(&self) -> Result<(K, V), DriverError> {
        self.read_record().map(|record| (record.key, record.value))
    }

    /// The next record's value.
    ///
    /// # Errors
    /// As [`TestOutputTopic::read_record`].
    pub fn read_value(&self) -> Result<V, DriverError> {
        self.read_record().map(|record| record.value)
    }

    /// All records that were not read yet.
    ///
    /// # Errors
    /// [`DriverError::Serde`].
    pub fn read_records(&self) -> Result<Vec<TestRecord<K, V>>, DriverError> {
        let records = self.live.borrow_mut().outputs.read_all(&self.topic);
        records.iter().map(|record| self.decode(record)).collect()
    }

    /// The keys and values of all records that were not read yet.
    ///
    /// # Errors
    /// [`DriverError::Serde`].
    pub fn read_key_values(&self) -> Result<Vec<(K, V)>, DriverError> {
        Ok(self.read_records()?.into_iter().map(|record| (record.key, record.value)).collect())
    }

    /// The values of all records that were not read yet.
    ///
    /// # Errors
    /// [`DriverError::Serde`].
    pub fn read_values(&self) -> Result<Vec<V>, DriverError> {
        Ok(self.read_records()?.into_iter().map(|record| record.value).collect())
    }

    /// The last value of each key, of the records that were not read yet.
    ///
    /// # Errors
    /// [`DriverError::Serde`].
    pub fn read_map(&self) -> Result<BTreeMap<K, V>, DriverError>
    where
        K: Ord,
    {
        Ok(self.read_key_values()?.into_iter().collect())
    }

    /// How many records were not read yet.
    pub fn len(&self) -> usize {
        self.live.borrow().outputs.unread(&self.topic)
    }

    /// Whether all records were read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> fmt::Debug for TestOutputTopic<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestOutputTopic")
            .field("topic", &self.topic)
            .field("unread", &self.len())
            .finish_non_exhaustive()
    }
}
