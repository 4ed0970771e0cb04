//! The coordinator by itself: calls in, answers out, at times that the test tells.
#![forbid(unsafe_code)]

mod join;
mod membership;
mod offset;

use std::time::Duration;

use headwater_client::{ClientError, GroupError, GroupIdentity, GroupResponse, JoinRequest, Joined};
use headwater_record::Timestamp;

use super::{Effects, Group, GroupSettings, Token};

/// A group with its clock; members are known by their tokens.
struct Scene {
    group: Group,
    now: Timestamp,
    answers: Effects,
}

impl Scene {
    fn new() -> Self {
        Self::with_delay(Duration::ZERO)
    }

    fn with_delay(initial_rebalance_delay: Duration) -> Self {
        let settings = GroupSettings {
            initial_rebalance_delay,
            min_session_timeout: Duration::from_secs(6),
            max_session_timeout: Duration::from_mins(30),
            max_size: 10,
        };
        Scene { group: Group::new("g", settings), now: Timestamp::ZERO, answers: Effects::new() }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.group.advance(self.now, &mut self.answers);
    }

    fn join(&mut self, token: u64, identity: &GroupIdentity, metadata: &str) {
        let request = join_request(identity.clone(), metadata);
        self.group.join(self.now, Token(token), "client", &request, &mut self.answers);
    }

    fn sync(&mut self, token: u64, identity: &GroupIdentity, assignments: &[(&GroupIdentity, &str)]) {
        let assignments: Vec<_> =
            assignments.iter().map(|(to, bytes)| (to.member_id.clone(), bytes.as_bytes().to_vec())).collect();
        let protocol = ("consumer", "stream");
        self.group.sync(self.now, Token(token), identity, protocol, &assignments, &mut self.answers);
    }

    fn heartbeat(&mut self, identity: &GroupIdentity) -> Result<(), GroupError> {
        self.group.heartbeat(self.now, identity)
    }

    fn leave(&mut self, identity: &GroupIdentity) -> Result<(), GroupError> {
        self.group.leave(self.now, identity, &mut self.answers)
    }

    fn answer(&mut self, token: u64) -> Option<GroupResponse> {
        let index = self.answers.iter().position(|(to, _)| *to == Token(token))?;
        Some(self.answers.remove(index).1)
    }

    /// The answer to a join; `None` while it waits.
    fn joined(&mut self, token: u64) -> Option<Result<Joined, ClientError>> {
        self.answer(token).map(|answer| match answer {
            GroupResponse::Join(result) => result,
            other => panic!("not the answer to a join: {other:?}"),
        })
    }

    /// The answer to a sync; `None` while it waits.
    fn synced(&mut self, token: u64) -> Option<Result<String, ClientError>> {
        self.answer(token).map(|answer| match answer {
            GroupResponse::Sync(result) => result.map(|bytes| String::from_utf8(bytes).unwrap()),
            other => panic!("not the answer to a sync: {other:?}"),
        })
    }

    /// A stable group of two: the leader (token 1, assigned "l") and a follower (token 2, assigned "f").
    fn two() -> (Self, GroupIdentity, GroupIdentity) {
        let mut scene = Scene::new();
        let (leader, follower) = scene.fill(&newcomer(None), &newcomer(None));
        (scene, leader, follower)
    }

    fn fill(&mut self, first: &GroupIdentity, second: &GroupIdentity) -> (GroupIdentity, GroupIdentity) {
        self.join(1, first, "a");
        let alone = self.joined(1).unwrap().unwrap().identity;
        self.join(2, second, "b");
        self.join(1, &alone, "a");
        let leader = self.joined(1).unwrap().unwrap().identity;
        let follower = self.joined(2).unwrap().unwrap().identity;
        self.sync(2, &follower, &[]);
        assert!(self.synced(2).is_none(), "a follower waits for the leader");
        self.sync(1, &leader, &[(&leader, "l"), (&follower, "f")]);
        assert_eq!(self.synced(1), Some(Ok("l".into())));
        assert_eq!(self.synced(2), Some(Ok("f".into())));
        (leader, follower)
    }
}

/// Somebody without a member id yet, perhaps with an instance id.
fn newcomer(instance_id: Option<&str>) -> GroupIdentity {
    GroupIdentity {
        group: "g".into(),
        generation: -1,
        instance_id: instance_id.map(str::to_owned),
        ..GroupIdentity::default()
    }
}

fn join_request(identity: GroupIdentity, metadata: &str) -> JoinRequest {
    JoinRequest {
        identity,
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(30),
        protocol_type: "consumer".into(),
        protocols: vec![("stream".into(), metadata.as_bytes().to_vec())],
        reason: None,
    }
}
