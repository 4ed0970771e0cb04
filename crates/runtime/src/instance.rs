//! One instance of an application as all its threads share it: what it is made of, where it stands, how it ends.
//!
//! It knows no thread: `thread`, `global`, `host` and `application` all build upon it.

mod asks;
mod close;
mod counted;
mod dead_letters;
mod explain;
mod gate;
mod globals;
mod health;
mod local;
mod metadata;
mod patterns;
mod snapshot;
mod state;
mod status;
mod stores;
mod uncaught;
mod utc;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_record::Topic;
use headwater_topology::node::NodeSpec;
use headwater_topology::{Application, Topology};

pub(crate) use self::asks::{Answer, Ask, Asks, Inbox, Part, Seen};
pub use self::close::CloseOptions;
pub use self::counted::{CommitMetadata, NodeMetadata, Rebalance, RestoreProgress};
pub(crate) use self::dead_letters::DeadLetters;
pub(crate) use self::explain::why_nothing;
pub use self::explain::{Explanation, TaskExplanation};
pub(crate) use self::gate::Gate;
pub use self::globals::GlobalProgress;
pub(crate) use self::globals::{Globals, shared};
pub use self::health::Health;
use self::health::Signs;
pub(crate) use self::local::LocalThreads;
pub use self::local::{InputProgress, LagInfo, TaskMetadata, TaskPhase, TaskRole, ThreadMetadata};
pub(crate) use self::metadata::StreamsMetadataState;
pub use self::metadata::{KeyQueryMetadata, Metadata, StreamsMetadata};
pub(crate) use self::patterns::SourcePatterns;
pub use self::snapshot::Snapshot;
pub use self::state::{GlobalThreadState, State, ThreadState};
pub use self::status::StateListener;
pub(crate) use self::status::{Closing, Status};
pub(crate) use self::stores::{LocalStores, OpenStore};
pub use self::uncaught::{UncaughtHandler, UncaughtResponse};
pub(crate) use self::watch::Watch;

use crate::changelog::{RestoreListener, StandbyUpdateListener};
use crate::directory::StateDirectory;
use crate::handler::ExceptionHandlers;
use crate::membership::Assignment;
use crate::{Environment, Error, StreamsConfig, metric};

/// One instance of an application.
pub(crate) struct Instance {
    pub(crate) config: StreamsConfig,
    /// What processors may ask of it.
    pub(crate) application: Arc<Application>,
    pub(crate) topology: Topology,
    pub(crate) environment: Environment,
    pub(crate) directory: StateDirectory,
    pub(crate) handlers: ExceptionHandlers,
    pub(crate) restore_listener: Arc<dyn RestoreListener>,
    pub(crate) standby_update_listener: Arc<dyn StandbyUpdateListener>,
    pub(crate) uncaught: Option<UncaughtHandler>,
    pub(crate) patterns: SourcePatterns,
    pub(crate) globals: Globals,
    pub(crate) metadata: StreamsMetadataState,
    pub(crate) threads: LocalThreads,
    pub(crate) stores: LocalStores,
    pub(crate) status: Status,
    pub(crate) watch: Watch,
    pub(crate) dead_letters: DeadLetters,
    /// Whether somebody takes its turns by hand: to a test, what outlives its task is an error; in a service it is logged.
    pub(crate) is_driven: bool,
}

impl Instance {
    /// What the names of clients begin with.
    pub(crate) fn client_id(&self) -> String {
        self.config.client_id(&self.directory.process_id().to_string())
    }

    /// The name of thread `number`, from 1 on, as in Java.
    pub(crate) fn thread_name(&self, number: usize) -> String {
        format!("{}-StreamThread-{number}", self.client_id())
    }

    /// The name of the thread that fills global stores, as in Java.
    pub(crate) fn global_thread_name(&self) -> String {
        format!("{}-GlobalStreamThread", self.client_id())
    }

    /// How many stream threads there are: none when the topology only fills global stores.
    pub(crate) fn stream_threads(&self) -> usize {
        let has_tasks = self.topology.subtopologies().iter().any(|part| !part.global);
        if has_tasks { self.config.threads() } else { 0 }
    }

    /// The topics that sources name, repartition topics with their prefix; those of global stores are nobody's tasks.
    pub(crate) fn named_topics(&self) -> BTreeSet<Topic> {
        let parts = self.topology.subtopologies().iter().filter(|part| !part.global);
        let nodes = parts.flat_map(|part| &part.nodes).filter_map(|node| self.topology.node(*node));
        let named = nodes.flat_map(NodeSpec::source_topics);
        named.map(|topic| Topic::from(topic.as_str())).collect()
    }

    /// The thread that fills global stores does so no longer.
    pub(crate) fn global_thread_has_ended(&self) {
        for one in self.globals.progress() {
            metric::global_lag(&one.partition, 0);
        }
        self.status.global_is(GlobalThreadState::Dead);
    }

    /// What the stream threads told last, with where they stand now.
    pub(crate) fn local_threads(&self) -> Vec<ThreadMetadata> {
        let states = self.status.thread_states();
        let state_of = |number: usize| states.iter().find(|(thread, _)| *thread == number).map(|(_, state)| *state);
        let told = self.threads.all().into_iter().map(Arc::unwrap_or_clone);
        let now = told.map(|thread| {
            let state = state_of(thread.number).unwrap_or(thread.state);
            // Who has ended has no tasks any more, and tells nothing.
            let tasks = if state == ThreadState::Dead { BTreeMap::new() } else { thread.tasks };
            ThreadMetadata { state, tasks, ..thread }
        });
        now.collect()
    }

    /// Whether it is well.
    pub(crate) fn health(&self) -> Health {
        Health::of(&Signs {
            state: self.status.state(),
            threads: self.status.thread_states(),
            global: self.status.global_state(),
            told: self.local_threads(),
            coordinator_silent_for: self.coordinator_silent_for(),
            patience: self.config.max_poll_interval(),
            now: self.environment.clock.now(),
        })
    }

    /// All that can be seen of it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.environment.clock.now(),
            state: self.status.state(),
            health: self.health(),
            threads: self.local_threads(),
            global_state: self.status.global_state(),
            globals: self.globals.progress(),
        }
    }

    /// Why the node hands nothing on, or as much as it does.
    pub(crate) fn explain(&self, node: &str) -> Result<Explanation, Error> {
        Explanation::of(&self.topology, node, &self.local_threads(), self.environment.clock.now())
    }

    /// Takes in where tasks are, as the group's leader told it with this instance's own.
    pub(crate) fn hosts_are(&self, assignment: &Assignment) {
        self.metadata.changed(assignment);
    }

    /// Where state is in the group.
    pub(crate) fn metadata(&self) -> Metadata<'_> {
        self.metadata.now(&self.topology, &self.patterns, self.config.application_server())
    }

    fn close(&self, options: CloseOptions, state: State) {
        let leave = options.leaves_group(self.config.group_instance_id().is_some());
        let since = self.environment.clock.now();
        self.status.close(Closing { leave, timeout: options.timeout_of_steps(), since }, state);
    }

    /// Asks all threads to end.
    pub(crate) fn begin_close(&self, options: CloseOptions) {
        self.close(options, State::PendingShutdown);
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("config", &self.config).field("status", &self.status).finish_non_exhaustive()
    }
}
