//! Transactions that Java's producer committed, aborted and left open, as readers see them.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use headwater::client::{Consumer, Isolation, OffsetSpec, StartAt};
use headwater::record::{Offset, TopicPartition};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::{Program, wait_for};
use headwater_integration_tests::traffic::{PATIENCE, Settings};

use crate::{make, on_cluster};

const PARTITIONS: i32 = 3;

/// Value and whether it was not aborted of what was written, by partition and offset.
type Written = BTreeMap<(i32, i64), (String, bool)>;

/// Has Java write, and gives what it says that it wrote.
fn write(broker: &Broker, topic: &str) -> Result<Written> {
    let mut java = Command::new("java");
    java.args(["-Xmx256m", "-cp", &format!("{}/*", broker.tools()?)]);
    java.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/java/Transactions.java"));
    java.args([&broker.bootstrap, topic, &PARTITIONS.to_string()]);
    let (status, log) = Program::start(&mut java)?.wait(PATIENCE)?;
    ensure!(status.success(), "the transactions ended with {status}:\n{}", log.join("\n"));
    let mut written = Written::new();
    for line in log {
        let words: Vec<&str> = line.split(' ').collect();
        let [fate @ ("plain" | "committed" | "aborted"), partition, offset, value] = words[..] else { continue };
        written.insert((partition.parse()?, offset.parse()?), (value.to_owned(), fate != "aborted"));
    }
    Ok(written)
}

/// A consumer, and the values that it gave.
struct Values<'a> {
    broker: &'a Broker,
    consumer: Box<dyn Consumer>,
    read: BTreeMap<(i32, i64), String>,
}

impl<'a> Values<'a> {
    fn new(broker: &'a Broker, all: &[TopicPartition], at: StartAt, settings: Settings<'_>) -> Result<Self> {
        let mut consumer = broker.clients().consumer(&broker.config_with(settings))?;
        let starts: Vec<_> = all.iter().map(|partition| (partition.clone(), at)).collect();
        consumer.assign(&starts)?;
        Ok(Values { broker, consumer, read: BTreeMap::new() })
    }

    fn poll(&mut self) -> Result<()> {
        let mut batches = Vec::new();
        self.consumer.poll(self.broker.within(Duration::from_millis(100)), &mut batches)?;
        for mut batch in batches {
            let number = batch.partition().partition;
            while let Some(record) = batch.head() {
                let value = std::str::from_utf8(record.value.context("a value")?)?;
                let (place, last) =
                    ((number, record.offset.value()), self.read.range((number, 0)..=(number, i64::MAX)));
                let last = last.last().map(|(place, _)| *place);
                ensure!(last < Some(place), "{value} of {place:?} came after what is at {last:?}");
                self.read.insert(place, value.to_owned());
                batch.advance()?;
            }
        }
        Ok(())
    }

    /// Polls until the positions are the ends, and compares with what should have been seen.
    fn read_to(&mut self, ends: &[(TopicPartition, Offset)], due: &BTreeMap<(i32, i64), String>) -> Result<()> {
        let until = self.broker.within(PATIENCE);
        let positions = |values: &Self| -> Vec<_> {
            ends.iter().map(|(partition, _)| (partition.clone(), values.consumer.position(partition))).collect()
        };
        let at_end =
            |values: &Self| ends.iter().all(|(partition, end)| values.consumer.position(partition) == Some(*end));
        while !(at_end(self) && self.read.len() >= due.len()) {
            self.poll()?;
            if until.passed(self.broker.clients().clock().now()) {
                let missing = due.iter().find(|(place, _)| !self.read.contains_key(place));
                bail!("positions {:?} do not reach {ends:?}; the first missing is {missing:?}", positions(self));
            }
        }
        // Nothing more may come.
        self.poll()?;
        for (place, value) in &self.read {
            ensure!(due.get(place) == Some(value), "{value} of {place:?} should not have been seen");
        }
        let missing: Vec<_> = due.iter().filter(|(place, _)| !self.read.contains_key(place)).take(5).collect();
        ensure!(missing.is_empty(), "{} of {} were seen, not {missing:?}", self.read.len(), due.len());
        ensure!(at_end(self), "positions {:?} went beyond {ends:?}", positions(self));
        for (partition, end) in ends {
            let heard = self.consumer.watermarks(partition).map(|marks| marks.high);
            ensure!(heard == Some(*end), "{partition} ends at {heard:?}, not at {end}");
        }
        Ok(())
    }
}

/// What a reader that begins at `from` should see.
fn due(written: &Written, from: i64, isolation: Isolation) -> BTreeMap<(i32, i64), String> {
    let seen = |kept: bool| kept || isolation == Isolation::ReadUncommitted;
    let due = written.iter().filter(|((_, offset), (_, kept))| *offset >= from && seen(*kept));
    due.map(|(place, (value, _))| (*place, value.clone())).collect()
}

#[test]
fn readers_see_what_their_isolation_lets_them_and_pass_all_else() -> Result<()> {
    on_cluster("readers_see_what_their_isolation_lets_them_and_pass_all_else", |cluster| {
        let broker = cluster.broker();
        let all = make(cluster, "transactions", PARTITIONS, 3, &[])?;
        let committed = ("isolation.level", "read_committed");
        let small = [committed, ("max.partition.fetch.bytes", "1000")];
        // These read while transactions are open.
        let mut early = Values::new(broker, &all, StartAt::Beginning, &[committed])?;
        let mut early_in_pieces = Values::new(broker, &all, StartAt::Beginning, &small)?;
        let written = write(broker, all[0].topic.as_str())?;
        let (kept, aborted): (Vec<_>, Vec<_>) = written.values().partition(|(_, kept)| *kept);
        ensure!(kept.len() > 500 && aborted.len() > 300, "{} were kept, {} aborted", kept.len(), aborted.len());

        let ends = |isolation| -> Result<Vec<_>> {
            let ends = broker.admin()?.list_offsets(&all, OffsetSpec::Latest(isolation), broker.soon())?;
            Ok(all.iter().cloned().zip(ends).collect())
        };
        // Some records were kept behind the open transaction: they are seen when the coordinator has aborted it.
        let ends = wait_for("the transaction that was left open is aborted", PATIENCE, || {
            early.poll()?;
            let (stable, all) = (ends(Isolation::ReadCommitted)?, ends(Isolation::ReadUncommitted)?);
            Ok((stable == all).then_some(all))
        })?;
        for values in [&mut early, &mut early_in_pieces] {
            values.read_to(&ends, &due(&written, 0, Isolation::ReadCommitted))?;
        }
        let mut everything = Values::new(broker, &all, StartAt::Beginning, &[])?;
        everything.read_to(&ends, &due(&written, 0, Isolation::ReadUncommitted))?;
        // In the midst of transactions that began before.
        let last = ends.iter().map(|(_, end)| end.value()).min().context("a partition")?;
        for from in (1..last).step_by(usize::try_from(last / 12)?) {
            let settings = if from % 2 == 0 { &small[..] } else { &small[..1] };
            let mut values = Values::new(broker, &all, StartAt::Offset(Offset::new(from)), settings)?;
            let due = due(&written, from, Isolation::ReadCommitted);
            values.read_to(&ends, &due).with_context(|| format!("from {from} on"))?;
        }
        Ok(())
    })
}
