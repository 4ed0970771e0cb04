//! At-least-once: everything that follows from the input is in Kafka before the input offsets are committed, and the stores'
//! own content follows the offsets.

use headwater_client::{CommittedOffset, GroupIdentity, GroupMembership, OffsetCommit};
use headwater_record::{Deadline, Timestamp, TopicPartition};

use super::CommitFailure;
use crate::metric;
use crate::output::Output;
use crate::task::StreamTask;

/// Commits `tasks` together: flushes their caches, waits for all records they wrote, commits their input offsets, then their stores.
///
/// A crash between two steps costs nothing: input whose offset is not committed is processed again, and a store that was not
/// committed is restored from its changelog, which is complete.
pub(crate) fn at_least_once(
    tasks: &mut [&mut StreamTask],
    output: &mut Output,
    connection: &mut dyn GroupMembership,
    identity: &GroupIdentity,
    now: Timestamp,
    until: Deadline,
) -> Result<(), CommitFailure> {
    if tasks.is_empty() {
        return Ok(());
    }
    for task in tasks.iter_mut() {
        task.prepare_commit(output, now)?;
    }
    output.flush(until)?;
    let mut of_tasks: Vec<Vec<(TopicPartition, CommittedOffset)>> = Vec::with_capacity(tasks.len());
    for task in tasks.iter() {
        of_tasks.push(task.offsets(output)?);
    }
    let offsets: Vec<_> = of_tasks.iter().flatten().cloned().collect();
    if !offsets.is_empty() {
        connection.commit_offsets(&OffsetCommit { identity: identity.clone(), offsets }, until)?;
    }
    for (task, offsets) in tasks.iter_mut().zip(of_tasks) {
        task.post_commit(offsets, output)?;
    }
    metric::committed(tasks.len());
    Ok(())
}
