//! Runs one workload on headwater until its input is used up, then prints one JSON line: the contender of the side-by-side
//! benchmarks that `docs/benchmarks.md` describes.
//!
//! ```sh
//! peer passthrough --bootstrap localhost:9092 --in in --out out --app peer-1 --state-dir target/peer
//! ```
#![allow(clippy::print_stdout, reason = "the measurements go to standard output")]
#![allow(clippy::disallowed_methods, reason = "it measures")]

mod arguments;
mod input;
mod process;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use headwater::prelude::*;
use headwater::record::{Offset, TopicPartition};
use headwater::runtime::changelog::RestoreListener;
use headwater::runtime::{CloseOptions, State};
use headwater_benches::progress::Progress;
use headwater_benches::workload::{self, Topics};
use serde_json::json;

use crate::arguments::Arguments;
use crate::input::Input;

/// How often progress is looked at: it costs nothing that is measured.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Work that is not counted is done when nothing was processed for so long.
const QUIET: Duration = Duration::from_secs(15);

/// What serves is not measured before: the broker and all that is new are slow at first.
const WARMING_UP: Duration = Duration::from_secs(10);

/// How long closing may take.
const CLOSING: Duration = Duration::from_mins(5);

/// Counts the records that stores were restored from.
#[derive(Clone, Debug, Default)]
struct Restored(Arc<AtomicU64>);

impl RestoreListener for Restored {
    fn on_batch(&self, _: &TopicPartition, _: &str, _: Offset, records: u64) {
        self.0.fetch_add(records, Ordering::Relaxed);
    }
}

/// A contender while it runs.
struct Contender {
    began: Instant,
    running: Arc<OnceLock<Duration>>,
    restored: Restored,
    streams: KafkaStreams,
}

fn main() -> Result<()> {
    let began = Instant::now();
    let arguments = Arguments::parse()?;
    let progress = Progress::default();
    metrics::set_global_recorder(progress.clone())?;
    let input = Input::of(&arguments)?;
    let records = input.lag()?;
    let contender = Contender::start(&arguments, &input, began)?;
    if arguments.serve { contender.serve(&progress) } else { contender.drain(&arguments, &input, records, &progress) }
}

impl Contender {
    fn start(arguments: &Arguments, input: &Input, began: Instant) -> Result<Self> {
        let inputs: Vec<&str> = arguments.inputs.iter().map(String::as_str).collect();
        let partitions = inputs.first().map_or(0, |topic| input.partitions_of(topic));
        let topics = Topics { inputs: &inputs, output: arguments.output.as_deref(), partitions };
        let topology = workload::topology(&arguments.workload, topics)?;
        let running: Arc<OnceLock<Duration>> = Arc::default();
        let restored = Restored::default();
        let (ran, serves) = (Arc::clone(&running), arguments.serve);
        let streams = KafkaStreams::builder(topology)
            .application_id(&arguments.application)
            .bootstrap_servers(&arguments.bootstrap)
            .state_dir(&arguments.state_dir)
            .set_all(arguments.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            .restore_listener(restored.clone())
            .state_listener(move |_, state| {
                if state == State::Running {
                    ran.get_or_init(|| began.elapsed());
                }
                if serves {
                    let epoch_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
                    println!("{}", json!({ "event": state.to_string(), "epoch_ms": epoch_ms }));
                }
            })
            .start()?;
        Ok(Contender { began, running, restored, streams })
    }

    /// Runs until a signal ends it.
    fn serve(&self, progress: &Progress) -> Result<()> {
        self.streams.close_on_signals()?;
        self.streams.wait()?;
        let commits = progress.commits(self.began + WARMING_UP);
        println!(
            "{}",
            json!({
                "cpu_s": process::cpu_seconds()?,
                "rss_kib": process::peak_rss_kib()?,
                "running_ms": self.running_ms(),
                "restored": self.restored(),
                "commit_ms_mean": commits.mean,
                "commit_ms_p99": commits.p99,
                "commit_ms_max": commits.max,
            })
        );
        Ok(())
    }

    /// Runs until the input is used up: so many `records`.
    fn drain(&self, arguments: &Arguments, input: &Input, records: u64, progress: &Progress) -> Result<()> {
        let passes = workload::passes(&arguments.workload);
        let until = arguments.until.unwrap_or(records * passes);
        let mut first = None;
        let mut half = None;
        let is_counted = workload::is_counted(&arguments.workload);
        let mut changed = (0, Instant::now());
        let done = loop {
            let done = progress.processed();
            if done != changed.0 {
                changed = (done, Instant::now());
            }
            if first.is_none() && done > 0 {
                first = Some(self.elapsed_ms());
            }
            if half.is_none() && done >= until / 2 {
                half = Some((done, process::cpu_seconds()?));
            }
            let is_settled = is_counted || changed.1.elapsed() > QUIET;
            if done >= until && is_settled && self.running.get().is_some() {
                break done;
            }
            if self.streams.state().is_ending() {
                self.streams.wait()?;
                bail!("it ended after {done} of {until} records");
            }
            thread::sleep(LOOK_EVERY);
        };
        let drained = self.elapsed_ms();
        self.streams.close(CloseOptions::default().timeout(CLOSING))?;
        let cpu = process::cpu_seconds()?;
        let wall = self.began.elapsed();
        let commits = progress.commits(self.began);
        let lag = if arguments.until.is_none() { i64::try_from(input.lag()?)? } else { -1 };
        let (half_at, half_cpu) = half.context("the half was passed unseen")?;
        // Half of what is not counted nobody knows.
        let (half_at, half_cpu) = if is_counted { (half_at, half_cpu) } else { (done, cpu) };
        println!(
            "{}",
            json!({
                "workload": arguments.workload,
                "records": records,
                "wall_s": wall.as_secs_f64(),
                "cpu_s": cpu,
                "warm_records": (done - half_at) / passes,
                "warm_cpu_s": cpu - half_cpu,
                "rss_kib": process::peak_rss_kib()?,
                "first_record_ms": first,
                "running_ms": self.running_ms(),
                "drained_ms": drained,
                "restored": self.restored(),
                "commit_ms_mean": commits.mean,
                "commit_ms_p99": commits.p99,
                "commit_ms_max": commits.max,
                "lag": lag,
            })
        );
        Ok(())
    }

    fn elapsed_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn running_ms(&self) -> Option<u64> {
        self.running.get().map(|after| after.as_millis() as u64)
    }

    fn restored(&self) -> u64 {
        self.restored.0.load(Ordering::Relaxed)
    }
}
