//! Delivery reports, folded into what the callers of a producer hear: runs of neighbours.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use headwater_client::{BatchAck, ClientError, PartitionRef, RecordBatch};
use headwater_record::{Offset, OwnedRecord, RawRecord, TopicPartition};

/// What became of one record.
pub(super) struct Delivered {
    pub(super) to: PartitionRef,
    pub(super) outcome: Result<Offset, (ClientError, OwnedRecord)>,
}

/// Appends what was `delivered` to `acks`: stored records of consecutive offsets as one answer, and neighbours that were refused
/// for the same reason as one.
pub(super) fn fold(delivered: Vec<Delivered>, partitions: &[TopicPartition], acks: &mut Vec<BatchAck>) {
    let mut refused: Option<(PartitionRef, ClientError, Refused)> = None;
    for Delivered { to, outcome } in delivered {
        match outcome {
            Ok(offset) => {
                give_back(refused.take(), acks);
                stored(to, offset, acks);
            }
            Err((error, record)) => {
                let error = with_size(error, &record);
                match &mut refused {
                    Some((last, reason, records)) if *last == to && *reason == error => records.push(record),
                    _ => {
                        give_back(refused.take(), acks);
                        // Records are sent to known partitions alone.
                        let Some(partition) = partitions.get(to.index()).cloned() else { continue };
                        refused = Some((to, error, Refused { partition, records: VecDeque::from([record]) }));
                    }
                }
            }
        }
    }
    give_back(refused, acks);
}

fn stored(to: PartitionRef, offset: Offset, acks: &mut Vec<BatchAck>) {
    match acks.last_mut() {
        Some(BatchAck::Stored { to: last, base_offset, count })
            if *last == to && base_offset.value() + i64::from(*count) == offset.value() =>
        {
            *count += 1;
        }
        _ => acks.push(BatchAck::Stored { to, base_offset: offset, count: 1 }),
    }
}

fn give_back(refused: Option<(PartitionRef, ClientError, Refused)>, acks: &mut Vec<BatchAck>) {
    acks.extend(refused.map(|(to, error, records)| BatchAck::Failed { to, error, records: Box::new(records) }));
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

    use super::{Delivered, fold};

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

    fn late(to: u32, value: &str) -> Delivered {
        let error = ClientError::TimedOut { request: "t".to_owned() };
        Delivered { to: PartitionRef::new(to), outcome: Err((error, record(value))) }
    }

    fn large(to: u32, value: &str) -> Delivered {
        let error = ClientError::RecordTooLarge { topic: Topic::from("t"), bytes: 0 };
        Delivered { to: PartitionRef::new(to), outcome: Err((error, record(value))) }
    }

    fn at(to: u32, offset: i64) -> Delivered {
        Delivered { to: PartitionRef::new(to), outcome: Ok(Offset::new(offset)) }
    }

    /// One line for each answer.
    fn folded(delivered: Vec<Delivered>) -> Vec<String> {
        let mut acks = Vec::new();
        fold(delivered, &[TopicPartition::new("t", 0), TopicPartition::new("t", 1)], &mut acks);
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
