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

/// An application's state as it follows from its threads' and from what was asked of it.
#[derive(Debug)]
pub(crate) struct Progress {
    state: State,
    threads: BTreeMap<usize, ThreadState>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Progress { state: State::Created, threads: BTreeMap::new() }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn threads(&self) -> &BTreeMap<usize, ThreadState> {
        &self.threads
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
        let mut steps = Vec::new();
        let mut live = self.threads.values().filter(|state| **state != ThreadState::Dead).peekable();
        if live.peek().is_none() {
            match self.state {
                State::PendingShutdown => steps.extend(self.become_if_possible(State::NotRunning)),
                State::PendingError => steps.extend(self.become_if_possible(State::Error)),
                // Nobody closed it: the last thread has died.
                _ => {
                    steps.extend(self.become_if_possible(State::PendingError));
                    steps.extend(self.become_if_possible(State::Error));
                }
            }
        } else if live.all(|state| *state == ThreadState::Running) {
            steps.extend(self.become_if_possible(State::Running));
        } else if matches!(
            state,
            ThreadState::PartitionsRevoked | ThreadState::PartitionsAssigned | ThreadState::Starting
        ) {
            steps.extend(self.become_if_possible(State::Rebalancing));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::{Progress, State, ThreadState};

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
}
