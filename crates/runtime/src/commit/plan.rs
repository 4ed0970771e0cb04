//! Which tasks commit together. Pure.

use headwater_topology::TaskId;

use super::ProcessingGuarantee;

/// The tasks of a commit that is made for those that are `wanted`. `tasks` are all that process, with whether each has something to
/// commit.
///
/// At-least-once commits the wanted ones that have. Under exactly-once one transaction holds what all tasks of the thread wrote:
/// as soon as a wanted one has something, all that have commit with it.
pub fn tasks_of(
    guarantee: ProcessingGuarantee,
    wanted: impl Fn(TaskId) -> bool,
    tasks: impl IntoIterator<Item = (TaskId, bool)>,
) -> Vec<TaskId> {
    let needing: Vec<TaskId> = tasks.into_iter().filter(|(_, needed)| *needed).map(|(task, _)| task).collect();
    match guarantee {
        ProcessingGuarantee::ExactlyOnceV2 if needing.iter().any(|task| wanted(*task)) => needing,
        _ => needing.into_iter().filter(|task| wanted(*task)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use headwater_topology::TaskId;

    use super::super::ProcessingGuarantee::{AtLeastOnce, ExactlyOnceV2};
    use super::tasks_of;

    const A: TaskId = TaskId::new(0, 0);
    const B: TaskId = TaskId::new(0, 1);
    const C: TaskId = TaskId::new(1, 0);

    #[test]
    fn at_least_once_commits_those_that_go_and_have_something_to_commit() {
        let tasks = [(A, true), (B, false), (C, true)];
        assert_eq!(tasks_of(AtLeastOnce, |_| true, tasks), [A, C]);
        assert_eq!(tasks_of(AtLeastOnce, |task| task != C, tasks), [A]);
    }

    #[test]
    fn exactly_once_commits_all_as_soon_as_one_that_goes_has_something_to_commit() {
        let tasks = [(A, true), (B, false), (C, true)];
        assert_eq!(tasks_of(ExactlyOnceV2, |task| task == C, tasks), [A, C], "one transaction is of them all");
        assert!(tasks_of(ExactlyOnceV2, |task| task == B, tasks).is_empty(), "what stays commits in its own time");
    }
}
