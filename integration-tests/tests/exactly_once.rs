//! Exactly-once beside Java, in one group on a real broker: readers of committed records see each word's counts as 1, 2, 3 and so on,
//! while processes of both are killed, stopped for longer than their sessions and transactions last, closed, and replaced by one of
//! the other kind. Without Java, `killed.rs` is harsher.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test of real programs on a real broker"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater::client::{Consumer, RecordBatch, StartAt};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;
use headwater_integration_tests::lines::{Lines, count};
use headwater_integration_tests::log::restored;
use nix::sys::signal::Signal;

const PARTITIONS: i32 = 3;
const INSTANCES: usize = 2;
const THREADS: usize = 2;
/// How long transactions and sessions last. The broker looks for those that are over now and then only.
const TRANSACTION: Duration = Duration::from_secs(3);
const SESSION: Duration = Duration::from_secs(6);
/// Lines at a time while instances come and go.
const CHUNK: usize = 50;
/// So many more counts of each partition are seen before the next blow.
const GOES_ON: usize = 200;
/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(2);
/// What the test writes, without key, after everything else to each partition of the counts.
const END: &str = "the end";
/// A file that is to stay in each task's directory.
const MARKER: &str = "marker";

/// What happens to an instance.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// It is killed, and comes back on the same disk.
    Kill,
    /// It is killed, and one of the other kind comes in its place: under the same process id, so that it takes over the transactional
    /// ids, and without its stores, which the other kind cannot read.
    Replace,
    /// It stands still for so long.
    Stop(Duration),
    /// It closes, and comes back.
    Close,
}

/// Each on both kinds.
const BLOWS: [(usize, Blow); 10] = [
    (0, Blow::Kill),
    (1, Blow::Kill),
    // Longer than a transaction, and than a session, too.
    (0, Blow::Stop(Duration::from_secs(9))),
    (1, Blow::Stop(Duration::from_secs(9))),
    (0, Blow::Replace),
    (1, Blow::Replace),
    (0, Blow::Kill),
    (1, Blow::Stop(Duration::from_secs(5))),
    (1, Blow::Close),
    (0, Blow::Close),
];

/// Reads the committed counts, each of which must follow the one before it of the same word.
struct Reader {
    consumer: Box<dyn Consumer>,
    broker: Broker,
    counts: BTreeMap<String, i64>,
    /// How many, by partition.
    seen: BTreeMap<i32, usize>,
    ends: usize,
}

impl Reader {
    fn new(broker: &Broker, topic: &str) -> Result<Self> {
        let config = broker.config_with(&[("isolation.level", "read_committed")]);
        let mut consumer = broker.clients().consumer(&config)?;
        let all = broker.partitions(topic)?.into_iter().map(|partition| (partition, StartAt::Beginning));
        consumer.assign(&all.collect::<Vec<_>>())?;
        Ok(Reader { consumer, broker: broker.clone(), counts: BTreeMap::new(), seen: BTreeMap::new(), ends: 0 })
    }

    fn poll(&mut self) -> Result<()> {
        let mut batches: Vec<Box<dyn RecordBatch>> = Vec::new();
        self.consumer.poll(self.broker.within(Duration::from_millis(100)), &mut batches)?;
        for batch in &mut batches {
            let partition = batch.partition().partition;
            while let Some(record) = batch.head() {
                if let Some(key) = record.key {
                    let word = String::from_utf8(key.to_vec())?;
                    let count = i64::from_be_bytes(record.value.context("a count")?.try_into()?);
                    let last = self.counts.insert(word.clone(), count).unwrap_or_default();
                    ensure!(count == last + 1, "{word} is counted {count} after {last}");
                    *self.seen.entry(partition).or_default() += 1;
                } else {
                    self.ends += 1;
                }
                batch.advance()?;
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, fleet: &mut Fleet, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let reader = self;
        fleet.wait_for(what, |_| {
            reader.poll()?;
            Ok(done(reader).then_some(()))
        })
    }

    /// Until more is counted of each partition.
    fn goes_on(&mut self, fleet: &mut Fleet, after: &str) -> Result<()> {
        let before = self.seen.clone();
        let more = |partition: i32, seen: usize| seen >= before.get(&partition).unwrap_or(&0) + GOES_ON;
        self.wait_for(fleet, &format!("counts go on after {after}"), |reader| {
            reader.seen.len() == PARTITIONS as usize
                && reader.seen.iter().all(|(partition, seen)| more(*partition, *seen))
        })
    }
}

struct Trial {
    broker: Broker,
    application: String,
    input: String,
    output: String,
    state: tempfile::TempDir,
    /// The jars of Java Kafka Streams.
    java: String,
    /// Which instances are of it.
    is_java: [AtomicBool; INSTANCES],
    /// Whether ours, and one of Java, has restored what the other kind wrote.
    restored: [AtomicBool; 2],
}

impl Trial {
    fn new(broker: Broker, name: &str) -> Result<Self> {
        let java = broker.java_streams()?;
        let application = format!("{name}-{}", std::process::id());
        let (input, output) = (format!("{application}-lines"), format!("{application}-counts"));
        broker.make_topic(&input, PARTITIONS)?;
        broker.make_topic(&output, PARTITIONS)?;
        let is_java = [false, true].map(AtomicBool::new);
        Ok(Trial {
            broker,
            application,
            input,
            output,
            state: tempfile::tempdir()?,
            java,
            is_java,
            restored: Default::default(),
        })
    }

    fn is_java(&self, number: usize) -> bool {
        self.is_java.get(number).is_some_and(|java| java.load(Ordering::SeqCst))
    }

    fn state(&self, number: usize) -> PathBuf {
        self.state.path().join(number.to_string())
    }

    fn start(&self, fleet: &mut Fleet, number: usize) -> Result<()> {
        let settings = [
            format!("application.id={}", self.application),
            format!("state.dir={}", self.state(number).display()),
            "processing.guarantee=exactly_once_v2".to_owned(),
            format!("num.stream.threads={THREADS}"),
            "commit.interval.ms=100".to_owned(),
            // Each count is shown.
            "statestore.cache.max.bytes=0".to_owned(),
            format!("producer.transaction.timeout.ms={}", TRANSACTION.as_millis()),
            format!("session.timeout.ms={}", SESSION.as_millis()),
            "heartbeat.interval.ms=1000".to_owned(),
            "auto.offset.reset=earliest".to_owned(),
        ];
        let topics = [&self.broker.bootstrap, &self.input, &self.output];
        let mut command = if self.is_java(number) {
            let mut java = Command::new("java");
            java.args(["-Xmx512m", "-cp", &format!("{}/*", self.java)]);
            java.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/java/WordCount.java"));
            java.args(topics).args(settings);
            java
        } else {
            let mut ours = Command::new(env!("CARGO_BIN_EXE_word_count"));
            ours.env("NO_COLOR", "1").args(["--log", "info"]);
            let names = ["--bootstrap", "--input", "--output"].iter().zip(topics);
            ours.args(names.flat_map(|(name, value)| [*name, value]));
            ours.args(settings.iter().flat_map(|setting| ["--set", setting]));
            ours
        };
        fleet.start(&name(number), &mut command)
    }

    /// Java finds changelogs of ours wherever it begins; ours finds those of Java in the second place, where it begins without anything
    /// beside Java alone.
    fn ended(&self, number: usize, log: &[String]) -> Result<()> {
        let is_java = self.is_java(number);
        if restored(log)?.iter().any(|store| store.to > 0) && (is_java || number == 1) {
            self.restored[usize::from(is_java)].store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// The directories of an instance's tasks.
    fn tasks(&self, number: usize) -> Result<Vec<PathBuf>> {
        let of_application = std::fs::read_dir(self.state(number).join(&self.application))?;
        let paths = of_application.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
    }

    /// Leaves a file in each of them.
    fn mark(&self, number: usize) -> Result<Vec<PathBuf>> {
        let markers: Vec<_> = self.tasks(number)?.into_iter().map(|task| task.join(MARKER)).collect();
        for marker in &markers {
            std::fs::write(marker, "")?;
        }
        Ok(markers)
    }

    /// Until the instance has tasks again, all are counted, and nothing is gone from its disk.
    fn strike(&self, fleet: &mut Fleet, reader: &mut Reader, number: usize, blow: Blow) -> Result<()> {
        // Java wipes the disk of who was killed.
        let mut marked = if self.is_java(number) { Vec::new() } else { self.mark(number)? };
        // What it has said before it stands still.
        let mut said = 0;
        match blow {
            Blow::Kill => self.ended(number, &fleet.kill(&name(number))?)?,
            Blow::Replace => {
                self.ended(number, &fleet.kill(&name(number))?)?;
                self.tasks(number)?.into_iter().try_for_each(std::fs::remove_dir_all)?;
                marked.clear();
                let is_java = self.is_java.get(number).context("an instance")?;
                is_java.fetch_xor(true, Ordering::SeqCst);
            }
            Blow::Stop(time) => {
                fleet.signal(&name(number), Signal::SIGSTOP)?;
                said = fleet.log(&name(number))?.len();
                std::thread::sleep(time);
                fleet.signal(&name(number), Signal::SIGCONT)?;
            }
            Blow::Close => self.ended(number, &fleet.terminate(&name(number))?)?,
        }
        if !matches!(blow, Blow::Stop(_)) {
            self.start(fleet, number)?;
        }
        if !matches!(blow, Blow::Stop(time) if time < SESSION) {
            fleet.wait_for(&format!("{number} has tasks after {blow:?}"), |fleet| {
                let log = fleet.log(&name(number))?.split_off(said);
                let tells = |line: &String| line.contains("tasks assigned") || line.contains("tasks running");
                let has_some =
                    |line: &String| tells(line) && line.contains(" active=\"") && !line.contains(" active=\"\"");
                Ok(log.iter().any(has_some).then_some(()))
            })?;
        }
        reader.goes_on(fleet, &format!("{blow:?}"))?;
        let gone: Vec<_> = marked.iter().filter(|marker| !marker.exists()).collect();
        ensure!(gone.is_empty(), "{blow:?} wiped {gone:?}");
        Ok(())
    }

    fn write(&self, struck: &AtomicBool) -> Result<Vec<String>> {
        let (mut source, mut lines) = (Lines::new(31, 300), Vec::new());
        while !struck.load(Ordering::SeqCst) {
            let chunk: Vec<String> = source.by_ref().take(CHUNK).collect();
            self.broker.produce(&self.input, chunk.iter().map(|line| (None, line.as_bytes())))?;
            lines.extend(chunk);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(lines)
    }

    fn run(&self, fleet: &mut Fleet) -> Result<()> {
        for number in 0..INSTANCES {
            self.start(fleet, number)?;
        }
        let mut reader = Reader::new(&self.broker, &self.output)?;
        let struck = AtomicBool::new(false);
        let lines = std::thread::scope(|scope| {
            let writer = scope.spawn(|| self.write(&struck));
            let outcome = reader.goes_on(fleet, "the start").and_then(|()| {
                BLOWS.iter().try_for_each(|(number, blow)| self.strike(fleet, &mut reader, *number, *blow))
            });
            struck.store(true, Ordering::SeqCst);
            let lines = writer.join().expect("the writer does not panic");
            outcome.and(lines)
        })?;
        let expected = count(lines.iter().map(String::as_str));
        let all = usize::try_from(expected.values().sum::<i64>())?;
        reader.wait_for(fleet, "all words are counted", |reader| reader.seen.values().sum::<usize>() >= all)?;
        for number in 0..INSTANCES {
            self.ended(number, &fleet.terminate(&name(number))?)?;
        }
        let restored = self.restored.each_ref().map(|kind| kind.load(Ordering::SeqCst));
        ensure!(restored == [true; 2], "ours and Java have restored what the other wrote: {restored:?}");
        // Seen by readers of committed records when nothing before it is open.
        let ends = self.broker.partitions(&self.output)?.len();
        self.broker.produce(&self.output, (0..ends).map(|_| (None, END.as_bytes())))?;
        reader.wait_for(fleet, "nothing is left open", |reader| reader.ends == ends)?;
        ensure!(reader.counts == expected, "the counts differ from an offline count");
        self.each_thread_of_a_place_has_one_id()
    }

    /// Whoever runs in a place.
    fn each_thread_of_a_place_has_one_id(&self) -> Result<()> {
        let said = self.broker.tool("org.apache.kafka.tools.TransactionsCommand", &["list"])?;
        let words = said.lines().filter_map(|line| line.split_whitespace().next());
        let of_application = format!("{}-", self.application);
        let ids: Vec<&str> = words.filter(|id| id.starts_with(&of_application)).collect();
        ensure!(ids.len() == INSTANCES * THREADS, "the transactional ids are {ids:?}");
        ensure!(ids.iter().all(|id| id.ends_with("-1") || id.ends_with("-2")), "the transactional ids are {ids:?}");
        Ok(())
    }
}

fn name(number: usize) -> String {
    format!("instance {number}")
}

#[test]
fn each_count_is_seen_once_and_in_order_beside_java() -> Result<()> {
    let Some(broker) = Broker::of_this_run("each_count_is_seen_once_and_in_order_beside_java") else { return Ok(()) };
    let trial = Trial::new(broker, "exactly-once-beside-java")?;
    let mut fleet = Fleet::new(PATIENCE);
    let outcome = trial.run(&mut fleet);
    fleet.tell(outcome)
}
