//! Queries over the network on a real broker: three instances with standbys, each with its query server, are asked two hundred times a second by clients,
//! while they are started anew one after the other, or killed. Who wrote the values knows each: no answer is wrong.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real applications on a real broker")]

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::TryStreamExt;
use headwater::ErrorKind;
use headwater::query::wire::Role;
use headwater::query::{Answer, Client};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use tokio::runtime::Runtime;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
/// For how long somebody comes and goes, at least.
const LOAD: Duration = Duration::from_secs(20);
/// Askers together ask so often in a second.
const ASKERS: u32 = 8;
const EACH_PER_SECOND: u32 = 25;
const KEYS: i64 = 60;
const PARTITIONS: i32 = 6;

/// What each key was given, in order: the value `n` is its `n`th, and is noted before it is written.
#[derive(Debug, Default)]
struct Written(Mutex<HashMap<i64, i64>>);

impl Written {
    fn last(&self, key: i64) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied().unwrap_or_default()
    }

    fn next(&self, key: i64) -> i64 {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.entry(key).or_default();
        *last += 1;
        *last
    }
}

/// What was asked.
#[derive(Debug, Default)]
struct Asked {
    by: BTreeMap<Role, u64>,
    /// Those that no answer came to before the deadline.
    unanswered: u64,
    slowest: Duration,
}

struct Application {
    broker: Broker,
    id: String,
    runtime: Runtime,
    ports: Vec<u16>,
    directories: Vec<tempfile::TempDir>,
    written: Written,
}

fn name(number: usize) -> String {
    format!("instance {number}")
}

fn key(number: i64) -> String {
    format!("key{number:03}")
}

impl Application {
    fn new(broker: Broker, name: &str) -> Result<Self> {
        let instances = 3;
        let listeners = (0..instances).map(|_| std::net::TcpListener::bind(("127.0.0.1", 0)));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let application = Application {
            broker,
            id: format!("served-{name}-{}", std::process::id()),
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
            ports: listeners.iter().map(|at| Ok(at.local_addr()?.port())).collect::<Result<_>>()?,
            directories: (0..instances).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?,
            written: Written::default(),
        };
        application.broker.make_topic(&application.topic(), PARTITIONS)?;
        Ok(application)
    }

    fn topic(&self) -> String {
        format!("{}-values", self.id)
    }

    fn start(&self, fleet: &mut Fleet, number: usize) -> Result<()> {
        let (port, directory) =
            (self.ports.get(number).context("a port")?, self.directories.get(number).context("a directory")?);
        let mut command = Command::new(env!("CARGO_BIN_EXE_query_instance"));
        command.args([&self.broker.bootstrap, &self.id, &port.to_string()]);
        command.arg(format!("state.dir={}", directory.path().display()));
        command.args([
            "num.standby.replicas=1",
            "commit.interval.ms=100",
            "session.timeout.ms=6000",
            "heartbeat.interval.ms=500",
        ]);
        fleet.start(&name(number), &mut command)
    }

    fn client(&self, max_staleness: Option<u64>) -> Result<Client> {
        let builder =
            self.ports.iter().try_fold(Client::builder(), |all, port| all.seed(&format!("127.0.0.1:{port}")))?;
        let builder =
            builder.bearer_token("sesame").deadline(Duration::from_mins(1)).attempt_time(Duration::from_secs(3));
        Ok(max_staleness.into_iter().fold(builder, headwater::query::ClientBuilder::max_staleness).build()?)
    }

    /// Gives every key its next value.
    fn write(&self) -> Result<()> {
        let records: Vec<(String, [u8; 8])> =
            (0..KEYS).map(|number| (key(number), self.written.next(number).to_be_bytes())).collect();
        let records = records.iter().map(|(key, value)| (Some(key.as_bytes()), value.as_slice()));
        self.broker.produce(&self.topic(), records)?;
        Ok(())
    }

    /// Until every key has its last value, by whoever may say so.
    fn wait_until_read(&self, client: &Client) -> Result<()> {
        let store = client.key_value::<String, i64>("values");
        let (began, last) = (Instant::now(), self.written.last(0));
        while began.elapsed() < PATIENCE {
            let all = self.runtime.block_on(async { store.all().try_collect::<BTreeMap<String, i64>>().await })?;
            if all.len() == KEYS as usize && all.values().all(|value| *value == last) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(anyhow!("not all keys came to {last}"))
    }
}

/// Asks for one key after the other, so and so often in a second, until `done`. What an active task says is no less than what was said before; nobody says
/// what was not written.
async fn ask(client: Client, application: Arc<Application>, first: i64, done: Arc<AtomicBool>) -> Result<Asked> {
    let store = client.key_value::<String, i64>("values");
    let mut beat = tokio::time::interval(Duration::from_secs(1) / EACH_PER_SECOND);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut asked, mut seen) = (Asked::default(), HashMap::<i64, i64>::new());
    for number in (0..KEYS).cycle().skip(usize::try_from(first)?) {
        if done.load(Ordering::Relaxed) {
            break;
        }
        beat.tick().await;
        let began = Instant::now();
        let answer: Answer<i64> = match store.ask(&key(number)).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                asked.unanswered += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        asked.slowest = asked.slowest.max(began.elapsed());
        let (value, most) = (answer.value.unwrap_or_default(), application.written.last(number));
        ensure!(value <= most, "{} was given {most}, and {} says {value}", key(number), answer.host);
        if answer.source.role == Role::Active {
            let before = seen.insert(number, value).unwrap_or_default();
            ensure!(before <= value, "{} was {before} and is {value}, says {}", key(number), answer.host);
        } else {
            ensure!(answer.source.lag.is_some_and(|lag| lag <= 500), "more is lacking than may: {answer:?}");
        }
        *asked.by.entry(answer.source.role).or_default() += 1;
    }
    Ok(asked)
}

/// Starts three instances, and has askers ask while `disturb` does its work and values are written.
fn under_load(
    application: &Arc<Application>,
    max_staleness: Option<u64>,
    disturb: impl FnOnce(&mut Fleet) -> Result<()> + Send,
) -> Result<Asked> {
    let mut fleet = Fleet::new(PATIENCE);
    let outcome = (0..application.ports.len()).try_for_each(|number| application.start(&mut fleet, number));
    let outcome = outcome.and_then(|()| ask_meanwhile(application, max_staleness, || disturb(&mut fleet)));
    let outcome = outcome.and_then(|asked| fleet.terminate_all().map(|()| asked));
    fleet.tell(outcome)
}

fn ask_meanwhile(
    application: &Arc<Application>,
    max_staleness: Option<u64>,
    disturb: impl FnOnce() -> Result<()>,
) -> Result<Asked> {
    let client = application.client(max_staleness)?;
    application.write()?;
    application.wait_until_read(&client)?;
    let done = Arc::new(AtomicBool::new(false));
    let askers = (0..ASKERS).map(|number| {
        let first = i64::from(number) * KEYS / i64::from(ASKERS);
        application.runtime.spawn(ask(client.clone(), Arc::clone(application), first, Arc::clone(&done)))
    });
    let askers: Vec<_> = askers.collect();
    let began = Instant::now();
    let outcome = std::thread::scope(|scope| -> Result<()> {
        let writer = scope.spawn(|| -> Result<()> {
            while !done.load(Ordering::Relaxed) {
                application.write()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        });
        let outcome = disturb();
        std::thread::sleep(LOAD.saturating_sub(began.elapsed()));
        done.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| anyhow!("the writer panicked"))?.and(outcome)
    });
    let (mut all, lasted) = (Asked::default(), began.elapsed());
    for asker in askers {
        let asked = application.runtime.block_on(asker)??;
        asked.by.into_iter().for_each(|(role, count)| *all.by.entry(role).or_default() += count);
        all.unanswered += asked.unanswered;
        all.slowest = all.slowest.max(asked.slowest);
    }
    outcome?;
    application.wait_until_read(&application.client(None)?)?;
    eprintln!("{}: {all:?} within {lasted:?}", application.id);
    Ok(all)
}

#[test]
fn no_question_fails_in_a_rolling_restart() -> Result<()> {
    let Some(broker) = Broker::of_this_run("query server, rolling") else { return Ok(()) };
    let application = Arc::new(Application::new(broker, "rolling")?);
    let asked = under_load(&application, None, |fleet| {
        (0..3).try_for_each(|number| {
            fleet.terminate(&name(number))?;
            application.start(fleet, number)
        })
    })?;
    ensure!(asked.unanswered == 0, "{asked:?}");
    ensure!(asked.by.keys().eq([&Role::Active]) && asked.by.values().sum::<u64>() > 500, "{asked:?}");
    Ok(())
}

#[test]
fn a_standby_answers_for_one_that_is_killed() -> Result<()> {
    let Some(broker) = Broker::of_this_run("query server, killed") else { return Ok(()) };
    let application = Arc::new(Application::new(broker, "killed")?);
    let asked = under_load(&application, Some(500), |fleet| {
        (0..2).try_for_each(|number| {
            fleet.kill(&name(number))?;
            // Its group waits for it until its session is over.
            std::thread::sleep(Duration::from_secs(4));
            application.start(fleet, number)
        })
    })?;
    let answered: u64 = asked.by.values().sum();
    ensure!(asked.unanswered * 99 <= answered, "{asked:?}");
    ensure!(asked.by.get(&Role::Standby).is_some_and(|by| *by > 0), "{asked:?}");
    Ok(())
}
