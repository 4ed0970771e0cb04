//! Where reading stands.

use headwater_record::{Offset, TopicPartition};

use super::{Outcome, STEP, Suite, ensure, equal, numbered, refused};
use crate::{ClientError, Consumer, StartAt, Watermarks};

pub(super) fn reading_starts_where_it_is_told(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("starts", 1)?, 0);
    suite.write(&partition, &numbered(10))?;
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(partition.clone(), StartAt::Offset(Offset::new(7)))])?;
    equal("the offsets from 7 on", &offsets(suite, consumer.as_mut(), 3)?, &vec![7, 8, 9])?;
    consumer.seek(&partition, StartAt::Offset(Offset::new(2)))?;
    equal("the offsets after a seek", &offsets(suite, consumer.as_mut(), 8)?, &(2..10).collect())?;
    consumer.seek(&partition, StartAt::Beginning)?;
    equal("the offsets from the beginning", &offsets(suite, consumer.as_mut(), 10)?, &(0..10).collect())?;
    consumer.seek(&partition, StartAt::End)?;
    suite.wait("the position at the end", || {
        let mut batches = Vec::new();
        consumer.poll(suite.soon(), &mut batches)?;
        ensure(batches.is_empty(), || "records came from before the end".to_owned())?;
        Ok(consumer.position(&partition).filter(|position| position.value() == 10))
    })?;
    suite.write(&partition, &numbered(2))?;
    equal("the offsets from the end on", &offsets(suite, consumer.as_mut(), 2)?, &vec![10, 11])?;
    consumer.unassign(std::slice::from_ref(&partition))?;
    equal("the position of a partition not assigned", &consumer.position(&partition), &None)?;
    suite.write(&partition, &numbered(1))?;
    nothing_comes(suite, consumer.as_mut())
}

pub(super) fn assigning_twice_is_refused(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("twice", 1)?, 0);
    let mut consumer = suite.consumer()?;
    let config = |error: &ClientError| matches!(error, ClientError::Config(_));
    refused("a seek before assigning", consumer.seek(&partition, StartAt::Beginning), config)?;
    consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
    refused("assigning twice", consumer.assign(&[(partition, StartAt::Beginning)]), config)
}

pub(super) fn pause_ends_with_the_assignment(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("paused-once", 1)?, 0);
    let start = [(partition.clone(), StartAt::Offset(Offset::ZERO))];
    let mut consumer = suite.consumer()?;
    consumer.assign(&start)?;
    consumer.pause(std::slice::from_ref(&partition))?;
    consumer.unassign(std::slice::from_ref(&partition))?;
    consumer.assign(&start)?;
    suite.write(&partition, &numbered(3))?;
    equal("the offsets after assigning again", &offsets(suite, consumer.as_mut(), 3)?, &vec![0, 1, 2])
}

pub(super) fn paused_partition_gives_nothing_until_resumed(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("paused", 2)?;
    let (paused, other) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1));
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(paused.clone(), StartAt::Beginning), (other.clone(), StartAt::Beginning)])?;
    consumer.pause(std::slice::from_ref(&paused))?;
    suite.write(&paused, &numbered(3))?;
    suite.write(&other, &numbered(2))?;
    let read = suite.read(consumer.as_mut(), 2)?;
    ensure(read.iter().all(|(from, _)| *from == other), || format!("records of a paused partition came: {read:?}"))?;
    nothing_comes(suite, consumer.as_mut())?;
    consumer.seek(&paused, StartAt::Offset(Offset::new(0)))?;
    nothing_comes(suite, consumer.as_mut())?;
    consumer.resume(std::slice::from_ref(&paused))?;
    equal("the offsets after resuming", &offsets(suite, consumer.as_mut(), 3)?, &vec![0, 1, 2])
}

pub(super) fn pauses_lose_and_repeat_nothing(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("paused-often", 2)?;
    let (paused, other) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1));
    let mut consumer = suite.consumer()?;
    consumer.assign(&[(paused.clone(), StartAt::Beginning), (other.clone(), StartAt::Beginning)])?;
    suite.write(&paused, &numbered(2))?;
    equal("the first offsets", &offsets(suite, consumer.as_mut(), 2)?, &vec![0, 1])?;
    // Small records first, then more than a client likes to hold back.
    let mut large = numbered(20);
    for record in &mut large {
        record.value = Some(vec![7; 900_000].into());
    }
    for (from, records) in [(2, numbered(3)), (5, large)] {
        consumer.pause(std::slice::from_ref(&paused))?;
        suite.write(&paused, &records)?;
        for _ in 0..records.len() {
            suite.write(&other, &numbered(1))?;
            let read = suite.read(consumer.as_mut(), 1)?;
            ensure(read.iter().all(|(place, _)| *place == other), || "records of a paused partition came".to_owned())?;
        }
        equal("the position of a paused partition", &consumer.position(&paused), &Some(Offset::new(from)))?;
        consumer.resume(std::slice::from_ref(&paused))?;
        let expected: Vec<i64> = (from..from + records.len() as i64).collect();
        equal("the offsets after resuming", &offsets(suite, consumer.as_mut(), records.len())?, &expected)?;
    }
    Ok(())
}

pub(super) fn position_and_watermarks_follow_reading(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("watermarks", 1)?, 0);
    let mut consumer = suite.consumer()?;
    equal("the position before assigning", &consumer.position(&partition), &None)?;
    suite.write(&partition, &numbered(6))?;
    consumer.assign(&[(partition.clone(), StartAt::Beginning)])?;
    suite.read(consumer.as_mut(), 6)?;
    equal("the position", &consumer.position(&partition), &Some(Offset::new(6)))?;
    let high = consumer.watermarks(&partition);
    equal("the watermarks", &high, &Some(Watermarks { low: Offset::ZERO, high: Offset::new(6) }))
}

pub(super) fn offset_that_is_gone_is_reported(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("gone", 1)?, 0);
    suite.write(&partition, &numbered(10))?;
    let mut admin = suite.admin()?;
    let out_of_range =
        |error: &ClientError| matches!(error, ClientError::OffsetOutOfRange { partition: of, .. } if *of == partition);
    let beyond = [(partition.clone(), Offset::new(11))];
    refused("deleting beyond the end", admin.delete_records(&beyond, suite.until()), out_of_range)?;
    admin.delete_records(&[(partition.clone(), Offset::new(4))], suite.until())?;

    let mut consumer = suite.consumer()?;
    consumer.assign(&[(partition.clone(), StartAt::Offset(Offset::new(1)))])?;
    let reported = suite.wait("the error", || {
        let mut batches = Vec::new();
        let polled = consumer.poll(suite.soon(), &mut batches);
        ensure(batches.is_empty(), || "records came from an offset that is gone".to_owned())?;
        Ok(polled.err())
    })?;
    let expected = ClientError::OffsetOutOfRange { partition: partition.clone(), offset: Offset::new(1) };
    equal("the error", &reported, &expected)?;
    nothing_comes(suite, consumer.as_mut())?;
    consumer.seek(&partition, StartAt::Beginning)?;
    equal("the offsets that are left", &offsets(suite, consumer.as_mut(), 6)?, &(4..10).collect())
}

pub(super) fn each_partitions_failure_is_reported(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("both-gone", 2)?;
    let partitions = [TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1)];
    let mut admin = suite.admin()?;
    for partition in &partitions {
        suite.write(partition, &numbered(3))?;
        admin.delete_records(&[(partition.clone(), Offset::new(2))], suite.until())?;
    }
    let mut consumer = suite.consumer()?;
    consumer.assign(&partitions.clone().map(|partition| (partition, StartAt::Offset(Offset::ZERO))))?;
    let mut reported = Vec::new();
    suite.wait("both errors", || {
        let error = consumer.poll(suite.soon(), &mut Vec::new()).err();
        reported.extend(error);
        Ok((reported.len() == 2).then_some(()))
    })?;
    reported.sort_by_key(|error| match error {
        ClientError::OffsetOutOfRange { partition, .. } => partition.partition,
        _ => -1,
    });
    let expected =
        partitions.clone().map(|partition| ClientError::OffsetOutOfRange { partition, offset: Offset::ZERO });
    equal("the errors", &reported.as_slice(), &expected.as_slice())?;
    for partition in &partitions {
        consumer.seek(partition, StartAt::Beginning)?;
    }
    equal("the offsets that are left", &offsets(suite, consumer.as_mut(), 2)?, &vec![2, 2])
}

fn offsets(suite: &Suite<'_>, consumer: &mut dyn Consumer, count: usize) -> Result<Vec<i64>, super::Failure> {
    Ok(suite.read(consumer, count)?.into_iter().map(|(_, record)| record.offset.value()).collect())
}

/// That no record comes for a while.
fn nothing_comes(suite: &Suite<'_>, consumer: &mut dyn Consumer) -> Outcome {
    for _ in 0..5 {
        let mut batches = Vec::new();
        consumer.poll(suite.soon(), &mut batches)?;
        ensure(batches.iter().all(|batch| batch.remaining() == 0), || "records came where none should".to_owned())?;
        suite.pass(STEP);
    }
    Ok(())
}
