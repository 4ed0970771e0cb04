//! Three instances of the word count roll, one after the other, while lines keep coming: the final counts are exact, and who
//! comes back restores only what it missed.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test of real programs on a real broker"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::lines::{Lines, count};
use headwater_integration_tests::program::{Program, wait_for};

const LINES: usize = 300_000;
const CHUNK: usize = 1_500;
/// From here on lines come slowly until everybody has rolled: there must be something to count all the while.
const SLOWLY_AFTER: usize = LINES / 10 * 6;
/// The first roll begins when so many are counted, so that changelogs are long beside what is missed.
const ROLL_AT: i64 = 100_000;
/// The last ones wait for it.
const HELD_BACK: usize = LINES / 20;
const PARTITIONS: i32 = 8;
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
        };
        roll.broker.make_topic(&roll.input, PARTITIONS)?;
        roll.broker.make_topic(&roll.output, PARTITIONS)?;
        Ok(roll)
    }

    fn start(&self, number: usize, state: &Path) -> Result<Program> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_word_count"));
        command.env("NO_COLOR", "1");
        command.args(["--bootstrap", &self.broker.bootstrap, "--input", &self.input, "--output", &self.output]);
        let settings = [
            format!("application.id={}", self.application),
            format!("state.dir={}", state.display()),
            "commit.interval.ms=200".to_owned(),
        ];
        for setting in settings {
            command.args(["--set", &setting]);
        }
        if self.remain {
            command.args(["--remain", "--set", &format!("group.instance.id=instance-{number}")]);
        }
        command.args(["--log", "info"]);
        Program::start(&mut command)
    }

    fn committed(&self) -> Result<i64> {
        self.broker.committed(&self.application, &self.input)
    }

    fn wait_for_commits(&self, at_least: i64) -> Result<()> {
        wait_for(&format!("{at_least} lines are committed"), PATIENCE, || {
            Ok((self.committed()? >= at_least).then_some(()))
        })
    }

    fn words(&self) -> String {
        format!("{}-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition", self.application)
    }

    /// Until others run these counting tasks and have committed a good deal of each.
    fn wait_until_others_go_on(&self, partitions: &BTreeSet<i32>) -> Result<()> {
        let before = self.broker.committed_each(&self.application, &self.words())?;
        wait_for("others run the tasks", PATIENCE, || {
            let now = self.broker.committed_each(&self.application, &self.words())?;
            let gone_on = |partition| now.get(partition) >= before.get(partition).map(|at| at + 500).as_ref();
            Ok(partitions.iter().all(gone_on).then_some(()))
        })
    }

    /// Whether everything that was written to the input has gone through both halves of the topology.
    fn is_done(&self) -> Result<Option<()>> {
        if self.committed()? < LINES as i64 {
            return Ok(None);
        }
        let between = self.words();
        let end: i64 = self.broker.ends(&between)?.iter().map(|(_, end)| end.value()).sum();
        Ok((self.broker.committed(&self.application, &between)? >= end).then_some(()))
    }
}

/// One line of the log about a store that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Restored {
    task: String,
    from: i64,
    to: i64,
    records: i64,
}

fn restored(log: &[String]) -> Result<Vec<Restored>> {
    let lines = log.iter().filter(|line| line.contains("restored a store"));
    lines.map(|line| parse_restored(line).with_context(|| line.clone())).collect()
}

/// The partitions of the counting tasks that an instance had last.
fn counting_tasks(log: &[String]) -> BTreeSet<i32> {
    let assigned = log.iter().rev().find(|line| line.contains("tasks assigned"));
    let tasks =
        assigned.and_then(|line| line.split_once("active=\"")?.1.split_once('"')).map_or("", |(tasks, _)| tasks);
    tasks.split(", ").filter_map(|task| task.strip_prefix("1_")?.parse().ok()).collect()
}

/// Where each task's changelog was first read from.
fn began_at(log: &[String]) -> BTreeMap<String, i64> {
    let mut began = BTreeMap::new();
    for line in log.iter().filter(|line| line.contains("restored a store") || line.contains("following the changelog"))
    {
        if let (Some(task), Some(from)) = (field(line, "task"), field(line, "from").and_then(|from| from.parse().ok()))
        {
            began.entry(task).or_insert(from);
        }
    }
    began
}

fn field(line: &str, name: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

fn parse_restored(line: &str) -> Option<Restored> {
    let number = |name: &str| field(line, name)?.parse().ok();
    Some(Restored { task: field(line, "task")?, from: number("from")?, to: number("to")?, records: number("records")? })
}

fn write_lines(broker: &Broker, topic: &str, rolled: &AtomicBool) -> Result<Vec<String>> {
    let lines: Vec<String> = Lines::new(7, 5_000).take(LINES).collect();
    let mut written = 0;
    for chunk in lines.chunks(CHUNK) {
        broker.produce(topic, chunk.iter().map(|line| (None, line.as_bytes())))?;
        written += chunk.len();
        if rolled.load(Ordering::SeqCst) {
            continue;
        }
        if written + HELD_BACK >= LINES {
            wait_for("everybody has rolled", 3 * PATIENCE, || Ok(rolled.load(Ordering::SeqCst).then_some(())))?;
        }
        std::thread::sleep(Duration::from_millis(if written < SLOWLY_AFTER { 250 } else { 1_000 }));
    }
    Ok(lines)
}

#[test]
fn counts_are_exact_while_three_instances_roll() -> Result<()> {
    let Some(broker) = Broker::of_this_run("counts_are_exact_while_three_instances_roll") else { return Ok(()) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let roll = Roll::new(broker, "roll", false)?;
    let states: Vec<_> = (0..3).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    let mut running = (0..3).map(|n| roll.start(n, states[n].path())).collect::<Result<Vec<_>>>()?;
    let rolled = AtomicBool::new(false);
    let lines = std::thread::scope(|scope| -> Result<Vec<String>> {
        let writer = scope.spawn(|| write_lines(&roll.broker, &roll.input, &rolled));
        let outcome = roll_each(&roll, &states, &mut running);
        rolled.store(true, Ordering::SeqCst);
        let lines = writer.join().expect("the writer does not panic");
        outcome?;
        lines
    })?;
    wait_for("all lines are counted", PATIENCE, || roll.is_done())?;
    for program in running {
        let (status, log) = program.terminate(PATIENCE)?;
        ensure!(status.success(), "an instance ended with {status}:\n{}", log.join("\n"));
    }
    let expected = count(lines.iter().map(String::as_str));
    assert_eq!(roll.broker.table(&roll.output)?, expected, "the counts differ from an offline count");
    Ok(())
}

fn roll_each(roll: &Roll, states: &[tempfile::TempDir], running: &mut Vec<Program>) -> Result<()> {
    roll.wait_for_commits(ROLL_AT)?;
    for number in 0..running.len() {
        let before = roll.committed()?;
        let (status, log) = running.remove(number).terminate(PATIENCE)?;
        ensure!(status.success(), "instance {number} ended with {status}:\n{}", log.join("\n"));
        roll.wait_until_others_go_on(&counting_tasks(&log))?;
        roll.wait_for_commits(before + 5_000)?;
        running.insert(number, roll.start(number, states[number].path())?);
        let back = wait_for("the instance that came back has restored a task that it had", PATIENCE, || {
            let log = running[number].log();
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
        roll.wait_for_commits(now + 1_000)?;
    }
    Ok(())
}

#[test]
fn nobody_else_restores_when_instances_remain_in_the_group_and_come_back_in_time() -> Result<()> {
    let name = "nobody_else_restores_when_instances_remain_in_the_group_and_come_back_in_time";
    let Some(broker) = Broker::of_this_run(name) else { return Ok(()) };
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let roll = Roll::new(broker, "remain", true)?;
    let states: Vec<_> = (0..3).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    let mut running = (0..3).map(|n| roll.start(n, states[n].path())).collect::<Result<Vec<_>>>()?;
    let rolled = AtomicBool::new(false);
    let lines = std::thread::scope(|scope| -> Result<Vec<String>> {
        let writer = scope.spawn(|| write_lines(&roll.broker, &roll.input, &rolled));
        let outcome = remain_each(&roll, &states, &mut running);
        rolled.store(true, Ordering::SeqCst);
        let lines = writer.join().expect("the writer does not panic");
        outcome?;
        lines
    })?;
    wait_for("all lines are counted", PATIENCE, || roll.is_done())?;
    for program in running {
        program.terminate(PATIENCE)?;
    }
    let expected = count(lines.iter().map(String::as_str));
    assert_eq!(roll.broker.table(&roll.output)?, expected, "the counts differ from an offline count");
    Ok(())
}

fn remain_each(roll: &Roll, states: &[tempfile::TempDir], running: &mut Vec<Program>) -> Result<()> {
    roll.wait_for_commits(ROLL_AT)?;
    for number in 0..running.len() {
        let restored_by = |running: &[Program]| -> Result<Vec<usize>> {
            running.iter().map(|program| Ok(restored(&program.log())?.len())).collect()
        };
        let others: BTreeSet<usize> = (0..running.len()).filter(|other| *other != number).collect();
        let before = restored_by(running)?;
        let (status, log) = running.remove(number).terminate(PATIENCE)?;
        ensure!(status.success(), "instance {number} ended with {status}:\n{}", log.join("\n"));
        running.insert(number, roll.start(number, states[number].path())?);
        wait_for("the instance that came back runs its tasks", PATIENCE, || {
            Ok((!restored(&running[number].log())?.is_empty()).then_some(()))
        })?;
        let now = roll.committed()?;
        roll.wait_for_commits(now + 5_000)?;
        let after = restored_by(running)?;
        for other in others {
            ensure!(before[other] == after[other], "instance {other} restored while {number} was away");
        }
    }
    Ok(())
}
