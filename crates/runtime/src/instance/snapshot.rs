//! An instance as a whole, as a value.

use headwater_record::Timestamp;

use super::{GlobalProgress, GlobalThreadState, Health, State, ThreadMetadata};

/// What an instance does and how far it is: plain data, that any thread may take and keep.
///
/// The threads tell theirs about once a second, each as of its [`told`](ThreadMetadata::told); two snapshots some seconds apart give rates.
///
/// ```
/// use std::sync::Arc;
///
/// use headwater::memory::Cluster;
/// use headwater::prelude::*;
/// use headwater::runtime::SystemClock;
///
/// let builder = StreamsBuilder::new();
/// builder.stream::<String, String>("in").to("out");
/// let cluster = Cluster::new(Arc::new(SystemClock));
/// cluster.create_topic("in", 1)?;
/// cluster.create_topic("out", 1)?;
/// let streams = KafkaStreams::builder(builder.build()?).application_id("copies").on(&cluster).start()?;
/// let of_source = loop {
///     let snapshot = streams.snapshot();
///     let mut tasks = snapshot.threads.iter().flat_map(|thread| thread.tasks.values());
///     if let Some(source) = tasks.find_map(|task| task.nodes.get("KSTREAM-SOURCE-0000000000")) {
///         break source.clone();
///     }
///     std::thread::yield_now();
/// };
/// assert_eq!(of_source.taken, 0);
/// assert_eq!(of_source.handed_on["KSTREAM-SINK-0000000001"], 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// Where the instance stands.
    pub state: State,
    /// Whether it is well.
    pub health: Health,
    /// Its stream threads with their tasks.
    pub threads: Vec<ThreadMetadata>,
    /// Where the thread that fills global stores stands; `None` when there is none.
    pub global_state: Option<GlobalThreadState>,
    /// How far the global stores are.
    pub globals: Vec<GlobalProgress>,
}
