//! `nullable` and `into_nullable`: what a handle knows of null.

use std::sync::Arc;

use headwater_record::{Encoded, Nullable, Record, Serde, SerdeError, SharedSerde};
use headwater_topology::{Inlet, Port, ProcessError, Stream, TaskContext};

use crate::KStream;
use crate::serdes::Serdes;

/// Hands the value of an `Option` on, and for `None` the null of its type.
struct Unwrapped<K: 'static, V: 'static> {
    null: V,
    inlet: Box<dyn Inlet<Stream<K, V>>>,
}

impl<K: 'static, V: 'static> Inlet<Stream<K, Option<V>>> for Unwrapped<K, V> {
    #[inline]
    fn push(&mut self, cx: &mut TaskContext<'_>, record: Record<'_, K, Option<V>>) -> Result<(), ProcessError> {
        let value = record.value.as_ref().unwrap_or(&self.null);
        self.inlet.push(cx, record.with_value(value))
    }
}

/// The serde of an `Option`, for values that have a null of their own.
struct OfNullable<V>(SharedSerde<Option<V>>);

impl<V: Nullable + Clone> Serde<V> for OfNullable<V> {
    fn serialize(&self, topic: &str, value: &V, into: &mut Vec<u8>) -> Result<Encoded, SerdeError> {
        if value.is_null() { Ok(Encoded::Null) } else { self.0.serialize(topic, &Some(value.clone()), into) }
    }
    fn deserialize(&self, topic: &str, bytes: Option<&[u8]>) -> Result<V, SerdeError> {
        Ok(self.0.deserialize(topic, bytes)?.unwrap_or_else(V::null))
    }
    fn is_null(&self, value: &V) -> bool {
        value.is_null()
    }
}

impl<K: 'static, V: Nullable + 'static> KStream<K, V> {
    /// The same stream, whose values that are null by their own type count as null, as they do in Java: joins leave them out.
    /// Nothing is added to the topology. It is needed only where no serde says so: after `map_values`, for instance.
    ///
    /// ```
    /// use headwater::dsl::StreamsBuilder;
    /// let builder = StreamsBuilder::new();
    /// let shops = builder.global_table::<i64, String>("shops");
    /// let known = builder.stream::<String, String>("sales").map_values(|_, shop| shop.parse::<i64>().ok()).nullable();
    /// // The function of the join is never asked about `None`.
    /// known.left_join_global(&shops, |_, shop| shop.unwrap_or(0), |_, shop, city| format!("{shop:?}: {city:?}")).to("places");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn nullable(&self) -> Self {
        KStream { serdes: self.serdes.nullable(), ..self.clone() }
    }
}

impl<K: 'static, V: Nullable + Clone + 'static> KStream<K, Option<V>> {
    /// The same stream with the null of its own type for `None`. Nothing is added to the topology.
    ///
    /// ```
    /// use headwater::dsl::{KStream, StreamsBuilder};
    /// let builder = StreamsBuilder::new();
    /// let counts = builder.stream::<String, Option<i64>>("in").group_by_key().reduce(|_, last| *last).to_stream();
    /// let flat: KStream<String, Option<i64>> = counts.into_nullable();
    /// flat.to("out");
    /// # builder.build()?;
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    #[must_use]
    pub fn into_nullable(self) -> KStream<K, V> {
        let port: Port<Stream<K, V>> = self.port.seen_as(|inlet| Box::new(Unwrapped { null: V::null(), inlet }));
        let of_nullable = |value: &SharedSerde<Option<V>>| Arc::new(OfNullable(Arc::clone(value))) as SharedSerde<V>;
        let value = self.serdes.value.as_ref().map(|value| value.map(of_nullable));
        let serdes = Serdes::of(self.serdes.key, value);
        KStream { port, serdes, repartition: self.repartition }
    }
}
