//! What serdes are told, and where messages go.

use std::cell::RefCell;
use std::sync::Arc;

use headwater_record::{Encoded, Partition, SharedSerde};
use headwater_topology::{NodeId, OutputTopic, ProcessError, TaskContext, Wiring, WiringError};

/// A serde, and the topic that it is told. Often it is none that exists, but a name made of one (Java's pseudo topics), so that
/// a schema registry tells them apart.
pub(super) struct Told<T> {
    serde: SharedSerde<T>,
    topic: String,
    buffers: RefCell<Vec<Vec<u8>>>,
}

impl<T> Told<T> {
    pub(super) fn new(serde: &SharedSerde<T>, topic: String) -> Self {
        Told { serde: Arc::clone(serde), topic, buffers: RefCell::default() }
    }

    pub(super) fn is_null(&self, value: &T) -> bool {
        self.serde.is_null(value)
    }

    /// Hands the bytes of `value` to `work`.
    pub(super) fn with_bytes<R>(&self, value: &T, work: impl FnOnce(&[u8]) -> R) -> Result<R, ProcessError> {
        self.with_bytes_if_any(value, |bytes| bytes.map(work))?.ok_or_else(|| {
            ProcessError::user(format!("a key or value of a foreign-key join became null when it was written for {}; its serde must give it bytes", self.topic))
        })
    }

    /// As [`Told::with_bytes`], of a value whose serde may say that it is null.
    pub(super) fn with_bytes_if_any<R>(
        &self,
        value: &T,
        work: impl FnOnce(Option<&[u8]>) -> R,
    ) -> Result<R, ProcessError> {
        let mut bytes = self.buffers.borrow_mut().pop().unwrap_or_default();
        bytes.clear();
        let result = match self.serde.serialize(&self.topic, value, &mut bytes) {
            Ok(Encoded::Bytes) => Ok(work(Some(&bytes))),
            Ok(Encoded::Null) => Ok(work(None)),
            Err(error) => Err(error.into()),
        };
        self.buffers.borrow_mut().push(bytes);
        result
    }

    pub(super) fn read(&self, bytes: &[u8]) -> Result<T, ProcessError> {
        Ok(self.serde.deserialize(&self.topic, Some(bytes))?)
    }
}

/// Chooses the partition of a key in a topic of so many partitions: exactly one, or `None` for the one of its hash.
pub(crate) type ChoosePartition<K> = Arc<dyn Fn(&str, &K, Partition) -> Option<Vec<Partition>> + Send + Sync>;

/// The topic of a sink, and how the user chooses partitions of it.
pub(super) struct Address<K> {
    pub(super) topic: String,
    number: OutputTopic,
    partitioner: Option<ChoosePartition<K>>,
}

impl<K> Address<K> {
    /// Of `sink`, which always writes to the same topic.
    pub(super) fn of(
        wiring: &mut Wiring<'_>,
        sink: NodeId,
        partitioner: Option<&ChoosePartition<K>>,
    ) -> Result<Self, WiringError> {
        let topic = wiring.topology().node(sink).and_then(|spec| spec.sink_topic()).unwrap_or_default().to_owned();
        let number = wiring
            .emit()
            .topic(&topic)
            .map_err(|error| WiringError::Sink { node: wiring.name(sink).to_string(), error })?;
        Ok(Address { topic, number, partitioner: partitioner.cloned() })
    }

    /// Whether the user chooses.
    pub(super) fn is_chosen(&self) -> bool {
        self.partitioner.is_some()
    }

    /// The partition that the user chooses; `None` leaves it to the key's hash.
    pub(super) fn choose(&self, cx: &mut TaskContext<'_>, key: &K) -> Result<Option<Partition>, ProcessError> {
        let Some(partitioner) = &self.partitioner else { return Ok(None) };
        let partitions = cx.emit().partitions(self.number)?;
        match partitioner(&self.topic, key, partitions).as_deref() {
            None => Ok(None),
            Some([one]) => Ok(Some(*one)),
            Some(_) => Err(ProcessError::user(
                "The partitions returned by StreamPartitioner#partitions method when used for FK join should be a singleton set",
            )),
        }
    }
}
