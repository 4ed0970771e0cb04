//! A program in the making: what the ids of its statements stand for.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use headwater::dsl::{GlobalKTable, KGroupedStream, KGroupedTable, KStream, KTable, StreamsBuilder, Topics};
use headwater::processor::by_hand::{NodeRef, TopologyBuilder};
use headwater::processor::state::StoreHandle;
use headwater::processor::{Topology, TopologyErrors, TopologySettings};

use super::contents::Keeping;
use super::option::{Known, Options};
use super::store::Stores;
use crate::scenario::{Scenario, Spec};
use crate::val::Val;

/// What an id stands for.
#[derive(Clone)]
pub(super) enum Handle {
    Stream(KStream<Val, Val>, Known),
    Table(KTable<Val, Val>, Known),
    Global(GlobalKTable<Val, Val>, Known),
    Grouped(Rc<KGroupedStream<Val, Val>>, Known),
    GroupedTable(Rc<KGroupedTable<Val, Val>>, Known),
}

/// A program in the making.
pub(super) struct Program<'a> {
    pub(super) builder: StreamsBuilder,
    /// Writes into the same topology, node by node.
    pub(super) by_hand: TopologyBuilder,
    pub(super) nodes: BTreeMap<&'a str, NodeRef<Val, Val>>,
    pub(super) options: Options,
    handles: BTreeMap<&'a str, Handle>,
    branches: BTreeMap<String, String>,
    /// Tables with the serdes of their rows: what their stores keep.
    tables: Vec<(KTable<Val, Val>, Known)>,
    globals: Vec<(GlobalKTable<Val, Val>, Known)>,
    /// Stores that the program describes itself.
    pub(super) stores: Stores,
}

impl<'a> Program<'a> {
    /// A program without statements.
    pub(super) fn new(scenario: &Scenario, settings: &TopologySettings) -> Result<Program<'a>> {
        let builder = if scenario.topology_config {
            StreamsBuilder::with_settings(settings.clone())
        } else {
            StreamsBuilder::new()
        };
        Ok(Program {
            by_hand: builder.by_hand(),
            nodes: BTreeMap::new(),
            builder,
            options: Options::new(scenario)?,
            handles: BTreeMap::new(),
            branches: BTreeMap::new(),
            tables: Vec::new(),
            globals: Vec::new(),
            stores: Stores::of(scenario)?,
        })
    }

    /// Calls what a statement stands for.
    pub(super) fn statement(&mut self, statement: Spec<'a>) -> Result<()> {
        let made = match statement.op() {
            "stream" => Some(self.stream(statement)?),
            "table" => Some(self.table(statement)?),
            "global_table" => Some(self.global_table(statement)?),
            "add_global_store" => {
                self.filled_by(statement)?;
                None
            }
            "add_state_store" => {
                self.add_store(statement.need_object("store")?)?;
                None
            }
            _ => {
                let on = statement.need("on")?;
                match self.handle(on)? {
                    Handle::Stream(stream, known) => self.on_stream(statement, &stream, &known)?,
                    Handle::Table(table, known) => self.on_table(statement, &table, &known)?,
                    Handle::Global(..) => bail!("global tables have no operators"),
                    Handle::Grouped(grouped, known) => Some(self.on_grouped(statement, &grouped, &known)?),
                    Handle::GroupedTable(grouped, known) => Some(self.on_grouped_table(statement, &grouped, &known)?),
                }
            }
        };
        if let Some(Handle::Global(table, known)) = &made {
            self.globals.push((table.clone(), known.clone()));
        }
        if let Some(Handle::Table(table, known)) = &made {
            self.tables.push((table.clone(), known.clone()));
        }
        if let (Some(id), Some(handle)) = (statement.text("id"), made) {
            self.bind(id, handle);
        }
        Ok(())
    }

    /// The topology, with settings for `build` or without.
    pub(super) fn build(&self, settings: Option<&TopologySettings>) -> Result<Topology, TopologyErrors> {
        match settings {
            Some(settings) => self.builder.build_with(settings),
            None => self.builder.build(),
        }
    }

    /// The keys of the branches that have an id.
    pub(super) fn branches(&self) -> &BTreeMap<String, String> {
        &self.branches
    }

    /// The node of this name, where it is a stream's.
    pub(super) fn stream_named(&self, name: &str) -> Option<NodeRef<Val, Val>> {
        self.handles.values().find_map(|handle| match handle {
            Handle::Stream(stream, _) if *stream.name() == *name => Some(stream.node_ref()),
            _ => None,
        })
    }

    pub(super) fn name_branch(&mut self, id: &str, name: &str) {
        self.branches.insert(id.to_owned(), name.to_owned());
    }

    /// The serdes of all stores that the program made.
    pub(super) fn keeping(&self, topology: &Topology) -> Keeping {
        let mut keeping = Keeping::default();
        for (table, known) in &self.tables {
            let node = topology.node_named(&table.name()).and_then(|id| topology.node(id));
            for store in node.into_iter().flat_map(|node| &node.stores).filter_map(|id| topology.store(*id)) {
                keeping.add(&store.spec, &known.clone().or(&self.options.configured()));
            }
        }
        for (table, known) in &self.globals {
            let id = table.store().and_then(|store| topology.store_named(store.name()));
            if let Some(store) = id.and_then(|id| topology.store(id)) {
                keeping.add(&store.spec, &known.clone().or(&self.options.configured()));
            }
        }
        for (spec, known) in self.stores.iter() {
            // One that no node uses is in no task.
            let used = topology.store_named(&spec.name).filter(|id| topology.store_order().contains(id));
            if used.is_some() {
                keeping.add(spec, known);
            }
        }
        keeping
    }

    /// Adds a store that the program describes, once.
    pub(super) fn add_store(&mut self, store: Spec<'_>) -> Result<()> {
        let name = store.need("name")?;
        if let Some(spec) = self.stores.take_new(name)? {
            self.builder.add_state_store(spec);
        }
        Ok(())
    }

    /// A store by its name, whoever made it.
    pub(super) fn store_handle(&self, name: &str) -> StoreHandle<Val, Val> {
        let tables = self.tables.iter().rev();
        let mut kept = tables.filter_map(|(table, _)| table.queryable_store());
        let globals = self.globals.iter().filter_map(|(table, _)| table.store());
        match kept.find(|handle| handle.name() == name).or_else(|| globals.rev().find(|handle| handle.name() == name)) {
            Some(handle) => handle.clone(),
            None => self.stores.handle(name),
        }
    }

    pub(super) fn bind(&mut self, id: &'a str, handle: Handle) {
        self.handles.insert(id, handle);
    }

    pub(super) fn handle(&self, id: &str) -> Result<Handle> {
        self.handles.get(id).cloned().with_context(|| format!("nothing is called `{id}`"))
    }

    fn stream(&self, statement: Spec<'_>) -> Result<Handle> {
        let topics = if let Some(pattern) = statement.text("pattern") {
            Topics::Matching(pattern.to_owned())
        } else if let Some(topic) = statement.text("topic") {
            Topics::from(topic)
        } else {
            Topics::from(statement.texts("topics").into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let stream = self.builder.stream_with(topics, self.options.consumed(statement)?);
        Ok(Handle::Stream(stream, Known::named(statement.object("consumed"))?))
    }

    fn table(&self, statement: Spec<'_>) -> Result<Handle> {
        let consumed = Known::named(statement.object("consumed"))?;
        let known = Known::named(statement.object("materialized"))?.or(&consumed);
        let materialized = self.options.materialized(statement, &known)?;
        let table = self.builder.table_with(statement.need("topic")?, self.options.consumed(statement)?, materialized);
        Ok(Handle::Table(table, known))
    }
}

impl Program<'_> {
    fn global_table(&self, statement: Spec<'_>) -> Result<Handle> {
        let consumed = Known::named(statement.object("consumed"))?;
        let known = Known::named(statement.object("materialized"))?.or(&consumed);
        let materialized = self.options.materialized(statement, &known)?;
        let consumed = self.options.consumed(statement)?;
        Ok(Handle::Global(self.builder.global_table_with(statement.need("topic")?, consumed, materialized), known))
    }
}

/// The stream that an id must stand for.
pub(super) fn stream_of(handle: Handle) -> Result<(KStream<Val, Val>, Known)> {
    match handle {
        Handle::Stream(stream, known) => Ok((stream, known)),
        _ => bail!("a stream is needed here"),
    }
}
