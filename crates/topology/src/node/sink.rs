//! Where types become bytes.

use std::fmt;
use std::sync::Arc;

use headwater_record::{Encoded, Headers, OwnedRecord, Partition, RawHeaders, RawRecord, Record, Serde, SharedSerde};

use crate::caught::caught;
use crate::handler::ProductionErrorOrigin;
use crate::{
    BoxError, Destination, DropReason, Inlet, NodeId, OutputTopic, ProcessError, RecordContext, Stream, TaskContext,
    Wiring, WiringError,
};

/// Names the topic of each record (Java's `TopicNameExtractor`).
pub type ExtractTopic<K, V> = Arc<dyn Fn(&K, &V, &RecordContext) -> Result<String, ProcessError> + Send + Sync>;

/// Chooses the partitions of a record by topic, key, value, headers and how many the topic has (Java's `StreamPartitioner`, KIP-837):
/// `None` leaves it to the default, an empty list drops the record and counts it, and every partition named gets a copy.
pub type ChoosePartitions<K, V> =
    Arc<dyn Fn(&str, &K, &V, &Headers, Partition) -> Option<Vec<Partition>> + Send + Sync>;

/// Encodes records and writes them to a topic.
pub struct SinkNode<K, V> {
    name: Arc<str>,
    // What names the topic of each record; `None` where it is always the same.
    choose: Option<ExtractTopic<K, V>>,
    // That topic, or the one that was named last.
    topic: Option<(String, OutputTopic)>,
    key: SharedSerde<K>,
    value: SharedSerde<V>,
    partitioner: Option<ChoosePartitions<K, V>>,
    key_bytes: Vec<u8>,
    value_bytes: Vec<u8>,
}

impl<K: 'static, V: 'static> SinkNode<K, V> {
    /// The sink `node`, which writes to the topic that the topology says, or to those that `choose` names.
    ///
    /// # Errors
    /// Those of [`Emit::topic`](crate::Emit::topic); a topic that does not exist shows when it is written to.
    pub fn wire(
        wiring: &mut Wiring<'_>,
        node: NodeId,
        choose: Option<ExtractTopic<K, V>>,
        key: SharedSerde<K>,
        value: SharedSerde<V>,
        partitioner: Option<ChoosePartitions<K, V>>,
    ) -> Result<Self, WiringError> {
        let name = wiring.name(node);
        let fixed = wiring.topology().node(node).and_then(|spec| spec.sink_topic()).map(str::to_owned);
        let topic = match fixed {
            Some(topic) => {
                let number =
                    wiring.emit().topic(&topic).map_err(|error| WiringError::Sink { node: name.to_string(), error })?;
                Some((topic, number))
            }
            None => None,
        };
        Ok(SinkNode { name, choose, topic, key, value, partitioner, key_bytes: Vec::new(), value_bytes: Vec::new() })
    }

    fn topic(&mut self, cx: &mut TaskContext<'_>, record: &Record<'_, K, V>) -> Result<OutputTopic, ProcessError> {
        let name = match (&self.choose, &self.topic) {
            (None, Some((_, topic))) => return Ok(*topic),
            (None, None) => return Err(ProcessError::user(format!("sink {} has no topic", self.name))),
            (Some(choose), known) => {
                let name = choose(record.key, record.value, &cx.record_context(record.timestamp, record.headers))?;
                match known {
                    Some((last, topic)) if *last == name => return Ok(*topic),
                    _ => name,
                }
            }
        };
        let topic = cx.emit().topic(&name)?;
        self.topic = Some((name, topic));
        Ok(topic)
    }

    fn check_chosen(&self, chosen: &[Partition], topic: &str, count: Partition) -> Result<(), ProcessError> {
        let unknown = chosen.iter().find(|partition| !(0..count).contains(*partition));
        unknown.map_or(Ok(()), |partition| {
            Err(ProcessError::user(format!(
                "the partitioner of {} chose partition {partition} of {topic}, which has {count} partitions: choose one from 0 to {}, or \
                 `None` for the partition of the key (Java: Invalid partition given with record)",
                self.name,
                count - 1
            )))
        })
    }

    #[cold]
    fn refused(
        &self,
        cx: &mut TaskContext<'_>,
        record: &Record<'_, K, V>,
        origin: ProductionErrorOrigin,
        error: BoxError,
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
        cx.production_failed(&self.name, topic, &owned, origin, error)
    }
}

/// Bytes of `value`. A panic is an error of the serde like others.
fn encode<T>(serde: &dyn Serde<T>, topic: &str, value: &T, into: &mut Vec<u8>) -> Result<Encoded, BoxError> {
    into.clear();
    caught(|| Ok(serde.serialize(topic, value, into)?)).map_err(|error| error.of_user_code().unwrap_or_else(Box::from))
}

impl<K: 'static, V: 'static> Inlet<Stream<K, V>> for SinkNode<K, V> {
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, V>) -> Result<(), ProcessError> {
        let topic = self.topic(cx, &record)?;
        let name = self.topic.as_ref().map_or("", |(name, _)| name);
        // Asked first, as in Java: what goes nowhere needs no bytes.
        let chosen = match &self.partitioner {
            Some(choose) => {
                let count = cx.emit().partitions(topic)?;
                let chosen = choose(name, record.key, record.value, record.headers, count);
                self.check_chosen(chosen.as_deref().unwrap_or_default(), name, count)?;
                chosen
            }
            None => None,
        };
        if chosen.as_ref().is_some_and(Vec::is_empty) {
            cx.drop_record(DropReason::NoPartition);
            return Ok(());
        }
        let key = match encode(&*self.key, name, record.key, &mut self.key_bytes) {
            Ok(encoded) => encoded,
            Err(error) => return self.refused(cx, &record, ProductionErrorOrigin::KeySerialization, error),
        };
        let value = match encode(&*self.value, name, record.value, &mut self.value_bytes) {
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
        match chosen {
            None => {
                let prefix = if key == Encoded::Null { 0 } else { self.key.partition_prefix(&self.key_bytes) };
                cx.emit().emit(topic, Destination::ByKey { prefix }, raw)
            }
            Some(partitions) => partitions
                .into_iter()
                .try_for_each(|partition| cx.emit().emit(topic, Destination::Partition(partition), raw)),
        }
    }
}

impl<K, V> fmt::Debug for SinkNode<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkNode").field("name", &self.name).finish_non_exhaustive()
    }
}
