//! Where the inputs of tasks begin.

use std::collections::HashMap;

use headwater_client::{ClientError, OffsetSpec, StartAt};
use headwater_record::{Timestamp, TopicPartition};
use headwater_topology::node::OffsetReset;

use super::Member;
use crate::error::Trouble;
use crate::task::{Committed, TaskInput, TaskSpec};

/// Where the input partitions of tasks begin, and what was committed there.
pub(in crate::thread) type Beginnings = HashMap<TopicPartition, (StartAt, Option<Committed>)>;

impl Member {
    /// Where the inputs of these tasks begin: at what was committed, else as their sources or `auto.offset.reset` say.
    pub(in crate::thread) fn beginnings(&mut self, specs: &[TaskSpec], now: Timestamp) -> Result<Beginnings, Trouble> {
        let inputs: Vec<&TaskInput> = specs.iter().flat_map(|spec| &spec.inputs).collect();
        let partitions: Vec<TopicPartition> = inputs.iter().map(|input| input.partition.clone()).collect();
        let group = self.cx.config().application_id();
        let committed = self.connection.committed_offsets(group, &partitions, true, self.cx.answer_by(now))?;
        let mut beginnings = Beginnings::new();
        for (input, committed) in inputs.into_iter().zip(committed) {
            let beginning = match committed {
                Some(committed) => (StartAt::Offset(committed.offset), Some(Committed::of(&committed))),
                None => (self.reset(&input.partition, input.reset, now)?, None),
            };
            beginnings.insert(input.partition.clone(), beginning);
        }
        Ok(beginnings)
    }

    /// Where to read a partition of which nothing was committed, or whose position is not in the log any more.
    pub(in crate::thread) fn reset(
        &mut self,
        partition: &TopicPartition,
        of_source: Option<OffsetReset>,
        now: Timestamp,
    ) -> Result<StartAt, ClientError> {
        // A repartition topic is the application's own: everything in it counts.
        let internal = self.cx.is_repartition(partition);
        let reset = if internal { OffsetReset::Earliest } else { of_source.unwrap_or(self.cx.config().offset_reset()) };
        match reset {
            OffsetReset::Earliest => Ok(StartAt::Beginning),
            OffsetReset::Latest => Ok(StartAt::End),
            OffsetReset::ByDuration(duration) => {
                let since = now.millis().saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX));
                let spec = OffsetSpec::AtTimestamp(since.max(0));
                let offsets = self.admin.list_offsets(std::slice::from_ref(partition), spec, self.cx.answer_by(now))?;
                Ok(offsets.first().map_or(StartAt::End, |offset| StartAt::Offset(*offset)))
            }
            _ => Err(ClientError::Config(format!(
                "no offset is committed for {partition}, or it is not in the log any more, and auto.offset.reset is none: set it to earliest or latest, or commit an offset"
            ))),
        }
    }
}
