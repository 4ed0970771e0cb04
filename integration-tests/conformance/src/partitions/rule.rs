//! Which programs are defined on several partitions, decided by their operators and inputs alone.
//!
//! A new operator is one arm of [`Walk::operator`]: what it asks of the flows it reads, and what its own flow is.

use std::collections::BTreeMap;

use headwater::record::Partition;

use super::advance::{self, Advance};
use super::flow::{Flow, Told};
use super::operators::table_operator;
use super::reason::{AT_CLOSING, BY_HAND, ERROR, NO_INPUT, Reason, UNKNOWN, WALL_CLOCK};
use crate::scenario::{Action, Input, Scenario, Spec, Step};

/// Settings that change nothing of what is compared.
const SETTINGS: &[&str] = &[
    "default.key.serde",
    "default.value.serde",
    "dsl.store.format",
    "dsl.store.suppliers.class",
    "ensure.explicit.internal.resource.naming",
    "statestore.cache.max.bytes",
    "topology.optimization",
];

/// Options that the rule has no words for.
const OPTIONS: &[&str] = &[
    "partitioner",
    "other_partitioner",
    "partitions",
    "timestamp_extractor",
    "offset_reset",
    "retention_ms",
    "topic_expr",
    "pattern",
    "this_store",
    "other_store",
];

/// What to feed a program, and what to compare then.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The input.
    pub steps: Vec<Step>,
    /// What each topic of the program tells for certain.
    pub told: BTreeMap<String, Told>,
    /// Records from this time on are of the end, and not compared.
    pub until_ms: i64,
    /// Whether all of that is certain too when the whole input is fed at once.
    pub at_once: bool,
    /// Why not all topics are told for certain, if they are not.
    pub left_out: Option<Reason>,
}

/// What an id stands for.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Stream(Flow),
    Table(Flow),
    Global,
    /// A stream that is grouped, and where it must be, repartitioned.
    Grouped(Flow),
    /// Grouped streams that become one state.
    Cogrouped(Flow),
    Windowed(Flow, Window),
    GroupedTable(Flow),
    /// What is not the same on several partitions.
    Undefined(Reason),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// A record may be in several.
    pub(super) overlapping: bool,
    /// It is looked for as far back as its store goes.
    pub(super) looks_back: bool,
}

/// What to feed a scenario's program and what to compare.
///
/// # Errors
/// With the reason when nothing of the program is defined on several partitions, or the rule does not know it.
pub fn plan(scenario: &Scenario, partitions: Partition) -> Result<Plan, Reason> {
    let steps = scenario.steps.as_deref().unwrap_or_default();
    if steps.is_empty() {
        return Err(NO_INPUT);
    }
    if scenario.expected.as_ref().is_some_and(|expected| expected.error.is_some()) {
        return Err(ERROR);
    }
    let Some(dsl) = scenario.dsl().filter(|_| scenario.topology().next().is_none()) else { return Err(BY_HAND) };
    // An application refuses settings that its topology was not built with.
    if !scenario.build_config || scenario.config.iter().any(|(key, _)| !SETTINGS.contains(&key.as_str())) {
        return Err(UNKNOWN);
    }
    let mut walk = Walk { partitions, config: &scenario.config, is_at_once: true, ..Walk::default() };
    dsl.into_iter().try_for_each(|statement| walk.statement(statement))?;
    if walk.sources.iter().any(|(source, _)| walk.told.contains_key(source)) {
        return Err(UNKNOWN);
    }
    match walk.left_out {
        Some(reason) if walk.told.values().all(Option::is_none) => Err(reason),
        _ => Ok(walk.plan(steps)),
    }
}

#[derive(Default)]
pub(super) struct Walk<'a> {
    pub(super) partitions: Partition,
    config: &'a [(String, String)],
    pub(super) nodes: BTreeMap<&'a str, Node>,
    /// Topics of the input, with what comes of each at the end.
    pub(super) sources: Vec<(&'a str, Advance)>,
    /// What each topic is told for certain; `None`: nothing.
    pub(super) told: BTreeMap<&'a str, Option<Told>>,
    /// Why something that the program tells is not certain.
    left_out: Option<Reason>,
    /// How many repartition topics there are so far.
    pub(super) repartitions: usize,
    /// Something looks at the times of records.
    pub(super) is_timed: bool,
    /// Something is told when time advances.
    pub(super) has_end: bool,
    /// Longer than anything waits: all milliseconds of the program together.
    wait_ms: i64,
    /// Nothing depends on what comes first of records that lie in several partitions.
    pub(super) is_at_once: bool,
}

impl<'a> Walk<'a> {
    fn plan(self, steps: &[Step]) -> Plan {
        let pipes = steps.iter().filter_map(|step| match &step.action {
            Action::Pipe(input) => Some(input.clone()),
            Action::AdvanceWallClock { .. } => None,
        });
        let mut pipes: Vec<Input> = pipes.collect();
        if self.is_timed {
            in_order(&mut pipes);
        }
        let until_ms = if self.has_end { advance::from_ms(&pipes, self.wait_ms) } else { i64::MAX };
        let mut steps: Vec<Step> = pipes.into_iter().map(Step::pipe).collect();
        if self.has_end {
            steps.extend(self.sources.iter().flat_map(|(topic, records)| records.steps(topic, until_ms)));
        }
        let told = self.told.into_iter().filter_map(|(topic, told)| Some((topic.to_owned(), told?))).collect();
        Plan { steps, told, until_ms, at_once: self.is_at_once, left_out: self.left_out }
    }

    pub(super) fn setting(&self, key: &str) -> Option<&'a str> {
        self.config.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn node(&self, statement: Spec<'a>, field: &str) -> Result<Node, Reason> {
        match statement.text(field).and_then(|id| self.nodes.get(id)) {
            Some(Node::Undefined(reason)) => Err(reason),
            Some(node) => Ok(node.clone()),
            None => Err(UNKNOWN),
        }
    }

    fn statement(&mut self, statement: Spec<'a>) -> Result<(), Reason> {
        let text = statement.to_string();
        if OPTIONS.iter().any(|option| text.contains(&format!("\"{option}\":"))) {
            return Err(UNKNOWN);
        }
        self.wait_ms = numbers_of_ms(&text).fold(self.wait_ms, i64::saturating_add);
        // Tasks may go to another thread while they work on what was there from the start.
        self.is_at_once &= !text.contains("\"logging\":false");
        match self.made(statement).and_then(|made| self.kept(statement, made)) {
            Ok(made) => {
                let id = statement.text("id");
                self.nodes.extend(id.zip(made));
            }
            Err(reason @ (UNKNOWN | WALL_CLOCK)) => return Err(reason),
            Err(reason) => {
                self.left_out.get_or_insert(reason);
                self.told.extend(statement.text("topic").filter(|_| statement.op() == "to").map(|topic| (topic, None)));
                let branches = statement.objects("branches").chain(statement.object("default"));
                let ids = std::iter::once(statement).chain(branches).filter_map(|made| made.text("id"));
                self.nodes.extend(ids.map(|id| (id, Node::Undefined(reason))));
            }
        }
        Ok(())
    }

    fn made(&mut self, statement: Spec<'a>) -> Result<Option<Node>, Reason> {
        Ok(match statement.op() {
            "stream" => Some(Node::Stream(self.source(statement)?)),
            "table" => Some(Node::Table(self.source(statement)?)),
            "global_table" => {
                self.source(statement)?;
                Some(Node::Global)
            }
            "add_state_store" => {
                let kind = statement.object("store").and_then(|store| store.text("kind"));
                let is_known = matches!(kind, Some("kv" | "timestamped_kv"));
                return if is_known { Ok(None) } else { Err(UNKNOWN) };
            }
            _ => {
                let on = self.node(statement, "on")?;
                self.operator(statement, on)?
            }
        })
    }

    /// What a statement made, kept in the store that it names.
    fn kept(&mut self, statement: Spec<'a>, made: Option<Node>) -> Result<Option<Node>, Reason> {
        let supplier = statement.object("materialized").and_then(|materialized| materialized.object("supplier"));
        match (supplier.map(|supplier| supplier.text("kind")), &made) {
            (None | Some(Some("kv" | "timestamped_kv")), _) => {}
            (Some(Some("versioned")), Some(Node::Table(table))) => {
                // What is too old for a versioned store, it leaves out.
                self.looks_at_times(&[table])?;
                self.state_of(&table.clone())?;
            }
            (Some(Some("versioned")), Some(Node::Global)) => self.is_timed = true,
            _ => return Err(UNKNOWN),
        }
        Ok(made)
    }

    fn operator(&mut self, statement: Spec<'a>, on: Node) -> Result<Option<Node>, Reason> {
        Ok(match (on, statement.op()) {
            (Node::Stream(on), "join" | "left_join" | "outer_join") => {
                Some(Node::Stream(self.stream_join(statement, on)?))
            }
            (Node::Table(on), "join" | "left_join" | "outer_join") => {
                Some(Node::Table(self.table_join(statement, on)?))
            }
            (Node::Stream(on), "split") => {
                self.split(statement, &on)?;
                None
            }
            (Node::Stream(on), "to") => {
                self.sink(statement, &on)?;
                None
            }
            (Node::Stream(on), "to_table") => {
                let on = self.repartitioned_if_marked(on);
                self.state_of(&on)?;
                Some(Node::Table(on))
            }
            (Node::Stream(on), "group_by_key") => Some(Node::Grouped(self.repartitioned_if_marked(on))),
            (Node::Stream(on), "group_by") => {
                let on = on.in_full()?.rekeyed(statement.text("key").unwrap_or_default());
                Some(Node::Grouped(self.repartitioned(on)))
            }
            (Node::Stream(on), _) => Some(Node::Stream(self.stream_operator(statement, on)?)),
            (Node::Table(on), "to_stream") => Some(Node::Stream(match statement.text("key") {
                Some(key) => on.in_full()?.rekeyed(key),
                None => on,
            })),
            (Node::Table(on), "group_by") => {
                self.state_of(&on)?;
                // The old row and the new one.
                let on = Flow { many: true, ..on.rekeyed(statement.text("key").unwrap_or_default()) };
                Some(Node::GroupedTable(self.repartitioned(on)))
            }
            (Node::Table(on), "suppress") => Some(Node::Table(self.suppress(statement, on)?)),
            (Node::Table(on), "transform_values") if statement.has("processor") => {
                Some(Node::Table(self.processor(statement, on)?))
            }
            (Node::Table(on), _) => Some(Node::Table(table_operator(statement, on)?)),
            (Node::Grouped(on) | Node::GroupedTable(on) | Node::Cogrouped(on), "count" | "reduce" | "aggregate") => {
                self.state_of(&on)?;
                Some(Node::Table(on.with_unknown_values()))
            }
            (Node::Windowed(on, window), "count" | "reduce" | "aggregate") => {
                Some(Node::Table(self.windowed(on, window)?))
            }
            (Node::Grouped(on), "cogroup") => Some(Node::Cogrouped(on)),
            (Node::Cogrouped(on), "cogroup") => {
                let Node::Grouped(other) = self.node(statement, "other")? else { return Err(UNKNOWN) };
                Some(Node::Cogrouped(on.and(&other)))
            }
            (Node::Grouped(on) | Node::Cogrouped(on), "windowed_by") => {
                self.looks_at_times(&[&on])?;
                let kind = statement.object("windows").and_then(|windows| windows.text("type"));
                Some(Node::Windowed(
                    on,
                    Window {
                        overlapping: kind != Some("tumbling"),
                        looks_back: matches!(kind, Some("sliding" | "session")),
                    },
                ))
            }
            (Node::Windowed(..), "emit_strategy") if statement.text("strategy") == Some("on_window_close") => {
                return Err(AT_CLOSING);
            }
            (on @ Node::Windowed(..), "emit_strategy") => Some(on),
            _ => return Err(UNKNOWN),
        })
    }
}

/// The numbers of all fields that end in `_ms`.
fn numbers_of_ms(statement: &str) -> impl Iterator<Item = i64> {
    let digits = |rest: &str| rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    statement.split("_ms\":").skip(1).filter_map(move |rest| rest.get(..digits(rest))?.parse().ok())
}

/// Sorts records by time and lets no two have the same: what is still in a store for one of them depends on whether the other has
/// come, and that may be to another task.
fn in_order(records: &mut [Input]) {
    records.sort_by_key(|record| record.timestamp);
    let mut last = i64::MIN;
    for record in records {
        record.timestamp = record.timestamp.max(last.saturating_add(1));
        last = record.timestamp;
    }
}
