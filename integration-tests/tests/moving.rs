//! Every operator with a store, on a real broker and RocksDB, while its tasks go to and fro between threads and instances.
#![allow(missing_docs, reason = "a test of a real application on a real broker")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::dsl::Joined;
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::runtime::{CloseOptions, State};
use headwater::testing::TopologyTestDriver;
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::wait_for;

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
/// So often an instance closes and comes back.
const MOVES: usize = 20;
const PARTITIONS: i32 = 3;
const OUTPUTS: usize = 12;

/// The last value of each key of each output.
type Last = BTreeMap<(usize, String), String>;

fn input() -> Consumed<String, String> {
    // The time stands in the value: "number@milliseconds".
    Consumed::<String, String>::by_type().with_timestamp_from(|record| {
        let time = record.value.split_once('@').and_then(|(_, time)| time.parse().ok());
        time.map_or(record.timestamp, Timestamp::from_millis)
    })
}

fn number(value: &str) -> String {
    value.split('@').next().unwrap_or_default().to_owned()
}

fn windowed(counts: KTable<Windowed<String>, i64>) -> KStream<String, Option<String>> {
    counts.to_stream().map(|key, count| {
        (
            format!("{}@{}/{}", key.key, key.window.start.millis(), key.window.end.millis()),
            count.map(|count| count.to_string()),
        )
    })
}

/// What comes of the inputs does not depend on which record of two partitions is first: counts, and tables of what is last.
fn topology(topic: &dyn Fn(&str) -> String) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let hour = Duration::from_hours(1);
    let mut outputs = 0;
    let mut out = |table: KStream<String, Option<String>>| {
        table.to_with(&topic(&format!("out-{outputs}")), Produced::by_type());
        outputs += 1;
    };
    let counted =
        |table: KTable<String, i64>| table.to_stream().map_values(|_, count| count.map(|count| count.to_string()));
    let left = builder.stream_with(topic("left"), input());
    let right = builder.stream_with(topic("right"), input());
    let shops = builder.table_with(&topic("shops"), input(), Materialized::versioned("shops", hour));

    out(counted(left.group_by(|_, value| number(value)).count()));
    let rows = left.map_values(|_, value| number(value)).to_table();
    out(counted(rows.group_by(|key, value| (value.clone(), key.clone())).count()));
    let others = right.map_values(|_, value| number(value)).to_table();
    let both = rows.outer_join(&others, |one, other| format!("{one:?} {other:?}"));
    out(both.to_stream());
    let shop = |_: &String, value: &String| Some(format!("k{value}"));
    out(rows.left_join_on(&shops, shop, |row, shop: Option<&String>| format!("{row} {shop:?}")).to_stream());
    let sold = left.join_table(&shops, |_, sale, shop| format!("{sale} {shop}"));
    out(counted(sold.group_by_key().count()));
    let waits = Joined::inherited().with_grace_period(Duration::from_millis(40));
    let sold = left.left_join_table_with(&shops, |_, sale, shop: Option<&String>| format!("{sale} {shop:?}"), waits);
    out(counted(sold.group_by_key().count()));
    let near = JoinWindows::of_time_difference_and_grace(Duration::from_millis(30), hour);
    out(counted(left.join(&right, |_, one, other| format!("{one}{other}"), near).group_by_key().count()));
    let near = JoinWindows::of_time_difference_and_grace(Duration::from_millis(10), hour);
    let alone =
        left.outer_join(&right, |_, one: Option<&String>, other: Option<&String>| format!("{one:?}{other:?}"), near);
    out(counted(alone.group_by_key().count()));
    let (one, other) = (left.group_by_key(), right.group_by_key());
    let together = one.cogroup(|_, _, sum: i64| sum + 1).cogroup(&other, |_, _, sum| sum + 1_000);
    out(counted(together.aggregate(|| 0)));
    let hops = TimeWindows::of_size_and_grace(Duration::from_millis(60), hour).advance_by(Duration::from_millis(20));
    out(windowed(one.windowed_by(hops).count()));
    let gaps = SessionWindows::of_inactivity_gap_and_grace(Duration::from_millis(15), hour);
    out(windowed(other.windowed_by(gaps).count()));
    let limit = BufferConfig::max_records(100_000).emit_early_when_full();
    let counts = left.group_by_key().count_with(Materialized::named("slow").with_caching_disabled());
    out(counted(counts.suppress(Suppressed::until_time_limit(Duration::from_millis(100), limit))));
    ensure!(outputs == OUTPUTS, "{outputs}");
    Ok(builder.build()?)
}

/// The records of a round, in the order of their times.
fn records(round: usize) -> impl Iterator<Item = (&'static str, String, String)> {
    (0..60).map(move |n| {
        let time = 1_000 + (round * 60 + n) * 7;
        let topic = if (n * n + round).is_multiple_of(3) { "right" } else { "left" };
        (topic, format!("k{}", (n * 7 + round) % 11), format!("{}@{time}", (n + round) % 10))
    })
}

/// What lies in the shops from the beginning.
fn shops() -> impl Iterator<Item = (&'static str, String, String)> {
    (0..8).map(|n| ("shops", format!("k{n}"), format!("shop {n}@1")))
}

/// Records past everything that waits, one for each partition at least; later ones with every `time`.
fn end(time: usize) -> impl Iterator<Item = (&'static str, String, String)> {
    let topics = ["left", "right"].into_iter();
    topics
        .flat_map(move |topic| (0..24).map(move |n| (topic, format!("end{n}"), format!("end@{}", 900_000_000 + time))))
}

/// What one task makes of the same input.
fn expected() -> Result<Last> {
    let driver =
        TopologyTestDriver::builder(topology(&str::to_owned)?).setting("statestore.cache.max.bytes", "0").build()?;
    for (topic, key, value) in shops().chain((0..=MOVES).flat_map(records)).chain((0..2).flat_map(end)) {
        driver.input_topic::<String, String>(topic).pipe(key, value)?;
    }
    let mut last = Last::new();
    for output in 0..OUTPUTS {
        for (key, value) in driver.output_topic::<String, Option<String>>(&format!("out-{output}")).read_key_values()? {
            put(&mut last, (output, key), value);
        }
    }
    Ok(last)
}

fn put(last: &mut Last, key: (usize, String), value: Option<String>) {
    // How many of these are handed on before the others come is another matter.
    if key.1.contains("end") {
        return;
    }
    match value {
        Some(value) => last.insert(key, value),
        None => last.remove(&key),
    };
}

/// The memory of this process that is resident, MiB.
fn resident() -> Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let resident: u64 = pages.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(resident * 4096 / (1 << 20))
}

struct Fleet {
    broker: Broker,
    id: String,
}

impl Fleet {
    fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.id)
    }

    fn start(&self, state: &Path, number: usize) -> Result<KafkaStreams> {
        Ok(KafkaStreams::builder(topology(&|name| self.topic(name))?)
            .application_id(&self.id)
            .bootstrap_servers(&self.broker.bootstrap)
            .state_dir(state.join(number.to_string()))
            .set("commit.interval.ms", "200")
            .threads(2)
            .start()?)
    }

    fn feed(&self, records: impl Iterator<Item = (&'static str, String, String)>) -> Result<()> {
        let records: Vec<_> = records.collect();
        for topic in ["shops", "left", "right"] {
            let of_topic = records.iter().filter(|(of, ..)| *of == topic);
            self.broker.produce(
                &self.topic(topic),
                of_topic.map(|(_, key, value)| (Some(key.as_bytes()), value.as_bytes())),
            )?;
        }
        Ok(())
    }

    fn last(&self) -> Result<Last> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_default();
        let mut last = Last::new();
        for output in 0..OUTPUTS {
            for (key, value) in self.broker.read(&self.topic(&format!("out-{output}")))? {
                put(&mut last, (output, key.map(text).unwrap_or_default()), value.map(text));
            }
        }
        Ok(last)
    }
}

fn wait_until_running(application: &KafkaStreams) -> Result<()> {
    wait_for("an instance runs", PATIENCE, || {
        ensure!(!application.state().is_final(), "it has ended: {:?}", application.close(CloseOptions::default()));
        Ok((application.state() == State::Running).then_some(()))
    })
}

#[test]
fn every_operator_is_right_while_its_tasks_move() -> Result<()> {
    let Some(broker) = Broker::of_this_run("every_operator_is_right_while_its_tasks_move") else { return Ok(()) };
    let fleet = Fleet { broker, id: format!("moving-{}", std::process::id()) };
    let outputs = (0..OUTPUTS).map(|output| format!("out-{output}"));
    for topic in ["left", "right", "shops"].map(str::to_owned).into_iter().chain(outputs) {
        fleet.broker.make_topic(&fleet.topic(&topic), PARTITIONS)?;
    }
    let expected = expected()?;
    let state = tempfile::tempdir()?;
    // The shops are there before anybody sells in them.
    fleet.feed(shops())?;
    let mut instances = [0, 1].map(|number| fleet.start(state.path(), number).map(Some));
    for instance in instances.iter().flatten().flatten() {
        wait_until_running(instance)?;
    }
    let mut memory = Vec::new();
    for round in 0..MOVES {
        fleet.feed(records(round))?;
        let number = round % 2;
        if let Ok(Some(closed)) = std::mem::replace(&mut instances[number], Ok(None)) {
            closed.close(CloseOptions::default().timeout(PATIENCE))?;
        }
        let again = fleet.start(state.path(), number)?;
        wait_until_running(&again)?;
        instances[number] = Ok(Some(again));
        memory.push(resident()?);
    }
    // A move leaves nothing behind: one that kept a database open, or a task, would be some MiB each.
    let (first, last) = memory.split_at(MOVES / 2);
    let peak = |memory: &[u64]| memory.iter().max().copied().unwrap_or_default();
    println!("MiB resident after each move: {memory:?}");
    ensure!(peak(last) <= peak(first) + peak(first) / 4, "memory grows with each move: {memory:?} MiB");
    fleet.feed(records(MOVES))?;
    let (mut found, mut time) = (Last::new(), 0);
    let right = wait_for("all is written", PATIENCE, || {
        // A join looks for what stays without partner at most once a second.
        fleet.feed(end(time))?;
        time += 1;
        found = fleet.last()?;
        Ok((found == expected).then_some(()))
    });
    let differ = |key: &&(usize, String)| found.get(key) != expected.get(key);
    let differing: Vec<_> = expected.keys().chain(found.keys()).filter(differ).collect();
    let shown = |key: &(usize, String)| format!("{key:?}: {:?}, not {:?}", found.get(key), expected.get(key));
    ensure!(
        right.is_ok(),
        "{} differ: {:?}",
        differing.len(),
        differing.iter().take(20).map(|key| shown(key)).collect::<Vec<_>>()
    );
    for instance in instances.into_iter().flatten().flatten() {
        instance.close(CloseOptions::default().timeout(PATIENCE))?;
    }
    Ok(())
}
