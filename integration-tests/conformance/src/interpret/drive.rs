//! Running a topology on the test driver, step by step.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result};
use headwater::processor::Topology;
use headwater::record::{Header, Headers, OwnedRecord, Timestamp};
use headwater::runtime::{DefaultEnvironment, StoreMakers};
use headwater::testing::{DriverError, StateOnDisk, TopologyTestDriver};
use tempfile::TempDir;

use super::contents::Keeping;
use super::{APPLICATION, Stores, failure};
use crate::outcome::{Outcome, Phase, Record};
use crate::scenario::{Action, Input, Step};

/// How a program is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// On which stores.
    pub stores: Stores,
    /// Where it is cut, and starts again.
    pub cut: Option<Cut>,
    /// Whether record caches are as the scenario has them.
    pub cache: Cache,
}

/// The record caches of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// As the scenario says.
    #[default]
    AsTold,
    /// None.
    Off,
}

/// A restart in the middle of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// After so many steps.
    pub after: usize,
    /// With which state.
    pub state: StateOnDisk,
}

/// Runs the steps, as far as they go.
pub(super) fn drive(
    topology: Topology,
    settings: &[(String, String)],
    steps: &[Step],
    start_ms: i64,
    run: Run,
    keeping: &Keeping,
    outcome: &mut Outcome,
) -> Result<()> {
    let builder = TopologyTestDriver::builder(topology).settings(settings.iter().cloned()).start_time(start_ms);
    // The directory goes when the run is over.
    let (builder, _directory) = match run.stores {
        Stores::Memory => (builder, None),
        Stores::RocksDb => {
            let directory = tempfile::Builder::new().prefix("headwater-conformance-").tempdir()?;
            (persistent(builder, &directory)?, Some(directory))
        }
    };
    let driver = match builder.build() {
        Ok(driver) => driver,
        Err(error) => {
            outcome.error = Some(failure::of_driver(Phase::Start, &error));
            return Ok(());
        }
    };
    let mut produced = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let mut result = take(&driver, step);
        produced.push(read(&driver));
        if let Some(cut) = run.cut.filter(|cut| cut.after == number + 1 && result.is_ok()) {
            result = driver.restart(cut.state);
            // A commit has been there in any case: what a restart writes is one difference more.
            let mut more = read(&driver);
            if let Some(last) = produced.last_mut() {
                for (topic, records) in &mut more {
                    last.entry(topic.clone()).or_default().append(records);
                }
            }
        }
        if let Err(error) = result {
            outcome.steps = Some(produced);
            outcome.error = Some(failure::of_driver(Phase::Step(number), &error));
            return let_go(&driver);
        }
    }
    outcome.steps = Some(produced);
    outcome.stores = keeping.read(&driver)?;
    outcome.dropped = Some(i64::try_from(driver.dropped_records()).context("dropped records")?);
    let_go(&driver)
}

/// Closes the driver: nothing of its task may be left then. That a failed task cannot commit any more is as it should be.
fn let_go(driver: &TopologyTestDriver) -> Result<()> {
    match driver.close() {
        Err(error @ DriverError::Held(_)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The makes of stores of this build, the same for all: two would not open one directory.
pub(super) fn makers() -> Result<StoreMakers> {
    static MAKERS: OnceLock<StoreMakers> = OnceLock::new();
    if let Some(makers) = MAKERS.get() {
        return Ok(makers.clone());
    }
    let named = [("application.id", APPLICATION), ("bootstrap.servers", "localhost:9092")];
    let makers = headwater::FromFeatures::stores(&headwater::StreamsConfig::from_properties(named)?)?;
    Ok(MAKERS.get_or_init(|| makers).clone())
}

#[cfg(feature = "rocksdb")]
fn persistent(builder: headwater::testing::Builder, directory: &TempDir) -> Result<headwater::testing::Builder> {
    let makers = makers()?;
    let persistent = makers.persistent.context("this build has no persistent stores")?;
    Ok(builder.persistent_stores(persistent, directory.path()))
}

#[cfg(not(feature = "rocksdb"))]
fn persistent(_builder: headwater::testing::Builder, _directory: &TempDir) -> Result<headwater::testing::Builder> {
    anyhow::bail!("this build has no RocksDB: build it with the feature `rocksdb`")
}

fn take(driver: &TopologyTestDriver, step: &Step) -> Result<(), DriverError> {
    match &step.action {
        Action::AdvanceWallClock { by_ms } => {
            driver.advance_wall_clock(Duration::from_millis(u64::try_from(*by_ms).unwrap_or_default()))
        }
        Action::Pipe(input) => {
            let Input { topic, key, value, timestamp, .. } = input;
            let (key, value, at) = (key.as_deref(), value.as_deref(), Timestamp::from_millis(*timestamp));
            driver.pipe(topic, key, value, at, &headers(input))
        }
    }
}

/// The headers of an input record.
pub(super) fn headers(input: &Input) -> Headers {
    let header = |(name, value): &(String, Option<Vec<u8>>)| Header {
        name: name.as_str().into(),
        value: value.clone().map(Into::into),
    };
    input.headers.iter().map(header).collect()
}

/// What was produced since this was last asked.
fn read(driver: &TopologyTestDriver) -> BTreeMap<String, Vec<Record>> {
    let topics = driver.produced_topics();
    let records = topics.iter().map(|topic| {
        let records = driver.read_records(topic.as_str());
        (topic.as_str().to_owned(), records.iter().map(shown).collect::<Vec<_>>())
    });
    records.filter(|(_, records)| !records.is_empty()).collect()
}

pub(super) fn shown(record: &OwnedRecord) -> Record {
    let timestamp = record.timestamp.is_known().then(|| record.timestamp.millis());
    let headers = record.headers.iter().map(|header| (&*header.name, header.value.as_deref()));
    Record::new(record.key.as_deref(), record.value.as_deref(), timestamp, headers)
}
