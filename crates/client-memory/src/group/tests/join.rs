//! Joins, and who takes part.
#![forbid(unsafe_code)]

use std::time::Duration;

use headwater_client::{ClientError, GroupError, GroupResponse};

use super::super::{GroupState, Token};
use super::{Scene, join_request, newcomer};

#[test]
fn the_first_member_leads_and_gets_a_generation_at_once() {
    let mut scene = Scene::new();
    scene.join(1, &newcomer(None), "a");
    let joined = scene.joined(1).unwrap().unwrap();
    assert!(joined.is_leader());
    assert_eq!((joined.identity.generation, joined.protocol.as_str()), (1, "stream"));
    assert_eq!(joined.members, vec![(joined.identity.member_id.clone(), None, b"a".to_vec())]);
    assert_eq!(scene.group.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_join_waits_until_all_live_members_have_joined() {
    let mut scene = Scene::new();
    scene.join(1, &newcomer(None), "a");
    let first = scene.joined(1).unwrap().unwrap().identity;
    scene.sync(1, &first, &[(&first, "all")]);
    assert_eq!(scene.synced(1), Some(Ok("all".into())));

    scene.join(2, &newcomer(None), "b");
    assert!(scene.joined(2).is_none());
    assert_eq!(scene.heartbeat(&first), Err(GroupError::RebalanceInProgress));
    scene.join(1, &first, "a");
    let leader = scene.joined(1).unwrap().unwrap();
    let follower = scene.joined(2).unwrap().unwrap();
    assert_eq!(leader.identity.generation, 2);
    assert_eq!(leader.members.len(), 2);
    assert!(follower.members.is_empty() && follower.leader == leader.identity.member_id);
}

#[test]
fn an_absent_member_is_removed_at_the_rebalance_timeout_although_it_heartbeats() {
    let (mut scene, leader, follower) = Scene::two();
    scene.group.keep_alive(scene.now, &follower, Some(scene.now.plus(Duration::from_mins(5))), false);
    scene.join(1, &leader, "a");
    for _ in 0..29 {
        scene.pass(1);
        assert_eq!(scene.heartbeat(&follower), Err(GroupError::RebalanceInProgress));
    }
    assert!(scene.joined(1).is_none());
    scene.pass(1);
    let joined = scene.joined(1).unwrap().unwrap();
    assert_eq!((joined.identity.generation, joined.members.len()), (leader.generation + 1, 1));
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::UnknownMember));
}

#[test]
fn only_what_changes_something_starts_a_rebalance() {
    // Who joins again, with what, and whether a rebalance begins.
    for (leads, metadata, rebalances) in [(false, "b", false), (false, "c", true), (true, "a", true)] {
        let (mut scene, leader, follower) = Scene::two();
        let (token, who) = if leads { (1, &leader) } else { (2, &follower) };
        scene.join(token, who, metadata);
        let state = scene.group.state();
        match scene.joined(token) {
            None => assert!(rebalances && state == GroupState::PreparingRebalance, "{leads} {metadata}"),
            Some(joined) => {
                assert!(!rebalances && state == GroupState::Stable, "{leads} {metadata}");
                assert_eq!(joined.unwrap().identity, *who);
            }
        }
    }
}

#[test]
fn a_join_repeated_before_the_sync_gets_the_same_answer() {
    let mut scene = Scene::new();
    scene.join(1, &newcomer(None), "a");
    let first = scene.joined(1).unwrap().unwrap();
    scene.join(1, &first.identity, "a");
    assert_eq!(scene.joined(1), Some(Ok(first)));
}

#[test]
fn a_waiting_sync_hears_of_a_new_rebalance() {
    let (mut scene, leader, follower) = Scene::two();
    scene.join(2, &follower, "c");
    scene.join(1, &leader, "a");
    let follower = scene.joined(2).unwrap().unwrap().identity;
    scene.sync(2, &follower, &[]);
    scene.join(3, &newcomer(None), "d");
    assert_eq!(scene.synced(2), Some(Err(ClientError::Group(GroupError::RebalanceInProgress))));
}

#[test]
fn who_takes_over_when_the_leader_does_not_join_is_the_first_who_has() {
    let (mut scene, leader, follower) = Scene::two();
    scene.join(2, &follower, "c");
    scene.join(3, &newcomer(None), "d");
    scene.pass(40);
    let joined = scene.joined(2).unwrap().unwrap();
    assert!(joined.is_leader());
    assert_eq!(scene.joined(3).unwrap().unwrap().leader, follower.member_id);
    assert_eq!(scene.heartbeat(&leader), Err(GroupError::UnknownMember));
}

#[test]
fn the_initial_rebalance_waits_as_long_as_members_come() {
    let mut scene = Scene::with_delay(Duration::from_secs(3));
    scene.join(1, &newcomer(None), "a");
    scene.pass(2);
    scene.join(2, &newcomer(None), "b");
    scene.pass(1);
    assert!(scene.joined(1).is_none(), "somebody came, so it waits once more");
    scene.pass(3);
    assert_eq!(scene.joined(1).unwrap().unwrap().members.len(), 2);
    assert_eq!(scene.joined(2).unwrap().unwrap().identity.generation, 1);
}

#[test]
fn what_cannot_join_is_told_why() {
    let (mut scene, ..) = Scene::two();
    let mut other = join_request(newcomer(None), "x");
    other.protocols = vec![("range".into(), Vec::new())];
    let mut kind = join_request(newcomer(None), "x");
    kind.protocol_type = "connect".into();
    let mut stranger = join_request(newcomer(None), "x");
    stranger.identity.member_id = "nobody".into();
    let inconsistent = ClientError::Group(GroupError::InconsistentProtocol);
    let unknown = ClientError::Group(GroupError::UnknownMember);
    for (request, expected) in [(other, inconsistent.clone()), (kind, inconsistent), (stranger, unknown)] {
        scene.group.join(scene.now, Token(9), "client", &request, &mut scene.answers);
        assert_eq!(scene.joined(9), Some(Err(expected)));
    }
    let mut hasty = join_request(newcomer(None), "x");
    hasty.session_timeout = Duration::from_secs(5);
    scene.group.join(scene.now, Token(9), "client", &hasty, &mut scene.answers);
    let answer = scene.answer(9);
    assert!(matches!(answer, Some(GroupResponse::Join(Err(ClientError::Broker { code: 26, .. })))), "{answer:?}");
}
