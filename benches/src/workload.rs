//! The workloads of the side-by-side benchmarks, as a user would write them: one function each.

mod count;
mod hopping_count;
mod passthrough;
mod repartition;
mod session_count;
mod stateless;
mod suppress;
mod window_count;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use headwater::dsl::KStream;
use headwater::prelude::*;
use headwater::processor::Topology;
use headwater::record::Partition;

/// What nearly all workloads read: numbers as keys, bytes as values.
type Numbered = KStream<i64, Bytes>;

/// From where to where a workload goes.
#[derive(Clone, Copy, Debug)]
pub struct Topics<'a> {
    /// The input topics, as many as the workload has.
    pub inputs: &'a [&'a str],
    /// The output topic; some workloads have none.
    pub output: Option<&'a str>,
    /// Partitions of the first input topic.
    pub partitions: Partition,
}

impl Topics<'_> {
    /// The input topic at `index`.
    fn input(&self, index: usize) -> Result<&str> {
        self.inputs.get(index).copied().with_context(|| format!("there is no input topic number {}", index + 1))
    }

    fn output(&self) -> Result<&str> {
        self.output.context("the workload writes to a topic, and none is named")
    }

    fn numbered(&self, builder: &StreamsBuilder, index: usize) -> Result<Numbered> {
        Ok(builder.stream(self.input(index)?))
    }
}

/// How often each input record is processed by a source: twice where it crosses a repartition topic.
pub fn passes(workload: &str) -> u64 {
    if workload == "repartition" { 2 } else { 1 }
}

/// The topology of `workload`.
///
/// # Errors
/// When there is no such workload, or a topic that it needs is not named.
pub fn topology(workload: &str, topics: Topics<'_>) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    match workload {
        "passthrough" => passthrough::passthrough(&builder, topics.input(0)?, topics.output()?),
        "stateless8" => stateless::stateless8(&topics.numbered(&builder, 0)?, topics.output()?),
        "repartition" => {
            repartition::repartition(&topics.numbered(&builder, 0)?, topics.output()?, topics.partitions);
        }
        "count" => count::count(&topics.numbered(&builder, 0)?, topics.output()?),
        "window-count" => window_count::window_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "hopping-count" => hopping_count::hopping_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "session-count" => session_count::session_count(&topics.numbered(&builder, 0)?, topics.output()?),
        "suppress" => suppress::suppress(&topics.numbered(&builder, 0)?, topics.output()?),
        unknown => bail!("{unknown} is no workload"),
    }
    Ok(builder.build()?)
}

/// The first 8 bytes of a value as a big-endian number.
fn head(value: &[u8]) -> Result<i64> {
    let head = value.first_chunk().context("a value has less than 8 bytes")?;
    Ok(i64::from_be_bytes(*head))
}
