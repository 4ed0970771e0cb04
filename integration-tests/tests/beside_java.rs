//! An instance of Java Kafka Streams and one of ours are one application: whoever leads the group, tasks and their state go over
//! both ways, and the counts are exact after either has closed.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real programs on a real broker")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use headwater_integration_tests::lines::{Lines, count};
use headwater_integration_tests::log::{Restored, Tasks, began_at, restored};

const PARTITIONS: i32 = 4;
/// So many records each changelog holds before the second side comes.
const LONG: i64 = 50_000;
/// How many lines that takes: about four and a half words each, which fall unevenly on the partitions.
const BACKLOG: usize = 60_000;
/// Lines at a time while instances come and go.
const CHUNK: usize = 200;
/// Ends a run that hangs. A Java leader lets a minute pass before it moves a task that had to be warmed up.
const PATIENCE: Duration = Duration::from_mins(5);

/// Two programs, a JVM among them, and a broker are enough for one machine at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One side of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Java,
    Ours,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Java => "java",
            Side::Ours => "ours",
        }
    }

    fn other(self) -> Self {
        match self {
            Side::Java => Side::Ours,
            Side::Ours => Side::Java,
        }
    }

    /// How often this side handed out the group's tasks, as it says itself.
    fn times_led(self, log: &[String]) -> usize {
        let words = match self {
            Side::Java => "participating in this rebalance",
            Side::Ours => "this member leads the group",
        };
        log.iter().filter(|line| line.contains(words)).count()
    }

    /// The tasks that it runs, none while any of them is not running yet.
    fn running(self, fleet: &Fleet) -> Result<Tasks> {
        let log = fleet.log(self.name())?;
        let tasks = match self {
            Side::Java => Tasks::running_in_java(&log),
            Side::Ours => Tasks::last_in(&log),
        };
        Ok(if tasks.is_restored() { tasks } else { Tasks::default() })
    }
}

/// Settings are no news, nor what Java's clients do.
fn quiet(of: &str) -> String {
    format!("-Dorg.slf4j.simpleLogger.log.org.apache.kafka.{of}=warn")
}

struct Shared {
    broker: Broker,
    java_libs: String,
    application: String,
    input: String,
    output: String,
    state: tempfile::TempDir,
    source: Mutex<Lines>,
    written: Mutex<Vec<String>>,
}

impl Shared {
    fn new(test: &str, name: &str) -> Result<Option<Self>> {
        let Some(broker) = Broker::of_this_run(test) else { return Ok(None) };
        let java_libs = broker.java_streams()?;
        let application = format!("{name}-{}", std::process::id());
        let shared = Shared {
            broker,
            java_libs,
            input: format!("{application}-lines"),
            output: format!("{application}-counts"),
            application,
            state: tempfile::tempdir()?,
            source: Mutex::new(Lines::new(23, 40_000)),
            written: Mutex::default(),
        };
        shared.broker.make_topic(&shared.input, PARTITIONS)?;
        shared.broker.make_topic(&shared.output, PARTITIONS)?;
        Ok(Some(shared))
    }

    fn start(&self, fleet: &mut Fleet, side: Side) -> Result<()> {
        let state = self.state.path().join(side.name());
        std::fs::create_dir_all(&state)?;
        let settings = [
            format!("application.id={}", self.application),
            format!("state.dir={}", state.display()),
            "commit.interval.ms=200".to_owned(),
            // Nobody is taken for dead because the machine is slow: who closes, leaves.
            "session.timeout.ms=300000".to_owned(),
            "heartbeat.interval.ms=500".to_owned(),
            "auto.offset.reset=earliest".to_owned(),
            // Each count goes to the changelog.
            "statestore.cache.max.bytes=0".to_owned(),
            "probing.rebalance.interval.ms=60000".to_owned(),
        ];
        let mut command = match side {
            Side::Java => {
                let mut java = Command::new("java");
                java.args(["-Xmx512m", "-cp", &format!("{}/*", self.java_libs)]);
                java.args(["clients", "common", "streams.StreamsConfig"].map(quiet));
                java.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/java/WordCount.java"));
                java.args([&self.broker.bootstrap, &self.input, &self.output]).args(settings);
                java
            }
            Side::Ours => {
                let mut ours = Command::new(env!("CARGO_BIN_EXE_word_count"));
                ours.env("NO_COLOR", "1").args(["--log", "info"]);
                ours.args(["--bootstrap", &self.broker.bootstrap, "--input", &self.input, "--output", &self.output]);
                ours.args(settings.iter().flat_map(|setting| ["--set", setting]));
                ours
            }
        };
        fleet.start(side.name(), &mut command)
    }

    fn write(&self, count: usize) -> Result<()> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> = source.by_ref().take(count).collect();
        self.broker.produce(&self.input, lines.iter().map(|line| (None, line.as_bytes())))?;
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(lines);
        Ok(())
    }

    /// Does something while lines keep coming.
    fn while_lines_come<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    self.write(CHUNK)?;
                    std::thread::sleep(Duration::from_millis(200));
                }
                anyhow::Ok(())
            });
            let outcome = act();
            over.store(true, Ordering::SeqCst);
            writer.join().expect("the writer does not panic")?;
            outcome
        })
    }

    fn internal(&self, kind: &str) -> String {
        format!("{}-KSTREAM-AGGREGATE-STATE-STORE-0000000003-{kind}", self.application)
    }

    /// Waits until everything that was written is counted, and compares with an offline count.
    fn check_counts(&self, fleet: &mut Fleet) -> Result<()> {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let words = self.internal("repartition");
        fleet.wait_until_done("all lines are counted", || {
            self.broker.way(&self.application, &self.input, written.len(), &words)
        })?;
        let expected = count(written.iter().map(String::as_str));
        ensure!(self.broker.table(&self.output)? == expected, "the counts differ from an offline count");
        Ok(())
    }

    /// Waits until both run tasks of both sub-topologies, and all tasks between them; and have gone on with each of them.
    fn wait_until_both_run(&self, fleet: &mut Fleet) -> Result<()> {
        fleet.wait_for("both sides run tasks, and together all of them", |fleet| {
            let [java, ours] = [Side::Java.running(fleet)?, Side::Ours.running(fleet)?];
            let both_count = [&java, &ours].iter().all(|tasks| !tasks.of_part(1).is_empty());
            let disjoint = java.active.is_disjoint(&ours.active);
            let all = java.active.len() + ours.active.len() == 2 * PARTITIONS as usize;
            Ok((both_count && disjoint && all).then_some(()))
        })?;
        let words = self.internal("repartition");
        let before = self.broker.committed_each(&self.application, &words)?;
        fleet.wait_for("each counting task goes on", |_| {
            let now = self.broker.committed_each(&self.application, &words)?;
            Ok(before.iter().all(|(partition, before)| now.get(partition) > Some(before)).then_some(()))
        })
    }
}

fn wait_until_alone(fleet: &mut Fleet, side: Side) -> Result<()> {
    fleet.wait_for(&format!("{} runs all tasks", side.name()), |fleet| {
        Ok((side.running(fleet)?.active.len() == 2 * PARTITIONS as usize).then_some(()))
    })
}

/// `leader` counts alone; the other side joins, takes over, closes, comes back; then the leader closes, and the other finishes.
fn share(shared: &Shared, fleet: &mut Fleet, leader: Side) -> Result<()> {
    let guest = leader.other();
    shared.start(fleet, leader)?;
    shared.write(BACKLOG)?;
    shared.check_counts(fleet)?;
    let changelogs = shared.broker.ends(&shared.internal("changelog"))?;
    ensure!(changelogs.iter().all(|(_, end)| end.value() >= LONG), "the changelogs are too short: {changelogs:?}");

    shared.while_lines_come(|| {
        shared.start(fleet, guest)?;
        shared.wait_until_both_run(fleet)
    })?;
    let taken = restored_counts(fleet, guest)?;
    // As a standby that was warmed up, or at once.
    let began = began_at(&fleet.log(guest.name())?);
    ensure!(taken.iter().all(|one| began.get(&one.task) == Some(&0)), "{guest:?} had no state before: {began:?}");
    shared.check_counts(fleet)?;

    let before = restored(&fleet.log(leader.name())?)?.len();
    shared.while_lines_come(|| {
        fleet.terminate(guest.name())?;
        wait_until_alone(fleet, leader)
    })?;
    let back = restored(&fleet.log(leader.name())?)?.split_off(before);
    let tasks = |restored: &[Restored]| restored.iter().map(|one| one.task.clone()).collect::<BTreeSet<_>>();
    ensure!(tasks(&back).is_superset(&tasks(&taken)), "{leader:?} restored {back:?}, {guest:?} had {taken:?}");
    shared.check_counts(fleet)?;

    shared.while_lines_come(|| {
        shared.start(fleet, guest)?;
        shared.wait_until_both_run(fleet)
    })?;
    ensure!(leader.times_led(&fleet.log(leader.name())?) > 0, "{leader:?} handed out no tasks");
    ensure!(guest.times_led(&fleet.log(guest.name())?) == 0, "{guest:?} led, not {leader:?}");
    shared.while_lines_come(|| {
        fleet.terminate(leader.name())?;
        wait_until_alone(fleet, guest)
    })?;
    shared.check_counts(fleet)?;
    ensure!(guest.times_led(&fleet.log(guest.name())?) > 0, "{guest:?} goes on without having led");
    fleet.terminate_all()
}

/// The counting tasks that a side runs, each with how it was restored; the changelog of each was long.
fn restored_counts(fleet: &Fleet, side: Side) -> Result<Vec<Restored>> {
    let running = side.running(fleet)?;
    let all = restored(&fleet.log(side.name())?)?;
    let last = |task: &String| all.iter().rev().find(|restored| restored.task == *task).cloned();
    let counting = running.active.iter().filter(|task| task.starts_with("1_"));
    let taken = counting.map(|task| last(task).with_context(|| format!("{task} was not restored")));
    let taken = taken.collect::<Result<Vec<_>>>()?;
    ensure!(
        taken.iter().all(|restored| restored.to >= LONG),
        "the state is not that of the long changelogs: {taken:?}"
    );
    Ok(taken)
}

fn share_with(test: &str, name: &str, leader: Side) -> Result<()> {
    let Some(shared) = Shared::new(test, name)? else { return Ok(()) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fleet = Fleet::new(PATIENCE);
    let outcome = share(&shared, &mut fleet, leader);
    fleet.tell(outcome)
}

#[test]
fn tasks_and_state_go_both_ways_between_java_and_us_when_we_lead() -> Result<()> {
    share_with("tasks_and_state_go_both_ways_between_java_and_us_when_we_lead", "we-lead", Side::Ours)
}

#[test]
fn tasks_and_state_go_both_ways_between_java_and_us_when_java_leads() -> Result<()> {
    share_with("tasks_and_state_go_both_ways_between_java_and_us_when_java_leads", "java-leads", Side::Java)
}
