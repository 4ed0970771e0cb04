//! The operators of streams and tables, as the rule sees them.

use super::advance::Advance;
use super::flow::{Arrival, Flow, Keys, Told, Ways};
use super::reason::{
    DELAYED, FORGOTTEN, LAST_ROWS, NO_END, OWN_TIMES, PUNCTUATION, Reason, TWO_WAYS, UNKNOWN, UNTIMELY, WAITING,
    WALL_CLOCK,
};
use super::rule::{Node, Walk, Window};
use crate::scenario::Spec;

/// Only those for which a predicate is what it should be.
fn filtered(on: &Flow, predicate: Option<&str>, holds: bool) -> Flow {
    let advance = on.advance.filtered(predicate.unwrap_or_default(), holds);
    Flow { advance, ..on.clone() }
}

/// With values from an expression.
fn valued(on: Flow, value: Option<&str>) -> Flow {
    Flow { advance: on.advance.valued(value.unwrap_or_default()), ..on }
}

/// What an operator that looks at one row after the other makes of a table.
pub(super) fn table_operator(statement: Spec<'_>, on: Flow) -> Result<Flow, Reason> {
    match statement.op() {
        "filter" | "filter_not" => {
            // What a filter has told last, it knows from the old row.
            on.has_last_rows()?;
            Ok(filtered(&on, statement.text("predicate"), statement.op() == "filter"))
        }
        "map_values" | "transform_values" => Ok(valued(on, statement.text("value"))),
        _ => Err(UNKNOWN),
    }
}

impl<'a> Walk<'a> {
    /// What topics of the input bring.
    pub(super) fn source(&mut self, statement: Spec<'a>) -> Result<Flow, Reason> {
        let consumed = statement.object("consumed");
        let serde = |name, default: &str| consumed.and_then(|it| it.text(name)).or_else(|| self.setting(default));
        let (key, value) = (serde("key", "default.key.serde"), serde("value", "default.value.serde"));
        let records = Advance::of_topic(key, value, self.partitions);
        let mut flow: Option<Flow> = None;
        for topic in statement.text("topic").into_iter().chain(statement.texts("topics")) {
            if self.sources.iter().all(|(source, _)| *source != topic) {
                self.sources.push((topic, records.clone()));
            }
            let of_topic = Flow::of(topic, records.clone());
            flow = Some(flow.map_or(of_topic.clone(), |flow| flow.and(&of_topic)));
        }
        flow.ok_or(UNKNOWN)
    }

    /// An operator looks at the times of records: they are in the order of the input.
    pub(super) fn looks_at_times(&mut self, flows: &[&Flow]) -> Result<(), Reason> {
        self.is_timed = true;
        if flows.iter().all(|flow| flow.timely) { Ok(()) } else { Err(UNTIMELY) }
    }

    pub(super) fn repartitioned(&mut self, on: Flow) -> Flow {
        self.repartitions += 1;
        on.repartitioned(self.repartitions)
    }

    pub(super) fn repartitioned_if_marked(&mut self, on: Flow) -> Flow {
        if on.keys == Keys::InPlace { on } else { self.repartitioned(on) }
    }

    /// A state that is made of these records is defined.
    pub(super) fn state_of(&mut self, on: &Flow) -> Result<(), Reason> {
        on.fills_state()?;
        self.is_at_once &= on.arrival == Arrival::InLine;
        Ok(())
    }

    /// What a topic is told.
    pub(super) fn sink(&mut self, statement: Spec<'a>, on: &Flow) -> Result<(), Reason> {
        let topic = statement.text("topic").ok_or(UNKNOWN)?;
        match self.told.insert(topic, Some(on.told)) {
            Some(before) if before != Some(Told::All) || on.told != Told::All => Err(LAST_ROWS),
            _ => Ok(()),
        }
    }

    /// The branches: each has what those before it did not take.
    pub(super) fn split(&mut self, statement: Spec<'a>, on: &Flow) -> Result<(), Reason> {
        let mut rest = on.clone().in_full()?;
        for branch in statement.objects("branches") {
            let predicate = branch.text("predicate");
            if let Some(id) = branch.text("id") {
                self.nodes.insert(id, Node::Stream(filtered(&rest, predicate, true)));
            }
            rest = filtered(&rest, predicate, false);
        }
        if let Some(id) = statement.object("default").and_then(|default| default.text("id")) {
            self.nodes.insert(id, Node::Stream(rest));
        }
        Ok(())
    }

    pub(super) fn stream_operator(&mut self, statement: Spec<'a>, on: Flow) -> Result<Flow, Reason> {
        Ok(match statement.op() {
            "peek" | "foreach" | "print" => on,
            "map_values" => valued(on, statement.text("value")),
            "filter" | "filter_not" => {
                filtered(&on.in_full()?, statement.text("predicate"), statement.op() == "filter")
            }
            "select_key" => on.in_full()?.rekeyed(statement.text("key").unwrap_or_default()),
            "map" => {
                let of = |name| statement.text(name).unwrap_or_default();
                let advance = on.advance.keyed_and_valued(of("key"), of("value"));
                Flow { advance, ..on.in_full()?.rekeyed(of("key")) }
            }
            "flat_map_values" => {
                let is_repeated = statement.text("list").is_some_and(|list| list.starts_with("v > repeat:"));
                Flow { many: true, ..on.in_full()?.joined(is_repeated) }
            }
            "flat_map" => Flow { many: true, ..on.in_full()?.rekeyed("") },
            "merge" => {
                let Node::Stream(other) = self.node(statement, "other")? else { return Err(UNKNOWN) };
                on.in_full()?.and(&other.in_full()?)
            }
            "repartition" => self.repartitioned(on.in_full()?),
            "process" => Flow { keys: on.keys.max(Keys::Marked), ..self.processor(statement, on)? },
            "process_values" => self.processor(statement, on)?,
            _ => return Err(UNKNOWN),
        })
    }

    pub(super) fn processor(&mut self, statement: Spec<'a>, on: Flow) -> Result<Flow, Reason> {
        let processor = statement.object("processor").ok_or(UNKNOWN)?;
        match processor.text("type") {
            Some("forward" | "header") => Ok(on),
            Some("emit") => Ok(Flow { many: true, ..on.in_full()?.with_unknown_values() }),
            Some("map") if processor.has("key") => Err(UNKNOWN),
            Some("map") => {
                // It may look at headers.
                let on = if on.told == Told::Bare { Err(DELAYED) } else { on.in_full() }?;
                let timely = on.timely && !processor.has("ts_plus");
                Ok(Flow { timely, ..valued(on, processor.text("value")) })
            }
            Some("dedup") => {
                self.state_of(&on)?;
                Ok(on.joined(false))
            }
            Some("counter" | "timestamped_writer") => {
                self.state_of(&on)?;
                Ok(on.with_unknown_values())
            }
            Some("count_and_punctuate" | "tick" | "ttl") if processor.text("clock") == Some("wall") => Err(WALL_CLOCK),
            Some("count_and_punctuate" | "tick" | "ttl") => Err(PUNCTUATION),
            Some("times" | "metadata") => Err(OWN_TIMES),
            _ => Err(UNKNOWN),
        }
    }

    /// Stream time surely advances wherever these records come.
    fn closes(&mut self, on: &Flow) -> Result<(), Reason> {
        (self.has_end, self.is_at_once) = (true, false);
        if on.advance.covers(self.partitions) { Ok(()) } else { Err(NO_END) }
    }

    pub(super) fn windowed(&mut self, on: Flow, window: Window) -> Result<Flow, Reason> {
        self.state_of(&on)?;
        if window.looks_back && on.is_in_several_places() {
            return Err(FORGOTTEN);
        }
        Ok(Flow { many: on.many || window.overlapping, ..on.in_windows() })
    }

    pub(super) fn suppress(&mut self, statement: Spec<'a>, on: Flow) -> Result<Flow, Reason> {
        self.looks_at_times(&[&on])?;
        let suppressed = statement.object("suppressed").ok_or(UNKNOWN)?;
        if !suppressed.is("unbounded") && suppressed.text("when_full") != Some("emit") {
            return Err(UNKNOWN);
        }
        self.state_of(&on)?;
        self.closes(&on)?;
        let told = match suppressed.text("until") {
            Some("window_closes") => Told::All,
            // A record of the end takes the place of one that waits.
            Some("time_limit") if !on.advance.has_own_keys => return Err(NO_END),
            Some("time_limit") => Told::Last,
            _ => return Err(UNKNOWN),
        };
        Ok(on.delayed(told))
    }

    pub(super) fn stream_join(&mut self, statement: Spec<'a>, on: Flow) -> Result<Flow, Reason> {
        let is_inner = statement.op() == "join";
        match self.node(statement, "other")? {
            Node::Stream(other) => {
                self.is_at_once = false;
                self.looks_at_times(&[&on, &other])?;
                let (on, other) = (self.repartitioned_if_marked(on), self.repartitioned_if_marked(other));
                on.is_looked_up()?;
                other.is_looked_up()?;
                let both = Flow { many: true, ..on.and(&other) };
                if is_inner {
                    // A pair has the headers of the record that comes second.
                    let told = if on.ways(&other) == Ways::Twice { both.told.max(Told::Bare) } else { both.told };
                    return Ok(Flow { told, ..both.joined(false) });
                }
                self.closes(&both)?;
                Ok(both.delayed(Told::Bare))
            }
            // How far back its table remembers when it looks depends on what else has come to both.
            Node::Table(_) if statement.object("joined").is_some_and(|joined| joined.has("grace_ms")) => Err(WAITING),
            Node::Table(table) => {
                let on = self.repartitioned_if_marked(on);
                on.is_looked_up()?;
                self.is_at_once = false;
                match on.ways(&table) {
                    // Between two steps a table is what its last rows are.
                    Ways::Apart => table.has_last_rows()?,
                    Ways::InTurn => table.fills_state()?,
                    Ways::Twice => return Err(TWO_WAYS),
                }
                Ok(on.joined(!is_inner))
            }
            Node::Global if on.told == Told::Last => Err(LAST_ROWS),
            Node::Global if on.arrival == Arrival::Delayed => Err(DELAYED),
            Node::Global => {
                self.is_at_once = false;
                Ok(on.joined(!is_inner))
            }
            _ => Err(UNKNOWN),
        }
    }

    pub(super) fn table_join(&mut self, statement: Spec<'a>, on: Flow) -> Result<Flow, Reason> {
        let Node::Table(other) = self.node(statement, "other")? else { return Err(UNKNOWN) };
        self.is_at_once = false;
        let ways = on.ways(&other);
        if statement.has("foreign_key") {
            self.state_of(&on)?;
            self.state_of(&other)?;
            // A row that goes while the one that points at it changes may leave its result behind, in Java too; a left join is told.
            if ways != Ways::Apart && statement.op() == "join" {
                return Err(TWO_WAYS);
            }
            // One side goes to the other's partition, and the answer back, which finds that row or the next one of the same step.
            let is_in_full = ways == Ways::Apart && !on.many;
            let (on, other) = (self.repartitioned(on), self.repartitioned(other));
            let both = on.and(&other).spread().joined(false);
            return Ok(if is_in_full { both } else { Flow { told: Told::Last, ..both } });
        }
        // The last row is made of the last rows of both, whichever came first.
        let is_in_full = ways != Ways::Twice && on.fills_state().is_ok() && other.fills_state().is_ok();
        if !is_in_full {
            on.has_last_rows()?;
            other.has_last_rows()?;
        }
        let both = on.and(&other).with_unknown_values();
        let advance = match statement.op() {
            "left_join" => on.advance.with_unknown_values(),
            "outer_join" => both.advance.clone(),
            _ => both.advance.clone().perhaps(),
        };
        let told = if is_in_full { both.told } else { Told::Last };
        Ok(Flow { told, advance, ..both })
    }
}
