//! Topics: made, described, deleted, and asked for their offsets.

use std::collections::BTreeMap;

use headwater_record::{Offset, Topic, TopicPartition};

use super::{Outcome, Suite, ensure, equal, record, refused};
use crate::{ClientError, Isolation, NewTopic, OffsetSpec, TopicDescription};

pub(super) fn topics_are_made_described_and_deleted(suite: &Suite<'_>) -> Outcome {
    let mut admin = suite.admin()?;
    let topic = Topic::from(suite.name("made").as_str());
    let absent = Topic::from(suite.name("absent").as_str());
    let configs = BTreeMap::from([
        ("cleanup.policy".to_owned(), "compact".to_owned()),
        ("segment.bytes".to_owned(), "12345678".to_owned()),
    ]);
    let new = NewTopic { topic: topic.clone(), partitions: 3, replication_factor: 1, configs: configs.clone() };
    let answers = admin.create_topics(std::slice::from_ref(&new), suite.until())?;
    equal("the answer to making a topic", &answers, &vec![Ok(())])?;
    let described = TopicDescription { topic: topic.clone(), partitions: 3 };
    let asked = [absent.clone(), topic.clone()];
    suite.wait("the new topic", || {
        let found = admin.describe_topics(&asked, suite.until())?;
        Ok((found == [None, Some(described.clone())]).then_some(()))
    })?;
    let again = admin.create_topics(&[new], suite.until())?;
    equal("the answer to making it again", &again, &vec![Err(ClientError::TopicExists { topic: topic.clone() })])?;
    let listed = admin.list_topics(suite.until())?;
    ensure(listed.contains(&topic) && !listed.contains(&absent), || format!("the topics are {listed:?}"))?;
    let found = admin.describe_configs(&topic, suite.until())?;
    for (name, value) in &configs {
        equal(name, &found.get(name), &Some(value))?;
    }
    let deleted = admin.delete_topics(&asked, suite.until())?;
    equal("the answer to deleting", &deleted, &vec![Err(ClientError::UnknownTopic { topic: absent }), Ok(())])?;
    suite.wait("the topic to go", || {
        let found = admin.describe_topics(std::slice::from_ref(&topic), suite.until())?;
        Ok((found == [None]).then_some(()))
    })
}

pub(super) fn unknown_topic_is_said_so(suite: &Suite<'_>) -> Outcome {
    let topic = Topic::from(suite.name("nowhere").as_str());
    let unknown = |error: &ClientError| *error == ClientError::UnknownTopic { topic: topic.clone() };
    let partition = TopicPartition::new(topic.clone(), 0);
    let mut admin = suite.admin()?;
    let offsets = admin.list_offsets(std::slice::from_ref(&partition), OffsetSpec::Earliest, suite.until());
    refused("listing offsets", offsets, unknown)?;
    refused("describing settings", admin.describe_configs(&topic, suite.until()), unknown)?;
    refused("deleting records", admin.delete_records(&[(partition, Offset::ZERO)], suite.until()), unknown)?;
    // A producer waits for a topic that may have just been made.
    refused("counting partitions", suite.producer()?.partition_count(&topic, suite.soon()), unknown)
}

pub(super) fn offsets_are_found_by_time(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("times", 2)?;
    let (filled, empty) = (TopicPartition::new(topic.clone(), 0), TopicPartition::new(topic, 1));
    for time in [1_000, 2_000, 3_000] {
        suite.write(&filled, &[record(None, Some("v"), time)])?;
    }
    let mut admin = suite.admin()?;
    let asked = [empty, filled];
    for (spec, expected) in [
        (OffsetSpec::Earliest, 0),
        (OffsetSpec::Latest(Isolation::ReadUncommitted), 3),
        (OffsetSpec::Latest(Isolation::ReadCommitted), 3),
        (OffsetSpec::AtTimestamp(0), 0),
        (OffsetSpec::AtTimestamp(1_500), 1),
        (OffsetSpec::AtTimestamp(3_000), 2),
        (OffsetSpec::AtTimestamp(3_001), 3),
    ] {
        let found = admin.list_offsets(&asked, spec, suite.until())?;
        equal(&format!("the offsets for {spec:?}"), &found, &vec![Offset::ZERO, Offset::new(expected)])?;
    }
    Ok(())
}
