//! The sentences: what a task told of itself, and why nothing comes of it. Pure.

use std::time::Duration;

use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::{Held, HoldKind, Idle};

use crate::instance::utc::{Span, Utc};
use crate::instance::{InputProgress, NodeMetadata, TaskMetadata, TaskPhase};

/// A partition from which nothing came for so long is told of.
const IDLE: Duration = Duration::from_secs(2);

/// Why `node` hands nothing on in `task`, what weighs most first.
pub(crate) fn why_nothing(task: &TaskMetadata, node: &NodeMetadata, at: Timestamp) -> Vec<String> {
    if task.phase != TaskPhase::Running {
        return vec![not_processing(task)];
    }
    let mut reasons = Vec::new();
    let buffered: usize = task.inputs.values().map(|input| input.buffered).sum();
    for (partition, since) in &task.waits_for {
        reasons.push(format!(
            "{partition} holds the task back since {} ({}): it is empty here, and {buffered} records of other partitions wait until something comes from it or nothing can (max.task.idle.ms)",
            Utc(*since),
            Span(at.since(*since)),
        ));
    }
    let goes_on = node.held.is_some_and(|held| held.idle.is_some());
    reasons.extend(inputs(task, goes_on, at));
    if node.taken == 0 {
        let passed = task.nodes.values().any(|other| other.taken > 0);
        let others = if passed { "; other nodes of the task took some: see what those above it leave out" } else { "" };
        reasons.push(format!("no record has come to it since the task began here{others}"));
    }
    for (reason, count) in &node.dropped {
        reasons.push(format!("{count} records were left out: {reason}"));
    }
    reasons.extend(node.held.as_ref().map(held));
    reasons
}

fn not_processing(task: &TaskMetadata) -> String {
    let phase = task.phase;
    let Some(restore) = task.restore else { return format!("the task is {phase}, and processes nothing") };
    let left = restore.remaining.map_or_else(|| "an unknown number of".to_owned(), |left| left.to_string());
    let time = restore.time_left.map_or_else(String::new, |time| format!(", which takes about {}", Span(time)));
    format!(
        "the task is {phase}, and processes nothing: {left} records to restore, {} a second{time}",
        restore.per_second
    )
}

/// Which partitions stand still, and which are behind.
fn inputs(task: &TaskMetadata, goes_on: bool, at: Timestamp) -> Vec<String> {
    let stands = |input: &InputProgress| input.since.is_known() && at.since(input.since) >= IDLE;
    let is_done = |input: &InputProgress| input.buffered == 0 && input.lag() == Some(0);
    let all: Vec<(&TopicPartition, &InputProgress)> = task.inputs.iter().collect();
    let idle: Vec<_> = all.iter().filter(|(_, input)| stands(input) && is_done(input)).collect();
    let shown = |(partition, input): &&(&TopicPartition, &InputProgress)| {
        format!("{partition} since {} ({})", Utc(input.since), Span(at.since(input.since)))
    };
    let mut reasons = Vec::new();
    if !idle.is_empty() {
        let names: Vec<String> = idle.iter().map(shown).collect();
        let ends = if idle.len() == all.len() && goes_on {
            "so no record moves stream time on"
        } else if idle.len() == all.len() {
            "so stream time stands still: a window that is open stays open until a later record comes to this task"
        } else {
            "so they do not move stream time on"
        };
        reasons.push(format!("no records come from {}, {ends}", names.join(" and ")));
    }
    for (partition, input) in &all {
        if let Some(lag) = input.lag().filter(|lag| *lag > 0) {
            reasons.push(format!("{partition} has {lag} records that are not processed yet"));
        }
    }
    reasons
}

/// What is kept back, and until when.
fn held(held: &Held) -> String {
    if !held.stream_time.is_known() {
        return "its stream time is not known: no record has come to it yet".to_owned();
    }
    let waiting = match (held.records, held.bytes) {
        (Some(records), Some(bytes)) => format!("{records} records wait ({bytes} bytes); "),
        (Some(records), None) => format!("about {records} records wait; "),
        _ => String::new(),
    };
    let now = format!("its stream time is {}", Utc(held.stream_time));
    let next = match (held.due, held.kind) {
        (Some(due), _) if due <= held.stream_time => "what is due comes with the next record".to_owned(),
        (Some(due), kind) => {
            let what = match kind {
                HoldKind::WindowFinals => "the next window closes",
                HoldKind::WindowUpdates => "the next window takes no more records",
                _ => "the first of them is due",
            };
            let ahead = Span(due.since(held.stream_time));
            format!("{what} at stream time {}, {ahead} later", Utc(due))
        }
        (None, _) if held.records == Some(0) => "nothing waits".to_owned(),
        (None, HoldKind::StreamJoin) if held.records.is_none() => return now,
        (None, _) => {
            let wait = Span(Duration::from_millis(u64::try_from(held.wait_ms).unwrap_or(0)));
            format!("a window closes when that is {wait} past its end")
        }
    };
    let idle = held.idle.map(goes_on).unwrap_or_default();
    format!("{waiting}{now}; {next}{idle}")
}

/// What happens when no records come.
fn goes_on(idle: Idle) -> String {
    let after = Span(idle.after);
    let closes = idle.closes.map(|at| format!(", and that is done at {} if none comes", Utc(at)));
    format!("; after {after} without records it goes on with the clock on the wall{}", closes.unwrap_or_default())
}
