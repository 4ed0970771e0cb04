//! `present`: the values that are there.

use std::sync::Arc;

use headwater_record::{Encoded, Serde, SerdeError, SharedSerde};

use crate::KStream;
use crate::operator::step::step;
use crate::serdes::Serdes;

/// The serde of values that are there, where that of an `Option` is known.
struct OfPresent<V>(SharedSerde<Option<V>>);

impl<V: Clone> Serde<V> for OfPresent<V> {
    fn serialize(&self, topic: &str, value: &V, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        self.0.serialize(topic, &Some(value.clone()), into)
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<V, SerdeError> {
        let value = self.0.deserialize(topic, bytes)?;
        value.ok_or(SerdeError::Null { type_name: std::any::type_name::<V>() })
    }
}

impl<K: 'static, V: Clone + 'static> KStream<K, Option<V>> {
    /// Keeps the records that have a value, as values of its own type: of a table's changes all but the deletes. It is Java's
    /// `filter((key, value) -> value != null)`.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let stock = builder.table::<String, i64>("stock").to_stream().present();
    /// stock.filter(|_, pieces| *pieces < 10).to("reorder");
    /// assert!(builder.build()?.describe().contains("KSTREAM-FILTER-0000000004"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn present(&self) -> KStream<K, V> {
        let port = step(self, "KSTREAM-FILTER-", |cx, record, out| match record.value {
            Some(value) => out.push(cx, record.with_value(value)),
            None => Ok(()),
        });
        let of_present = |value: &SharedSerde<Option<V>>| Arc::new(OfPresent(Arc::clone(value))) as SharedSerde<V>;
        let value = self.serdes.value.as_ref().map(|value| value.map(of_present));
        KStream::at(port, Serdes::of(self.serdes.key.clone(), value), self.repartition)
    }
}
