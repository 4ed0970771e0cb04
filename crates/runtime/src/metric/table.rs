//! What is counted: the table of `docs/metrics.md`, and what a recorder is told of it.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// How a metric is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It says what is now.
    Gauge,
    /// It says how the values that were recorded are distributed; its mean and maximum are Java's `-avg` and `-max`.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is kept.
    pub kind: MetricKind,
    /// In what it is counted.
    pub unit: Unit,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// Whether it is recorded on the level `DEBUG` only, as Java records it.
    pub debug: bool,
    /// What it says.
    pub doc: &'static str,
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: Unit,
    labels: &'static [&'static str],
    doc: &'static str,
) -> Metric {
    Metric { name, kind, unit, labels, debug: false, doc }
}

const fn of_nodes(metric: Metric) -> Metric {
    Metric { debug: true, ..metric }
}

use MetricKind::{Counter, Gauge, Histogram};

/// All metrics of stream threads, the global thread and nodes.
pub const METRICS: [Metric; 16] = [
    metric(
        "headwater_abandoned_records_total",
        Counter,
        Unit::Count,
        &[],
        "Records that were not sent when their tasks were lost.",
    ),
    metric(
        "headwater_commit_seconds",
        Histogram,
        Unit::Seconds,
        &["thread"],
        "How long the thread processed nothing because of a commit (Java's `commit-latency-avg` and `-max`).",
    ),
    metric(
        "headwater_dead_letters_total",
        Counter,
        Unit::Count,
        &["task"],
        "Records that exception handlers sent to a topic of dead letters.",
    ),
    metric(
        "headwater_dropped_records_total",
        Counter,
        Unit::Count,
        &["task"],
        "Records left out: late, null, or let pass by a handler (Java's `dropped-records-total`; by task only, as since KIP-444).",
    ),
    metric(
        "headwater_global_lag_records",
        Gauge,
        Unit::Count,
        &["topic", "partition"],
        "How many offsets a global store is behind its topic; 0 once its thread has ended.",
    ),
    metric("headwater_global_records_total", Counter, Unit::Count, &[], "Records applied to global stores."),
    metric("headwater_records_consumed_total", Counter, Unit::Count, &[], "Records fetched from input topics."),
    metric("headwater_records_processed_total", Counter, Unit::Count, &[], "Records that went through a topology."),
    of_nodes(metric(
        "headwater_suppression_buffer_bytes",
        Histogram,
        Unit::Bytes,
        &["task", "store"],
        "What the changes weigh that wait, after each change of it (`suppression-buffer-size`).",
    )),
    of_nodes(metric(
        "headwater_suppression_buffer_records",
        Histogram,
        Unit::Count,
        &["task", "store"],
        "How many changes wait, after each change of it (`suppression-buffer-count`).",
    )),
    of_nodes(metric(
        "headwater_suppression_emit_total",
        Counter,
        Unit::Count,
        &["task", "node"],
        "Changes that a suppression handed on (`suppression-emit-total`).",
    )),
    metric("headwater_task_commits_total", Counter, Unit::Count, &[], "Tasks committed."),
    metric(
        "headwater_tasks_active",
        Gauge,
        Unit::Count,
        &["thread"],
        "Active tasks of the thread; 0 once it has ended.",
    ),
    metric("headwater_tasks_restored_total", Counter, Unit::Count, &[], "Active tasks whose stores were restored."),
    metric(
        "headwater_tasks_standby",
        Gauge,
        Unit::Count,
        &["thread"],
        "Standby tasks of the thread; 0 once it has ended.",
    ),
    metric("headwater_thread_running", Gauge, Unit::Count, &["thread"], "1 while the thread processes, 0 otherwise."),
];

/// Tells the recorder of the process what there is.
pub(crate) fn describe() {
    for metric in METRICS {
        match metric.kind {
            Counter => describe_counter!(metric.name, metric.unit, metric.doc),
            Gauge => describe_gauge!(metric.name, metric.unit, metric.doc),
            Histogram => describe_histogram!(metric.name, metric.unit, metric.doc),
        }
    }
}
