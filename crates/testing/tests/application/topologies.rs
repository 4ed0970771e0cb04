//! Instances under one name that do not run the same topology.

use std::time::Duration;

use headwater_client::{
    ClientConfig, ClientSupplier as _, GroupIdentity, GroupMembership, GroupRequest, GroupResponse, JoinRequest, Joined,
};
use headwater_record::{Deadline, Headers, Timestamp, Topic, TopicPartition};
use headwater_runtime::assignment::{AssignmentInfo, ConsumerAssignment, ConsumerSubscription, SubscriptionInfo};
use headwater_runtime::{Builder, CloseOptions, Driven, ErrorKind, KafkaStreams, NoDefault, State};
use headwater_topology::TaskId;
use headwater_topology::node::SourceTopics;

use crate::graph::word_count_of;
use crate::world::{APPLICATION, World, memory_stores};

/// An instance that counts the words of these topics.
fn reading(world: &World, id: u128, topics: &[&str]) -> Driven {
    let topics = topics.iter().map(ToString::to_string).collect();
    counting(world, id, SourceTopics::Named(topics)).drive().unwrap()
}

fn counting(world: &World, id: u128, topics: SourceTopics) -> Builder<NoDefault> {
    KafkaStreams::<NoDefault>::builder(word_count_of(topics, None))
        .application_id(APPLICATION)
        .on(&world.cluster)
        .stores(memory_stores())
        .set("dsl.store.suppliers.class", "in_memory")
        .set("commit.interval.ms", "100")
        .process_id(id)
}

fn produce(world: &World, topic: &str, line: &str) {
    let line = Some(line.as_bytes());
    world.cluster.produce(&Topic::from(topic), None, line, Timestamp::UNKNOWN, &Headers::new()).unwrap();
}

fn reads(outcome: &Driven) -> String {
    let error = outcome.outcome().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology);
    error.to_string()
}

#[test]
fn an_instance_with_other_topics_ends_with_an_error_that_names_them_and_the_others_go_on() {
    let mut world = World::new();
    world.cluster.create_topic("letters", 4).unwrap();
    for _ in 0..40 {
        produce(&world, "letters", "stranger");
    }
    let mut instances = vec![world.instance(1), world.instance(2)];
    world.feed(50);
    world.settle(&mut instances);
    instances.push(reading(&world, 3, &["letters"]));
    world.run_until(&mut instances, "the stranger has ended", |instances| instances[2].state() == State::Error);
    let stranger = instances.pop().unwrap();
    let told = reads(&stranger);
    assert!(told.contains("reads lines, which this instance's topology does not read: it reads letters"), "{told}");
    assert!(told.contains("application.id of its own"), "{told}");
    world.feed(50);
    world.settle(&mut instances);
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 2);
}

#[test]
fn of_two_that_start_together_one_goes_on() {
    let mut world = World::new();
    world.cluster.create_topic("letters", 4).unwrap();
    let mut instances = vec![world.instance(1), reading(&world, 2, &["letters"])];
    world.feed(50);
    world.run_until(&mut instances, "one has ended", |instances| {
        instances.iter().any(|instance| instance.state() == State::Error)
    });
    let ended = instances.iter().position(|instance| instance.state() == State::Error).unwrap();
    let told = reads(&instances[ended]);
    assert!(told.contains("lines") && told.contains("letters"), "{told}");
    instances.remove(ended);
    if ended == 1 {
        world.settle(&mut instances);
    }
    world.run(&mut instances, 50);
    assert_eq!(instances[0].state(), State::Running);
}

#[test]
fn a_topic_more_is_read_once_a_new_instance_leads_and_meanwhile_nothing_stops() {
    let mut world = World::new();
    world.cluster.create_topic("more", 4).unwrap();
    let mut instances = vec![world.instance(1)];
    world.feed(50);
    world.settle(&mut instances);
    // The old one leads: the new one takes its part of what the old one knows.
    instances.push(reading(&world, 2, &["lines", "more"]));
    world.feed(50);
    world.settle(&mut instances);
    instances[0].begin_close(CloseOptions::default());
    world.run_until(&mut instances, "the old one is closed", |instances| instances[0].state() == State::NotRunning);
    instances.remove(0);
    // The new one leads now, and another old one may join: it gets tasks that it knows.
    instances.push(world.instance(3));
    for line in ["news", "news"] {
        produce(&world, "more", line);
    }
    world.expected.insert("news".to_owned(), 2);
    world.feed(50);
    world.settle(&mut instances);
    let old = instances[1].thread_states();
    assert_eq!(instances[1].outcome().map_err(|error| error.to_string()), Ok(()), "{old:?}");
    assert_eq!(world.cluster.group(APPLICATION).members.len(), 2);
}

#[test]
fn topics_of_a_pattern_may_be_known_to_some_earlier_than_to_others() {
    let mut world = World::new();
    let pattern = || SourceTopics::Pattern("lines.*".to_owned());
    let mut instances = vec![counting(&world, 1, pattern()).drive().unwrap()];
    world.feed(50);
    world.settle(&mut instances);
    world.cluster.create_topic("lines-too", 4).unwrap();
    instances.push(counting(&world, 2, pattern()).drive().unwrap());
    produce(&world, "lines-too", "late late");
    world.expected.insert("late".to_owned(), 2);
    world.feed(50);
    world.settle(&mut instances);
    instances.push(counting(&world, 3, SourceTopics::Named(vec!["lines".into(), "lines-too".into()])).drive().unwrap());
    world.feed(50);
    world.settle(&mut instances);
}

#[test]
fn an_application_id_that_makes_names_too_long_is_refused_before_anything_starts() {
    let world = World::new();
    let refused = |id: String| {
        let error = world.builder(1).application_id(id).drive().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    };
    // The longest is <id>-words-repartition.
    assert!(world.builder(1).application_id("a".repeat(249 - 18)).drive().is_ok());
    let said = refused("a".repeat(250 - 18));
    assert!(said.starts_with("application.id: ") && said.contains("has 250 characters of at most 249"), "{said}");
    let said = refused("word count".to_owned());
    assert!(said.contains("\"word count-words-repartition\" contains characters other than"), "{said}");
    assert!(world.cluster.topics().iter().all(|topic| !topic.as_str().ends_with("-repartition")));
}

#[test]
fn a_topic_that_cannot_be_is_named_before_anything_starts() {
    let world = World::new();
    for topic in ["new lines", "", "..", &"x".repeat(250)] {
        let error = counting(&world, 1, SourceTopics::Named(vec![topic.to_owned()])).drive().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Topology);
        assert!(error.to_string().starts_with(&format!("Topic name is invalid: {topic:?}")), "{error}");
    }
}

#[test]
fn a_pattern_that_matches_nothing_cannot_size_a_repartition_and_is_named() {
    let world = World::new();
    let mut instances = vec![counting(&world, 1, SourceTopics::Pattern("poems-.*".to_owned())).drive().unwrap()];
    world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
    let told = reads(&instances[0]);
    assert!(told.contains("every pattern matches at least one topic"), "{told}");
    assert!(told.ends_with("no topic matches poems-.*"), "{told}");
}

/// A member that leads as Java's does: it does not look at what others read.
struct Leader(Box<dyn GroupMembership>, GroupIdentity);

impl Leader {
    fn new(world: &World) -> Self {
        let connection = world.cluster.membership(APPLICATION, &ClientConfig::new()).unwrap();
        let (group, member_id) = (APPLICATION.to_owned(), String::new());
        Leader(connection, GroupIdentity { group, member_id, generation: -1, instance_id: None })
    }

    fn ask(&mut self, request: GroupRequest) {
        self.0.submit(request).unwrap();
    }

    fn join(&mut self) {
        let subscription = ConsumerSubscription {
            topics: vec![Topic::from("letters")],
            user_data: Some(SubscriptionInfo::new(uuid::Uuid::from_u128(9)).encode()),
            owned: Vec::new(),
            generation: -1,
            rack: None,
        };
        let join = JoinRequest {
            identity: self.1.clone(),
            session_timeout: Duration::from_mins(10),
            rebalance_timeout: Duration::from_mins(10),
            protocol_type: "consumer".to_owned(),
            protocols: vec![("stream".to_owned(), subscription.encode())],
            reason: None,
        };
        self.ask(GroupRequest::Join(join));
    }

    fn joined(&mut self, world: &World, instances: &mut [Driven]) -> Joined {
        for _ in 0..1_000 {
            if let Some(GroupResponse::Join(joined)) = self.0.response(Deadline::NOW) {
                let joined = joined.unwrap();
                self.1 = joined.identity.clone();
                return joined;
            }
            world.run(instances, 1);
        }
        panic!("the join was not answered");
    }

    /// Gives `task` with `partition` to every other member.
    fn give(&mut self, joined: &Joined, task: TaskId, partition: &TopicPartition) {
        let info = AssignmentInfo { active: vec![task], ..AssignmentInfo::default() };
        let theirs = ConsumerAssignment { partitions: vec![partition.clone()], user_data: Some(info.encode()) };
        let others = joined.members.iter().filter(|(member, ..)| *member != self.1.member_id);
        let assignments = others.map(|(member, ..)| (member.clone(), theirs.encode())).collect();
        let (protocol_type, protocol) = ("consumer".to_owned(), "stream".to_owned());
        self.ask(GroupRequest::Sync { identity: self.1.clone(), protocol_type, protocol, assignments });
    }
}

#[test]
fn an_assigned_topic_that_is_not_read_is_an_error_whoever_leads() {
    for (topic, said) in [("letters", "reads letters, which"), ("word-count-words-repartition", "repartition, which")] {
        let world = World::new();
        world.cluster.create_topic("letters", 4).unwrap();
        let mut leader = Leader::new(&world);
        leader.join();
        let alone = leader.joined(&world, &mut []);
        leader.give(&alone, TaskId::new(0, 0), &TopicPartition::new(topic, 0));
        let mut instances = vec![world.instance(1)];
        world.run(&mut instances, 5);
        leader.join();
        let both = leader.joined(&world, &mut instances);
        assert_eq!(both.members.len(), 2);
        leader.give(&both, TaskId::new(0, 0), &TopicPartition::new(topic, 0));
        world.run_until(&mut instances, "it has ended", |instances| instances[0].state() == State::Error);
        let told = reads(&instances[0]);
        assert!(told.starts_with("task 0_0: Assigned partitions for non-subscribed topics"), "{told}");
        assert!(told.contains(said) && told.contains("it reads lines"), "{told}");
    }
}
