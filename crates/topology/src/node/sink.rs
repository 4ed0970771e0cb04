//! Where types become bytes.

use std::fmt;
use std::sync::Arc;

use headwater_record::{Encoded, OwnedRecord, Partition, RawHeaders, RawRecord, Record, SerdeError, SharedSerde};

use crate::handler::ProductionErrorOrigin;
use crate::{
    Destination, Inlet, NodeId, OutputTopic, ProcessError, RecordContext, Stream, TaskContext, Wiring, WiringError,
};

/// Names the topic of each record (Java's `TopicNameExtractor`).
pub type ExtractTopic<K, V> = Arc<dyn Fn(&K, &V, &RecordContext) -> String + Send + Sync>;

/// Chooses the partitions of a record of a topic with so many partitions (KIP-837): `None` leaves it to the default, an empty list drops the record and counts
/// it, and every partition named gets a copy.
pub type ChoosePartitions<K, V> = Arc<dyn Fn(&str, &K, &V, Partition) -> Option<Vec<Partition>> + Send + Sync>;

/// To where a sink writes.
pub enum SinkTarget<K, V> {
    /// Always this topic; an internal one is named without prefix.
    Topic {
        /// Its name.
        name: String,
        /// Whether it is internal.
        internal: bool,
    },
    /// The topic that the function names.
    Extracted(ExtractTopic<K, V>),
}

impl<K, V> Clone for SinkTarget<K, V> {
    fn clone(&self) -> Self {
        match self {
            SinkTarget::Topic { name, internal } => SinkTarget::Topic { name: name.clone(), internal: *internal },
            SinkTarget::Extracted(extract) => SinkTarget::Extracted(Arc::clone(extract)),
        }
    }
}

impl<K, V> fmt::Debug for SinkTarget<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkTarget::Topic { name, .. } => f.write_str(name),
            SinkTarget::Extracted(_) => f.write_str("extracted"),
        }
    }
}

/// Encodes records and writes them to a topic.
pub struct SinkNode<K, V> {
    name: Arc<str>,
    target: SinkTarget<K, V>,
    // The fixed topic, or the one that was named last.
    topic: Option<(String, OutputTopic)>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    partitioner: Option<ChoosePartitions<K, V>>,
    key_bytes: Vec<u8>,
    value_bytes: Vec<u8>,
}

impl<K: 'static, V: 'static> SinkNode<K, V> {
    /// The sink `node`.
    ///
    /// # Errors
    /// None at present; a topic that does not exist shows when it is written to.
    pub fn wire(
        wiring: &mut Wiring<'_>,
        node: NodeId,
        target: SinkTarget<K, V>,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
        partitioner: Option<ChoosePartitions<K, V>>,
    ) -> Result<Self, WiringError> {
        let name = wiring.name(node);
        Ok(SinkNode {
            name,
            target,
            topic: None,
            key,
            value,
            partitioner,
            key_bytes: Vec::new(),
            value_bytes: Vec::new(),
        })
    }

    fn topic(&mut self, cx: &mut TaskContext<'_>, record: &Record<'_, K, V>) -> Result<OutputTopic, ProcessError> {
        let (name, internal) = match (&self.target, &self.topic) {
            (SinkTarget::Topic { .. }, Some((_, topic))) => return Ok(*topic),
            (SinkTarget::Topic { name, internal }, None) => (name.clone(), *internal),
            (SinkTarget::Extracted(extract), known) => {
                let name = extract(record.key, record.value, &cx.record_context(record.timestamp, record.headers));
                match known {
                    Some((last, topic)) if *last == name => return Ok(*topic),
                    _ => (name, false),
                }
            }
        };
        let topic = cx.emit().topic(&name, internal)?;
        self.topic = Some((name, topic));
        Ok(topic)
    }

    #[cold]
    fn refused(
        &self,
        cx: &mut TaskContext<'_>,
        record: &Record<'_, K, V>,
        origin: ProductionErrorOrigin,
        error: SerdeError,
    ) -> Result<(), ProcessError> {
        let key = (origin == ProductionErrorOrigin::ValueSerialization).then(|| self.key_bytes.clone().into());
        let owned = OwnedRecord {
            offset: headwater_record::Offset::UNKNOWN,
            timestamp: record.timestamp,
            key,
            value: None,
            headers: record.headers.to_vec(),
        };
        let topic = self.topic.as_ref().map_or("", |(name, _)| name);
        cx.production_failed(&self.name, topic, &owned, origin, Box::new(error))
    }
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for SinkNode<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let topic = self.topic(cx, &record)?;
        let name = self.topic.as_ref().map_or("", |(name, _)| name);
        self.key_bytes.clear();
        self.value_bytes.clear();
        let key = match self.key.serialize(name, record.key, &mut self.key_bytes) {
            Ok(encoded) => encoded,
            Err(error) => return self.refused(cx, &record, ProductionErrorOrigin::KeySerialization, error),
        };
        let value = match self.value.serialize(name, record.value, &mut self.value_bytes) {
            Ok(encoded) => encoded,
            Err(error) => return self.refused(cx, &record, ProductionErrorOrigin::ValueSerialization, error),
        };
        let headers = record.headers.snapshot();
        let raw = RawRecord {
            offset: headwater_record::Offset::UNKNOWN,
            timestamp: record.timestamp,
            key: key.of(&self.key_bytes),
            value: value.of(&self.value_bytes),
            headers: headers.as_deref().map_or(RawHeaders::NONE, |list| RawHeaders::of(list)),
        };
        let chosen = match &self.partitioner {
            Some(choose) => choose(name, record.key, record.value, cx.emit().partitions(topic)?),
            None => None,
        };
        match chosen {
            None => {
                let prefix = if key == Encoded::Null { 0 } else { self.key.partition_prefix(&self.key_bytes) };
                cx.emit().emit(topic, Destination::ByKey { prefix }, raw)
            }
            Some(partitions) if partitions.is_empty() => {
                cx.drop_record();
                Ok(())
            }
            Some(partitions) => partitions
                .into_iter()
                .try_for_each(|partition| cx.emit().emit(topic, Destination::Partition(partition), raw)),
        }
    }
}

impl<K, V> fmt::Debug for SinkNode<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkNode").field("name", &self.name).field("target", &self.target).finish_non_exhaustive()
    }
}
