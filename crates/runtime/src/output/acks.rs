//! What became of the records that were sent.

use headwater_client::{BatchAck, ClientError, ErrorClass, PartitionRef, RecordBatch};
use headwater_record::{Offset, RawRecord};
use headwater_topology::handler::{DeadLetter, Decision, ErrorContext, ProductionErrorOrigin};
use headwater_topology::{BoxError, Handlers, RecordContext};

use super::RecordCollector;
use super::transaction::Transaction;
use crate::metric;

impl RecordCollector {
    /// Folds the answers that have come into what is known of tasks and changelogs.
    pub(super) fn take_acks(&mut self) {
        // A handler's dead letter may wait for room and hear of answers meanwhile: their turn comes after those that came before.
        if std::mem::replace(&mut self.taking_acks, true) {
            return;
        }
        while !self.acks.is_empty() {
            for ack in std::mem::take(&mut self.acks) {
                match ack {
                    BatchAck::Stored { to, base_offset, count } => self.arrived(to, base_offset, count),
                    BatchAck::Failed { to, error, records } => self.lost(to, &error, records),
                }
            }
        }
        self.taking_acks = false;
        if self.abandoned > 0 {
            let records = std::mem::take(&mut self.abandoned);
            metric::records_abandoned(records);
            tracing::warn!(
                records,
                "records that were not sent are dropped with the tasks that were lost; they are made again from input that is not committed"
            );
        }
    }

    fn arrived(&mut self, to: PartitionRef, base_offset: Offset, count: u32) {
        let Some(partition) = self.partitions.get_mut(to.index()) else { return };
        let store = partition.store;
        self.sent += u64::from(count);
        let (mut left, mut end) = (count, base_offset.value());
        while left > 0
            && let Some((lane, taken)) = partition.answered(left)
        {
            left -= taken;
            end += i64::from(taken);
            // A batch that the broker had already is acknowledged without its offset.
            if let Some(store) = store.filter(|_| base_offset.value() >= 0)
                && let Some(changelog) = self.lanes.get_mut(lane).and_then(|lane| lane.changelog_mut(store))
            {
                changelog.acked = changelog.acked.max(Some(Offset::new(end - 1)));
            }
        }
    }

    fn lost(&mut self, to: PartitionRef, error: &ClientError, mut records: Box<dyn RecordBatch>) {
        if *error == ClientError::Abandoned {
            return self.was_abandoned(to, records.remaining());
        }
        // No fault of the records: nobody is asked about them.
        let is_the_producers = matches!(error.class(), ErrorClass::Fenced | ErrorClass::Aborted);
        if is_the_producers {
            self.fatal = Some(error.clone());
        }
        loop {
            let Some(record) = records.head() else { return };
            let lane = self.partitions.get_mut(to.index()).and_then(|partition| partition.answered(1));
            let Some((lane, _)) = lane else { return };
            if is_the_producers {
                let name = self.topic_name(to);
                // Kept with the task; the thread learns of it as the producer's failure.
                let _ = self.fail(lane, &name, error.clone());
            } else {
                self.was_not_written(lane, to, record, error);
            }
            if let Err(malformed) = records.advance() {
                let name = self.topic_name(to);
                let _ = self.fail(lane, &name, malformed);
                return;
            }
        }
    }

    /// Records of tasks that are gone will not be written.
    fn was_abandoned(&mut self, to: PartitionRef, count: usize) {
        self.abandoned += count as u64;
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        while left > 0
            && let Some((_, taken)) = self.partitions.get_mut(to.index()).and_then(|partition| partition.answered(left))
        {
            left -= taken;
        }
    }

    /// A record of `lane` was handed to the producer and is not in the log: the production exception handler decides. A transaction
    /// cannot be committed without a record that was sent in it, whoever would let that go.
    fn was_not_written(&mut self, lane: usize, to: PartitionRef, record: RawRecord<'_>, error: &ClientError) {
        if self.production_failed(lane, to, record, error) == Decision::Continue
            && self.transaction != Transaction::Without
        {
            let topic = self.topic_name(to);
            tracing::error!(topic, %error, "no transaction is committed without a record that was sent in it, though the production exception handler would let it go");
            let _ = self.fail(lane, &topic, error.clone());
        }
    }

    /// A record of `lane` was not written: what the production exception handler decides, and has decided.
    pub(super) fn production_failed(
        &mut self,
        lane: usize,
        to: PartitionRef,
        record: RawRecord<'_>,
        error: &ClientError,
    ) -> Decision {
        let name = self.topic_name(to);
        let Some(known) = self.lanes.get(lane) else { return Decision::Fail };
        let task = known.task;
        let topic = self.partitions.get(to.index()).map(|partition| partition.topic);
        let is_dead_letter =
            topic.and_then(|topic| self.topics.get_mut(topic)).is_some_and(|state| state.takes_dead_letters);
        if is_dead_letter {
            let _ = self.fail(lane, &name, error.clone());
            return Decision::Fail;
        }
        let input = RecordContext {
            timestamp: record.timestamp,
            headers: record.headers.to_headers(),
            ..RecordContext::none()
        };
        // Which input record led to it is not kept beside every record under way.
        let context = ErrorContext { record: &input, node: "", task, source_key: None, source_value: None };
        let cause: BoxError = Box::new(error.clone());
        let origin = ProductionErrorOrigin::Send;
        let response = self.handlers.production(&context, &name, &record.to_owned(), origin, &cause);
        for letter in &response.dead_letters {
            self.send_dead_letter(lane, letter);
        }
        match response.decision {
            Decision::Continue => {
                if let Some(lane) = self.lanes.get_mut(lane) {
                    lane.dropped += 1;
                }
            }
            Decision::Fail => {
                let _ = self.fail(lane, &name, error.clone());
            }
        }
        response.decision
    }

    fn send_dead_letter(&mut self, lane: usize, letter: &DeadLetter) {
        let topic = self.topics.number(&letter.topic);
        if let Some(state) = self.topics.get_mut(topic) {
            state.takes_dead_letters = true;
        }
        let headers = letter.headers.to_vec();
        let (destination, record) = letter.record(&headers);
        // A failure is the task's, and kept with it.
        let sent = self.send(lane, topic, destination, record);
        if let Some(lane) = self.lanes.get_mut(lane).filter(|_| sent.is_ok()) {
            lane.dead_letters += 1;
        }
    }
}
