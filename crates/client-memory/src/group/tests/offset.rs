//! Who may commit, and when: what a real broker answers.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, CommittedOffset, GroupError, GroupIdentity, OffsetCommit};
use headwater_record::{Offset, TopicPartition};

use super::{Scene, newcomer};
use crate::partition_log::ProducerId;
use crate::transaction::TransactionEnd;

fn commit(scene: &mut Scene, identity: &GroupIdentity) -> Result<(), ClientError> {
    let committed = CommittedOffset { offset: Offset::new(7), metadata: "m".into() };
    let offsets = vec![(TopicPartition::new("t", 0), committed)];
    scene.group.commit(scene.now, &OffsetCommit { identity: identity.clone(), offsets })
}

#[test]
fn commits_are_answered_as_by_a_broker() {
    let (mut scene, leader, follower) = Scene::two();
    let group = |error| Err(ClientError::Group(error));
    let with_generation = |generation| GroupIdentity { generation, ..follower.clone() };
    let stranger = GroupIdentity { member_id: "nobody".into(), ..follower.clone() };
    let table = [
        ("the live generation", follower.clone(), Ok(())),
        ("an older one", with_generation(follower.generation - 1), group(GroupError::IllegalGeneration)),
        ("a newer one", with_generation(follower.generation + 1), group(GroupError::IllegalGeneration)),
        ("an unknown member", stranger, group(GroupError::UnknownMember)),
        ("no member while there are some", newcomer(None), group(GroupError::UnknownMember)),
    ];
    for (who, identity, expected) in table {
        assert_eq!(commit(&mut scene, &identity), expected, "{who}");
    }

    scene.join(1, &leader, "a");
    assert_eq!(commit(&mut scene, &follower), Ok(()), "while others prepare a rebalance");
    scene.join(2, &follower, "b");
    let follower = scene.joined(2).unwrap().unwrap().identity;
    assert_eq!(commit(&mut scene, &follower), group(GroupError::RebalanceInProgress), "between join and sync");
}

#[test]
fn an_empty_group_takes_commits_of_nobody_in_particular() {
    let mut scene = Scene::new();
    assert_eq!(commit(&mut scene, &newcomer(None)), Ok(()));
    let partitions = [TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
    let committed = scene.group.committed_of(&partitions, true).unwrap();
    assert_eq!(committed[0].as_ref().map(|committed| committed.metadata.as_str()), Some("m"));
    assert_eq!(committed[1], None);
}

#[test]
fn a_commit_counts_as_a_sign_of_life() {
    let (mut scene, _, follower) = Scene::two();
    scene.pass(9);
    assert_eq!(commit(&mut scene, &follower), Ok(()));
    scene.pass(9);
    assert_eq!(scene.group.members().len(), 1, "the leader is gone, the follower is not");
}

#[test]
fn commits_in_transactions_are_answered_as_by_a_broker() {
    let (mut scene, leader, follower) = Scene::two();
    let commit_in = |scene: &mut Scene, identity: &GroupIdentity| {
        let committed = CommittedOffset { offset: Offset::new(7), metadata: "m".into() };
        let offsets = vec![(TopicPartition::new("t", 0), committed)];
        scene.group.commit_in_transaction(ProducerId(1), &OffsetCommit { identity: identity.clone(), offsets })
    };
    let group = |error| Err(ClientError::Group(error));
    let stranger = GroupIdentity { member_id: "nobody".into(), ..follower.clone() };
    let stale = GroupIdentity { generation: follower.generation - 1, ..follower.clone() };
    let table = [
        ("the live generation", follower.clone(), Ok(())),
        ("an older one", stale.clone(), group(GroupError::IllegalGeneration)),
        ("an unknown member", stranger.clone(), group(GroupError::UnknownMember)),
        (
            "a member without a generation",
            GroupIdentity { generation: -1, ..stranger },
            group(GroupError::UnknownMember),
        ),
        ("nobody, unchecked", newcomer(None), Ok(())),
    ];
    for (who, identity, expected) in table {
        assert_eq!(commit_in(&mut scene, &identity), expected, "{who}");
    }
    let asked = [TopicPartition::new("t", 0)];
    assert_eq!(scene.group.committed_of(&asked, true), Err(GroupError::UnstableOffsets));
    assert_eq!(scene.group.committed_of(&asked, false), Ok(vec![None]));

    scene.join(1, &leader, "a");
    scene.join(2, &follower, "b");
    let follower = scene.joined(2).unwrap().unwrap().identity;
    assert_eq!(commit_in(&mut scene, &follower), Ok(()), "between join and sync");
    scene.group.end_transaction(ProducerId(1), TransactionEnd::Abort);
    assert_eq!(scene.group.committed_of(&asked, true), Ok(vec![None]));
}

#[test]
fn a_commit_in_a_transaction_is_no_sign_of_life() {
    let (mut scene, _, follower) = Scene::two();
    scene.pass(9);
    let commit = OffsetCommit { identity: follower.clone(), offsets: Vec::new() };
    assert_eq!(scene.group.commit_in_transaction(ProducerId(1), &commit), Ok(()));
    scene.pass(1);
    assert_eq!(scene.heartbeat(&follower), Err(GroupError::UnknownMember));
}
