//! Which consumer of a process gets which of the process's tasks (Java's `assignTasksToThreads`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use headwater_topology::TaskId;

use super::ClientView;

/// Tasks by consumer.
pub(super) type Dealt = BTreeMap<String, BTreeSet<TaskId>>;

/// How many tasks each consumer has so far, over all kinds of tasks.
pub(super) type Load = BTreeMap<String, usize>;

/// Deals `tasks` so that with what is in `load` no consumer has two more than another. A consumer keeps those it has, as far as it
/// can; consumers that had none take the others in turn, so that the tasks of one sub-topology spread.
///
/// Java keeps only stateful tasks where they are; keeping the stateless ones as well spares a hand-over.
pub(super) fn deal(client: &ClientView, tasks: &BTreeSet<TaskId>, load: &mut Load) -> Dealt {
    let mut dealt: Dealt = client.consumers.keys().map(|consumer| (consumer.clone(), BTreeSet::new())).collect();
    let mut rest = tasks.clone();
    let total = tasks.len() + load.values().sum::<usize>();
    let least = total.checked_div(client.consumers.len()).unwrap_or_default();
    let mut skipped: BTreeMap<TaskId, &str> = BTreeMap::new();
    let mut to_fill: VecDeque<&str> = VecDeque::new();
    for (name, consumer) in &client.consumers {
        let room = least.saturating_sub(load.get(name).copied().unwrap_or_default());
        let mine = dealt.entry(name.clone()).or_default();
        for task in previous(consumer, client) {
            if !rest.contains(&task) {
                continue;
            }
            if mine.len() < room {
                mine.insert(task);
                rest.remove(&task);
            } else {
                skipped.insert(task, name);
            }
        }
        if mine.len() < room {
            to_fill.push_back(name);
        }
    }
    while let Some(name) = to_fill.pop_front()
        && let Some(task) = rest.pop_first()
    {
        let mine = dealt.entry(name.to_owned()).or_default();
        mine.insert(task);
        if mine.len() + load.get(name).copied().unwrap_or_default() < least {
            to_fill.push_back(name);
        }
    }
    let count = |dealt: &Dealt, name: &str| {
        dealt.get(name).map_or(0, BTreeSet::len) + load.get(name).copied().unwrap_or_default()
    };
    let mut at_least: Vec<&str> =
        client.consumers.keys().map(String::as_str).filter(|name| count(&dealt, name) == least).collect();
    let returned = skipped.into_iter().filter_map(|(task, name)| {
        let position = at_least.iter().position(|other| *other == name)?;
        rest.remove(&task).then(|| (at_least.remove(position), task))
    });
    let returned: Vec<(&str, TaskId)> = returned.collect();
    for (name, task) in returned.into_iter().chain(at_least.into_iter().zip(rest)) {
        dealt.entry(name.to_owned()).or_default().insert(task);
    }
    for (name, tasks) in &dealt {
        *load.entry(name.clone()).or_default() += tasks.len();
    }
    dealt
}

/// A consumer's previous tasks: those it runs, then those it has state of and no other consumer of its process runs, the least lag
/// first. Were one that another runs among them, both would ask for it in turn and never come to rest.
fn previous(consumer: &super::ConsumerView, client: &ClientView) -> Vec<TaskId> {
    let lag = |task: &TaskId| client.lags.get(task).copied().flatten().unwrap_or(i64::MAX);
    let mut others: Vec<TaskId> =
        consumer.offset_sums.keys().filter(|task| !client.is_active(**task)).copied().collect();
    others.sort_by_key(|task| (lag(task), *task));
    consumer.active.iter().copied().chain(others).collect()
}
