//! Questions on a real broker: three instances with standbys count on RocksDB and are asked all the time, while one after the other is
//! started anew. Whoever has a key answers, no count goes back, and in the end each is what was written.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real applications on a real broker")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use headwater::prelude::*;
use headwater::runtime::query::IsolationLevel;
use headwater::runtime::{CloseOptions, ErrorKind};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::wait_for;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
const INSTANCES: u16 = 3;
const KEYS: usize = 50;

type Instances = BTreeMap<u16, KafkaStreams>;

struct Application {
    broker: Broker,
    id: String,
    guarantee: &'static str,
    isolation: IsolationLevel,
    directories: Vec<tempfile::TempDir>,
    /// By the port in their `application.server`, which nobody listens at.
    instances: Mutex<Instances>,
}

/// What was asked.
#[derive(Debug, Default)]
struct Asked {
    by_active: u64,
    by_standby: u64,
    /// Nobody had an answer just then.
    nobody: u64,
}

impl Application {
    fn topic(&self) -> String {
        format!("{}-visits", self.id)
    }

    fn with<R>(&self, work: impl FnOnce(&mut Instances) -> R) -> R {
        work(&mut self.instances.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn start(&self, number: u16) -> Result<()> {
        let builder = StreamsBuilder::new();
        let visits = builder.stream::<String, String>(self.topic());
        visits.group_by_key().count_with(Materialized::named("counts"));
        let directory: PathBuf = self
            .directories
            .get(usize::from(number))
            .map(tempfile::TempDir::path)
            .map(Path::to_owned)
            .context("a directory")?;
        let started = KafkaStreams::builder(builder.build()?)
            .application_id(&self.id)
            .bootstrap_servers(&self.broker.bootstrap)
            .state_dir(directory)
            .set("processing.guarantee", self.guarantee)
            .set("commit.interval.ms", "100")
            .set("num.standby.replicas", "1")
            .set("application.server", format!("127.0.0.1:{number}"))
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "500")
            .threads(2)
            .start()?;
        self.with(|instances| instances.insert(number, started));
        Ok(())
    }

    /// Closes one and starts it again.
    fn start_anew(&self, number: u16) -> Result<()> {
        let instance = self.with(|instances| instances.remove(&number)).context("it runs")?;
        instance.close(CloseOptions::default().timeout(PATIENCE))?;
        drop(instance);
        self.start(number)
    }

    /// What whoever has `key` says, and whether that is its active task.
    fn ask(&self, key: &String) -> Result<Option<(i64, bool)>> {
        let counts = StoreHandle::<String, i64>::named("counts");
        self.with(|instances| {
            // Anybody knows who has it.
            for asked in instances.values() {
                let Ok(owner) = asked.metadata().for_key(&counts, key) else { continue };
                let hosts = owner.active.iter().map(|host| (host, true));
                for (host, active) in hosts.chain(owner.standbys.iter().map(|host| (host, false))) {
                    let Some(owning) = u16::try_from(host.port).ok().and_then(|port| instances.get(&port)) else {
                        continue;
                    };
                    let queries = owning.queries().with_isolation(self.isolation);
                    let queries = queries.with_partition(owner.partition.context("it has a partition")?);
                    let queries = if active { queries } else { queries.with_stale() };
                    match queries.key_value_store(&counts)?.get(key) {
                        Ok(count) => return Ok(Some((count.unwrap_or_default(), active))),
                        Err(error) if error.kind() == ErrorKind::Unavailable => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Ok(None)
        })
    }

    /// Asks for one key after the other until `done`: what the active task says never goes back, and nobody says more than was written.
    fn watch(&self, written: &Mutex<BTreeMap<String, i64>>, done: &AtomicBool) -> Result<Asked> {
        let (mut seen, mut asked) = (BTreeMap::<String, i64>::new(), Asked::default());
        while !done.load(Ordering::Relaxed) {
            for key in (0..KEYS).map(key) {
                let Some((count, active)) = self.ask(&key)? else {
                    asked.nobody += 1;
                    continue;
                };
                let most =
                    written.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied().unwrap_or_default();
                ensure!(count <= most, "{key} was written {most} times, and {count} were counted");
                if active {
                    let before = seen.insert(key.clone(), count).unwrap_or_default();
                    // What was not committed may be taken back when a task goes elsewhere.
                    let is_final = self.isolation == IsolationLevel::ReadCommitted;
                    ensure!(before <= count || !is_final, "{key} was {before} and is {count}");
                    asked.by_active += 1;
                } else {
                    asked.by_standby += 1;
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(asked)
    }
}

fn key(number: usize) -> String {
    format!("key{number}")
}

fn ask_while_all_are_started_anew(guarantee: &'static str, isolation: IsolationLevel) -> Result<()> {
    let Some(broker) = Broker::of_this_run(&format!("queries, {guarantee}, {isolation:?}")) else { return Ok(()) };
    let id = format!("asked-{guarantee}-{isolation:?}-{}", std::process::id());
    let directories = (0..INSTANCES).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    let application = Application { broker, id, guarantee, isolation, directories, instances: Mutex::default() };
    application.broker.make_topic(&application.topic(), 6)?;
    (0..INSTANCES).try_for_each(|number| application.start(number))?;
    let (written, done) = (Mutex::new(BTreeMap::<String, i64>::new()), AtomicBool::new(false));
    // Noted before it is written: nobody can have counted more.
    let write = |round: usize| {
        let keys: Vec<String> = (0..KEYS).map(|number| key(number * (round % 3 + 1) % KEYS)).collect();
        for key in &keys {
            *written.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default() += 1;
        }
        application.broker.produce(&application.topic(), keys.iter().map(|key| (Some(key.as_bytes()), &b"v"[..])))
    };
    let asked = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| application.watch(&written, &done));
        let ran = (0..INSTANCES).try_for_each(|number| {
            for round in 0..20 {
                write(round)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            wait_for("somebody has each key", PATIENCE, || {
                let all = (0..KEYS).map(|number| application.ask(&key(number))).collect::<Result<Option<Vec<_>>>>()?;
                Ok(all.filter(|all| all.iter().all(|(_, active)| *active)).map(drop))
            })?;
            application.start_anew(number)
        });
        let counted = ran.and_then(|()| {
            wait_for("all is counted", PATIENCE, || {
                let written = written.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for (key, count) in written {
                    if application.ask(&key)? != Some((count, true)) {
                        return Ok(None);
                    }
                }
                Ok(Some(()))
            })
        });
        done.store(true, Ordering::Relaxed);
        let asked = watcher.join().map_err(|_| anyhow!("the watcher panicked"))?;
        counted.and(asked)
    })?;
    eprintln!("{guarantee}, {isolation:?}: {asked:?}");
    ensure!(asked.by_active > 0, "nobody was asked: {asked:?}");
    for instance in application.with(std::mem::take).into_values() {
        instance.close(CloseOptions::default().timeout(PATIENCE))?;
    }
    Ok(())
}

#[test]
fn counts_are_told_by_who_has_them_under_at_least_once() -> Result<()> {
    ask_while_all_are_started_anew("at_least_once", IsolationLevel::ReadCommitted)
}

#[test]
fn counts_are_told_by_who_has_them_under_exactly_once() -> Result<()> {
    ask_while_all_are_started_anew("exactly_once_v2", IsolationLevel::ReadCommitted)
}

#[test]
fn counts_that_are_not_committed_are_told_under_at_least_once() -> Result<()> {
    ask_while_all_are_started_anew("at_least_once", IsolationLevel::ReadUncommitted)
}

#[test]
fn counts_that_are_not_committed_are_told_under_exactly_once() -> Result<()> {
    ask_while_all_are_started_anew("exactly_once_v2", IsolationLevel::ReadUncommitted)
}
