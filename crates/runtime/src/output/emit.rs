//! The way out as one task sees it.

use std::fmt;

use headwater_record::{Partition, RawRecord};
use headwater_topology::{Destination, Emit, OutputTopic, ProcessError, StoreId};

use super::RecordCollector;

/// The way out of one task.
pub struct TaskEmit<'a> {
    output: &'a mut RecordCollector,
    lane: usize,
}

impl<'a> TaskEmit<'a> {
    #[inline]
    pub(super) fn new(output: &'a mut RecordCollector, lane: usize) -> Self {
        TaskEmit { output, lane }
    }
}

impl Emit for TaskEmit<'_> {
    fn topic(&mut self, topic: &str) -> Result<OutputTopic, ProcessError> {
        Ok(self.output.topic_number(topic))
    }

    fn partitions(&mut self, topic: OutputTopic) -> Result<Partition, ProcessError> {
        self.output.partition_count(self.lane, topic)
    }

    #[inline]
    fn emit(
        &mut self,
        topic: OutputTopic,
        destination: Destination,
        record: RawRecord<'_>,
    ) -> Result<(), ProcessError> {
        self.output.send(self.lane, topic, destination, record)
    }

    #[inline]
    fn log(&mut self, store: StoreId, record: RawRecord<'_>) -> Result<(), ProcessError> {
        self.output.send_change(self.lane, store, record)
    }
}

impl fmt::Debug for TaskEmit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskEmit").field("lane", &self.lane).finish_non_exhaustive()
    }
}
