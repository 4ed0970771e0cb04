//! A program in the making: what the ids of its statements stand for.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use headwater::dsl::{GlobalKTable, KGroupedTable, KTable, StreamsBuilder, Topics};
use headwater::processor::by_hand::{NodeRef, TopologyBuilder};
use headwater::processor::state::StoreHandle;
use headwater::processor::{NodeId, Topology, TopologyErrors, TopologySettings};
use headwater::window::Windowed;

use super::contents::Keeping;
use super::key::{Key, Keyed};
use super::option::{Known, Options};
use super::print::Printout;
use super::store::{self, Stores};
use super::windowed::Windowing;
use crate::scenario::{Scenario, Spec};
use crate::val::Val;

/// What an id stands for.
#[derive(Clone)]
pub(super) enum Handle {
    Plain(Keyed<Val>),
    Windowed(Keyed<Windowed<Val>>),
    Global(GlobalKTable<Val, Val>),
    GroupedTable(Rc<KGroupedTable<Val, Val>>, Known),
    /// A grouped stream with windows.
    Windowing(Windowing, Known),
}

impl Handle {
    /// Whether it stands for cogrouped streams.
    fn is_cogrouped(&self) -> bool {
        match self {
            Handle::Plain(keyed) => matches!(keyed, Keyed::Cogrouped(..)),
            Handle::Windowed(keyed) => matches!(keyed, Keyed::Cogrouped(..)),
            Handle::Windowing(windowing, _) => windowing.is_cogrouped(),
            Handle::Global(_) | Handle::GroupedTable(..) => false,
        }
    }
}

/// A table that is kept: its node, the name of its store where it has one of the program's, and the serdes of the rows.
struct Kept<'a> {
    node: Arc<str>,
    store: Option<&'a str>,
    /// Whether it is made of cogrouped streams.
    cogrouped: bool,
    known: Known,
}

/// A join of streams: the node that hands on its results, and the serdes of the rows of both sides.
pub(super) struct JoinKept {
    pub(super) node: Arc<str>,
    pub(super) this: Known,
    pub(super) other: Known,
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
    tables: Vec<Kept<'a>>,
    pub(super) joins: Vec<JoinKept>,
    globals: Vec<(GlobalKTable<Val, Val>, Known)>,
    /// What each `print` has written.
    pub(super) prints: Vec<Printout>,
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
            joins: Vec::new(),
            globals: Vec::new(),
            prints: Vec::new(),
            stores: Stores::of(scenario)?,
        })
    }

    /// Calls what a statement stands for.
    pub(super) fn statement(&mut self, statement: Spec<'a>) -> Result<()> {
        let made = match statement.op() {
            "stream" => Some(self.stream(statement)?),
            "table" => {
                let (table, known) = self.table(statement)?;
                self.keep(statement, table.name(), known.clone(), false);
                Some(Val::handle(Keyed::Table(table, known)))
            }
            "global_table" => {
                let (table, known) = self.global_table(statement)?;
                self.globals.push((table.clone(), known));
                Some(Handle::Global(table))
            }
            "add_global_store" => {
                self.filled_by(statement)?;
                None
            }
            "add_state_store" => {
                self.add_store(statement.need_object("store")?)?;
                None
            }
            _ => {
                let on = self.handle(statement.need("on")?)?;
                let (in_window, cogrouped) = (matches!(on, Handle::Windowing(..)), on.is_cogrouped());
                let made = self.operator(statement, on)?;
                match &made {
                    Some(Handle::Plain(Keyed::Table(table, known))) => {
                        self.keep(statement, table.name(), known.clone(), cogrouped);
                    }
                    Some(Handle::Windowed(Keyed::Table(table, known))) => {
                        // Rows of a window store have the key without the window.
                        let known = if in_window { known.in_window() } else { known.clone() };
                        self.keep(statement, table.name(), known, cogrouped);
                    }
                    _ => {}
                }
                made
            }
        };
        if let (Some(id), Some(handle)) = (statement.text("id"), made) {
            self.bind(id, handle);
        }
        Ok(())
    }

    fn operator(&mut self, statement: Spec<'a>, on: Handle) -> Result<Option<Handle>> {
        match on {
            Handle::Plain(Keyed::Grouped(grouped, known)) if statement.op() == "windowed_by" => {
                Ok(Some(Handle::Windowing(Windowing::of(statement, &grouped)?, known)))
            }
            Handle::Plain(Keyed::Cogrouped(cogrouped, known)) if statement.op() == "windowed_by" => {
                Ok(Some(Handle::Windowing(Windowing::of_cogrouped(statement, &cogrouped)?, known)))
            }
            Handle::Plain(keyed) => self.on_keyed(statement, &keyed),
            Handle::Windowed(keyed) => self.on_keyed(statement, &keyed),
            Handle::Global(_) => bail!("global tables have no operators"),
            Handle::GroupedTable(grouped, known) => self.on_grouped_table(statement, &grouped, &known).map(Some),
            Handle::Windowing(windowing, known) => self.on_windowing(statement, windowing, &known).map(Some),
        }
    }

    fn on_keyed<K: Key>(&mut self, statement: Spec<'a>, on: &Keyed<K>) -> Result<Option<Handle>> {
        match on {
            Keyed::Stream(stream, known) => self.on_stream(statement, stream, known),
            Keyed::Table(table, known) => self.on_table(statement, table, known),
            Keyed::Grouped(grouped, known) => self.on_grouped(statement, grouped, known).map(Some),
            Keyed::Cogrouped(cogrouped, known) => self.on_cogrouped(statement, cogrouped, known).map(Some),
        }
    }

    fn keep(&mut self, statement: Spec<'a>, node: Arc<str>, known: Known, cogrouped: bool) {
        let option = statement.object("materialized");
        let supplied = option.and_then(|option| option.object("supplier")).and_then(|supplier| supplier.text("name"));
        let store = option.and_then(|option| option.text("store")).or(supplied);
        self.tables.push(Kept { node, store, cogrouped, known: known.or(&self.options.configured()) });
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
            Handle::Plain(Keyed::Stream(stream, _)) if *stream.name() == *name => Some(stream.node_ref()),
            _ => None,
        })
    }

    pub(super) fn name_branch(&mut self, id: &str, name: &str) {
        self.branches.insert(id.to_owned(), name.to_owned());
    }

    /// The serdes of all stores that the program made.
    pub(super) fn keeping(&self, topology: &Topology, mut keeping: Keeping) -> Keeping {
        for kept in &self.tables {
            let Some(node) = topology.node_named(&kept.node).and_then(|id| topology.node(id)) else { continue };
            // A table of cogrouped streams is kept by the nodes above its own.
            let above = node.parents.iter().filter(|_| kept.cogrouped).filter_map(|id| topology.node(*id));
            let stores = std::iter::once(node).chain(above).flat_map(|node| &node.stores);
            for store in stores.filter_map(|id| topology.store(*id)) {
                keeping.add(&store.spec, &kept.known);
            }
        }
        for join in &self.joins {
            let above = |node: NodeId| topology.node(node).map(|node| node.parents.clone()).unwrap_or_default();
            let sides = topology.node_named(&join.node).map(above).unwrap_or_default();
            // A stream that is joined with itself may be kept once, right above.
            let windowed = if sides.len() == 1 { sides } else { sides.into_iter().flat_map(above).collect() };
            for (node, known) in windowed.into_iter().zip([&join.this, &join.other]) {
                let stores = topology.node(node).map(|node| node.stores.as_slice()).unwrap_or_default();
                stores
                    .iter()
                    .filter_map(|id| topology.store(*id))
                    .for_each(|store| keeping.add_joined(&store.spec, known));
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
        if let Some(kept) = self.tables.iter().rev().find(|kept| kept.store == Some(name)) {
            return store::handle(name, kept.known.clone());
        }
        let globals = self.globals.iter().filter_map(|(table, _)| table.store());
        globals.rev().find(|handle| handle.name() == name).cloned().unwrap_or_else(|| self.stores.handle(name))
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
        Ok(Val::handle(Keyed::Stream(stream, Known::named(statement.object("consumed"))?)))
    }

    fn table(&self, statement: Spec<'_>) -> Result<(KTable<Val, Val>, Known)> {
        let consumed = Known::named(statement.object("consumed"))?;
        let known = Known::named(statement.object("materialized"))?.or(&consumed);
        let materialized = self.options.materialized(statement)?;
        let table = self.builder.table_with(statement.need("topic")?, self.options.consumed(statement)?, materialized);
        Ok((table, known))
    }
}

impl Program<'_> {
    fn global_table(&self, statement: Spec<'_>) -> Result<(GlobalKTable<Val, Val>, Known)> {
        let consumed = Known::named(statement.object("consumed"))?;
        let known = Known::named(statement.object("materialized"))?.or(&consumed);
        let materialized = self.options.materialized(statement)?;
        let consumed = self.options.consumed(statement)?;
        Ok((self.builder.global_table_with(statement.need("topic")?, consumed, materialized), known))
    }
}
