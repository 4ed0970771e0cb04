//! Kafka's smoke test on a real broker: one instance follows another while numbers come, each closed or killed in the midst of it.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real programs on a real broker")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use headwater::client::NewTopic;
use headwater::record::Topic;
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use headwater_integration_tests::program::wait_for;
use headwater_integration_tests::smoke::client::{OUTPUTS, topic};
use headwater_integration_tests::smoke::driver::{Driver, Outputs};

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
const PARTITIONS: i32 = 5;
/// So many records at a time, and how long between them.
const AT_A_TIME: usize = 60;
const PAUSE: Duration = Duration::from_millis(100);
/// So many records come through each processor before the next one's turn.
const PART: usize = 1_000;
/// So many more are there by then: a processor ends while there is work, and before all of it, however long its start took.
const AHEAD: usize = 500;

/// What happens.
#[derive(Clone, Copy, Debug)]
struct Case {
    guarantee: &'static str,
    /// Processors are killed, not closed.
    crash: bool,
}

fn start(broker: &Broker, fleet: &mut Fleet, id: &str, case: Case, state: &Path, number: usize) -> Result<()> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smoke"));
    command.env("NO_COLOR", "1").args([&broker.bootstrap, id]);
    let state = state.join(number.to_string()).display().to_string();
    let settings = [
        ("processing.guarantee", case.guarantee),
        ("state.dir", &state),
        ("num.stream.threads", "3"),
        ("commit.interval.ms", if case.guarantee == "at_least_once" { "500" } else { "100" }),
        // Who is killed is to be missed soon; who lives must not be, or records are repeated.
        ("session.timeout.ms", if case.crash { "4000" } else { "45000" }),
        ("heartbeat.interval.ms", "1000"),
        ("producer.transaction.timeout.ms", "3000"),
        // Time leaps ahead.
        ("topic.message.timestamp.after.max.ms", "9223372036854775807"),
    ];
    command.args(settings.map(|(key, value)| format!("{key}={value}")));
    fleet.start(&name(number), &mut command)
}

fn name(number: usize) -> String {
    format!("processor {number}")
}

fn make_topics(broker: &Broker, id: &str) -> Result<()> {
    for name in OUTPUTS.into_iter().chain(["data", "echo"]) {
        let configs = BTreeMap::from([("message.timestamp.after.max.ms".to_owned(), i64::MAX.to_string())]);
        let topic = Topic::from(topic(id, name).as_str());
        broker.make(NewTopic { topic, partitions: PARTITIONS, replication_factor: 1, configs })?;
    }
    Ok(())
}

/// One processor follows another; all but the last are closed, or killed, while there is much to do.
fn take_turns(broker: &Broker, fleet: &mut Fleet, case: Case) -> Result<()> {
    let id = format!("smoke-{}-{}-{}", case.guarantee, case.crash, std::process::id());
    make_topics(broker, &id)?;
    let state = tempfile::tempdir()?;
    let mut outputs = Outputs::new(broker, &id)?;
    let driver = Driver::new(broker, &id, 1)?;
    let allowed = AtomicUsize::new(0);
    let driver = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(driver, &allowed));
        let turns = (1..=3).try_for_each(|number| {
            let due = (outputs.echoed() + PART).min(Driver::all());
            allowed.store(if number == 3 { Driver::all() } else { due + AHEAD }, Ordering::SeqCst);
            start(broker, fleet, &id, case, state.path(), number)?;
            fleet.wait_for(&format!("{} runs and has done its part", name(number)), |fleet| {
                outputs.poll()?;
                let runs = fleet.log(&name(number))?.iter().any(|line| line.contains("to=RUNNING"));
                Ok((runs && outputs.echoed() >= due).then_some(()))
            })?;
            if number == 3 {
                return Ok(());
            }
            ensure!(outputs.echoed() < Driver::all(), "all was done before {} ended", name(number));
            if case.crash { fleet.kill(&name(number)).map(drop) } else { fleet.terminate(&name(number)).map(drop) }
        });
        allowed.store(Driver::all(), Ordering::SeqCst);
        let driver = writer.join().map_err(|_| anyhow!("the writer panicked"))?;
        turns.and(driver)
    })?;
    let repeated = case.crash && case.guarantee == "at_least_once";
    let verified = wait_for("all is verified", PATIENCE, || {
        outputs.poll()?;
        Ok(outputs.verify(&driver, repeated).is_ok().then_some(()))
    });
    fleet.terminate_all()?;
    // Nothing more comes that would change it.
    (0..5).try_for_each(|_| outputs.poll())?;
    outputs.verify(&driver, repeated).context("what came in the end")?;
    verified
}

/// Writes all, a few at a time and never more than are allowed by then; then what closes all windows.
fn write(mut driver: Driver, allowed: &AtomicUsize) -> Result<Driver> {
    while driver.written() < Driver::all() {
        let more = allowed.load(Ordering::SeqCst).saturating_sub(driver.written());
        driver.write(more.min(AT_A_TIME))?;
        std::thread::sleep(PAUSE);
    }
    driver.finish()?;
    Ok(driver)
}

fn smoke(guarantee: &'static str, crash: bool) -> Result<()> {
    let Some(broker) = Broker::of_this_run(&format!("smoke, {guarantee}")) else { return Ok(()) };
    let mut fleet = Fleet::new(PATIENCE);
    let outcome = take_turns(&broker, &mut fleet, Case { guarantee, crash });
    fleet.tell(outcome)
}

#[test]
fn numbers_are_right_under_exactly_once_when_processors_close() -> Result<()> {
    smoke("exactly_once_v2", false)
}

#[test]
fn numbers_are_right_under_exactly_once_when_processors_crash() -> Result<()> {
    smoke("exactly_once_v2", true)
}

#[test]
fn numbers_are_right_under_at_least_once_when_processors_close() -> Result<()> {
    smoke("at_least_once", false)
}

#[test]
fn numbers_are_not_too_low_under_at_least_once_when_processors_crash() -> Result<()> {
    smoke("at_least_once", true)
}
