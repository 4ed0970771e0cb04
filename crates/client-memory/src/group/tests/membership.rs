//! Sessions, leaving, static members.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::{ClientError, GroupError};

use super::super::GroupState;
use super::{Scene, newcomer};

#[test]
fn a_heartbeat_between_join_and_sync_is_accepted() {
    let mut scene = Scene::new();
    scene.join(1, &newcomer(None), "a");
    let joined = scene.joined(1).unwrap().unwrap();
    assert_eq!(scene.heartbeat(&joined.identity), Ok(()));
}

#[test]
fn a_member_that_is_silent_for_its_session_timeout_is_removed() {
    let (mut scene, leader, follower) = Scene::two();
    scene.pass(9);
    assert_eq!(scene.heartbeat(&leader), Ok(()));
    scene.pass(1);
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::UnknownMember));
    assert_eq!(scene.heartbeat(&leader), Err(GroupError::RebalanceInProgress));
    scene.pass(10);
    assert_eq!(scene.group.state(), GroupState::Empty);
}

#[test]
fn heartbeats_of_the_clients_own_count_until_they_end() {
    let (mut scene, leader, follower) = Scene::two();
    let until = scene.now.plus(Duration::from_mins(1));
    scene.group.keep_alive(scene.now, &leader, Some(until), false);
    scene.group.keep_alive(scene.now, &follower, Some(until), false);
    scene.pass(30);
    scene.group.keep_alive(scene.now, &follower, None, false);
    scene.pass(9);
    assert_eq!(scene.group.members().len(), 2);
    scene.pass(1);
    assert_eq!(scene.group.members().len(), 1, "the follower was heard last at 30 s");
    scene.pass(29);
    assert_eq!(scene.group.members().len(), 1);
    scene.pass(1);
    assert_eq!(scene.group.state(), GroupState::Empty, "the leader was heard last at 60 s");
}

#[test]
fn nothing_is_heard_of_a_client_that_is_cut_off() {
    let (mut scene, leader, _) = Scene::two();
    let until = scene.now.plus(Duration::from_mins(10));
    scene.group.keep_alive(scene.now, &leader, Some(until), false);
    scene.pass(5);
    scene.group.connect(scene.now, Some("client"), false);
    scene.pass(9);
    scene.group.connect(scene.now, Some("client"), true);
    scene.pass(9);
    assert_eq!(scene.group.members().len(), 1, "its heartbeats came through again in time");
    scene.group.connect(scene.now, None, false);
    scene.pass(10);
    assert_eq!(scene.group.members().len(), 0);
}

#[test]
fn leaving_starts_a_rebalance_among_the_others() {
    let (mut scene, leader, follower) = Scene::two();
    assert_eq!(scene.leave(&leader), Ok(()));
    assert_eq!(scene.leave(&leader), Err(GroupError::UnknownMember));
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::RebalanceInProgress));
    scene.join(2, &follower, "b");
    let joined = scene.joined(2).unwrap().unwrap();
    assert!(joined.is_leader());
    assert_eq!(scene.leave(&joined.identity), Ok(()));
    assert_eq!((scene.group.state(), scene.group.generation()), (GroupState::Empty, joined.identity.generation + 1));
}

#[test]
fn who_leaves_while_others_wait_does_not_hold_them_up() {
    let (mut scene, leader, follower) = Scene::two();
    scene.join(1, &leader, "a");
    assert!(scene.joined(1).is_none());
    assert_eq!(scene.leave(&follower), Ok(()));
    assert_eq!(scene.joined(1).unwrap().unwrap().members.len(), 1);
}

#[test]
fn a_member_that_never_asks_for_its_assignment_is_removed() {
    let (mut scene, leader, follower) = Scene::two();
    scene.join(2, &follower, "c");
    scene.join(1, &leader, "a");
    let leader = scene.joined(1).unwrap().unwrap().identity;
    let follower = scene.joined(2).unwrap().unwrap().identity;
    scene.group.keep_alive(scene.now, &follower, Some(scene.now.plus(Duration::from_secs(99))), false);
    scene.sync(1, &leader, &[]);
    scene.group.keep_alive(scene.now, &leader, Some(scene.now.plus(Duration::from_secs(99))), false);
    scene.pass(30);
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::UnknownMember));
    assert_eq!(scene.heartbeat(&leader), Err(GroupError::RebalanceInProgress));
}

#[test]
fn sync_checks_who_asks_and_gives_a_stable_assignment_again() {
    let (mut scene, leader, follower) = Scene::two();
    scene.sync(2, &follower, &[]);
    assert_eq!(scene.synced(2), Some(Ok("f".into())));
    let mut stale = follower.clone();
    stale.generation -= 1;
    let mut stranger = follower.clone();
    stranger.member_id = "nobody".into();
    for (who, expected) in [(stale, GroupError::IllegalGeneration), (stranger, GroupError::UnknownMember)] {
        scene.sync(9, &who, &[]);
        assert_eq!(scene.synced(9), Some(Err(ClientError::Group(expected))));
    }
    scene.join(1, &leader, "a");
    scene.sync(2, &follower, &[]);
    assert_eq!(scene.synced(2), Some(Err(ClientError::Group(GroupError::RebalanceInProgress))));
}

#[test]
fn a_static_member_that_returns_keeps_its_assignment_and_fences_its_old_self() {
    let mut scene = Scene::new();
    let (leader, follower) = scene.fill(&newcomer(Some("i1")), &newcomer(Some("i2")));

    scene.join(3, &newcomer(Some("i2")), "b");
    let back = scene.joined(3).unwrap().unwrap();
    assert_eq!((back.identity.generation, back.skip_assignment), (follower.generation, false));
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::FencedInstance));
    scene.sync(3, &back.identity, &[]);
    assert_eq!(scene.synced(3), Some(Ok("f".into())));

    scene.join(4, &newcomer(Some("i1")), "a");
    let back = scene.joined(4).unwrap().unwrap();
    assert!(back.is_leader() && back.skip_assignment && back.members.len() == 2);
    assert_eq!(back.identity.generation, leader.generation);
    scene.sync(4, &back.identity, &[]);
    assert_eq!(scene.synced(4), Some(Ok("l".into())));
    assert_eq!(scene.group.state(), GroupState::Stable);
}

#[test]
fn a_static_member_that_returns_between_join_and_sync_starts_a_rebalance() {
    let mut scene = Scene::new();
    let (leader, follower) = scene.fill(&newcomer(None), &newcomer(Some("i2")));
    scene.join(1, &leader, "a");
    scene.join(2, &follower, "c");
    let follower = scene.joined(2).unwrap().unwrap().identity;
    scene.sync(2, &follower, &[]);
    scene.join(3, &newcomer(Some("i2")), "b");
    assert_eq!(scene.synced(2), Some(Err(ClientError::Group(GroupError::FencedInstance))));
    assert!(scene.joined(3).is_none());
    assert_eq!(scene.group.state(), GroupState::PreparingRebalance);
}
