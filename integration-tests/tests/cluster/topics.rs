//! What is read vanishes, or is not there yet.

use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::client::{ClientError, StartAt};
use headwater::record::{Offset, Topic, TopicPartition};
use headwater_integration_tests::traffic::{Reader, Writer, compare, partitions};

use crate::{make, on_cluster, tell};

/// How soon it must be told that a topic is gone, and how soon a new one must be read.
const BOUND: Duration = Duration::from_mins(1);

/// What was stored from number `from` on.
fn stored_from(writer: &Writer, at: usize, from: usize) -> Vec<(Option<Offset>, usize)> {
    writer.stored(at).split_off(from)
}

fn gone(partition: &TopicPartition, offset: i64) -> ClientError {
    ClientError::OffsetOutOfRange { partition: partition.clone(), offset: Offset::new(offset) }
}

#[test]
fn a_position_that_is_gone_is_told_once_and_others_go_on() -> Result<()> {
    on_cluster("a_position_that_is_gone_is_told_once_and_others_go_on", |cluster| {
        let broker = cluster.broker().clone();
        let all = make(cluster, "trimmed", 3, 3, &[])?;
        let mut writer = Writer::new(&broker, &all, &[])?;
        writer.write(100)?;
        writer.settle()?;
        let mut reader = Reader::new(&broker, &all, &[])?;
        reader.read_to(&writer)?;
        broker.admin()?.delete_records(&[(all[0].clone(), Offset::new(60))], broker.soon())?;

        // One that begins where nothing is any more.
        let starts: Vec<_> = all.iter().map(|one| (one.clone(), StartAt::Offset(Offset::new(10)))).collect();
        let mut late = Reader::starting(&broker, &starts, &[])?;
        late.poll_until("the loss is told and the others are read", |late| {
            !late.told.is_empty() && (1..3).all(|at| late.count(at) >= 90)
        })?;
        late.poll(Duration::from_millis(500))?;
        ensure!(late.told == [gone(&all[0], 10)], "polls met {:?}", late.told);
        late.consumer.seek(&all[0], StartAt::Beginning)?;
        late.poll_until("what is still there is read", |late| late.count(0) >= 40)?;
        for (at, from) in [(0, 60), (1, 10), (2, 10)] {
            late.matches(at, &stored_from(&writer, at, from))?;
        }

        // One that goes back to where something was.
        reader.consumer.seek(&all[0], StartAt::Offset(Offset::new(10)))?;
        writer.write(50)?;
        writer.settle()?;
        reader.poll_until("the loss is told and the others go on", |reader| {
            !reader.told.is_empty() && (1..3).all(|at| reader.count(at) >= 150)
        })?;
        ensure!(reader.told == [gone(&all[0], 10)], "polls met {:?}", reader.told);
        reader.consumer.seek(&all[0], StartAt::Offset(Offset::new(100)))?;
        reader.poll_until("the rest is read", |reader| reader.count(0) >= 150)?;

        // One that goes to where nothing is yet.
        reader.consumer.seek(&all[1], StartAt::Offset(Offset::new(10_000)))?;
        reader.poll_until("it is told that nothing is there", |reader| reader.told.len() > 1)?;
        ensure!(reader.told[1..] == [gone(&all[1], 10_000)], "polls met {:?}", reader.told);
        reader.consumer.seek(&all[1], StartAt::End)?;
        reader.poll_until("the end is found", |reader| reader.consumer.position(&all[1]) == Some(Offset::new(150)))?;
        writer.write(50)?;
        writer.settle()?;
        writer.nothing_failed()?;
        reader.read_to(&writer)?;
        (0..3).try_for_each(|at| reader.matches(at, &stored_from(&writer, at, 0)))
    })
}

#[test]
fn a_topic_that_is_deleted_is_told_and_others_go_on() -> Result<()> {
    let test = "a_topic_that_is_deleted_is_told_and_others_go_on";
    on_cluster(test, |cluster| {
        let broker = cluster.broker().clone();
        let doomed = make(cluster, "doomed", 2, 3, &[])?;
        let kept = make(cluster, "kept", 3, 3, &[])?;
        let mut writers = [Writer::new(&broker, &doomed, &[])?, Writer::new(&broker, &kept, &[])?];
        let mut reader = Reader::new(&broker, &[doomed.clone(), kept.clone()].concat(), &[])?;
        for writer in &mut writers {
            writer.write(100)?;
            writer.settle()?;
            reader.read_to(writer)?;
        }
        let topic = &doomed[0].topic;
        broker
            .admin()?
            .delete_topics(std::slice::from_ref(topic), broker.soon())?
            .into_iter()
            .collect::<Result<(), _>>()?;

        let (began, until) = (broker.clients().clock().now(), broker.within(BOUND));
        let [_, writer] = &mut writers;
        while reader.told.is_empty() {
            ensure!(!until.passed(broker.clients().clock().now()), "nobody said within {BOUND:?} that {topic} is gone");
            writer.write(10)?;
            writer.hear(Duration::from_millis(50))?;
            reader.poll(Duration::from_millis(100))?;
        }
        tell(test, &format!("it was told after {:?}", broker.clients().clock().now().since(began)));
        writer.write(100)?;
        writer.settle()?;
        writer.nothing_failed()?;
        reader.read_to(writer)?;
        let is_gone = |error: &ClientError| *error == ClientError::UnknownTopic { topic: topic.clone() };
        ensure!(reader.told.iter().all(is_gone), "polls met {:?}", reader.told);

        // It is of no more interest.
        reader.consumer.unassign(&doomed)?;
        let told = reader.told.len();
        writer.write(100)?;
        writer.settle()?;
        reader.read_to(writer)?;
        ensure!(reader.told.len() == told, "after it was given up, polls met {:?}", &reader.told[told..]);
        (0..kept.len()).try_for_each(|at| reader.matches(doomed.len() + at, &writer.stored(at)))
    })
}

#[test]
fn a_topic_that_is_made_after_it_was_assigned_is_read() -> Result<()> {
    let test = "a_topic_that_is_made_after_it_was_assigned_is_read";
    on_cluster(test, |cluster| {
        let broker = cluster.broker().clone();
        let kept = make(cluster, "beside", 1, 3, &[])?;
        let name = format!("later-{}", broker.clients().clock().now());
        let later = partitions(&name, 2);
        let mut reader = Reader::new(&broker, &[later.clone(), kept.clone()].concat(), &[])?;
        let mut beside = Writer::new(&broker, &kept, &[])?;
        beside.write(100)?;
        beside.settle()?;
        reader.read_to(&beside)?;
        for _ in 0..20 {
            reader.poll(Duration::from_millis(100))?;
        }
        let told = reader.told.len();

        broker.make_topic(&name, 2)?;
        let began = broker.clients().clock().now();
        let mut writer = Writer::new(&broker, &later, &[])?;
        writer.write(100)?;
        writer.settle()?;
        writer.nothing_failed()?;
        let until = broker.within(BOUND);
        reader.poll_until("the new topic is read", |reader| {
            (0..2).all(|at| reader.count(at) >= 100) || until.passed(broker.clients().clock().now())
        })?;
        let took = broker.clients().clock().now().since(began);
        let counts = [reader.count(0), reader.count(1)];
        ensure!(counts == [100, 100], "{counts:?} records were read {took:?} after {name} was made");
        tell(test, &format!("it was read {took:?} after it was made; {told} polls had missed it before"));
        let topic = Topic::from(name.as_str());
        let is_missing = |error: &ClientError| *error == ClientError::UnknownTopic { topic: topic.clone() };
        ensure!(reader.told.iter().all(is_missing), "polls met {:?}", reader.told);
        let both = Reader::new(&broker, &later, &[])?;
        let mut reader = both;
        reader.read_to(&writer)?;
        compare(&broker, &writer, &mut reader).map(drop)
    })
}
