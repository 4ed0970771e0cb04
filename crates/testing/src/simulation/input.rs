//! What goes into a simulated application.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use headwater_record::{DefaultSerde, Partition, Serde as _, Timestamp};

use super::Dice;

/// A record of an input topic, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    /// Key bytes, or none.
    pub key: Option<Vec<u8>>,
    /// Value bytes, or none.
    pub value: Option<Vec<u8>>,
    /// Its time.
    pub timestamp: Timestamp,
    /// Its partition; that of its key unless it is said, and the partitions in turn without a key.
    pub partition: Option<Partition>,
}

impl InputRecord {
    /// A record in the formats that these types have by themselves.
    ///
    /// ```
    /// use headwater::testing::simulation::InputRecord;
    /// let record = InputRecord::new("home".to_owned(), 5_i64, 1_000);
    /// assert_eq!(record.key.as_deref(), Some(&b"home"[..]));
    /// assert_eq!(record.value.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 5][..]));
    /// ```
    pub fn new<K: DefaultSerde, V: DefaultSerde>(key: K, value: V, timestamp: impl Into<Timestamp>) -> Self {
        InputRecord { key: bytes(&key), value: bytes(&value), timestamp: timestamp.into(), partition: None }
    }

    /// A record of text.
    pub fn text(key: impl Into<String>, value: impl Into<String>, timestamp: impl Into<Timestamp>) -> Self {
        Self::new::<String, String>(key.into(), value.into(), timestamp)
    }

    /// The same, for this partition.
    #[must_use]
    pub fn to(self, partition: Partition) -> Self {
        InputRecord { partition: Some(partition), ..self }
    }
}

/// The bytes of `value`. One that has none in its own format is null here, and fails in the topology that reads it.
fn bytes<T: DefaultSerde>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let is = T::default_serde().serialize("", value, &mut bytes).ok()?;
    is.of(&bytes).map(<[u8]>::to_vec)
}

/// All records that were fed, by topic, in the order of their times.
pub type Fed = BTreeMap<String, Vec<InputRecord>>;

/// An input topic, and what is written to it.
#[derive(Clone)]
pub struct Input {
    pub(crate) topic: String,
    pub(crate) partitions: Partition,
    pub(crate) records: Rc<dyn Fn(&mut Dice) -> Vec<InputRecord>>,
    pub(crate) first: bool,
    pub(crate) last: Option<Rc<dyn Fn(Partition) -> InputRecord>>,
    pub(crate) compacted: bool,
    pub(crate) kept: bool,
}

impl Input {
    /// A topic of so many partitions, with the records that `records` makes of a seed's dice. They are fed in the order of their times, a few at a
    /// time, while things go wrong.
    pub fn topic(
        topic: impl Into<String>,
        partitions: Partition,
        records: impl Fn(&mut Dice) -> Vec<InputRecord> + 'static,
    ) -> Self {
        let records = Rc::new(records);
        Input { topic: topic.into(), partitions, records, first: false, last: None, compacted: false, kept: false }
    }

    /// All of it is there before the application starts: what a result must not depend on the reading of, as a global table.
    #[must_use]
    pub fn first(self) -> Self {
        Input { first: true, ..self }
    }

    /// In the end, when all else is processed, each partition gets one more record: so that stream time passes, and windows close.
    #[must_use]
    pub fn last(self, record: impl Fn(Partition) -> InputRecord + 'static) -> Self {
        Input { last: Some(Rc::new(record)), ..self }
    }

    /// Nothing of the topic is ever deleted: it is the changelog of a table (`topology.optimization`), and compaction keeps away from what
    /// is not read yet (`min.compaction.lag.ms`).
    #[must_use]
    pub fn kept(self) -> Self {
        Input { kept: true, ..self }
    }

    /// The topic is compacted, now and then even while it is read.
    #[must_use]
    pub fn compacted(self) -> Self {
        Input { compacted: true, ..self }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("topic", &self.topic)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}
