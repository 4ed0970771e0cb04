//! How far an application came, from its metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A recorder that counts the records that went through topologies, and keeps how long commits took; other metrics go nowhere.
/// Clones count together.
#[derive(Debug, Default, Clone)]
pub struct Progress {
    processed: Arc<AtomicU64>,
    commits: Arc<Commits>,
}

/// When each commit ended, and how long it took, milliseconds.
#[derive(Debug, Default)]
struct Commits(Mutex<Vec<(Instant, f64)>>);

impl HistogramFn for Commits {
    #[allow(clippy::disallowed_methods, reason = "it measures")]
    fn record(&self, seconds: f64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), seconds * 1e3));
    }
}

/// How long stream threads processed nothing because of a commit, milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommitPauses {
    /// On average.
    pub mean: f64,
    /// 99 of 100 were shorter.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Progress {
    /// Records processed so far, those of internal topics too.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// How long commits took that ended after `since`.
    pub fn commits(&self, since: Instant) -> CommitPauses {
        let commits = self.commits.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut took: Vec<f64> = commits.iter().filter(|(at, _)| *at > since).map(|(_, took)| *took).collect();
        took.sort_unstable_by(f64::total_cmp);
        let at = |place: usize| took.get(place).copied().unwrap_or_default();
        CommitPauses {
            mean: took.iter().sum::<f64>() / took.len().max(1) as f64,
            p99: at(took.len() * 99 / 100),
            max: at(took.len().saturating_sub(1)),
        }
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
