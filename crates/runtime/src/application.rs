//! The application as its user holds it: [`KafkaStreams`], its builder, its states, and a form that is driven by hand.

mod builder;
mod checks;
mod closed;
mod driven;
mod handle;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use headwater_record::Partition;
use headwater_topology::Topology;

pub use builder::Builder;
pub use closed::Closed;
pub use driven::Driven;
pub use handle::Handle;

use crate::environment::{DefaultEnvironment, NoDefault};
use crate::global::GlobalProgress;
use crate::host::{self, Threads};
use crate::instance::Instance;
pub use crate::instance::{
    CloseOptions, CommitMetadata, Explanation, GlobalThreadState, Health, InputProgress, KeyQueryMetadata, LagInfo,
    Metadata, NodeMetadata, Rebalance, RestoreProgress, Snapshot, State, StateListener, StreamsMetadata,
    TaskExplanation, TaskMetadata, TaskPhase, TaskRole, ThreadMetadata, ThreadState, UncaughtHandler, UncaughtResponse,
};
use crate::query::Queries;
use crate::{Error, ErrorKind};
pub use headwater_store::cache::CacheUse;
pub use headwater_topology::{DropReason, Held, HoldKind};

/// For how long a dropped application is waited for.
const PATIENCE_OF_DROP: Duration = Duration::from_secs(30);

/// A running application (Java's `KafkaStreams`). Dropping it closes it, and waits for the end for up to 30 s, unless
/// [`KafkaStreams::close`] has waited in vain before.
///
/// `D` chooses the environment where the user does not: the facade's alias has one that goes by features.
#[derive(Debug)]
pub struct KafkaStreams<D = NoDefault> {
    instance: Arc<Instance>,
    threads: Threads,
    /// Whether somebody has waited for the end as long as they wanted to.
    waited_in_vain: AtomicBool,
    environment: PhantomData<D>,
}

impl<D: DefaultEnvironment> KafkaStreams<D> {
    /// Begins an application that runs `topology`.
    pub fn builder(topology: Topology) -> Builder<D> {
        Builder::new(topology)
    }
}

impl<D> KafkaStreams<D> {
    pub(crate) fn of(instance: Arc<Instance>, threads: Threads) -> Self {
        KafkaStreams { instance, threads, waited_in_vain: AtomicBool::new(false), environment: PhantomData }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.instance.status.state()
    }

    /// What can be asked of it from any thread, for those who serve the answers.
    pub fn handle(&self) -> Handle {
        Handle::of(&self.instance)
    }

    /// Reads the stores that are here, from any thread.
    pub fn queries(&self) -> Queries {
        Queries::of(&self.instance)
    }

    /// Where state is in the group: which instance has which stores and keys.
    pub fn metadata(&self) -> Metadata<'_> {
        self.instance.metadata()
    }

    /// What each stream thread has: its tasks, how far their inputs and stores are. As the threads told it, within the last second or so;
    /// nothing before their first turn (Java's `KafkaStreams#metadataForLocalThreads`).
    #[doc(alias = "metadataForLocalThreads")]
    pub fn local_threads(&self) -> Vec<ThreadMetadata> {
        self.instance.local_threads()
    }

    /// How far the stores of this instance that are brought up to date, standbys among them, are behind their changelogs, by name and
    /// partition. Those of tasks that process have all there is (Java's `KafkaStreams#allLocalStorePartitionLags`).
    #[doc(alias = "allLocalStorePartitionLags")]
    pub fn local_store_lags(&self) -> BTreeMap<String, BTreeMap<Partition, LagInfo>> {
        self.instance.threads.store_lags()
    }

    /// All that can be seen of this instance: its threads, tasks, nodes and stores, with what they counted.
    pub fn snapshot(&self) -> Snapshot {
        self.instance.snapshot()
    }

    /// Why the node of this name hands nothing on, or as much as it does: for each task that has it here, its stream time, which partition
    /// holds that back and since when, what waits, and until when.
    ///
    /// # Errors
    /// [`ErrorKind::Topology`] when there is no such node.
    pub fn explain(&self, node: &str) -> Result<Explanation, Error> {
        self.instance.explain(node)
    }

    /// Whether this instance is alive, whether it does its work, and why not.
    pub fn health(&self) -> Health {
        self.instance.health()
    }

    /// Where its threads stand, by their numbers.
    pub fn thread_states(&self) -> Vec<(usize, ThreadState)> {
        self.instance.status.thread_states()
    }

    /// Where the thread that fills global stores stands; `None` when the topology has none.
    pub fn global_thread_state(&self) -> Option<GlobalThreadState> {
        self.instance.status.global_state()
    }

    /// How far each global store is in each partition of its topic, as of the last read, by topics and partitions. It is empty until
    /// the thread that fills them has read something.
    pub fn global_progress(&self) -> Vec<GlobalProgress> {
        self.instance.globals.progress()
    }

    /// Closes it: commits, gives all tasks up, leaves the group (unless it is a static member, or `options` say otherwise) and waits
    /// for the end, as long as `options` say. Called by one of its own threads, as from a listener, it does not wait.
    ///
    /// # Errors
    /// The error that ended the application before, if one did, or that kept its last commit from coming about;
    /// [`ErrorKind::Unavailable`] when it is not closed in time, in which case it goes on closing, and dropping it does not wait.
    pub fn close(&self, options: CloseOptions) -> Result<(), Error> {
        self.instance.begin_close(options);
        if host::is_own_thread() {
            return Ok(());
        }
        let status = &self.instance.status;
        if !status.gate().wait_until(options.timeout_or_none(), || status.has_ended()) {
            self.waited_in_vain.store(true, Ordering::Relaxed);
            let state = status.state();
            let what = if state.is_final() {
                format!("the application is {state}, but a thread of it is still busy, perhaps in the state listener")
            } else {
                format!("the application is still {state}: it was not closed in time, and goes on closing")
            };
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        self.threads.join();
        status.outcome()
    }

    /// Begins to close it without waiting; [`KafkaStreams::closed`] tells when it is.
    pub fn begin_close(&self, options: CloseOptions) {
        self.instance.begin_close(options);
    }

    /// Resolves when the application has ended, however it came to it. It needs no particular executor.
    pub fn closed(&self) -> Closed {
        Closed::of(Arc::clone(&self.instance))
    }

    /// Waits until the application has ended, however it came to it.
    ///
    /// # Errors
    /// The error that ended it, if one did, or that kept its last commit from coming about.
    pub fn wait(&self) -> Result<(), Error> {
        let status = &self.instance.status;
        status.gate().wait_until(None, || status.has_ended());
        self.threads.join();
        status.outcome()
    }

    /// Deletes what the application keeps on this disk: the state of all tasks and of global stores (Java's `cleanUp`). The next start
    /// restores it from the changelogs. Before a start, [`Builder::clean_up`] does the same.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] while the application runs: close it first. [`ErrorKind::Data`] when something cannot be deleted; the
    /// rest is deleted all the same.
    pub fn clean_up(&self) -> Result<(), Error> {
        if !self.instance.status.has_ended() {
            return Err(Error::config("Cannot clean up while running."));
        }
        self.instance.directory.delete_all()?;
        Ok(())
    }

    /// Closes it on SIGINT, SIGTERM and SIGHUP, as by [`CloseOptions::default`]. Those that the process was started to ignore, as by
    /// `nohup`, stay ignored. The process has one handler for all its applications.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the system lets nobody listen to them.
    pub fn close_on_signals(&self) -> Result<(), Error> {
        host::on_signal(Arc::downgrade(&self.instance))
    }
}

impl<D> Drop for KafkaStreams<D> {
    fn drop(&mut self) {
        self.instance.begin_close(CloseOptions::default());
        if host::is_own_thread() {
            return;
        }
        let status = &self.instance.status;
        let patience = if *self.waited_in_vain.get_mut() { Duration::ZERO } else { PATIENCE_OF_DROP };
        if status.gate().wait_until(Some(patience), || status.has_ended()) {
            self.threads.join();
        } else {
            tracing::warn!(state = %status.state(), "an application was dropped and is still closing");
        }
    }
}
