//! One member, step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_client::{ClientError, GroupError, GroupIdentity, GroupRequest, GroupResponse, Joined};
use headwater_record::{Deadline, Timestamp, Topic, TopicPartition};
use headwater_topology::TaskId;
use uuid::Uuid;

use crate::assignment::{
    AssignmentInfo, AssignorError, ConsumerAssignment, ConsumerSubscription, HostPort, SubscriptionInfo,
};
use crate::membership::{Action, Event, LostReason, MemberSettings, Membership, MembershipError, PROTOCOL};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn timed_out() -> ClientError {
    ClientError::TimedOut { request: "test".to_owned() }
}

fn new(adapt: impl FnOnce(&mut MemberSettings)) -> Membership {
    let mut settings = MemberSettings::new("g", Uuid::from_u128(1));
    adapt(&mut settings);
    Membership::new(settings, at(0))
}

fn describe(member: &mut Membership, now: i64) -> Vec<Action> {
    member.step(at(now), Event::TasksDescribed { offset_sums: BTreeMap::new() })
}

fn follower(generation: i32) -> Joined {
    let identity = GroupIdentity { group: "g".to_owned(), member_id: "me".to_owned(), generation, instance_id: None };
    Joined {
        identity,
        leader: "other".to_owned(),
        protocol: PROTOCOL.to_owned(),
        members: Vec::new(),
        skip_assignment: false,
    }
}

/// Has sent its first join.
fn joining() -> Membership {
    joining_with(|_| {})
}

fn joining_with(adapt: impl FnOnce(&mut MemberSettings)) -> Membership {
    let mut member = new(adapt);
    let actions = member.step(at(0), Event::Subscribe { topics: [Topic::from("a")].into() });
    assert_eq!(actions, [Action::DescribeTasks]);
    describe(&mut member, 0);
    member
}

fn syncing(member: &mut Membership, generation: i32) -> Vec<Action> {
    member.step(at(0), Event::Response(GroupResponse::Join(Ok(follower(generation)))))
}

/// `info` with the partitions of topic `a` that its active tasks have the numbers of.
fn assignment(info: AssignmentInfo) -> Event {
    let partitions = info.active.iter().map(|task| TopicPartition::new("a", task.partition)).collect();
    let bytes = ConsumerAssignment { partitions, user_data: Some(info.encode()) }.encode();
    Event::Response(GroupResponse::Sync(Ok(bytes)))
}

fn of_tasks(partitions: &[i32]) -> AssignmentInfo {
    AssignmentInfo {
        active: partitions.iter().map(|partition| TaskId::new(0, *partition)).collect(),
        ..AssignmentInfo::default()
    }
}

/// Has tasks `0_0` and `0_1`.
fn stable() -> Membership {
    let mut member = joining();
    syncing(&mut member, 1);
    member.step(at(0), assignment(of_tasks(&[0, 1])));
    assert!(member.is_stable());
    member
}

fn heartbeat(error: impl Into<ClientError>) -> Event {
    Event::Response(GroupResponse::Heartbeat(Err(error.into())))
}

fn join_sent(actions: &[Action]) -> Option<(ConsumerSubscription, SubscriptionInfo)> {
    actions.iter().find_map(|action| match action {
        Action::Send(GroupRequest::Join(join)) => {
            let subscription = ConsumerSubscription::decode(&join.protocols[0].1).unwrap();
            let info = SubscriptionInfo::decode(subscription.user_data.as_ref().unwrap()).unwrap();
            Some((subscription, info))
        }
        _ => None,
    })
}

#[test]
fn a_rebalance_leaves_tasks_alone_and_tells_what_is_owned() {
    let mut member = stable();
    assert_eq!(member.step(at(5), heartbeat(GroupError::RebalanceInProgress)), [Action::DescribeTasks]);
    assert!(!member.may_commit());
    let actions = describe(&mut member, 6);
    let (subscription, info) = join_sent(&actions).unwrap();
    assert_eq!(actions[0], Action::KeepAlive(None), "a waiting join keeps the member alive");
    assert_eq!(subscription.owned, [TopicPartition::new("a", 0), TopicPartition::new("a", 1)]);
    assert_eq!((subscription.generation, info.unique), (1, 2));
    assert_eq!(member.step(at(7), heartbeat(GroupError::RebalanceInProgress)), [], "it joins already");
    assert_eq!(member.step(at(7), heartbeat(GroupError::IllegalGeneration)), [], "an answer to an old heartbeat");
}

#[test]
fn each_join_differs_from_the_one_before() {
    let mut member = joining();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        member.step(at(0), Event::Response(GroupResponse::Join(Err(timed_out()))));
        member.step(at(100), Event::Tick);
        let (_, info) = join_sent(&describe(&mut member, 100)).unwrap();
        assert!(seen.insert(info.unique));
        member.last_turn = at(0);
    }
}

#[test]
fn a_failed_join_is_repeated_after_a_pause() {
    let mut member = joining();
    let failed = Event::Response(GroupResponse::Join(Err(timed_out())));
    assert_eq!(member.step(at(50), failed), []);
    assert_eq!(member.wake_at(), Deadline::at(at(150)));
    assert_eq!(member.step(at(149), Event::Tick), []);
    assert_eq!(member.step(at(150), Event::Tick), [Action::DescribeTasks]);
}

#[test]
fn a_join_that_is_never_answered_is_given_up() {
    let mut member = joining_with(|settings| settings.max_poll_interval = Duration::from_secs(10));
    assert_eq!(member.wake_at(), Deadline::at(at(15_000)));
    member.step(at(9_000), Event::Tick);
    member.step(at(15_000), Event::Tick);
    assert_eq!(member.step(at(15_100), Event::Tick), [Action::DescribeTasks]);
}

#[test]
fn a_sync_that_meets_another_rebalance_joins_again_with_all_tasks() {
    let mut member = stable();
    member.step(at(0), heartbeat(GroupError::RebalanceInProgress));
    describe(&mut member, 0);
    syncing(&mut member, 2);
    let refused = Event::Response(GroupResponse::Sync(Err(GroupError::RebalanceInProgress.into())));
    assert_eq!(member.step(at(0), refused), [Action::DescribeTasks]);
    let (subscription, _) = join_sent(&describe(&mut member, 0)).unwrap();
    assert_eq!((subscription.owned.len(), subscription.generation), (2, 2));
}

#[test]
fn a_sync_in_a_generation_that_has_passed_loses_everything_but_the_id() {
    let mut member = stable();
    member.step(at(0), heartbeat(GroupError::RebalanceInProgress));
    describe(&mut member, 0);
    syncing(&mut member, 2);
    let refused = Event::Response(GroupResponse::Sync(Err(GroupError::IllegalGeneration.into())));
    let actions = member.step(at(0), refused);
    assert_eq!(actions, [Action::Lost(LostReason::IllegalGeneration), Action::KeepAlive(None), Action::DescribeTasks]);
    let (subscription, _) = join_sent(&describe(&mut member, 0)).unwrap();
    assert_eq!((subscription.owned.len(), subscription.generation), (0, -1));
    assert_eq!(member.identity().member_id, "me");
}

#[test]
fn a_rebalance_that_begins_during_a_revocation_is_joined_once() {
    let mut member = stable();
    member.step(at(0), heartbeat(GroupError::RebalanceInProgress));
    describe(&mut member, 0);
    syncing(&mut member, 2);
    let actions = member.step(at(0), assignment(of_tasks(&[0])));
    assert_eq!(actions, [Action::Revoke { partitions: [TopicPartition::new("a", 1)].into() }]);
    assert_eq!(member.step(at(0), heartbeat(GroupError::RebalanceInProgress)), []);
    let actions = member.step(at(0), Event::Revoked);
    assert!(matches!(&actions[..], [Action::Assign(tasks), Action::DescribeTasks] if tasks.active.len() == 1));
    let (subscription, _) = join_sent(&describe(&mut member, 0)).unwrap();
    assert_eq!(subscription.owned, [TopicPartition::new("a", 0)]);
}

#[test]
fn silence_costs_no_task_and_is_asked_about_until_it_ends() {
    let mut member = stable();
    assert_eq!(member.step(at(1_000), heartbeat(timed_out())), []);
    assert_eq!(member.wake_at(), Deadline::at(at(4_000)));
    let probe = [Action::Send(GroupRequest::Heartbeat(member.identity().clone()))];
    assert_eq!(member.step(at(4_000), Event::Tick), probe);
    assert!(!member.is_out_of_contact(at(45_999)));
    assert!(member.is_out_of_contact(at(46_000)));
    assert!(member.is_stable());
    assert_eq!(member.step(at(46_000), Event::Response(GroupResponse::Heartbeat(Ok(())))), []);
    assert!(!member.is_out_of_contact(at(99_000)));
}

#[test]
fn heartbeats_are_prolonged_while_the_thread_turns() {
    let mut member = stable();
    assert_eq!(member.wake_at(), Deadline::at(at(150_000)), "half of max.poll.interval.ms");
    let actions = member.step(at(150_000), Event::Tick);
    let [Action::KeepAlive(Some(kept))] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(kept.until, Deadline::at(at(450_000)));
}

#[test]
fn a_thread_that_was_away_too_long_leaves_and_joins_as_new() {
    let mut member = stable();
    let actions = member.step(at(300_001), Event::Tick);
    let [Action::Send(GroupRequest::Leave { identity, .. }), lost, Action::KeepAlive(None), Action::DescribeTasks] =
        &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!((identity.member_id.as_str(), lost), ("me", &Action::Lost(LostReason::PollIntervalExceeded)));
    assert_eq!(member.identity().member_id, "");
}

#[test]
fn an_answer_to_a_join_that_was_given_up_is_not_taken() {
    let mut member = stable();
    member.step(at(0), heartbeat(GroupError::RebalanceInProgress));
    describe(&mut member, 0);
    member.step(at(300_001), Event::Tick);
    describe(&mut member, 300_001);
    let late = Event::Response(GroupResponse::Join(Err(GroupError::UnknownMember.into())));
    assert_eq!(member.step(at(300_002), late), []);
    let actions = member.step(at(300_003), Event::Response(GroupResponse::Join(Ok(follower(4)))));
    assert!(matches!(&actions[..], [Action::KeepAlive(Some(_)), Action::Send(GroupRequest::Sync { .. })]));
}

#[test]
fn a_follow_up_rebalance_comes_at_its_time() {
    let mut member = joining();
    syncing(&mut member, 1);
    let info = AssignmentInfo { next_rebalance_ms: 7_000, ..of_tasks(&[0]) };
    assert!(matches!(&member.step(at(0), assignment(info))[..], [Action::Assign(_)]));
    assert_eq!(member.wake_at(), Deadline::at(at(7_000)));
    assert_eq!(member.step(at(6_999), Event::Tick), []);
    assert_eq!(member.step(at(7_000), Event::Tick), [Action::DescribeTasks]);
}

#[test]
fn a_leaders_error_ends_the_thread() {
    let table = [
        (AssignorError::IncompleteSourceTopicMetadata, MembershipError::MissingSourceTopics),
        (AssignorError::AssignmentError, MembershipError::AssignmentFailed),
        (AssignorError::ShutdownRequested, MembershipError::ShutdownRequested),
    ];
    for (told, expected) in table {
        let mut member = joining();
        syncing(&mut member, 1);
        let actions = member.step(at(0), assignment(AssignmentInfo::of_error(told)));
        assert_eq!(actions, [Action::KeepAlive(None), Action::Fail(expected)]);
    }
}

#[test]
fn bytes_that_mean_nothing_end_the_thread() {
    let mut member = joining();
    syncing(&mut member, 1);
    let actions = member.step(at(0), Event::Response(GroupResponse::Sync(Ok(vec![0, 3, 9]))));
    assert!(matches!(&actions[..], [_, Action::Fail(MembershipError::Malformed(_))]), "{actions:?}");
    let mut member = joining();
    syncing(&mut member, 1);
    let mut info = of_tasks(&[0]);
    info.active.push(TaskId::new(0, 0));
    let bytes =
        ConsumerAssignment { partitions: vec![TopicPartition::new("a", 0)], user_data: Some(info.encode()) }.encode();
    let actions = member.step(at(0), Event::Response(GroupResponse::Sync(Ok(bytes))));
    assert!(matches!(&actions[..], [_, Action::Fail(MembershipError::Malformed(_))]), "{actions:?}");
}

/// A leader that lists a task twice made some clients of Java crash (apache/kafka#22991).
#[test]
fn a_task_that_is_assigned_twice_is_taken_once() {
    let mut member = joining();
    syncing(&mut member, 1);
    let input = |partition| TopicPartition::new("a", partition);
    let mut info = of_tasks(&[0, 1]);
    info.standby = [1, 2].map(|partition| (TaskId::new(0, partition), [input(partition)].into())).into();
    // Behind the standby task `0_2`, which reads `a-2`, once more the same with `a-3`.
    let listed =
        |input: i32| [&2i32.to_be_bytes()[..], &[0; 4], &1i32.to_be_bytes(), b"\0\x01a", &input.to_be_bytes()].concat();
    let (mut user_data, once, count) = (info.encode(), listed(2), 8 + 4 + 2 * 12);
    let end = user_data.windows(once.len()).position(|bytes| bytes == once).unwrap() + once.len();
    user_data.splice(end..end, [&[0; 4][..], &listed(3)].concat());
    user_data[count + 3] = 3;
    let bytes = ConsumerAssignment { partitions: vec![input(0), input(1)], user_data: Some(user_data) }.encode();
    let actions = member.step(at(0), Event::Response(GroupResponse::Sync(Ok(bytes))));
    let [Action::Assign(tasks)] = &actions[..] else { panic!("{actions:?}") };
    let (first, second) = (TaskId::new(0, 0), TaskId::new(0, 1));
    assert_eq!(tasks.active, [(first, [input(0)].into()), (second, [input(1)].into())].into());
    let inputs = [input(2), input(3)].into();
    assert_eq!(tasks.standby, [(TaskId::new(0, 2), inputs)].into(), "what is active is no standby");
    assert!(member.is_stable());
}

#[test]
fn a_refusal_that_stays_one_ends_the_thread() {
    let refusals: [ClientError; 4] = [
        GroupError::InconsistentProtocol.into(),
        GroupError::FencedInstance.into(),
        GroupError::Full.into(),
        ClientError::NotAuthorised("group g".to_owned()),
    ];
    for refusal in refusals {
        let mut member = joining();
        let actions = member.step(at(0), Event::Response(GroupResponse::Join(Err(refusal.clone()))));
        assert_eq!(actions, [Action::Fail(MembershipError::Refused(refusal))]);
        assert!(member.is_ended());
    }
}

#[test]
fn versions_follow_the_group_down_and_up() {
    let mut member = joining();
    syncing(&mut member, 1);
    let older = AssignmentInfo { version: 9, common_version: 9, ..of_tasks(&[0]) };
    let actions = member.step(at(0), assignment(older));
    assert!(matches!(&actions[..], [Action::Assign(_), Action::DescribeTasks]));
    let (_, info) = join_sent(&describe(&mut member, 0)).unwrap();
    assert_eq!((info.version, info.latest_version), (9, 11));
    syncing(&mut member, 2);
    let newer = AssignmentInfo { version: 9, common_version: 11, ..of_tasks(&[0]) };
    let actions = member.step(at(0), assignment(newer));
    assert!(matches!(&actions[..], [Action::Assign(_), Action::DescribeTasks]));
    let (_, info) = join_sent(&describe(&mut member, 0)).unwrap();
    assert_eq!(info.version, 11);
}

#[test]
fn a_member_that_is_missing_among_the_hosts_comes_back_at_once() {
    let own = HostPort::new("me", 1);
    for (host, again) in [(own.clone(), false), (HostPort::new("other", 2), true)] {
        let mut member = joining_with(|settings| settings.end_point = Some(own.clone()));
        syncing(&mut member, 1);
        let hosts = [(host, [TopicPartition::new("a", 0)].into())].into();
        let actions = member.step(at(0), assignment(AssignmentInfo { partitions_by_host: hosts, ..of_tasks(&[0]) }));
        assert_eq!(actions.contains(&Action::DescribeTasks), again);
    }
}

#[test]
fn a_leader_that_came_back_hands_in_nothing() {
    let mut member = joining_with(|settings| settings.instance_id = Some("i".to_owned()));
    let joined = Joined { leader: "me".to_owned(), skip_assignment: true, ..follower(3) };
    let actions = member.step(at(0), Event::Response(GroupResponse::Join(Ok(joined))));
    let [Action::KeepAlive(Some(_)), Action::Send(GroupRequest::Sync { assignments, .. })] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert!(assignments.is_empty() && member.is_leader());
}

#[test]
fn closing_leaves_or_stays_as_told() {
    let mut member = stable();
    let actions = member.step(at(0), Event::Close { leave: true });
    assert!(matches!(&actions[..], [Action::KeepAlive(None), Action::Send(GroupRequest::Leave { .. })]));
    assert_eq!(member.step(at(1), Event::Response(GroupResponse::Leave(Ok(())))), [Action::Left]);
    let mut member = stable();
    assert_eq!(member.step(at(0), Event::Close { leave: false }), [Action::KeepAlive(None), Action::Left]);
    let mut member = new(|_| {});
    assert_eq!(member.step(at(0), Event::Close { leave: true }), [Action::Left]);
}

#[test]
fn a_leave_that_is_not_answered_does_not_hold_up_the_end() {
    let mut member = stable();
    member.step(at(0), Event::Close { leave: true });
    assert_eq!(member.wake_at(), Deadline::at(at(30_000)));
    assert_eq!(member.step(at(30_000), Event::Tick), [Action::Left]);
}

#[test]
fn a_member_that_closes_while_it_joins_leaves_as_soon_as_it_knows_its_id() {
    let mut member = joining();
    assert_eq!(member.step(at(0), Event::Close { leave: true }), []);
    let actions = member.step(at(1), Event::Response(GroupResponse::Join(Ok(follower(1)))));
    assert!(matches!(&actions[..], [Action::Send(GroupRequest::Leave { identity, .. })] if identity.member_id == "me"));
    assert_eq!(member.step(at(2), Event::Response(GroupResponse::Leave(Ok(())))), [Action::Left]);
    assert!(member.is_ended());
}

#[test]
fn a_member_that_closes_while_a_join_fails_has_nothing_to_leave() {
    let mut member = joining();
    assert_eq!(member.step(at(0), Event::Close { leave: true }), []);
    let unanswered = ClientError::TimedOut { request: "JoinGroup".to_owned() };
    assert_eq!(member.step(at(1), Event::Response(GroupResponse::Join(Err(unanswered)))), [Action::Left]);
    assert!(member.is_ended());
}
