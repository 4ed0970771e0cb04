//! Delivery reports, folded into what the callers of a producer hear: runs of neighbours.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use headwater_client::{BatchAck, ClientError, PartitionRef, RecordBatch};
use headwater_record::{Offset, OwnedRecord, RawRecord, TopicPartition};

/// What was heard and not told yet: stored records of consecutive offsets as one answer, and neighbours that were refused for the
/// same reason as one.
#[derive(Debug, Default)]
pub(super) struct Answers {
    acks: Vec<BatchAck>,
    /// The last ones refused; their neighbours may still come.
    refused: Option<(PartitionRef, ClientError, Refused)>,
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.acks.is_empty() && self.refused.is_none()
    }

    pub(super) fn stored(&mut self, to: PartitionRef, offset: Offset) {
        if self.refused.is_some() {
            self.give_back();
        }
        match self.acks.last_mut() {
            Some(BatchAck::Stored { to: last, base_offset, count })
                if *last == to && base_offset.value() + i64::from(*count) == offset.value() =>
            {
                *count += 1;
            }
            _ => self.acks.push(BatchAck::Stored { to, base_offset: offset, count: 1 }),
        }
    }

    pub(super) fn refused(
        &mut self,
        to: PartitionRef,
        partition: &TopicPartition,
        error: ClientError,
        record: OwnedRecord,
    ) {
        let error = with_size(error, &record);
        match &mut self.refused {
            Some((last, reason, records)) if *last == to && *reason == error => records.push(record),
            _ => {
                self.give_back();
                let records = Refused { partition: partition.clone(), records: VecDeque::from([record]) };
                self.refused = Some((to, error, records));
            }
        }
    }

    /// Appends all of it to `acks`.
    pub(super) fn tell(&mut self, acks: &mut Vec<BatchAck>) {
        self.give_back();
        acks.append(&mut self.acks);
    }

    fn give_back(&mut self) {
        let refused = self.refused.take();
        self.acks.extend(refused.map(|(to, error, records)| BatchAck::Failed {
            to,
            error,
            records: Box::new(records),
        }));
    }
}

fn with_size(error: ClientError, record: &OwnedRecord) -> ClientError {
    match error {
        ClientError::RecordTooLarge { topic, .. } => {
            ClientError::RecordTooLarge { topic, bytes: record.view().payload_len() }
        }
        other => other,
    }
}

/// Records of one partition that come back.
#[derive(Debug)]
struct Refused {
    partition: TopicPartition,
    records: VecDeque<OwnedRecord>,
}

impl Refused {
    fn push(&mut self, record: OwnedRecord) {
        self.records.push_back(record);
    }
}

impl RecordBatch for Refused {
    fn partition(&self) -> &TopicPartition {
        &self.partition
    }
    fn head(&self) -> Option<RawRecord<'_>> {
        self.records.front().map(OwnedRecord::view)
    }
    fn advance(&mut self) -> Result<(), ClientError> {
        self.records.pop_front();
        Ok(())
    }
    fn remaining(&self) -> usize {
        self.records.len()
    }
    fn next_offset(&self) -> Offset {
        Offset::UNKNOWN
    }
    fn held_bytes(&self) -> usize {
        self.records.iter().map(|record| record.view().payload_len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use headwater_client::{BatchAck, ClientError, PartitionRef};
    use headwater_record::{Offset, OwnedRecord, RawHeaders, RawRecord, Timestamp, Topic, TopicPartition};

    use super::Answers;

    type Outcome = Result<i64, (ClientError, OwnedRecord)>;

    fn record(value: &str) -> OwnedRecord {
        RawRecord {
            offset: Offset::UNKNOWN,
            timestamp: Timestamp::ZERO,
            key: None,
            value: Some(value.as_bytes()),
            headers: RawHeaders::NONE,
        }
        .to_owned()
    }

    fn late(to: u32, value: &str) -> (u32, Outcome) {
        (to, Err((ClientError::TimedOut { request: "t".to_owned() }, record(value))))
    }

    fn large(to: u32, value: &str) -> (u32, Outcome) {
        (to, Err((ClientError::RecordTooLarge { topic: Topic::from("t"), bytes: 0 }, record(value))))
    }

    fn at(to: u32, offset: i64) -> (u32, Outcome) {
        (to, Ok(offset))
    }

    /// One line for each answer.
    fn folded(delivered: Vec<(u32, Outcome)>) -> Vec<String> {
        let mut answers = Answers::default();
        for (to, outcome) in delivered {
            match outcome {
                Ok(offset) => answers.stored(PartitionRef::new(to), Offset::new(offset)),
                Err((error, record)) => {
                    answers.refused(PartitionRef::new(to), &TopicPartition::new("t", to as i32), error, record);
                }
            }
        }
        let mut acks = Vec::new();
        answers.tell(&mut acks);
        assert!(answers.is_empty());
        let mut lines = Vec::new();
        for ack in acks {
            lines.push(match ack {
                BatchAck::Stored { to, base_offset, count } => format!("{}: {count} from {base_offset}", to.index()),
                BatchAck::Failed { to, error, mut records } => {
                    assert_eq!(records.partition(), &TopicPartition::new("t", to.index() as i32));
                    let (count, bytes) = (records.remaining(), records.held_bytes());
                    let mut values = Vec::new();
                    while let Some(record) = records.head() {
                        values.push(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned());
                        records.advance().expect("nothing is decoded");
                    }
                    assert_eq!((values.len(), records.remaining()), (count, 0));
                    format!("{}: {} ({bytes} bytes): {error}", to.index(), values.join(" "))
                }
            });
        }
        lines
    }

    #[test]
    fn neighbours_are_one_answer() {
        let delivered = vec![at(0, 5), at(0, 6), late(0, "a"), late(0, "bc"), late(1, "d"), at(1, 0), at(0, 7)];
        let expected = [
            "0: 2 from 5",
            "0: a bc (3 bytes): no answer in time to t",
            "1: d (1 bytes): no answer in time to t",
            "1: 1 from 0",
            "0: 1 from 7",
        ];
        assert_eq!(folded(delivered), expected);
    }

    #[test]
    fn records_that_are_too_large_say_how_large_each_is() {
        let sizes = |line: &String| line.split(' ').find_map(|word| word.parse::<usize>().ok());
        let lines = folded(vec![large(0, "abc"), large(0, "de"), large(0, "fg")]);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| sizes(line).is_some() && line.contains("too large")), "{lines:?}");
        assert!(lines[0].contains("a record of 3 bytes") && lines[1].starts_with("0: de fg"), "{lines:?}");
    }

    #[test]
    fn a_batch_that_the_broker_had_already_is_acknowledged_record_by_record_without_offsets() {
        // `RD_KAFKA_OFFSET_INVALID`; nobody may take it for a place in the log.
        let lines = folded(vec![at(0, -1001), at(0, -1001), at(0, 9)]);
        assert_eq!(lines, ["0: 1 from -1001", "0: 1 from -1001", "0: 1 from 9"]);
    }
}
