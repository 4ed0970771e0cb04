//! Operations on a topology, node by node.

use anyhow::{Context, Result, bail};
use headwater::processor::WiringError;
use headwater::processor::by_hand::{NodeRef, SinkSpec, SourceSpec};
use headwater::processor::node::OffsetReset;
use headwater::processor::processor::StoreAccess;
use headwater::record::SharedSerde;

use super::function;
use super::key::Key;
use super::option::Known;
use super::processor::{Definition, Filler, Live};
use super::program::Program;
use super::stream::topic_chooser;
use crate::scenario::Spec;
use crate::val::Val;

impl<'a> Program<'a> {
    /// Calls what an operation stands for.
    pub(super) fn operation(&mut self, operation: Spec<'a>) -> Result<()> {
        match operation.op() {
            "add_source" => {
                let name = operation.need("name")?;
                let source = self.by_hand.add_source(name, self.source(operation)?);
                self.nodes.insert(name, source);
            }
            "add_processor" => {
                let name = operation.need("name")?;
                let processor = operation.need_object("processor")?;
                let mut connected = Vec::new();
                for store in processor.objects("connected_stores") {
                    self.add_store_by_hand(store)?;
                    connected.push(store.need("name")?);
                }
                let parents = self.parents(operation)?;
                let parents: Vec<&NodeRef<Val, Val>> = parents.iter().collect();
                let node = self.by_hand.add_processor(name, self.supplier(processor)?, &parents);
                if !connected.is_empty() {
                    self.by_hand.connect(name, &connected);
                }
                self.nodes.insert(name, node);
            }
            "add_sink" => {
                let parents = self.parents(operation)?;
                let parents: Vec<&NodeRef<Val, Val>> = parents.iter().collect();
                self.by_hand.add_sink(operation.need("name")?, self.sink(operation)?, &parents);
            }
            "add_state_store" => {
                let store = operation.need_object("store")?;
                self.add_store_by_hand(store)?;
                let name = store.need("name")?;
                for processor in operation.texts("processors") {
                    self.by_hand.connect(processor, &[name]);
                }
            }
            "connect_processor_and_state_stores" => {
                self.by_hand.connect(operation.need("processor")?, &operation.texts("stores"));
            }
            "add_global_store" | "add_read_only_state_store" => self.filled(operation)?,
            other => bail!("topologies have no operation `{other}`"),
        }
        Ok(())
    }

    fn add_store_by_hand(&mut self, store: Spec<'_>) -> Result<()> {
        if let Some(spec) = self.stores.take_new(store.need("name")?)? {
            self.by_hand.add_state_store(spec, &[]);
        }
        Ok(())
    }

    /// A store that a topic fills.
    fn filled(&mut self, operation: Spec<'a>) -> Result<()> {
        let name = operation.need_object("store")?.need("name")?;
        let spec = self.stores.take_new(name)?.with_context(|| format!("the store `{name}` is there already"))?;
        let topic = operation.need("topic")?;
        let known = self.hand_serdes(operation)?;
        let mut source = SourceSpec::topics([topic], known.0, known.1);
        if let Some(extractor) = operation.text("timestamp_extractor") {
            source = source.with_timestamp_extractor(function::extractor(extractor)?);
        }
        let source = (operation.need("source_name")?, source);
        let processor = (operation.need("processor_name")?, self.filler(operation)?);
        if operation.op() == "add_global_store" {
            self.by_hand.add_global_store(spec, source, processor);
        } else {
            self.by_hand.add_read_only_state_store(spec, source, processor);
        }
        Ok(())
    }

    /// A global store of a builder.
    pub(super) fn filled_by(&mut self, statement: Spec<'a>) -> Result<()> {
        let name = statement.need_object("store")?.need("name")?;
        let spec = self.stores.take_new(name)?.with_context(|| format!("the store `{name}` is there already"))?;
        let (topic, consumed) = (statement.need("topic")?, self.options.consumed(statement)?);
        self.builder.add_global_store(spec, topic, consumed, self.filler(statement)?);
        Ok(())
    }

    /// Makes the processor that fills a store for each task.
    fn filler(
        &self,
        statement: Spec<'_>,
    ) -> Result<impl Fn(&mut StoreAccess<'_, '_>) -> Result<Filler, WiringError> + Send + Sync + use<>> {
        let supplier = self.supplier(statement.need_object("processor")?)?;
        Ok(move |stores: &mut StoreAccess<'_, '_>| supplier(stores).map(Filler))
    }

    fn hand_serdes(&self, operation: Spec<'_>) -> Result<(SharedSerde<Val>, SharedSerde<Val>)> {
        let known = Known::named(Some(operation))?.or(&self.options.configured());
        Ok((Val::serde(&known.key.context("a key serde")?), Val::serde(&known.value.context("a value serde")?)))
    }

    fn source(&self, operation: Spec<'_>) -> Result<SourceSpec<Val, Val>> {
        let (key, value) = self.hand_serdes(operation)?;
        let mut source = match operation.text("pattern") {
            Some(pattern) => SourceSpec::pattern(pattern, key, value),
            None => SourceSpec::topics(operation.texts("topics"), key, value),
        };
        if let Some(extractor) = operation.text("timestamp_extractor") {
            source = source.with_timestamp_extractor(function::extractor(extractor)?);
        }
        Ok(match operation.text("offset_reset") {
            None => source,
            Some("earliest") => source.with_offset_reset(OffsetReset::Earliest),
            Some("latest") => source.with_offset_reset(OffsetReset::Latest),
            Some("none") => source.with_offset_reset(OffsetReset::None),
            Some(other) => bail!("no offset reset `{other}`"),
        })
    }

    fn sink(&self, operation: Spec<'_>) -> Result<SinkSpec<Val, Val>> {
        let (key, value) = self.hand_serdes(operation)?;
        Ok(match operation.text("topic_expr") {
            Some(expr) => SinkSpec::chosen("extractor", topic_chooser(expr)?, key, value),
            None => SinkSpec::topic(operation.need("topic")?, key, value),
        })
    }

    fn parents(&self, operation: Spec<'_>) -> Result<Vec<NodeRef<Val, Val>>> {
        let parent = |name: &str| {
            let by_hand = self.nodes.get(name).cloned();
            by_hand.or_else(|| self.stream_named(name)).with_context(|| format!("no node hands on records as `{name}`"))
        };
        operation.texts("parents").into_iter().map(parent).collect()
    }

    /// Makes a processor of the format for each task.
    pub(super) fn supplier(
        &self,
        processor: Spec<'_>,
    ) -> Result<impl Fn(&mut StoreAccess<'_, '_>) -> Result<Live, WiringError> + Send + Sync + use<>> {
        let definition = Definition::read(processor)?;
        let handle = definition.store.as_deref().map(|name| self.store_handle(name));
        Ok(move |stores: &mut StoreAccess<'_, '_>| Live::make(&definition, handle.as_ref(), stores))
    }
}
