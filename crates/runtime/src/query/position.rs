//! How much of its input a store has seen.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use headwater_record::{Offset, Partition, Topic, TopicPartition};

use crate::Error;

/// What a position is called that knows of nothing.
const NOTHING: &str = "nothing";

/// Up to which record of each input partition a store has seen what is written there (Java's `Position`).
///
/// Of what was committed it is the offset before the committed one: all records up to there are in the store, those among them that changed
/// nothing too.
///
/// ```
/// use headwater::record::Offset;
/// use headwater::runtime::query::Position;
///
/// let first = Position::default().with_component("orders", 0, Offset::new(7));
/// let both = Position::default().with_component("orders", 0, Offset::new(3)).with_component("orders", 1, Offset::new(5)).merge(&first);
/// assert_eq!(both.of("orders", 0), Some(Offset::new(7)));
/// assert_eq!(both.to_string(), "orders-0: 7, orders-1: 5");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(BTreeMap<Topic, BTreeMap<Partition, Offset>>);

impl Position {
    /// The same, with this offset of a partition.
    #[must_use]
    pub fn with_component(mut self, topic: impl Into<Topic>, partition: Partition, offset: Offset) -> Self {
        self.0.entry(topic.into()).or_default().insert(partition, offset);
        self
    }

    /// What either has seen: of each partition the greater offset.
    #[must_use]
    pub fn merge(mut self, other: &Position) -> Self {
        for (partition, offset) in other.components() {
            self.saw(&partition, offset);
        }
        self
    }

    /// The last record seen of a partition.
    pub fn of(&self, topic: &str, partition: Partition) -> Option<Offset> {
        let of_topic = self.0.iter().find(|(name, _)| name.as_str() == topic);
        of_topic.and_then(|(_, partitions)| partitions.get(&partition)).copied()
    }

    /// All of it.
    pub fn components(&self) -> impl Iterator<Item = (TopicPartition, Offset)> + '_ {
        let of_topic = |(topic, partitions): (&Topic, &'_ BTreeMap<Partition, Offset>)| {
            let partitions: Vec<_> = partitions.iter().map(|(partition, offset)| (*partition, *offset)).collect();
            let topic = topic.clone();
            partitions
                .into_iter()
                .map(move |(partition, offset)| (TopicPartition::new(topic.clone(), partition), offset))
        };
        self.0.iter().flat_map(of_topic)
    }

    /// Whether nothing is known to be seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record at `offset` is seen, and all before it.
    pub(crate) fn saw(&mut self, partition: &TopicPartition, offset: Offset) {
        let seen = self.0.entry(partition.topic.clone()).or_default().entry(partition.partition).or_insert(offset);
        *seen = offset.max(*seen);
    }

    /// What was committed is seen: `next` is to be read next.
    pub(crate) fn committed(&mut self, partition: &TopicPartition, next: Offset) {
        if next > Offset::ZERO {
            self.saw(partition, Offset::new(next.value() - 1));
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.components().map(|(partition, offset)| format!("{partition}: {offset}")).collect();
        f.write_str(if all.is_empty() { NOTHING } else { "" })?;
        f.write_str(&all.join(", "))
    }
}

impl FromStr for Position {
    type Err = Error;

    /// What `Display` writes, with or without blanks.
    ///
    /// ```
    /// use headwater::record::Offset;
    /// use headwater::runtime::query::Position;
    /// let position = Position::default().with_component("orders", 0, Offset::new(7));
    /// let position = position.with_component("pay-ments", 1, Offset::new(5));
    /// assert_eq!("pay-ments-1:5,orders-0:7".parse::<Position>()?, position);
    /// assert_eq!(position.to_string().parse::<Position>()?, position);
    /// assert!("orders:7".parse::<Position>().is_err());
    /// # Ok::<(), headwater::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, Error> {
        let component = |text: &str| {
            let (partition, offset) = text.rsplit_once(':')?;
            let (topic, partition) = partition.trim().rsplit_once('-').filter(|(topic, _)| !topic.is_empty())?;
            let (partition, offset) = (partition.parse().ok()?, offset.trim().parse::<i64>().ok()?);
            (partition >= 0 && offset >= 0).then(|| (topic.to_owned(), partition, Offset::new(offset)))
        };
        let parts = text.split(',').map(str::trim).filter(|text| !text.is_empty() && *text != NOTHING);
        parts.into_iter().try_fold(Position::default(), |all, text| {
            let unfit = || Error::config(format!("{text:?} is no position: say topic-partition:offset, ..."));
            let (topic, partition, offset) = component(text).ok_or_else(unfit)?;
            Ok(all.with_component(topic, partition, offset))
        })
    }
}

/// How much of its input a store must have seen to be read (Java's `PositionBound`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionBound(Position);

impl PositionBound {
    /// Nothing.
    pub fn unbounded() -> Self {
        Self::default()
    }

    /// At least as much as this.
    pub fn at(position: Position) -> Self {
        PositionBound(position)
    }

    /// What must be seen.
    pub fn position(&self) -> &Position {
        &self.0
    }

    /// Whether everything is admitted.
    pub fn is_unbounded(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether partition `partition` of a store that has seen `position` may be read: a bound of other partitions says nothing of it.
    pub(crate) fn admits(&self, partition: Partition, position: &Position) -> bool {
        let bounds = self.0.components().filter(|(bound, _)| bound.partition == partition);
        let mut seen = bounds.map(|(bound, least)| position.of(bound.topic.as_str(), partition) >= Some(least));
        seen.all(|is_seen| is_seen)
    }
}
