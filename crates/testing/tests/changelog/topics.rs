//! Internal topics are made on a cluster.

use headwater_client::{Admin, ClientConfig, ClientError, ClientSupplier};
use headwater_client_memory::Api;
use headwater_record::{Deadline, Topic};
use headwater_runtime::internal_topics::{
    InternalTopicSettings, InternalTopicsError, InternalTopicsPlan, create, plan, survey,
};

use crate::world::{World, changelog};

fn planned(world: &World, admin: &mut dyn Admin) -> Result<InternalTopicsPlan, InternalTopicsError> {
    let known = survey(admin, &world.topology, &|_, _| false, Deadline::NEVER)?;
    plan(&world.topology, &InternalTopicSettings::default(), &known)
}

#[test]
fn missing_topics_are_made_once_with_their_settings() {
    let world = World::new();
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    let missing = planned(&world, admin.as_mut()).unwrap_err();
    assert_eq!(missing, InternalTopicsError::MissingSources(vec![Topic::from("in")]));
    world.cluster.create_topic("in", 2).unwrap();
    world.delete(&changelog("b", 0));
    let plan = planned(&world, admin.as_mut()).unwrap();
    assert_eq!(create(admin.as_mut(), &plan, Deadline::NEVER), Ok(vec![changelog("b", 0).topic]));
    let made = world.cluster.topic(&changelog("b", 0).topic).unwrap();
    assert_eq!(made.partitions.len(), 2);
    assert_eq!(made.configs["cleanup.policy"], "compact");
    assert_eq!(made.configs["message.timestamp.type"], "CreateTime");
    assert_eq!(create(admin.as_mut(), &plan, Deadline::NEVER), Ok(Vec::new()));
}

#[test]
fn an_answer_that_was_lost_is_no_reason_to_fail() {
    let world = World::new();
    world.cluster.create_topic("in", 2).unwrap();
    world.delete(&changelog("b", 0));
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    let plan = planned(&world, admin.as_mut()).unwrap();
    world.cluster.faults().lose_responses(Api::CreateTopics, 1);
    let error = create(admin.as_mut(), &plan, Deadline::NEVER).unwrap_err();
    assert!(error.is_retriable(), "{error}");
    assert_eq!(create(admin.as_mut(), &plan, Deadline::NEVER), Ok(Vec::new()));
}

#[test]
fn a_topic_with_another_number_of_partitions_is_refused() {
    let world = World::new();
    world.cluster.create_topic("in", 3).unwrap();
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    let plan = planned(&world, admin.as_mut()).unwrap();
    let error = create(admin.as_mut(), &plan, Deadline::NEVER).unwrap_err();
    let expected = InternalTopicsError::PartitionsChanged { topic: changelog("a", 0).topic, expected: 3, found: 2 };
    assert_eq!(error, expected);
    assert!(!error.is_retriable());
}

#[test]
fn a_cluster_that_does_not_answer_is_asked_again_later() {
    let world = World::new();
    world.cluster.create_topic("in", 2).unwrap();
    let mut admin = world.cluster.admin(&ClientConfig::new()).unwrap();
    let plan = planned(&world, admin.as_mut()).unwrap();
    let silence = ClientError::TimedOut { request: "Metadata".to_owned() };
    world.cluster.faults().fail_next(Api::Metadata, 1, silence.clone());
    let error = create(admin.as_mut(), &plan, Deadline::NEVER).unwrap_err();
    assert_eq!(error, InternalTopicsError::Client(silence));
    assert!(error.is_retriable());
}
