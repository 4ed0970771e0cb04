//! Exactly-once while processes are killed and stand still, and brokers come and go: what readers of committed records see in the end
//! is compared with what must be.

pub mod application;
mod bounces;
mod faults;
pub mod input;
pub mod ledger;
mod members;
mod seen;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use headwater::client::NewTopic;
use headwater::record::Topic;

use crate::broker::Broker;
use crate::cluster::Cluster;
use crate::dice::Dice;
use application::{Extent, topic};
use input::Input;
use ledger::Ledger;
use members::{Blow, Members, SESSION, TRANSACTION};

pub use faults::Faults;

const PARTITIONS: i32 = 3;
const INSTANCES: usize = 3;
/// Between two blows.
const PAUSE: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(5);
/// So many more records are seen before the next blow.
const GOES_ON: u64 = 100;
/// No more is written while so many events wait.
const BACKLOG: u64 = 10_000;
/// Ends a wait that will never come to it.
const PATIENCE: Duration = Duration::from_mins(5);

/// What is to happen.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program that runs an instance when its first argument is `instance`.
    pub program: PathBuf,
    /// Decides what happens, and to whom.
    pub seed: u64,
    /// How often a process is killed; half of them come back without their state.
    pub kills: u32,
    /// How often one stands still, for longer than a transaction or a session lasts.
    pub stops: u32,
    /// How often a broker is killed or stopped, and comes back.
    pub bounces: u32,
    /// Events in a second.
    pub rate: usize,
}

/// What has happened.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of the plan.
    pub kills: u32,
    /// Events that were written.
    pub records: u64,
    /// What was seen of them, in all outputs.
    pub seen: u64,
    /// Records that were restored to disks that were left.
    pub restored: i64,
    /// What is not as it must be.
    pub faults: Faults,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills, {} records: {}", self.kills, self.records, self.faults)
    }
}

/// What the threads of a run tell each other.
#[derive(Debug, Default)]
struct Way {
    /// Nothing more is to happen.
    over: AtomicBool,
    /// Something has failed.
    broken: AtomicBool,
    written: AtomicU64,
    seen: AtomicU64,
    events: AtomicU64,
}

impl Way {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Ends the run when `work` fails, so that nobody waits for it.
    fn run<T>(&self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let outcome = work().with_context(|| what.to_owned());
        if outcome.is_err() {
            self.broken.store(true, Ordering::SeqCst);
            self.over.store(true, Ordering::SeqCst);
        }
        outcome
    }

    fn write(&self, input: &mut Input, rate: usize) -> Result<()> {
        let began = Instant::now();
        let mut written = 0;
        while !self.is_over() {
            let due = (began.elapsed().as_secs_f64() * rate as f64) as usize;
            let waits = self.written.load(Ordering::SeqCst).saturating_sub(self.events.load(Ordering::SeqCst));
            if waits < BACKLOG && due > written {
                input.write((due - written).min(rate))?;
                self.written.store(input.expected.records(), Ordering::SeqCst);
            }
            // What was not written in its time is not written later.
            written = due;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn read(&self, ledger: &mut Ledger) -> Result<()> {
        while !self.is_over() {
            ledger.poll(Duration::from_millis(100))?;
            self.seen.store(ledger.seen(), Ordering::SeqCst);
            self.events.store(ledger.events(), Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Does what `plan` says, on a cluster all of whose nodes are up. `tell` hears how far it is.
pub fn run(plan: &Plan, cluster: &mut Cluster, tell: impl Fn(&str)) -> Result<Report> {
    let id = format!("kill-{}-{}", plan.seed, std::process::id());
    let broker = cluster.broker().clone();
    make_topics(&broker, &id, Extent::Everything, PARTITIONS, 3)?;
    let mut input = Input::new(&broker, &id, Extent::Everything, plan.seed)?;
    let mut ledger = Ledger::new(&broker, &id, Extent::Everything)?;
    let settings = settings(plan.seed);
    let members = Members::new(INSTANCES, plan.program.clone(), &broker.bootstrap, &id, settings, PATIENCE)?;
    // Whoever fails tells what the processes said.
    let members = Mutex::new(members);
    let outcome = go(plan, cluster, &mut input, &mut ledger, &members, &tell).and_then(|()| {
        let mut members = members.lock().map_err(|_| anyhow::anyhow!("somebody panicked"))?;
        end(&broker, &id, &mut input, &mut ledger, &mut members)?;
        let (records, seen, restored) = (input.expected.records(), ledger.seen(), members.restored);
        Ok(Report { kills: plan.kills, records, seen, restored, faults: ledger.faults(&input.expected, PATIENCE)? })
    });
    let members = members.into_inner().map_err(|_| anyhow::anyhow!("somebody panicked"))?;
    match outcome {
        Ok(report) if report.faults.are_none() => Ok(report),
        Ok(report) => members.fleet.tell(Err(anyhow::anyhow!("{report}"))),
        Err(error) => members.fleet.tell(Err(error.context(format!("with --seed {}", plan.seed)))),
    }
}

fn go(
    plan: &Plan,
    cluster: &mut Cluster,
    input: &mut Input,
    ledger: &mut Ledger,
    members: &Mutex<Members>,
    tell: &impl Fn(&str),
) -> Result<()> {
    let way = Way::default();
    let outcomes = std::thread::scope(|scope| {
        let writing = scope.spawn(|| way.run("writing", || way.write(input, plan.rate)));
        let reading = scope.spawn(|| way.run("reading", || way.read(ledger)));
        let bouncing = scope.spawn(|| {
            way.run("brokers come and go", || bounces::run(cluster, plan.bounces, Dice::new(plan.seed + 1), &way.over))
        });
        let struck = way.run("striking", || {
            let mut members = members.lock().map_err(|_| anyhow::anyhow!("somebody panicked"))?;
            let struck = strike(plan, &mut members, &way, tell);
            // Nobody is left standing still.
            members.wake(true)?;
            struck
        });
        // What brokers are still to do they do while records flow.
        let bounced = bouncing.join();
        way.over.store(true, Ordering::SeqCst);
        let mut outcomes = vec![struck];
        for thread in [bounced, writing.join(), reading.join()] {
            outcomes.push(thread.unwrap_or_else(|_| bail!("a thread panicked")));
        }
        outcomes
    });
    // What a thread met says more than that it was waited for in vain.
    outcomes.into_iter().rev().collect()
}

/// All blows in the order that the seed gives them.
fn strike(plan: &Plan, members: &mut Members, way: &Way, tell: &impl Fn(&str)) -> Result<()> {
    let mut dice = Dice::new(plan.seed);
    let closes = plan.kills.div_ceil(10);
    let mut left = [plan.kills.div_ceil(2), plan.kills / 2, plan.stops, closes];
    goes_on(members, way, Duration::ZERO, "the start")?;
    let all: u32 = left.iter().sum();
    for turn in 1..=all {
        goes_on(members, way, dice.within(PAUSE), "the blow before")?;
        members.look()?;
        let blow = draw(&mut left, &mut dice);
        let going = members.going();
        let number = *dice.one_of(&going).context("nobody goes")?;
        members.strike(number, blow)?;
        let (written, seen) = (way.written.load(Ordering::SeqCst), way.seen.load(Ordering::SeqCst));
        tell(&format!("{turn} of {all}: {blow:?} to {number}; {written} events written, {seen} records seen"));
    }
    goes_on(members, way, PAUSE.end, "the last blow")
}

/// One of the blows that are left, each as likely as there are many of its kind.
fn draw(left: &mut [u32; 4], dice: &mut Dice) -> Blow {
    let mut at = dice.below(u64::from(left.iter().sum::<u32>())) as u32;
    let kind = left.iter().position(|count| {
        let here = at < *count;
        at = at.saturating_sub(*count);
        here
    });
    let kind = kind.unwrap_or_default();
    if let Some(count) = left.get_mut(kind) {
        *count -= 1;
    }
    match kind {
        0 => Blow::Kill,
        1 => Blow::KillAndWipe,
        2 if dice.one_in(2) => Blow::Stop(dice.within(TRANSACTION + Duration::from_secs(1)..SESSION)),
        2 => Blow::Stop(dice.within(SESSION + Duration::from_secs(2)..SESSION * 2)),
        _ => Blow::Close,
    }
}

/// Waits for `pause`, and until more is seen.
fn goes_on(members: &mut Members, way: &Way, pause: Duration, after: &str) -> Result<()> {
    let (before, began) = (way.seen.load(Ordering::SeqCst), Instant::now());
    loop {
        members.wake(false)?;
        members.fleet.all_run()?;
        let seen = way.seen.load(Ordering::SeqCst);
        if began.elapsed() >= pause && seen >= before + GOES_ON {
            return Ok(());
        }
        ensure!(!way.broken.load(Ordering::SeqCst), "it ended before its time");
        ensure!(
            began.elapsed() < PATIENCE,
            "nothing goes on after {after}: {before} records were seen, and now {seen}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Has all that was written come through, and all processes close; then nothing may be left open, and no input not committed.
fn end(broker: &Broker, id: &str, input: &mut Input, ledger: &mut Ledger, members: &mut Members) -> Result<()> {
    input.finish()?;
    let (mut seen, mut since) = (ledger.seen(), Instant::now());
    // What never comes is lost: that is told with all else.
    while !ledger.is_complete(&input.expected) && since.elapsed() < PATIENCE {
        ledger.poll(Duration::from_millis(100))?;
        members.fleet.all_run()?;
        if ledger.seen() > seen {
            (seen, since) = (ledger.seen(), Instant::now());
        }
    }
    members.look()?;
    members.close()?;
    ledger.read_to_end(PATIENCE)?;
    for name in Extent::Everything.inputs() {
        let topic = topic(id, name);
        let end: i64 = broker.ends(&topic)?.iter().map(|(_, end)| end.value()).sum();
        let committed = broker.committed(id, &topic)?;
        ensure!(committed == end, "{committed} records of {name} are committed, and {end} are there");
    }
    Ok(())
}

/// What an instance is to keep to.
fn settings(seed: u64) -> Vec<String> {
    let settings = [
        ("processing.guarantee", "exactly_once_v2".to_owned()),
        ("num.stream.threads", "2".to_owned()),
        ("num.standby.replicas", (seed % 2).to_string()),
        ("commit.interval.ms", if seed.is_multiple_of(3) { "1000" } else { "100" }.to_owned()),
        // Each count is shown.
        ("statestore.cache.max.bytes", "0".to_owned()),
        ("producer.transaction.timeout.ms", TRANSACTION.as_millis().to_string()),
        ("session.timeout.ms", SESSION.as_millis().to_string()),
        ("heartbeat.interval.ms", "1000".to_owned()),
        ("repartition.purge.interval.ms", "5000".to_owned()),
        ("state.cleanup.delay.ms", "86400000".to_owned()),
    ];
    settings.map(|(key, value)| format!("{key}={value}")).into()
}

/// Makes the topics of the application `id`.
pub fn make_topics(broker: &Broker, id: &str, extent: Extent, partitions: i32, replicas: i16) -> Result<()> {
    for name in extent.inputs().chain(extent.outputs()) {
        let topic = Topic::from(topic(id, name).as_str());
        broker.make(NewTopic { topic, partitions, replication_factor: replicas, configs: BTreeMap::new() })?;
    }
    Ok(())
}
