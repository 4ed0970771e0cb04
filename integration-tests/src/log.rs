//! What an instance says of its tasks, read from its log.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// A task's name, such as `1_3`: sub-topology and partition.
pub type Task = String;

/// One line about a store that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The store's task.
    pub task: Task,
    /// The partition of its changelog.
    pub changelog: String,
    /// The changelog's offset from which it was read.
    pub from: i64,
    /// The offset before which it was complete.
    pub to: i64,
    /// How many records were read.
    pub records: i64,
}

/// All stores that an instance has restored, in order.
pub fn restored(log: &[String]) -> Result<Vec<Restored>> {
    let lines = log.iter().filter(|line| line.contains("restored a store"));
    lines.map(|line| parse_restored(line).with_context(|| line.clone())).collect()
}

fn parse_restored(line: &str) -> Option<Restored> {
    let number = |name: &str| field(line, name)?.parse().ok();
    let (task, changelog) = (field(line, "task")?, field(line, "changelog")?);
    Some(Restored { task, changelog, from: number("from")?, to: number("to")?, records: number("records")? })
}

/// Where each task's changelog was first read from.
pub fn began_at(log: &[String]) -> BTreeMap<Task, i64> {
    let mut began = BTreeMap::new();
    for line in log.iter().filter(|line| line.contains("restored a store") || line.contains("following the changelog"))
    {
        if let (Some(task), Some(from)) = (field(line, "task"), field(line, "from").and_then(|from| from.parse().ok()))
        {
            began.entry(task).or_insert(from);
        }
    }
    began
}

/// The active tasks that an instance was assigned last, and those of them whose stores it has restored since it has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// The active tasks of the last assignment.
    pub active: BTreeSet<Task>,
    /// The standby tasks of the last assignment.
    pub standby: BTreeSet<Task>,
    /// Those of the active tasks with a store that is complete.
    pub restored: BTreeSet<Task>,
}

impl Tasks {
    /// Reads them from a log.
    pub fn last_in(log: &[String]) -> Self {
        let mut tasks = Tasks::default();
        for line in log {
            if line.contains("tasks assigned") {
                tasks.active = list(line, "active");
                tasks.standby = list(line, "standby");
                tasks.restored.retain(|task| tasks.active.contains(task));
            } else if line.contains("restored a store") {
                tasks.restored.extend(field(line, "task").filter(|task| tasks.active.contains(task)));
            }
        }
        tasks
    }

    /// Those of the Java word count, which tells them when they process.
    pub fn running_in_java(log: &[String]) -> Self {
        let last = log.iter().rev().find(|line| line.starts_with("tasks "));
        let Some(line) = last.filter(|line| line.starts_with("tasks running")) else { return Tasks::default() };
        let active = list(line, "active");
        Tasks { restored: active.clone(), active, standby: list(line, "standby") }
    }

    /// Whether those active tasks that have a store (of all sub-topologies but the first) are restored.
    pub fn is_restored(&self) -> bool {
        self.active.iter().filter(|task| !task.starts_with("0_")).all(|task| self.restored.contains(task))
    }

    /// The partitions of the active tasks of a sub-topology.
    pub fn of_part(&self, part: u32) -> BTreeSet<i32> {
        let prefix = format!("{part}_");
        self.active.iter().filter_map(|task| task.strip_prefix(&prefix)?.parse().ok()).collect()
    }
}

/// Whether all instances of a group have their final places: each has something to do, each of `count` tasks is with one of them,
/// and those with a store are restored there.
pub fn settled(instances: &[Tasks], count: usize) -> bool {
    let complete = |tasks: &Tasks| !tasks.active.is_empty() && tasks.is_restored();
    let all: BTreeSet<&Task> = instances.iter().flat_map(|tasks| &tasks.active).collect();
    let places: usize = instances.iter().map(|tasks| tasks.active.len()).sum();
    instances.iter().all(complete) && all.len() == count && places == count
}

/// The value of `name=value` in a line.
fn field(line: &str, name: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

/// The values of `name="one, two"` in a line.
fn list(line: &str, name: &str) -> BTreeSet<Task> {
    let values = line.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    let values = values.map_or("", |(values, _)| values);
    values.split(", ").filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_last_assignment_counts_and_a_task_that_went_must_be_restored_anew() {
        let mut lines = log(&[
            r#"INFO x: tasks assigned thread=1 active="0_0, 1_0, 1_1" standby="""#,
            "INFO x: restored a store task=1_0 store=\"s\" changelog=c-0 from=0 to=5 records=5",
            r#"INFO x: tasks assigned thread=1 active="0_0, 1_1" standby="1_0""#,
            r#"INFO x: tasks assigned thread=1 active="0_0, 1_0, 1_1" standby="""#,
            "INFO x: restored a store task=1_1 store=\"s\" changelog=c-1 from=2 to=5 records=3",
        ]);
        let tasks = Tasks::last_in(&lines);
        assert_eq!(tasks.of_part(1), BTreeSet::from([0, 1]));
        assert_eq!(tasks.restored, BTreeSet::from(["1_1".to_owned()]));
        lines.push(r#"INFO x: tasks assigned thread=1 active="" standby="1_0""#.to_owned());
        let tasks = Tasks::last_in(&lines);
        assert!(tasks.active.is_empty() && tasks.restored.is_empty());
        assert_eq!(tasks.standby, BTreeSet::from(["1_0".to_owned()]));
    }

    #[test]
    fn a_group_has_settled_when_every_task_has_one_place_and_its_state() {
        let tasks = |active: &[&str], restored: &[&str]| {
            let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Tasks { active: set(active), standby: BTreeSet::new(), restored: set(restored) }
        };
        let (one, other) = (tasks(&["0_0", "1_0"], &["1_0"]), tasks(&["0_1", "1_1"], &["1_1"]));
        assert!(settled(&[one.clone(), other.clone()], 4));
        assert!(!settled(&[one.clone(), other.clone(), Tasks::default()], 4));
        assert!(!settled(&[one.clone(), other, tasks(&["0_1"], &[])], 4));
        assert!(!settled(&[one.clone(), tasks(&["0_1", "1_1"], &[])], 4));
        assert!(!settled(&[one, tasks(&["0_1"], &[])], 4));
    }

    #[test]
    fn a_restored_store_tells_its_range() {
        let lines = log(&["INFO x: restored a store task=1_1 store=\"s\" changelog=c-1 from=2 to=5 records=3"]);
        let (task, changelog) = ("1_1".to_owned(), "c-1".to_owned());
        let expected = Restored { task, changelog, from: 2, to: 5, records: 3 };
        assert_eq!(restored(&lines).expect("well formed"), [expected]);
        assert!(restored(&log(&["restored a store task=1_1"])).is_err());
    }
}
