//! At-least-once on a real broker and RocksDB: a process stands still in the middle of its work for longer than its session, another
//! takes over and counts on, and when it goes on there is nobody left to put right what it writes. No count gets lower by it.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real programs on a real broker")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use headwater_integration_tests::lines::{Lines, count};
use nix::sys::signal::Signal;

const PARTITIONS: i32 = 3;
/// The shortest that a broker takes.
const SESSION: Duration = Duration::from_secs(6);
const WAKES: usize = 5;
/// Lines at a time, ten times a second.
const CHUNK: usize = 50;
/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(2);

struct Trial {
    broker: Broker,
    application: String,
    input: String,
    output: String,
    state: tempfile::TempDir,
}

impl Trial {
    fn new(broker: Broker) -> Result<Self> {
        let application = format!("zombies-{}", std::process::id());
        let (input, output) = (format!("{application}-lines"), format!("{application}-counts"));
        broker.make_topic(&input, PARTITIONS)?;
        broker.make_topic(&output, PARTITIONS)?;
        Ok(Trial { broker, application, input, output, state: tempfile::tempdir()? })
    }

    fn internal(&self, name: &str) -> String {
        format!("{}-KSTREAM-AGGREGATE-STATE-STORE-0000000003-{name}", self.application)
    }

    fn start(&self, fleet: &mut Fleet, number: usize) -> Result<()> {
        let settings = [
            format!("application.id={}", self.application),
            format!("state.dir={}", self.state.path().join(number.to_string()).display()),
            // So much is cached.
            "commit.interval.ms=2000".to_owned(),
            format!("session.timeout.ms={}", SESSION.as_millis()),
            "heartbeat.interval.ms=1000".to_owned(),
            "auto.offset.reset=earliest".to_owned(),
        ];
        let topics = [("--bootstrap", &self.broker.bootstrap), ("--input", &self.input), ("--output", &self.output)];
        let mut command = Command::new(env!("CARGO_BIN_EXE_word_count"));
        command.env("NO_COLOR", "1").args(["--log", "info"]);
        command.args(topics.iter().flat_map(|(name, value)| [*name, value]));
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        fleet.start(&name(number), &mut command)
    }

    /// Writes lines until it is stopped.
    fn write(&self, source: &mut Lines, stopped: &AtomicBool) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while !stopped.load(Ordering::SeqCst) {
            let chunk: Vec<String> = source.take(CHUNK).collect();
            self.broker.produce(&self.input, chunk.iter().map(|line| (None, line.as_bytes())))?;
            lines.extend(chunk);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(lines)
    }

    /// Words whose last count in a topic is too low, of all.
    fn low(&self, topic: &str, expected: &BTreeMap<String, i64>) -> Result<(usize, usize)> {
        let mut last = BTreeMap::new();
        for (key, value) in self.broker.read(topic)? {
            let count = i64::from_be_bytes(value.context("a count")?.as_slice().try_into()?);
            last.insert(String::from_utf8(key.context("a word")?)?, count);
        }
        let is_low = |(word, count): &(&String, &i64)| last.get(*word).is_none_or(|last| last < count);
        Ok((expected.iter().filter(is_low).count(), expected.len()))
    }

    /// Waits until an instance has tasks again, by what it has said since.
    fn has_tasks(fleet: &mut Fleet, number: usize, said: usize) -> Result<()> {
        fleet.wait_for(&format!("{number} has tasks"), |fleet| {
            let log = fleet.log(&name(number))?.split_off(said);
            let tells = |line: &String| line.contains("tasks assigned") && !line.contains(" active=\"\"");
            Ok(log.iter().any(tells).then_some(()))
        })
    }

    /// Stops an instance while lines come, has the other count them all, and wakes it.
    fn stand_still(&self, fleet: &mut Fleet, number: usize, source: &mut Lines, lines: &mut Vec<String>) -> Result<()> {
        let stopped = AtomicBool::new(false);
        let said = std::thread::scope(|scope| {
            let writer = scope.spawn(|| self.write(source, &stopped));
            // Not always at the same point between two commits.
            std::thread::sleep(Duration::from_millis(2_500 + 300 * lines.len() as u64 % 700));
            let frozen = fleet.signal(&name(number), Signal::SIGSTOP).and_then(|()| fleet.log(&name(number)));
            std::thread::sleep(SESSION + Duration::from_secs(1));
            stopped.store(true, Ordering::SeqCst);
            lines.extend(writer.join().expect("the writer does not panic")?);
            Ok::<_, anyhow::Error>(frozen?.len())
        })?;
        let between = self.internal("repartition");
        fleet.wait_until_done("all is counted", || {
            self.broker.way(&self.application, &self.input, lines.len(), &between)
        })?;
        fleet.signal(&name(number), Signal::SIGCONT)?;
        Self::has_tasks(fleet, number, said)
    }

    fn run(&self, fleet: &mut Fleet) -> Result<()> {
        for number in 0..2 {
            self.start(fleet, number)?;
        }
        for number in 0..2 {
            Self::has_tasks(fleet, number, 0)?;
        }
        let (mut source, mut lines) = (Lines::new(29, 300), Vec::new());
        for wake in 0..WAKES {
            self.stand_still(fleet, wake % 2, &mut source, &mut lines)?;
            let expected = count(lines.iter().map(String::as_str));
            for topic in [&self.output, &self.internal("changelog")] {
                let (low, all) = self.low(topic, &expected)?;
                ensure!(low == 0, "after wake {wake}, {low} of {all} counts in {topic} are too low");
            }
        }
        fleet.terminate_all()
    }
}

fn name(number: usize) -> String {
    format!("instance {number}")
}

#[test]
fn no_count_gets_lower_by_who_was_stopped() -> Result<()> {
    let Some(broker) = Broker::of_this_run("no_count_gets_lower_by_who_was_stopped") else { return Ok(()) };
    let trial = Trial::new(broker)?;
    let mut fleet = Fleet::new(PATIENCE);
    let outcome = trial.run(&mut fleet);
    fleet.tell(outcome)
}
