//! `process` and `process_values`: the Processor API in the middle of a stream.

use std::sync::Arc;

use headwater_topology::Port;
use headwater_topology::node::NodeSpec;
use headwater_topology::processor::{
    FixedKey, FixedKeyProcessor, Processor, ProcessorNode, ProcessorSupplier, StoreAccess,
};

use crate::serdes::Serdes;
use crate::{KStream, ProcessorStores, settings};

/// Makes processors that keep the key out of those that `supplier` makes.
fn fixed_key<P: 'static>(supplier: impl ProcessorSupplier<P>) -> impl ProcessorSupplier<FixedKey<P>> {
    move |stores: &mut StoreAccess<'_, '_>| supplier(stores).map(FixedKey)
}

impl<K: 'static, V: 'static> KStream<K, V> {
    /// Works on each record with a processor, which has access to the stores named and may forward what it likes
    /// (`KStream#process`). What groups or joins by the key afterwards repartitions first.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// struct Twice;
    /// impl Processor<String, i64, String, i64> for Twice {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         cx.forward(record)?;
    ///         cx.forward(record)
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// builder.stream::<String, i64>("in").process(|_| Ok(Twice), &[]).to("out");
    /// assert!(builder.build()?.describe().contains("KSTREAM-PROCESSOR-0000000001"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn process<P, K2, V2>(
        &self,
        supplier: impl ProcessorSupplier<P>,
        stores: impl ProcessorStores,
    ) -> KStream<K2, V2>
    where
        P: Processor<K, V, K2, V2>,
        K2: 'static,
        V2: 'static,
    {
        let name = self.draft().next_name("KSTREAM-PROCESSOR-");
        self.processed(name, supplier, stores, Serdes::none(), true)
    }

    /// As [`KStream::process`], at a node of this name; as in Java no number is used up then.
    pub fn process_named<P, K2, V2>(
        &self,
        name: &str,
        supplier: impl ProcessorSupplier<P>,
        stores: impl ProcessorStores,
    ) -> KStream<K2, V2>
    where
        P: Processor<K, V, K2, V2>,
        K2: 'static,
        V2: 'static,
    {
        self.processed(self.draft().checked(name), supplier, stores, Serdes::none(), true)
    }

    /// Works on the values of records with a processor that keeps their keys (`KStream#processValues`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// /// Makes the time of each record its value.
    /// struct Times;
    /// impl FixedKeyProcessor<String, String, i64> for Times {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut FixedKeyContext<'_, '_, '_, String, i64>,
    ///         record: FixedKeyRecord<'_, String, String>,
    ///     ) -> Result<(), ProcessError> {
    ///         cx.forward(record.with_value(&record.timestamp().millis()))
    ///     }
    /// }
    ///
    /// let builder = StreamsBuilder::new();
    /// let times = builder.stream::<String, String>("visits").process_values(|_| Ok(Times), &[]);
    /// // The keys are what they were, so nothing is repartitioned.
    /// times.group_by_key().reduce(|last, time| last.max(*time)).to_stream().to("last-visits");
    /// assert!(!builder.build()?.describe().contains("-repartition"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn process_values<P, W>(
        &self,
        supplier: impl ProcessorSupplier<P>,
        stores: impl ProcessorStores,
    ) -> KStream<K, W>
    where
        P: FixedKeyProcessor<K, V, W>,
        W: 'static,
    {
        let name = self.draft().next_name("KSTREAM-PROCESSVALUES-");
        self.processed(name, fixed_key(supplier), stores, self.serdes.key_only(), self.repartition)
    }

    /// As [`KStream::process_values`], at a node of this name; as in Java no number is used up then.
    pub fn process_values_named<P, W>(
        &self,
        name: &str,
        supplier: impl ProcessorSupplier<P>,
        stores: impl ProcessorStores,
    ) -> KStream<K, W>
    where
        P: FixedKeyProcessor<K, V, W>,
        W: 'static,
    {
        self.processed(
            self.draft().checked(name),
            fixed_key(supplier),
            stores,
            self.serdes.key_only(),
            self.repartition,
        )
    }

    pub(crate) fn processed<P, K2, V2>(
        &self,
        name: String,
        supplier: impl ProcessorSupplier<P>,
        stores: impl ProcessorStores,
        serdes: Serdes<K2, V2>,
        repartition: bool,
    ) -> KStream<K2, V2>
    where
        P: Processor<K, V, K2, V2>,
        K2: 'static,
        V2: 'static,
    {
        let node = self.draft().add_node(NodeSpec::processor(name, [self.node()]));
        self.draft().set_effect(node, settings::effect_of_process(&self.draft().settings(), repartition));
        stores.connect_to(self.draft(), node);
        self.port.listen(node, Arc::new(move |wiring| ProcessorNode::wire(wiring, node, &supplier)));
        KStream::at(Port::new(self.draft(), node), serdes, repartition)
    }
}
