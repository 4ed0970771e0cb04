//! Metrics: few and cheap, to whatever recorder the process has installed with the crate `metrics`. [`METRICS`] says what there is, and
//! `docs/metrics.md` shows it.

mod table;

use std::time::Duration;

use headwater_record::TopicPartition;
use headwater_topology::TaskId;
use metrics::{counter, gauge, histogram};

pub(crate) use self::table::describe;
pub use self::table::{METRICS, Metric, MetricKind};
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

pub(crate) fn dead_letters(task: TaskId, count: u64) {
    counter!("headwater_dead_letters_total", "task" => task.to_string()).increment(count);
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

/// A stream thread has no tasks any more.
pub(crate) fn thread_has_ended(thread: usize) {
    tasks_assigned(thread, 0, 0);
    thread_state(thread, ThreadState::Dead);
}
