//! Members of a group, and what they commit.

use std::time::Duration;

use headwater_record::{Deadline, Offset, TopicPartition};

use super::{Failure, Outcome, Suite, ensure, equal, refused};
use crate::{
    ClientError, CommittedOffset, ErrorClass, GroupError, GroupIdentity, GroupMembership, GroupRequest, GroupResponse,
    JoinRequest, Joined, KeepAlive, OffsetCommit,
};

const SESSION: Duration = Duration::from_secs(45);
const PROTOCOL_TYPE: &str = "consumer";
/// Version 0 of `ConsumerProtocolSubscription`, which brokers read for this protocol type: no topics, and four bytes of user data.
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\0\0\0\0\x04data";

/// A connection to the coordinator of a group. A cluster that has just begun chooses one first.
pub(super) fn connect(suite: &Suite<'_>, group: &str) -> Result<Box<dyn GroupMembership>, Failure> {
    let mut connection = suite.clients.membership(group, suite.config)?;
    suite.wait("the group's coordinator", || match connection.committed_offsets(group, &[], false, suite.until()) {
        Err(error) if error.class() == ErrorClass::Retriable => {
            // Nothing was asked of it: this waits a little.
            connection.response(suite.soon());
            Ok(None)
        }
        other => Ok(Some(other?)),
    })?;
    Ok(connection)
}

/// One member and its connection.
pub(super) struct Member {
    pub(super) connection: Box<dyn GroupMembership>,
    pub(super) identity: GroupIdentity,
}

pub(super) fn offsets_are_committed_with_metadata(suite: &Suite<'_>) -> Outcome {
    let topic = suite.topic("committed", 3)?;
    let group = suite.name("committers");
    let partition = |number| TopicPartition::new(topic.clone(), number);
    let committed =
        |offset, metadata: &str| CommittedOffset { offset: Offset::new(offset), metadata: metadata.to_owned() };
    let mut connection = connect(suite, &group)?;
    let nobody = GroupIdentity { group: group.clone(), generation: -1, ..GroupIdentity::default() };
    let asked = [partition(2), partition(1), partition(0)];
    equal("the offsets of a new group", &fetch(suite, connection.as_mut(), &group, &asked)?, &vec![None, None, None])?;
    let offsets = vec![(partition(0), committed(7, "AgAAAZ=")), (partition(2), committed(0, ""))];
    commit(suite, connection.as_mut(), nobody.clone(), offsets)?;
    let found = fetch(suite, connection.as_mut(), &group, &asked)?;
    equal("the committed offsets", &found, &vec![Some(committed(0, "")), None, Some(committed(7, "AgAAAZ="))])?;
    commit(suite, connection.as_mut(), nobody, vec![(partition(0), committed(3, "back"))])?;
    let found = fetch(suite, connection.as_mut(), &group, &asked[2..])?;
    equal("the offset committed last", &found, &vec![Some(committed(3, "back"))])
}

pub(super) fn two_members_share_a_group(suite: &Suite<'_>) -> Outcome {
    let group = suite.name("shared");
    let mut first = Member::connect(suite, &group)?;
    let mut second = Member::connect(suite, &group)?;
    let alone = first.join(suite)?;
    ensure(alone.is_leader(), || format!("the only member is not the leader: {alone:?}"))?;
    equal("the protocol", &alone.protocol.as_str(), &"stream")?;
    let members: Vec<_> = alone.members.iter().map(|(id, _, metadata)| (id.as_str(), metadata.as_slice())).collect();
    equal("the members", &members, &vec![(first.identity.member_id.as_str(), SUBSCRIPTION)])?;
    let own = vec![(first.identity.member_id.clone(), b"all".to_vec())];
    equal("the assignment", &first.sync(suite, own)?, &b"all".to_vec())?;
    first.heartbeat(suite)??;

    second.connection.submit(GroupRequest::Join(second.join_request()))?;
    first.heartbeat_until(suite, GroupError::RebalanceInProgress, Some(&mut second))?;
    first.connection.submit(GroupRequest::Join(first.join_request()))?;
    let joined = [first.joined(suite)?, second.joined(suite)?];
    let generation = joined.iter().map(|joined| joined.identity.generation).collect::<Vec<_>>();
    let newer = alone.identity.generation + 1;
    equal("the generation of both", &generation, &vec![newer, newer])?;
    let [of_first, of_second] = &joined;
    ensure(of_first.is_leader() != of_second.is_leader(), || format!("one of two should lead: {joined:?}"))?;
    let ids = [first.identity.member_id.clone(), second.identity.member_id.clone()];
    let leader = if of_first.is_leader() { of_first } else { of_second };
    equal("the number of members that the leader sees", &leader.members.len(), &2)?;
    let shares: Vec<_> = ids.iter().cloned().zip([b"one".to_vec(), b"two".to_vec()]).collect();
    let (for_first, for_second) = if of_first.is_leader() { (shares, Vec::new()) } else { (Vec::new(), shares) };
    // Both ask before either waits: the follower's answer comes with the leader's.
    first.connection.submit(first.sync_request(for_first))?;
    second.connection.submit(second.sync_request(for_second))?;
    equal("the first one's share", &first.synced(suite)?, &b"one".to_vec())?;
    equal("the second one's share", &second.synced(suite)?, &b"two".to_vec())?;

    second.leave(suite)??;
    first.heartbeat_until(suite, GroupError::RebalanceInProgress, None)?;
    let alone_again = first.join(suite)?;
    equal("the number of members after one has left", &alone_again.members.len(), &1)?;
    first.leave(suite)??;
    Ok(())
}

pub(super) fn commit_of_another_generation_is_refused(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("fenced", 1)?, 0);
    let group = suite.name("fenced");
    let mut member = Member::connect(suite, &group)?;
    member.join(suite)?;
    let valid = member.identity.clone();
    let at =
        |offset| vec![(partition.clone(), CommittedOffset { offset: Offset::new(offset), metadata: String::new() })];
    let group_error = |expected: GroupError| move |error: &ClientError| *error == ClientError::Group(expected);
    let mut commit_as = |identity: GroupIdentity, offset| {
        member.connection.commit_offsets(&OffsetCommit { identity, offsets: at(offset) }, suite.until())
    };
    let early = commit_as(valid.clone(), 1);
    refused("a commit between join and sync", early, group_error(GroupError::RebalanceInProgress))?;
    let own = vec![(valid.member_id.clone(), Vec::new())];
    member.sync(suite, own)?;
    let mut commit_as = |identity: GroupIdentity, offset| {
        member.connection.commit_offsets(&OffsetCommit { identity, offsets: at(offset) }, suite.until())
    };
    commit_as(valid.clone(), 5)?;
    let older = GroupIdentity { generation: valid.generation - 1, ..valid.clone() };
    refused("a commit of an older generation", commit_as(older, 6), group_error(GroupError::IllegalGeneration))?;
    let newer = GroupIdentity { generation: valid.generation + 1, ..valid.clone() };
    refused("a commit of a newer generation", commit_as(newer, 6), group_error(GroupError::IllegalGeneration))?;
    let stranger = GroupIdentity { member_id: "stranger".to_owned(), ..valid.clone() };
    refused("a commit of a stranger", commit_as(stranger, 6), group_error(GroupError::UnknownMember))?;
    let nobody = GroupIdentity { group: group.clone(), generation: -1, ..GroupIdentity::default() };
    refused("a commit of nobody", commit_as(nobody, 6), group_error(GroupError::UnknownMember))?;
    let found = fetch(suite, member.connection.as_mut(), &group, std::slice::from_ref(&partition))?;
    let offsets: Vec<_> = found.into_iter().map(|found| found.map(|committed| committed.offset.value())).collect();
    equal("the committed offset", &offsets, &vec![Some(5)])?;
    member.leave(suite)??;
    Ok(())
}

pub(super) fn member_that_left_is_unknown(suite: &Suite<'_>) -> Outcome {
    let mut member = Member::connect(suite, &suite.name("left"))?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    member.leave(suite)??;
    let unknown = |error: &ClientError| *error == ClientError::Group(GroupError::UnknownMember);
    refused("a heartbeat after leaving", member.heartbeat(suite)?, unknown)?;
    refused("leaving twice", member.leave(suite)?, unknown)
}

pub(super) fn kept_alive_heartbeats_tell_of_a_rebalance(suite: &Suite<'_>) -> Outcome {
    let group = suite.name("kept");
    let mut first = Member::connect(suite, &group)?;
    let joined = first.join(suite)?;
    first.sync(suite, vec![(joined.leader, Vec::new())])?;
    let heartbeats =
        KeepAlive { identity: first.identity.clone(), interval: Duration::from_millis(250), until: Deadline::NEVER };
    first.connection.keep_alive(Some(heartbeats.clone()));
    for _ in 0..5 {
        let told = first.connection.response(suite.soon());
        ensure(told.is_none(), || format!("a heartbeat that succeeded was told: {told:?}"))?;
        suite.pass(super::STEP);
    }
    let mut second = Member::connect(suite, &group)?;
    second.connection.submit(GroupRequest::Join(second.join_request()))?;
    let told = suite.wait("a failed heartbeat", || {
        // The second one's connection is asked too: that is when a join is repeated with the id it was given.
        if let Some(early) = second.connection.response(suite.soon()) {
            return Err(Failure::new(format!("the second member should wait for the first, not get {early:?}")));
        }
        // Who prolongs them sooner than the next is due hears of it, too.
        first.connection.keep_alive(Some(heartbeats.clone()));
        Ok(first.connection.response(suite.soon()))
    })?;
    first.connection.keep_alive(None);
    let rebalancing = ClientError::Group(GroupError::RebalanceInProgress);
    ensure(matches!(&told, GroupResponse::Heartbeat(Err(error)) if *error == rebalancing), || {
        format!("a rebalance should be told, not {told:?}")
    })?;
    first.leave(suite)??;
    second.joined(suite)?;
    second.leave(suite)??;
    Ok(())
}

pub(super) fn another_protocol_is_refused(suite: &Suite<'_>) -> Outcome {
    let group = suite.name("protocols");
    let mut member = Member::connect(suite, &group)?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    let mut other = Member::connect(suite, &group)?;
    let request = JoinRequest { protocols: vec![("range".to_owned(), SUBSCRIPTION.to_vec())], ..other.join_request() };
    other.connection.submit(GroupRequest::Join(request))?;
    match other.response(suite)? {
        GroupResponse::Join(answer) => refused("joining with another protocol", answer, |error| {
            *error == ClientError::Group(GroupError::InconsistentProtocol)
        })?,
        told => return Err(Failure::new(format!("not the answer to a join: {told:?}"))),
    }
    member.leave(suite)??;
    Ok(())
}

/// A member without heartbeats is removed after its session timeout. Needs virtual time.
///
/// # Errors
/// [`Failure`], also without [`Suite::with_virtual_time`].
pub fn member_is_removed_when_its_session_times_out(suite: &Suite<'_>) -> Outcome {
    ensure(suite.advance.is_some(), || "this case needs virtual time".to_owned())?;
    let mut member = Member::connect(suite, &suite.name("sessions"))?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    for _ in 0..2 {
        suite.pass(SESSION.saturating_sub(Duration::from_secs(1)));
        member.heartbeat(suite)??;
    }
    suite.pass(SESSION + Duration::from_secs(1));
    let unknown = |error: &ClientError| *error == ClientError::Group(GroupError::UnknownMember);
    refused("a heartbeat after the session", member.heartbeat(suite)?, unknown)
}

/// A member keeps its lease while its join waits for another member for longer than a session, and while only its client's own heartbeats
/// are heard; it loses it when nothing is heard. The group's session time-out is `session`. Where time is not virtual it takes four of
/// these.
///
/// # Errors
/// [`Failure`].
pub fn waiting_keeps_the_lease(suite: &Suite<'_>, session: Duration) -> Outcome {
    let group = suite.name("waiting");
    let (mut first, mut second) = (Member::connect(suite, &group)?, Member::connect(suite, &group)?);
    let join = |member: &Member| GroupRequest::Join(JoinRequest { session_timeout: session, ..member.join_request() });
    first.connection.submit(join(&first))?;
    let joined = first.joined(suite)?;
    first.sync(suite, vec![(joined.leader, Vec::new())])?;
    let heartbeats = |member: &Member| KeepAlive {
        identity: member.identity.clone(),
        interval: session / 10,
        until: Deadline::NEVER,
    };
    first.connection.keep_alive(Some(heartbeats(&first)));
    second.connection.submit(join(&second))?;
    let lease = first.connection.lease();
    let holds = |first: &mut Member, second: &mut Member, what: &str| -> Outcome {
        let end = suite.now().plus(session + session / 5);
        while suite.now() < end {
            ensure(lease.check() == Ok(()), || format!("no lease {what}"))?;
            let _ = (first.connection.response(suite.soon()), second.connection.response(suite.soon()));
            suite.pass(super::STEP);
        }
        Ok(())
    };
    holds(&mut first, &mut second, "while the client sends heartbeats by itself")?;
    first.connection.keep_alive(None);
    while first.connection.response(Deadline::NOW).is_some() {}
    first.connection.submit(join(&first))?;
    first.joined(suite)?;
    let leads = second.joined(suite)?.is_leader();
    let [leader, follower] = if leads { [&mut second, &mut first] } else { [&mut first, &mut second] };
    leader.connection.submit(leader.sync_request(Vec::new()))?;
    follower.connection.submit(follower.sync_request(Vec::new()))?;
    leader.synced(suite)?;
    follower.synced(suite)?;
    second.connection.keep_alive(Some(heartbeats(&second)));
    first.connection.submit(join(&first))?;
    holds(&mut first, &mut second, "while a join waits")?;
    second.connection.keep_alive(None);
    while second.connection.response(Deadline::NOW).is_some() {}
    second.leave(suite)??;
    first.joined(suite)?;
    let end = suite.now().plus(session);
    while suite.now() < end {
        let _ = first.connection.response(suite.soon());
        suite.pass(super::STEP);
    }
    equal("the lease of who was silent", &lease.check(), &Err(GroupError::Unconfirmed))
}

impl Member {
    pub(super) fn connect(suite: &Suite<'_>, group: &str) -> Result<Self, Failure> {
        let connection = connect(suite, group)?;
        let identity = GroupIdentity { group: group.to_owned(), generation: -1, ..GroupIdentity::default() };
        Ok(Member { connection, identity })
    }

    fn join_request(&self) -> JoinRequest {
        JoinRequest {
            identity: self.identity.clone(),
            session_timeout: SESSION,
            rebalance_timeout: Duration::from_mins(1),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocols: vec![("stream".to_owned(), SUBSCRIPTION.to_vec())],
            reason: Some("conformance".to_owned()),
        }
    }

    fn sync_request(&self, assignments: Vec<(String, Vec<u8>)>) -> GroupRequest {
        GroupRequest::Sync {
            identity: self.identity.clone(),
            protocol_type: PROTOCOL_TYPE.to_owned(),
            protocol: "stream".to_owned(),
            assignments,
        }
    }

    fn response(&mut self, suite: &Suite<'_>) -> Result<GroupResponse, Failure> {
        suite.wait("an answer of the coordinator", || Ok(self.connection.response(suite.soon())))
    }

    pub(super) fn join(&mut self, suite: &Suite<'_>) -> Result<Joined, Failure> {
        self.connection.submit(GroupRequest::Join(self.join_request()))?;
        self.joined(suite)
    }

    fn joined(&mut self, suite: &Suite<'_>) -> Result<Joined, Failure> {
        match self.response(suite)? {
            GroupResponse::Join(answer) => {
                let joined = answer?;
                ensure(!joined.identity.member_id.is_empty(), || "the coordinator gave no member id".to_owned())?;
                equal("the group", &joined.identity.group, &self.identity.group)?;
                self.identity = joined.identity.clone();
                Ok(joined)
            }
            other => Err(Failure::new(format!("not the answer to a join: {other:?}"))),
        }
    }

    pub(super) fn sync(&mut self, suite: &Suite<'_>, assignments: Vec<(String, Vec<u8>)>) -> Result<Vec<u8>, Failure> {
        self.connection.submit(self.sync_request(assignments))?;
        self.synced(suite)
    }

    fn synced(&mut self, suite: &Suite<'_>) -> Result<Vec<u8>, Failure> {
        match self.response(suite)? {
            GroupResponse::Sync(answer) => Ok(answer?),
            other => Err(Failure::new(format!("not the answer to a sync: {other:?}"))),
        }
    }

    pub(super) fn heartbeat(&mut self, suite: &Suite<'_>) -> Result<Result<(), ClientError>, Failure> {
        self.connection.submit(GroupRequest::Heartbeat(self.identity.clone()))?;
        match self.response(suite)? {
            GroupResponse::Heartbeat(answer) => Ok(answer),
            other => Err(Failure::new(format!("not the answer to a heartbeat: {other:?}"))),
        }
    }

    /// Heartbeats until one is answered with `expected`; `parked` is a member whose join must wait meanwhile.
    fn heartbeat_until(&mut self, suite: &Suite<'_>, expected: GroupError, mut parked: Option<&mut Member>) -> Outcome {
        suite.wait("a heartbeat that tells of a rebalance", || {
            if let Some(parked) = parked.as_deref_mut()
                && let Some(early) = parked.connection.response(suite.soon())
            {
                return Err(Failure::new(format!("a join should wait for the other member, not get {early:?}")));
            }
            match self.heartbeat(suite)? {
                Ok(()) => Ok(None),
                Err(ClientError::Group(error)) if error == expected => Ok(Some(())),
                Err(error) => Err(error.into()),
            }
        })
    }

    pub(super) fn leave(&mut self, suite: &Suite<'_>) -> Result<Result<(), ClientError>, Failure> {
        self.connection.submit(GroupRequest::Leave { identity: self.identity.clone(), reason: "done".to_owned() })?;
        match self.response(suite)? {
            GroupResponse::Leave(answer) => Ok(answer),
            other => Err(Failure::new(format!("not the answer to leaving: {other:?}"))),
        }
    }
}

fn commit(
    suite: &Suite<'_>,
    connection: &mut dyn GroupMembership,
    identity: GroupIdentity,
    offsets: Vec<(TopicPartition, CommittedOffset)>,
) -> Outcome {
    Ok(connection.commit_offsets(&OffsetCommit { identity, offsets }, suite.until())?)
}

pub(super) fn fetch(
    suite: &Suite<'_>,
    connection: &mut dyn GroupMembership,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Vec<Option<CommittedOffset>>, Failure> {
    Ok(connection.committed_offsets(group, partitions, true, suite.until())?)
}
