//! What a member that its coordinator has not confirmed does not send.

use std::time::Duration;

use headwater_record::{Offset, TopicPartition};

use super::group::Member;
use super::{Failure, Outcome, Suite, ensure, equal, numbered, refused};
use crate::{
    Appended, BatchAck, ClientError, GroupError, GroupRequest, Isolation, Lease, OffsetSpec, PartitionRef, Producer,
};

const LONG: Duration = Duration::from_hours(1);

pub(super) fn what_is_written_waits_for_the_lease(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("held-back", 1)?, 0);
    let lease = Lease::new(suite.clients.clock());
    let mut producer = suite.producer()?;
    producer.obey(lease.clone());
    let to = producer.partition(&partition.topic, 0)?;
    let mut acks = Vec::new();
    append(producer.as_mut(), to, 3)?;
    let unconfirmed = |error: &ClientError| *error == ClientError::Group(GroupError::Unconfirmed);
    refused("a flush of who is not confirmed", producer.flush(suite.until(), &mut acks), unconfirmed)?;
    equal("the end of the log", &end(suite, &partition)?, &Offset::ZERO)?;
    lease.granted(lease.now(), LONG, LONG);
    flush(suite, producer.as_mut(), &mut acks)?;
    let stored: Vec<_> = acks.iter().filter(|ack| matches!(ack, BatchAck::Stored { count: 3, .. })).collect();
    equal("the number of batches that were stored", &stored.len(), &1)?;
    equal("the end of the log", &end(suite, &partition)?, &Offset::new(3))
}

pub(super) fn what_was_given_up_is_not_written_later(suite: &Suite<'_>) -> Outcome {
    let partition = TopicPartition::new(suite.topic("given-up", 1)?, 0);
    let lease = Lease::new(suite.clients.clock());
    let mut producer = suite.producer()?;
    producer.obey(lease.clone());
    let to = producer.partition(&partition.topic, 0)?;
    let mut acks = Vec::new();
    lease.granted(lease.now(), LONG, LONG);
    append(producer.as_mut(), to, 2)?;
    flush(suite, producer.as_mut(), &mut acks)?;
    lease.end();
    append(producer.as_mut(), to, 3)?;
    let unknown = |error: &ClientError| *error == ClientError::Group(GroupError::UnknownMember);
    refused("a flush of who is no member", producer.flush(suite.until(), &mut acks), unknown)?;
    acks.clear();
    append(producer.as_mut(), to, 4)?;
    producer.abandon();
    let mut idle = suite.clients.membership(&suite.name("idle"), suite.config)?;
    suite.wait("what was given up", || {
        // That it waited for a lease may be told still, without a wait: this waits a little, since nothing was asked of it.
        let _ = producer.poll(suite.soon(), &mut acks);
        idle.response(suite.soon());
        let back = acks.iter().map(|ack| match ack {
            BatchAck::Failed { error: ClientError::Abandoned, records, .. } => Ok(records.remaining()),
            other => Err(Failure::new(format!("not what was given up: {other:?}"))),
        });
        Ok((back.sum::<Result<usize, Failure>>()? == 7).then_some(()))
    })?;
    lease.granted(lease.now(), LONG, LONG);
    append(producer.as_mut(), to, 1)?;
    flush(suite, producer.as_mut(), &mut acks)?;
    equal("the end of the log", &end(suite, &partition)?, &Offset::new(3))
}

pub(super) fn a_lease_is_as_long_as_the_membership(suite: &Suite<'_>) -> Outcome {
    let mut member = Member::connect(suite, &suite.name("leases"))?;
    let lease = member.connection.lease();
    equal("the lease of who has not joined", &lease.check(), &Err(GroupError::Unconfirmed))?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    equal("the lease of a member", &lease.check(), &Ok(()))?;
    let identity = member.identity.clone();
    member.connection.submit(GroupRequest::Leave { identity, reason: "done".to_owned() })?;
    // Whether the coordinator has heard of it nobody knows.
    equal("the lease of who leaves", &lease.check(), &Err(GroupError::UnknownMember))?;
    ensure(member.connection.lease().check().is_err(), || "it is another lease each time".to_owned())
}

pub(super) fn a_refusal_ends_the_lease(suite: &Suite<'_>) -> Outcome {
    let mut member = Member::connect(suite, &suite.name("refused"))?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    let lease = member.connection.lease();
    let own = std::mem::replace(&mut member.identity.member_id, "stranger".to_owned());
    refused("a stranger's heartbeat", member.heartbeat(suite)?, |error| {
        *error == ClientError::Group(GroupError::UnknownMember)
    })?;
    equal("the lease of who is none", &lease.check(), &Err(GroupError::UnknownMember))?;
    member.identity.member_id = own;
    member.heartbeat(suite)??;
    equal("the lease before another join", &lease.check(), &Err(GroupError::UnknownMember))?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    equal("the lease after another join", &lease.check(), &Ok(()))?;
    member.leave(suite)??;
    Ok(())
}

fn append(producer: &mut dyn Producer, to: PartitionRef, count: usize) -> Outcome {
    for record in numbered(count) {
        let appended = producer.append(to, record.view())?;
        ensure(appended == Appended::Stored, || "there is no room for a few records".to_owned())?;
    }
    Ok(())
}

/// That a lease holds again is found out soon.
fn flush(suite: &Suite<'_>, producer: &mut dyn Producer, acks: &mut Vec<BatchAck>) -> Outcome {
    suite.wait("the end of a flush", || match producer.flush(suite.until(), acks) {
        Err(ClientError::Group(GroupError::Unconfirmed | GroupError::UnknownMember)) => {
            let _ = producer.poll(suite.soon(), acks);
            Ok(None)
        }
        flushed => Ok(Some(flushed?)),
    })
}

fn end(suite: &Suite<'_>, partition: &TopicPartition) -> Result<Offset, Failure> {
    let latest = OffsetSpec::Latest(Isolation::ReadUncommitted);
    let ends = suite.admin()?.list_offsets(std::slice::from_ref(partition), latest, suite.until())?;
    ends.first().copied().ok_or_else(|| Failure::new("no offset was listed"))
}
