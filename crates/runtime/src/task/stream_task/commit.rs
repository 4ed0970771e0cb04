//! A task's part in a commit, step by step, and its end.

use std::sync::Arc;

use headwater_client::CommittedOffset;
use headwater_record::{Timestamp, TopicPartition};
use headwater_store::StoreError;
use headwater_topology::{RecordContext, SharedStore, TaskContext};

use super::StreamTask;
use crate::intake::PartitionQueue;
use crate::offset_metadata::OffsetMetadata;
use crate::output::RecordCollector;
use crate::task::stores::note_offsets;
use crate::task::{ClosedTask, TaskError};

impl StreamTask {
    /// Whether there is something to commit.
    pub fn commit_needed(&self) -> bool {
        self.punctuated || self.group.queues().iter().any(PartitionQueue::consumed_since_commit)
    }

    /// Whether user code asked for a commit.
    pub fn commit_requested(&self) -> bool {
        self.clock.commit_requested
    }

    /// The first step of a commit: writes all cached changes to stores and changelogs and hands them on. The output is to be
    /// flushed next.
    ///
    /// # Errors
    /// As [`StreamTask::process`].
    pub fn prepare_commit(&mut self, output: &mut RecordCollector, now: Timestamp) -> Result<(), TaskError> {
        self.clock.now = now;
        let mut emit = output.lane(self.lane);
        let mut cx = TaskContext::new(self.spec.id, &mut self.clock, &mut emit, &self.handlers);
        if let Some(last) = &self.last_input {
            cx.at_input(RecordContext::none(), last.view());
        }
        let flushed = self.graph.flush(&mut cx);
        flushed.map_err(|error| self.failed(output, error))?;
        self.keep_stream_times();
        Ok(())
    }

    /// Puts what operators know of stream time beside the offsets, as far as a broker takes so much.
    fn keep_stream_times(&mut self) {
        self.graph.keep_stream_times(&mut self.clock);
        if !OffsetMetadata::fits(&self.clock.remembered) && self.graph.give_up_stream_times(&mut self.clock) {
            tracing::warn!(
                task = %self.spec.id,
                "operators with stream times are too many, or their stores' names too long, for the metadata of an offset: after a restart they do not know which records are late until others have come"
            );
        }
    }

    /// The second step, after the output was flushed: what to commit of the partitions that records were taken from. A failure that
    /// the output has for the task is taken from it.
    ///
    /// # Errors
    /// [`TaskError::Production`] when a record of this task was lost, [`TaskError::UnderWay`] when some have no answer yet.
    pub fn offsets(&self, output: &mut RecordCollector) -> Result<Vec<(TopicPartition, CommittedOffset)>, TaskError> {
        let task = self.spec.id;
        if let Some(failure) = output.take_failure(task) {
            return Err(failure);
        }
        let records = output.task_under_way(task);
        if records > 0 {
            return Err(TaskError::UnderWay { task, records });
        }
        let anew = self.clock.remembered_anew;
        let consumed = self.group.queues().iter().filter(|queue| anew || queue.consumed_since_commit());
        let offsets = consumed.filter_map(|queue| {
            let processor = self.clock.remembered.clone();
            let metadata = OffsetMetadata { partition_time: queue.partition_time(), processor }.encode();
            Some((queue.partition().clone(), CommittedOffset { offset: queue.next_offset()?, metadata }))
        });
        Ok(offsets.collect())
    }

    /// The last step, after `offsets` were committed: every store is committed with the changelog offset that it contains, and those
    /// of stores on disk are noted beside them.
    ///
    /// # Errors
    /// [`TaskError::Store`], [`TaskError::Directory`]. Other stores are committed all the same.
    pub fn post_commit(
        &mut self,
        offsets: Vec<(TopicPartition, CommittedOffset)>,
        output: &RecordCollector,
    ) -> Result<(), TaskError> {
        self.commits += 1;
        self.group.mark_committed();
        self.punctuated = false;
        self.clock.commit_requested = false;
        self.clock.remembered_anew = false;
        let position = Arc::make_mut(&mut self.position);
        for (partition, committed) in &offsets {
            position.committed(partition, committed.offset);
        }
        self.committed.extend(offsets);
        self.note_contained(output);
        let task = self.spec.id;
        let mut result = Ok(());
        let mut changelogs = self.changelogs.iter().peekable();
        for store in &self.spec.stores {
            let changelog = changelogs.next_if(|changelog| changelog.store == store.id);
            let Some(shared) = self.stores.get(&store.id) else { continue };
            let contained = changelog.and_then(|changelog| changelog.offset);
            if let Err(error) = shared.write(|store| store.state_mut().commit(contained)) {
                result = result.and(Err(TaskError::Store { task, error }));
            }
        }
        result?;
        note_offsets(&self.changelogs, &self.claim).map_err(|error| TaskError::Directory { task, error })
    }

    /// How much the stores hold that is not committed.
    pub fn uncommitted_bytes(&self) -> usize {
        let bytes = |store: &SharedStore| store.read(|store| Ok::<_, StoreError>(store.state().pending_bytes()));
        self.stores.values().filter_map(|store| bytes(store).ok()).sum()
    }

    /// Has the stores bring to disk what was committed.
    ///
    /// # Errors
    /// What a store says; the others do all the same.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let sync = |store: &SharedStore| store.write(|store| store.state_mut().sync());
        self.stores.values().map(sync).fold(Ok(()), Result::and)
    }

    /// Which records of their changelogs the stores contain, now that all changes have arrived there: of a topic that is input too
    /// what was taken from it, else what was written.
    fn note_contained(&mut self, output: &RecordCollector) {
        for changelog in &mut self.changelogs {
            changelog.contains(if changelog.is_source {
                self.group.queue(&changelog.partition).and_then(PartitionQueue::last_taken)
            } else {
                output.changelog_offset(self.spec.id, changelog.store)
            });
        }
    }

    /// What was committed last of the input partitions, as far as this task did it.
    pub fn committed_offsets(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter()
    }

    /// Closes the processors and gives the stores back. What was not committed stays uncommitted.
    pub fn close(mut self) -> ClosedTask {
        self.graph.close();
        drop(self.graph);
        ClosedTask::of(self.spec.id, self.stores, self.changelogs, self.claim)
    }
}
