//! How far an application came, from its metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A recorder that counts the records that went through topologies, and keeps how long commits took; other metrics go nowhere.
/// Clones count together.
#[derive(Debug, Default, Clone)]
pub struct Progress {
    processed: Arc<AtomicU64>,
    commits: Arc<Commits>,
}

/// How many commits there were, and the time of all and of the longest, microseconds.
#[derive(Debug, Default)]
struct Commits {
    count: AtomicU64,
    sum: AtomicU64,
    longest: AtomicU64,
}

impl HistogramFn for Commits {
    fn record(&self, seconds: f64) {
        let micros = (seconds * 1e6) as u64;
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
        self.longest.fetch_max(micros, Ordering::Relaxed);
    }
}

impl Progress {
    /// Records processed so far, those of internal topics too.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// How long stream threads processed nothing because of a commit, on average and at most, milliseconds.
    pub fn commit_ms(&self) -> (f64, f64) {
        let [count, sum, longest] = [&self.commits.count, &self.commits.sum, &self.commits.longest]
            .map(|number| number.load(Ordering::Relaxed) as f64);
        (sum / count.max(1.0) / 1e3, longest / 1e3)
    }
}

impl Recorder for Progress {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "headwater_records_processed_total" {
            return Counter::from_arc(Arc::clone(&self.processed));
        }
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "headwater_commit_seconds" {
            return Histogram::from_arc(Arc::clone(&self.commits));
        }
        Histogram::noop()
    }
}
