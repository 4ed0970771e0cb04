//! Who may commit, and when: what a real broker answers.
#![forbid(unsafe_code)]

use headwater_client::{ClientError, CommittedOffset, GroupError, GroupIdentity, OffsetCommit};
use headwater_record::{Offset, TopicPartition};

use super::{Scene, newcomer};

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
