//! Metrics: few and cheap, to whatever recorder the process has installed with the crate `metrics`.
//!
//! | name | kind | what |
//! |---|---|---|
//! | `headwater_records_consumed_total` | counter | records fetched from input topics |
//! | `headwater_records_processed_total` | counter | records that went through a topology |
//! | `headwater_dropped_records_total` | counter by `task` | records left out: late, null, or let pass by a handler (Java's `dropped-records-total`) |
//! | `headwater_abandoned_records_total` | counter | records that were not sent when their tasks were lost |
//! | `headwater_task_commits_total` | counter | tasks committed |
//! | `headwater_commit_seconds` | histogram by `thread` | how long the thread processed nothing because of a commit (Java's `commit-latency-avg` and `-max`) |
//! | `headwater_tasks_restored_total` | counter | active tasks whose stores were restored |
//! | `headwater_tasks_active`, `headwater_tasks_standby` | gauges by `thread` | tasks assigned |
//! | `headwater_thread_running` | gauge by `thread` | 1 while the thread processes |
//! | `headwater_global_records_total` | counter | records applied to global stores |
//! | `headwater_global_lag_records` | gauge by `topic`, `partition` | how many offsets a global store is behind its topic |
//!
//! Nodes tell what nobody else sees, on the level `DEBUG` on which Java records it. A histogram's mean and maximum are Java's
//! `-avg` and `-max`:
//!
//! | name | kind | what |
//! |---|---|---|
//! | `headwater_suppression_emit_total` | counter by `task`, `node` | changes that a suppression handed on (`suppression-emit-total`) |
//! | `headwater_suppression_buffer_records` | histogram by `task`, `store` | how many changes wait, after each change of it (`suppression-buffer-count`) |
//! | `headwater_suppression_buffer_bytes` | histogram by `task`, `store` | what they weigh (`suppression-buffer-size`) |
//!
//! As in Java since 2.5 (KIP-444), dropped records are counted by task only, not by node.

use std::time::Duration;

use headwater_record::TopicPartition;
use headwater_topology::TaskId;
use metrics::{counter, gauge, histogram};

use crate::instance::ThreadState;

pub(crate) fn records_consumed(count: usize) {
    counter!("headwater_records_consumed_total").increment(count as u64);
}

pub(crate) fn records_processed(count: usize) {
    counter!("headwater_records_processed_total").increment(count as u64);
}

pub(crate) fn records_dropped(task: TaskId, count: u64) {
    counter!("headwater_dropped_records_total", "task" => task.to_string()).increment(count);
}

pub(crate) fn records_abandoned(count: u64) {
    counter!("headwater_abandoned_records_total").increment(count);
}

pub(crate) fn committed(tasks: usize) {
    counter!("headwater_task_commits_total").increment(tasks as u64);
}

pub(crate) fn commit_took(thread: usize, time: Duration) {
    histogram!("headwater_commit_seconds", "thread" => thread.to_string()).record(time);
}

pub(crate) fn task_restored() {
    counter!("headwater_tasks_restored_total").increment(1);
}

pub(crate) fn global_records(count: u64) {
    counter!("headwater_global_records_total").increment(count);
}

pub(crate) fn global_lag(partition: &TopicPartition, lag: u64) {
    let (topic, partition) = (partition.topic.to_string(), partition.partition.to_string());
    gauge!("headwater_global_lag_records", "topic" => topic, "partition" => partition).set(lag as f64);
}

pub(crate) fn tasks_assigned(thread: usize, active: usize, standby: usize) {
    let thread = thread.to_string();
    gauge!("headwater_tasks_active", "thread" => thread.clone()).set(active as f64);
    gauge!("headwater_tasks_standby", "thread" => thread).set(standby as f64);
}

pub(crate) fn thread_state(thread: usize, state: ThreadState) {
    let running = f64::from(u8::from(state == ThreadState::Running));
    gauge!("headwater_thread_running", "thread" => thread.to_string()).set(running);
}
