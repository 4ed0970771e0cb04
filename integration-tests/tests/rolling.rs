//! Three instances of the word count roll, one after the other, while lines keep coming: the final counts are exact, and who
//! comes back restores only what it missed.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test of real programs on a real broker"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use headwater_integration_tests::lines::{Lines, count};
use headwater_integration_tests::log::{Tasks, began_at, restored, settled};

/// So many lines at least; they keep coming until everybody has rolled.
const LINES: usize = 300_000;
const CHUNK: usize = 1_500;
/// From here on lines come slowly until everybody has rolled: there must be something to count all the while.
const SLOWLY_AFTER: usize = LINES / 10 * 6;
/// The first roll begins when so many are counted, so that changelogs are long beside what is missed.
const ROLL_AT: i64 = 100_000;
const PARTITIONS: i32 = 8;
const INSTANCES: usize = 3;
/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);

/// Three programs and a broker are enough for one machine at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Roll {
    broker: Broker,
    application: String,
    input: String,
    output: String,
    remain: bool,
    states: Vec<tempfile::TempDir>,
}

impl Roll {
    fn new(broker: Broker, name: &str, remain: bool) -> Result<Self> {
        let application = format!("{name}-{}", std::process::id());
        let roll = Roll {
            broker,
            input: format!("{application}-lines"),
            output: format!("{application}-counts"),
            application,
            remain,
            states: (0..INSTANCES).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?,
        };
        roll.broker.make_topic(&roll.input, PARTITIONS)?;
        roll.broker.make_topic(&roll.output, PARTITIONS)?;
        Ok(roll)
    }

    fn start(&self, fleet: &mut Fleet, number: usize) -> Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_word_count"));
        command.env("NO_COLOR", "1");
        command.args(["--bootstrap", &self.broker.bootstrap, "--input", &self.input, "--output", &self.output]);
        let settings = [
            format!("application.id={}", self.application),
            format!("state.dir={}", self.states[number].path().display()),
            "commit.interval.ms=200".to_owned(),
        ];
        for setting in settings {
            command.args(["--set", &setting]);
        }
        if self.remain {
            command.args(["--set", &format!("group.instance.id=instance-{number}")]);
            // However slow the machine, they come back in time.
            command.args(["--set", &format!("session.timeout.ms={}", (3 * PATIENCE).as_millis())]);
        }
        command.args(["--log", "info"]);
        fleet.start(&name(number), &mut command)
    }

    fn committed(&self) -> Result<i64> {
        self.broker.committed(&self.application, &self.input)
    }

    fn wait_for_commits(&self, fleet: &mut Fleet, at_least: i64) -> Result<()> {
        fleet.wait_until_done(&format!("{at_least} lines are committed"), || Ok((self.committed()?, at_least)))
    }

    fn words(&self) -> String {
        format!("{}-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition", self.application)
    }

    /// Until others run these counting tasks and have committed a good deal of each.
    fn wait_until_others_go_on(&self, fleet: &mut Fleet, partitions: &BTreeSet<i32>) -> Result<()> {
        let before = self.broker.committed_each(&self.application, &self.words())?;
        fleet.wait_for("others run the tasks", |_| {
            let now = self.broker.committed_each(&self.application, &self.words())?;
            let gone_on = |partition| now.get(partition) >= before.get(partition).map(|at| at + 500).as_ref();
            Ok(partitions.iter().all(gone_on).then_some(()))
        })
    }

    fn write_lines(&self, rolled: &AtomicBool) -> Result<Vec<String>> {
        let (mut source, mut lines) = (Lines::new(7, 5_000), Vec::new());
        while lines.len() < LINES || !rolled.load(Ordering::SeqCst) {
            let chunk: Vec<String> = source.by_ref().take(CHUNK).collect();
            self.broker.produce(&self.input, chunk.iter().map(|line| (None, line.as_bytes())))?;
            lines.extend(chunk);
            if !rolled.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(if lines.len() < SLOWLY_AFTER { 250 } else { 1_000 }));
            }
        }
        Ok(lines)
    }

    /// Starts all instances, has them roll while lines are written, and compares the counts in the end.
    fn run(&self, roll_each: fn(&Self, &mut Fleet) -> Result<()>) -> Result<()> {
        let mut fleet = Fleet::new(PATIENCE);
        let outcome = self.run_with(&mut fleet, roll_each);
        fleet.tell(outcome)
    }

    fn run_with(&self, fleet: &mut Fleet, roll_each: fn(&Self, &mut Fleet) -> Result<()>) -> Result<()> {
        for number in 0..INSTANCES {
            self.start(fleet, number)?;
        }
        let rolled = AtomicBool::new(false);
        let lines = std::thread::scope(|scope| -> Result<Vec<String>> {
            let writer = scope.spawn(|| self.write_lines(&rolled));
            let outcome = roll_each(self, fleet);
            rolled.store(true, Ordering::SeqCst);
            let lines = writer.join().expect("the writer does not panic");
            outcome?;
            lines
        })?;
        fleet.wait_until_done("all lines are counted", || {
            self.broker.way(&self.application, &self.input, lines.len(), &self.words())
        })?;
        fleet.terminate_all()?;
        let expected = count(lines.iter().map(String::as_str));
        ensure!(self.broker.table(&self.output)? == expected, "the counts differ from an offline count");
        Ok(())
    }
}

/// Until all have joined, every task has its place, and nothing is left to be restored or handed over.
fn wait_until_settled(fleet: &mut Fleet) -> Result<()> {
    fleet.wait_for("every task has its place and its state", |fleet| {
        let tasks = (0..INSTANCES).map(|number| Ok(Tasks::last_in(&fleet.log(&name(number))?)));
        Ok(settled(&tasks.collect::<Result<Vec<_>>>()?, 2 * PARTITIONS as usize).then_some(()))
    })
}

fn name(number: usize) -> String {
    format!("instance {number}")
}

#[test]
fn counts_are_exact_while_three_instances_roll() -> Result<()> {
    let Some(broker) = Broker::of_this_run("counts_are_exact_while_three_instances_roll") else { return Ok(()) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Roll::new(broker, "roll", false)?.run(leave_and_come_back)
}

fn leave_and_come_back(roll: &Roll, fleet: &mut Fleet) -> Result<()> {
    roll.wait_for_commits(fleet, ROLL_AT)?;
    for number in 0..INSTANCES {
        wait_until_settled(fleet)?;
        let before = roll.committed()?;
        let log = fleet.terminate(&name(number))?;
        roll.wait_until_others_go_on(fleet, &Tasks::last_in(&log).of_part(1))?;
        roll.wait_for_commits(fleet, before + 5_000)?;
        roll.start(fleet, number)?;
        let back = fleet.wait_for("the instance that came back has restored a task that it had", |fleet| {
            let log = fleet.log(&name(number))?;
            let began = began_at(&log);
            let back = restored(&log)?;
            Ok(back.into_iter().find_map(|back| Some((*began.get(&back.task).filter(|from| **from > 0)?, back))))
        })?;
        // It may have caught up as a standby first, while the task was still somebody else's.
        let (checkpoint, back) = back;
        ensure!(back.records == back.to - back.from, "{back:?} does not add up");
        let missed = back.to - checkpoint;
        ensure!(missed > 0 && missed < back.to / 2, "{missed} after {checkpoint} is no short way to {back:?}");
        let now = roll.committed()?;
        roll.wait_for_commits(fleet, now + 1_000)?;
    }
    Ok(())
}

#[test]
fn nobody_else_rebalances_or_restores_when_static_members_come_back_in_time() -> Result<()> {
    let name = "nobody_else_rebalances_or_restores_when_static_members_come_back_in_time";
    let Some(broker) = Broker::of_this_run(name) else { return Ok(()) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    Roll::new(broker, "remain", true)?.run(remain_and_come_back)
}

/// How often an instance was given tasks, gave some up, or restored a store.
fn moves(log: &[String]) -> usize {
    let of = ["tasks assigned", "tasks revoked", "restored a store"];
    log.iter().filter(|line| of.iter().any(|words| line.contains(words))).count()
}

fn remain_and_come_back(roll: &Roll, fleet: &mut Fleet) -> Result<()> {
    roll.wait_for_commits(fleet, ROLL_AT)?;
    for number in 0..INSTANCES {
        wait_until_settled(fleet)?;
        let others: Vec<String> = (0..INSTANCES).filter(|other| *other != number).map(name).collect();
        let moves_of = |fleet: &Fleet, other: &str| Ok(moves(&fleet.log(other)?));
        let before = others.iter().map(|other| moves_of(fleet, other)).collect::<Result<Vec<_>>>()?;
        fleet.terminate(&name(number))?;
        roll.start(fleet, number)?;
        wait_until_settled(fleet)?;
        let now = roll.committed()?;
        roll.wait_for_commits(fleet, now + 5_000)?;
        for (other, before) in others.iter().zip(before) {
            let after = moves_of(fleet, other)?;
            ensure!(before == after, "{other} was bothered while {} was away", name(number));
        }
    }
    Ok(())
}
