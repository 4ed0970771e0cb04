//! What the instance tells of itself, as it is written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use headwater_record::{Offset, Timestamp, TopicPartition};
use headwater_runtime::StreamsConfig;
use headwater_runtime::application::{
    CacheUse, CommitMetadata, Explanation, Handle, Held, InputProgress, NodeMetadata, Rebalance, RestoreProgress,
    TaskExplanation, TaskMetadata, TaskRole, ThreadMetadata,
};
use headwater_runtime::changelog::StoreProgress;
use headwater_runtime::global::GlobalProgress;
use headwater_topology::TaskId;

use super::status;
use crate::wire;

/// What a setting is called whose value is nobody's business.
const SECRETS: [&str; 6] = ["password", "secret", "jaas", "credential", "token", "ssl.keystore.key"];

pub(crate) fn settings(config: &StreamsConfig) -> wire::Settings {
    let is_secret = |name: &str| SECRETS.iter().any(|secret| name.to_ascii_lowercase().contains(secret));
    let setting = |(name, value): (&str, &str)| wire::Setting {
        name: name.to_owned(),
        value: (!is_secret(name)).then(|| value.to_owned()),
    };
    wire::Settings { settings: config.iter().map(setting).collect() }
}

pub(crate) fn snapshot(handle: &Handle) -> wire::Snapshot {
    let snapshot = handle.snapshot();
    wire::Snapshot {
        at: snapshot.at.millis(),
        application_id: handle.config().application_id().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        health: status::health_of(snapshot.state, snapshot.health),
        threads: snapshot.threads.into_iter().map(thread).collect(),
        global_state: snapshot.global_state.map(|state| state.to_string()),
        globals: snapshot.globals.into_iter().map(global).collect(),
    }
}

pub(crate) fn threads(handle: &Handle) -> wire::Threads {
    wire::Threads { threads: handle.local_threads().into_iter().map(thread).collect() }
}

pub(crate) fn explanation(explanation: Explanation) -> wire::Explanation {
    let text = explanation.to_string();
    let task = |task: TaskExplanation| wire::TaskExplanation {
        task: task.task.to_string(),
        thread: task.thread,
        state: task.phase.to_string(),
        held: task.node.held.map(held),
        reasons: task.reasons,
    };
    let (node, at) = (explanation.node, explanation.at.millis());
    wire::Explanation { node, at, text, tasks: explanation.tasks.into_iter().map(task).collect() }
}

fn thread(thread: ThreadMetadata) -> wire::Thread {
    wire::Thread {
        number: thread.number,
        name: thread.name,
        state: thread.state.to_string(),
        since: thread.since.millis(),
        told: thread.told.millis(),
        processed: thread.processed,
        fetched: thread.fetched,
        sent: thread.sent,
        under_way: thread.under_way,
        commits: commits(thread.commits),
        rebalances: thread.rebalances.into_iter().map(rebalance).collect(),
        tasks: thread.tasks.iter().map(task).collect(),
    }
}

fn commits(commits: CommitMetadata) -> wire::Commits {
    wire::Commits { count: commits.count, last: commits.last.map(Timestamp::millis), took_ms: millis(commits.took) }
}

fn rebalance(rebalance: Rebalance) -> wire::Rebalance {
    wire::Rebalance {
        began: rebalance.began.millis(),
        reason: rebalance.reason,
        rounds: rebalance.rounds,
        assigned: rebalance.assigned.map(Timestamp::millis),
        ended: rebalance.ended.map(Timestamp::millis),
    }
}

fn task((id, task): (&TaskId, &TaskMetadata)) -> wire::Task {
    let role = match task.role {
        TaskRole::Active => "active",
        TaskRole::Standby => "standby",
        TaskRole::Leaving => "leaving",
    };
    let applied = task.stores.iter().map(|store| store.applied).sum();
    let cache = |(store, used): (&String, &CacheUse)| {
        (store.clone(), wire::Cache { entries: used.entries, hits: used.hits, misses: used.misses })
    };
    wire::Task {
        id: id.to_string(),
        role: role.to_owned(),
        state: task.phase.to_string(),
        stream_time: known(task.stream_time),
        inputs: task.inputs.iter().map(|(at, input)| self::input(task, at, input)).collect(),
        stores: task.stores.iter().map(progress).collect(),
        restore: task.restore.map(|restore| self::restore(restore, applied)),
        nodes: task.nodes.iter().map(|(name, counts)| node(name, counts)).collect(),
        dropped: by_text(&task.dropped),
        dead_letters: task.dead_letters,
        caches: task.caches.iter().map(cache).collect(),
        commits: task.commits,
    }
}

fn input(task: &TaskMetadata, at: &TopicPartition, progress: &InputProgress) -> wire::Input {
    wire::Input {
        topic: at.topic.to_string(),
        partition: at.partition,
        position: progress.position.map(Offset::value),
        committed: progress.committed.map(Offset::value),
        end: progress.end.map(Offset::value),
        lag: progress.lag(),
        buffered: progress.buffered,
        time: known(progress.partition_time),
        since: known(progress.since),
        waited_for: task.waits_for.get(at).map(|since| since.millis()),
    }
}

fn restore(restore: RestoreProgress, applied: u64) -> wire::Restore {
    wire::Restore {
        since: restore.since.millis(),
        moved: restore.moved.millis(),
        applied,
        remaining: restore.remaining,
        per_second: restore.per_second,
        time_left_ms: restore.time_left.map(millis),
    }
}

fn node(name: &str, counts: &NodeMetadata) -> wire::Node {
    wire::Node {
        name: name.to_owned(),
        taken: counts.taken,
        handed_on: by_text(&counts.handed_on),
        dropped: by_text(&counts.dropped),
        held: counts.held.map(held),
    }
}

fn held(held: Held) -> wire::Held {
    wire::Held {
        stream_time: known(held.stream_time),
        due: held.due.map(Timestamp::millis),
        records: held.records,
        bytes: held.bytes,
        idle_ms: held.idle.map(|idle| u64::try_from(idle.after.as_millis()).unwrap_or(u64::MAX)),
        closes: held.idle.and_then(|idle| idle.closes).map(Timestamp::millis),
    }
}

fn progress(store: &StoreProgress) -> wire::Lag {
    wire::Lag {
        store: store.name.clone(),
        partition: store.changelog.partition,
        position: store.position.map(Offset::value),
        committed: store.committed.map(Offset::value),
        end: store.end.map(Offset::value),
        lag: store.remaining(),
    }
}

fn global(global: GlobalProgress) -> wire::Lag {
    wire::Lag {
        lag: Some(global.lag()),
        partition: global.partition.partition,
        position: Some(global.position.value()),
        committed: None,
        end: Some(global.end.value()),
        store: global.store,
    }
}

fn by_text(counts: &BTreeMap<impl Display, u64>) -> BTreeMap<String, u64> {
    counts.iter().map(|(what, count)| (what.to_string(), *count)).collect()
}

fn known(time: Timestamp) -> Option<i64> {
    Some(time).filter(|time| time.is_known()).map(Timestamp::millis)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
