//! Where an application and its threads stand, and which steps there are. Pure.

use std::collections::BTreeMap;
use std::fmt;

/// Where an application stands (Java's `KafkaStreams.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Made, not started.
    Created,
    /// Tasks are being handed out or restored.
    Rebalancing,
    /// All threads process.
    Running,
    /// It is closing.
    PendingShutdown,
    /// It is closed.
    NotRunning,
    /// It is closing because of an error.
    PendingError,
    /// It is closed because of an error.
    Error,
}

impl State {
    /// Whether the step to `next` exists.
    pub fn may_become(self, next: State) -> bool {
        use State::{Created, Error, NotRunning, PendingError, PendingShutdown, Rebalancing, Running};
        match self {
            Created => matches!(next, Rebalancing | PendingShutdown),
            Rebalancing => matches!(next, Running | PendingShutdown | PendingError),
            Running => matches!(next, Rebalancing | PendingShutdown | PendingError),
            PendingShutdown => next == NotRunning,
            PendingError => next == Error,
            NotRunning | Error => false,
        }
    }

    /// Whether it is closed for good.
    pub fn is_final(self) -> bool {
        matches!(self, State::NotRunning | State::Error)
    }

    /// Whether it is closing or closed.
    pub fn is_ending(self) -> bool {
        !matches!(self, State::Created | State::Rebalancing | State::Running)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Created => "CREATED",
            State::Rebalancing => "REBALANCING",
            State::Running => "RUNNING",
            State::PendingShutdown => "PENDING_SHUTDOWN",
            State::NotRunning => "NOT_RUNNING",
            State::PendingError => "PENDING_ERROR",
            State::Error => "ERROR",
        })
    }
}

/// Where a stream thread stands (Java's `StreamThread.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadState {
    /// Made.
    Created,
    /// Has no tasks yet.
    Starting,
    /// Gave tasks up, and waits for what it gets instead.
    PartitionsRevoked,
    /// Has its tasks; some are not restored yet.
    PartitionsAssigned,
    /// Processes.
    Running,
    /// Is closing.
    PendingShutdown,
    /// Has ended.
    Dead,
}

impl fmt::Display for ThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ThreadState::Created => "CREATED",
            ThreadState::Starting => "STARTING",
            ThreadState::PartitionsRevoked => "PARTITIONS_REVOKED",
            ThreadState::PartitionsAssigned => "PARTITIONS_ASSIGNED",
            ThreadState::Running => "RUNNING",
            ThreadState::PendingShutdown => "PENDING_SHUTDOWN",
            ThreadState::Dead => "DEAD",
        })
    }
}

/// Where the thread that fills global stores stands (Java's `GlobalStreamThread.State`, which counts the filling as created).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GlobalThreadState {
    /// Made.
    Created,
    /// Fills the stores; tasks wait.
    Filling,
    /// Follows the topics of stores that were complete.
    Running,
    /// Is closing.
    PendingShutdown,
    /// Has ended.
    Dead,
}

impl fmt::Display for GlobalThreadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GlobalThreadState::Created => "CREATED",
            GlobalThreadState::Filling => "FILLING",
            GlobalThreadState::Running => "RUNNING",
            GlobalThreadState::PendingShutdown => "PENDING_SHUTDOWN",
            GlobalThreadState::Dead => "DEAD",
        })
    }
}

/// An application's state as it follows from its threads' and from what was asked of it.
#[derive(Debug)]
pub(crate) struct Progress {
    state: State,
    threads: BTreeMap<usize, ThreadState>,
    /// `None`: there is no global store.
    global: Option<GlobalThreadState>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Progress { state: State::Created, threads: BTreeMap::new(), global: None }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn threads(&self) -> &BTreeMap<usize, ThreadState> {
        &self.threads
    }

    pub(crate) fn global(&self) -> Option<GlobalThreadState> {
        self.global
    }

    /// Whether no stream thread lives.
    pub(crate) fn stream_threads_ended(&self) -> bool {
        self.threads.values().all(|state| *state == ThreadState::Dead)
    }

    /// The step to `next`, if it exists.
    pub(crate) fn become_if_possible(&mut self, next: State) -> Option<(State, State)> {
        let from = self.state;
        from.may_become(next).then(|| {
            self.state = next;
            (from, next)
        })
    }

    /// Takes in where a thread stands, and gives the steps that follow from it.
    pub(crate) fn thread_is(&mut self, thread: usize, state: ThreadState) -> Vec<(State, State)> {
        self.threads.insert(thread, state);
        let waits = [ThreadState::PartitionsRevoked, ThreadState::PartitionsAssigned, ThreadState::Starting];
        self.steps(waits.contains(&state))
    }

    /// Takes in where the global thread stands, and gives the steps that follow from it.
    pub(crate) fn global_is(&mut self, state: GlobalThreadState) -> Vec<(State, State)> {
        self.global = Some(state);
        self.steps(state == GlobalThreadState::Filling)
    }

    /// The steps that follow from where the threads stand; `waits`: one of them has just begun to wait for its tasks or stores.
    fn steps(&mut self, waits: bool) -> Vec<(State, State)> {
        let mut steps = Vec::new();
        let mut live = self.threads.values().filter(|state| **state != ThreadState::Dead).peekable();
        let has_live = live.peek().is_some();
        let all_run = live.all(|state| *state == ThreadState::Running);
        let global_lives = self.global.is_some_and(|state| state != GlobalThreadState::Dead);
        let global_runs = self.global.is_none_or(|state| state == GlobalThreadState::Running);
        // A global thread alone is an application too, but not the rest of one whose stream threads have died.
        let is_over = !has_live && (!global_lives || !self.threads.is_empty());
        if is_over && !self.state.is_ending() {
            // Nobody closed it: the last thread has died.
            steps.extend(self.become_if_possible(State::PendingError));
        }
        if !has_live && !global_lives {
            let last = if self.state == State::PendingError { State::Error } else { State::NotRunning };
            steps.extend(self.become_if_possible(last));
        } else if all_run && global_runs {
            steps.extend(self.become_if_possible(State::Running));
        } else if waits {
            steps.extend(self.become_if_possible(State::Rebalancing));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::{GlobalThreadState, Progress, State, ThreadState};

    fn states(steps: &[(State, State)]) -> Vec<State> {
        steps.iter().map(|(_, to)| *to).collect()
    }

    #[test]
    fn an_application_runs_when_all_its_threads_do() {
        let mut progress = Progress::new();
        progress.thread_is(1, ThreadState::Created);
        progress.thread_is(2, ThreadState::Created);
        assert!(progress.become_if_possible(State::Rebalancing).is_some());
        assert!(progress.thread_is(1, ThreadState::Running).is_empty());
        assert_eq!(states(&progress.thread_is(2, ThreadState::Running)), [State::Running]);
        assert_eq!(states(&progress.thread_is(1, ThreadState::PartitionsRevoked)), [State::Rebalancing]);
        assert_eq!(states(&progress.thread_is(1, ThreadState::Running)), [State::Running]);
        assert!(progress.thread_is(2, ThreadState::Dead).is_empty(), "the other goes on");
    }

    #[test]
    fn it_is_closed_when_the_last_thread_has_ended() {
        let mut progress = Progress::new();
        progress.thread_is(1, ThreadState::Created);
        progress.become_if_possible(State::Rebalancing);
        progress.thread_is(1, ThreadState::Running);
        progress.become_if_possible(State::PendingShutdown);
        assert!(progress.thread_is(1, ThreadState::PendingShutdown).is_empty());
        assert_eq!(states(&progress.thread_is(1, ThreadState::Dead)), [State::NotRunning]);
        assert_eq!(progress.become_if_possible(State::Rebalancing), None, "it does not come back");
    }

    #[test]
    fn it_is_in_error_when_all_threads_died_by_themselves() {
        let mut progress = Progress::new();
        progress.thread_is(1, ThreadState::Created);
        progress.become_if_possible(State::Rebalancing);
        assert_eq!(states(&progress.thread_is(1, ThreadState::Dead)), [State::PendingError, State::Error]);
    }

    fn with_global() -> Progress {
        let mut progress = Progress::new();
        progress.thread_is(1, ThreadState::Created);
        progress.global_is(GlobalThreadState::Created);
        progress.become_if_possible(State::Rebalancing);
        progress.global_is(GlobalThreadState::Filling);
        progress
    }

    #[test]
    fn an_application_runs_when_its_global_stores_are_filled_and_its_threads_run() {
        let mut progress = with_global();
        assert!(progress.global_is(GlobalThreadState::Running).is_empty(), "tasks are not there yet");
        assert_eq!(states(&progress.thread_is(1, ThreadState::Running)), [State::Running]);
    }

    #[test]
    fn it_is_closed_when_the_global_thread_has_ended_after_the_others() {
        let mut progress = with_global();
        progress.global_is(GlobalThreadState::Running);
        progress.thread_is(1, ThreadState::Running);
        progress.become_if_possible(State::PendingShutdown);
        assert!(progress.thread_is(1, ThreadState::Dead).is_empty(), "its stores are still open");
        assert_eq!(states(&progress.global_is(GlobalThreadState::Dead)), [State::NotRunning]);
    }

    #[test]
    fn it_is_in_error_when_its_stream_threads_died_by_themselves_before_the_global_one() {
        let mut progress = with_global();
        progress.global_is(GlobalThreadState::Running);
        progress.thread_is(1, ThreadState::Running);
        assert_eq!(states(&progress.thread_is(1, ThreadState::Dead)), [State::PendingError]);
        assert_eq!(states(&progress.global_is(GlobalThreadState::Dead)), [State::Error]);
    }

    #[test]
    fn a_global_thread_alone_is_an_application() {
        let mut progress = Progress::new();
        progress.global_is(GlobalThreadState::Created);
        progress.become_if_possible(State::Rebalancing);
        assert!(progress.global_is(GlobalThreadState::Filling).is_empty());
        assert_eq!(states(&progress.global_is(GlobalThreadState::Running)), [State::Running]);
        progress.become_if_possible(State::PendingShutdown);
        assert_eq!(states(&progress.global_is(GlobalThreadState::Dead)), [State::NotRunning]);
    }
}
