//! Stores: those of processors, global ones, and those that a topic fills.

use headwater_store::{Logging, StoreSpec};

use super::{NodeRef, SourceSpec, TopologyBuilder};
use crate::node::{NodeKind, OffsetReset, SourceTopics};
use crate::processor::{Processor, ProcessorSupplier};
use crate::{StoreId, TopologyError};

impl TopologyBuilder {
    /// Adds a store, and connects it to the processors of these names (`Topology#addStateStore`).
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// /// Hands on the first record of each key.
    /// struct First(Rc<KeyValueState<String, i64>>);
    /// impl Processor<String, i64, String, i64> for First {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, String, i64>,
    ///         record: Record<'_, String, i64>,
    ///     ) -> Result<(), ProcessError> {
    ///         if self.0.value(cx, record.key)?.is_some() {
    ///             return Ok(());
    ///         }
    ///         self.0.put_at(cx, record.key, *record.value, &record)?;
    ///         cx.forward(record)
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let sales = SourceSpec::topics(["sales"], String::default_serde(), i64::default_serde());
    /// let source = builder.add_source("source", sales);
    /// let _: NodeRef<String, i64> =
    ///     builder.add_processor("first", |stores| Ok(First(stores.key_value(&StoreHandle::named("seen"))?)), &[&source]);
    /// builder.add_state_store(StoreSpec::key_value("seen"), &["first"]);
    /// assert!(builder.build()?.describe().contains("Processor: first (stores: [seen])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_state_store(&self, store: StoreSpec, processors: &[&str]) {
        let name = store.name.clone();
        self.draft.add_own_store(store);
        for processor in processors {
            self.connect_one(processor, &name);
        }
    }

    /// Connects stores to a processor (`Topology#connectProcessorAndStateStores`).
    ///
    /// ```
    /// # struct Nothing;
    /// # impl Processor<(), (), (), ()> for Nothing {
    /// #     fn process(&mut self, _: &mut ProcessorContext<'_, '_, (), ()>, _: Record<'_, (), ()>) -> Result<(), ProcessError> {
    /// #         Ok(())
    /// #     }
    /// # }
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    /// let builder = TopologyBuilder::new();
    /// # let source = SourceSpec::topics(["in"], <()>::default_serde(), <()>::default_serde());
    /// # let source = builder.add_source("source", source);
    /// # let _: NodeRef<(), ()> = builder.add_processor("first", |_| Ok(Nothing), &[&source]);
    /// # let _: NodeRef<(), ()> = builder.add_processor("last", |_| Ok(Nothing), &[&source]);
    /// // Of a topology with the processors `first` and `last`.
    /// builder.add_state_store(StoreSpec::key_value("seen"), &["first"]);
    /// builder.connect("last", &["seen"]);
    /// assert!(builder.build()?.describe().contains("Processor: last (stores: [seen])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn connect(&self, processor: &str, stores: &[&str]) {
        self.need(stores.is_empty(), "stateStoreNames cannot be empty");
        for store in stores {
            self.connect_one(processor, store);
        }
    }

    fn connect_one(&self, processor: &str, store: &str) {
        let invalid = |words: String| self.draft.mistake(TopologyError::Invalid(words));
        let Some(id) = self.draft.store_named(store) else {
            return invalid(self.draft.no_store_yet(store));
        };
        if self.draft.store(id).is_some_and(|node| node.global) {
            return invalid(format!(
                "Global StateStore {store} can be used by a Processor without being specified; it should not be explicitly passed."
            ));
        }
        let Some(node) = self.draft.node_named(processor) else {
            return invalid(format!("Processor {processor} is not added yet."));
        };
        if self.draft.kind_of(node) != Some(NodeKind::Processor) {
            return invalid(format!("cannot connect a state store {store} to a source node or a sink node."));
        }
        self.draft.connect(node, id);
    }

    /// Adds a store that every instance fills with all of a topic, by a processor that has nothing below it: it hands on records of
    /// `()`, Java's `Void` (`Topology#addGlobalStore`). The store has no changelog: the topic is one, and logging is switched off.
    /// All processors may read it. `StreamsBuilder::add_global_store` takes the same processors.
    ///
    /// ```
    /// use headwater::prelude::*;
    /// use headwater::processor::prelude::*;
    ///
    /// struct Fill(Rc<KeyValueState<String, String>>);
    /// impl Processor<String, String, (), ()> for Fill {
    ///     fn process(
    ///         &mut self,
    ///         cx: &mut ProcessorContext<'_, '_, (), ()>,
    ///         record: Record<'_, String, String>,
    ///     ) -> Result<(), ProcessError> {
    ///         self.0.put_at(cx, record.key, record.value.clone(), &record)
    ///     }
    /// }
    ///
    /// let builder = TopologyBuilder::new();
    /// let names = SourceSpec::topics(["names"], String::default_serde(), String::default_serde());
    /// builder.add_global_store(
    ///     StoreSpec::key_value("names"),
    ///     ("names-source", names),
    ///     ("names-fill", |stores| Ok(Fill(stores.key_value(&StoreHandle::named("names"))?))),
    /// );
    /// assert!(builder.build()?.describe().contains("Processor: names-fill (stores: [names])"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_global_store<P, K: 'static, V: 'static>(
        &self,
        store: StoreSpec,
        (source_name, source): (&str, SourceSpec<K, V>),
        (processor_name, supplier): (&str, impl ProcessorSupplier<P>),
    ) where
        P: Processor<K, V, (), ()>,
    {
        self.need(source_name == processor_name, "sourceName and processorName must be different.");
        let topic = first_topic(&source.topics);
        let id = self.filled(store, (source_name, source), (processor_name, supplier));
        self.draft.change_store(id, |node| {
            node.global = true;
            node.source_topic = topic;
        });
    }

    /// Adds a store that a topic fills and serves as changelog, by a processor that has nothing below it, as
    /// [`TopologyBuilder::add_global_store`] has it (`Topology#addReadOnlyStateStore`, KIP-813). Each task has the partition of the
    /// topic that it reads; other processors may be connected to the store, to read.
    ///
    /// ```
    /// # use headwater::prelude::*;
    /// # use headwater::processor::prelude::*;
    /// #
    /// # struct Fill(Rc<KeyValueState<String, String>>);
    /// # impl Processor<String, String, (), ()> for Fill {
    /// #     fn process(
    /// #         &mut self,
    /// #         cx: &mut ProcessorContext<'_, '_, (), ()>,
    /// #         record: Record<'_, String, String>,
    /// #     ) -> Result<(), ProcessError> {
    /// #         self.0.put_at(cx, record.key, record.value.clone(), &record)
    /// #     }
    /// # }
    /// // With the processor `Fill` of `add_global_store`.
    /// let builder = TopologyBuilder::new();
    /// let names = SourceSpec::topics(["names"], String::default_serde(), String::default_serde());
    /// builder.add_read_only_state_store(
    ///     StoreSpec::key_value("names"),
    ///     ("names-source", names),
    ///     ("names-fill", |stores| Ok(Fill(stores.key_value(&StoreHandle::named("names"))?))),
    /// );
    /// let topology = builder.build()?;
    /// let (_, store) = topology.stores().next().expect("it was added");
    /// assert_eq!(store.source_changelog.as_deref(), Some("names"));
    /// # Ok::<(), headwater::processor::TopologyErrors>(())
    /// ```
    pub fn add_read_only_state_store<P, K: 'static, V: 'static>(
        &self,
        store: StoreSpec,
        (source_name, source): (&str, SourceSpec<K, V>),
        (processor_name, supplier): (&str, impl ProcessorSupplier<P>),
    ) where
        P: Processor<K, V, (), ()>,
    {
        let topic = first_topic(&source.topics);
        let source = source.with_offset_reset(OffsetReset::Earliest);
        let id = self.filled(store, (source_name, source), (processor_name, supplier));
        self.draft.change_store(id, |node| node.source_changelog = topic);
    }

    /// A store without changelog, and the nodes that fill it.
    fn filled<P, K: 'static, V: 'static>(
        &self,
        store: StoreSpec,
        (source_name, source): (&str, SourceSpec<K, V>),
        (processor_name, supplier): (&str, impl ProcessorSupplier<P>),
    ) -> StoreId
    where
        P: Processor<K, V, (), ()>,
    {
        let source = self.add_source(source_name, source);
        let processor: NodeRef<(), ()> = self.add_processor(processor_name, supplier, &[&source]);
        let id = self.draft.add_own_store(StoreSpec { logging: Logging::Disabled, ..store });
        self.draft.connect(processor.id(), id);
        id
    }
}

fn first_topic(topics: &SourceTopics) -> Option<String> {
    match topics {
        SourceTopics::Named(topics) => topics.first().cloned(),
        SourceTopics::Pattern(_) => None,
    }
}
