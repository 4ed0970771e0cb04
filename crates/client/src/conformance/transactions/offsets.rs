//! Input offsets that are committed with a transaction.

use headwater_record::{Offset, TopicPartition};

use super::super::group::{Member, connect, fetch};
use super::super::{Failure, Outcome, Suite, ensure, equal, refused};
use super::{Writer, partition};
use crate::{ClientError, CommittedOffset, GroupError, GroupIdentity, TransactionOutcome};

fn at(partition: &TopicPartition, offset: i64) -> Vec<(TopicPartition, CommittedOffset)> {
    vec![(partition.clone(), CommittedOffset { offset: Offset::new(offset), metadata: "m".to_owned() })]
}

/// A group with one member, assigned.
fn joined(suite: &Suite<'_>, group: &str) -> Result<Member, Failure> {
    let mut member = Member::connect(suite, group)?;
    let joined = member.join(suite)?;
    member.sync(suite, vec![(joined.leader, Vec::new())])?;
    Ok(member)
}

/// The committed offset, once it is stable.
fn stable(suite: &Suite<'_>, group: &str, partition: &TopicPartition) -> Result<Option<i64>, Failure> {
    let mut connection = connect(suite, group)?;
    suite.wait("stable offsets", || {
        match connection.committed_offsets(group, std::slice::from_ref(partition), true, suite.until()) {
            Err(ClientError::Group(GroupError::UnstableOffsets)) => {
                // Nothing was asked of it: this waits a little.
                connection.response(suite.soon());
                Ok(None)
            }
            found => Ok(Some(found?.into_iter().flatten().map(|committed| committed.offset.value()).next())),
        }
    })
}

pub(super) fn offsets_come_with_the_transaction(suite: &Suite<'_>) -> Outcome {
    let (input, output) = (partition(suite, "tx-input")?, partition(suite, "tx-output")?);
    let group = suite.name("tx-group");
    let mut member = joined(suite, &group)?;
    let mut writer = Writer::new(suite, "offsets")?;
    writer.begin()?;
    writer.write(suite, &output, &["a"])?;
    writer.transactions()?.send_offsets(&member.identity, &at(&input, 7), suite.until())?;
    let asked = [input.clone()];
    let unstable = member.connection.committed_offsets(&group, &asked, true, suite.until());
    let is_unstable = |error: &ClientError| *error == ClientError::Group(GroupError::UnstableOffsets);
    refused("asking for stable offsets during the transaction", unstable, is_unstable)?;
    let before = member.connection.committed_offsets(&group, &asked, false, suite.until())?;
    equal("the offsets during the transaction", &before, &vec![None])?;
    // Later ones count.
    writer.transactions()?.send_offsets(&member.identity, &at(&input, 9), suite.until())?;
    writer.commit(suite)?;
    equal("the offset after the commit", &stable(suite, &group, &input)?, &Some(9))?;
    let found = fetch(suite, member.connection.as_mut(), &group, &asked)?;
    let metadata: Vec<_> = found.iter().flatten().map(|committed| committed.metadata.as_str()).collect();
    equal("what is committed beside it", &metadata, &vec!["m"])?;
    member.leave(suite)??;
    Ok(())
}

pub(super) fn offsets_go_with_the_transaction(suite: &Suite<'_>) -> Outcome {
    let input = partition(suite, "tx-kept")?;
    let group = suite.name("tx-kept");
    let mut member = joined(suite, &group)?;
    let mut writer = Writer::new(suite, "kept")?;
    for (offset, kept) in [(3, true), (5, false), (8, false)] {
        writer.begin()?;
        writer.transactions()?.send_offsets(&member.identity, &at(&input, offset), suite.until())?;
        if kept {
            writer.commit(suite)?;
        } else {
            writer.abort(suite)?;
        }
        equal("the committed offset", &stable(suite, &group, &input)?, &Some(3))?;
    }
    member.leave(suite)??;
    Ok(())
}

pub(super) fn stale_generation_aborts_the_transaction(suite: &Suite<'_>) -> Outcome {
    let (input, output) = (partition(suite, "tx-stale-in")?, partition(suite, "tx-stale-out")?);
    let group = suite.name("tx-stale");
    let mut member = joined(suite, &group)?;
    let mut writer = Writer::new(suite, "stale")?;
    let valid = member.identity.clone();
    let older = GroupIdentity { generation: valid.generation - 1, ..valid.clone() };
    let stranger = GroupIdentity { member_id: "stranger".to_owned(), ..valid.clone() };
    for (identity, expected) in [(older, GroupError::IllegalGeneration), (stranger, GroupError::UnknownMember)] {
        writer.begin()?;
        writer.write(suite, &output, &["zombie"])?;
        let sent = writer.transactions()?.send_offsets(&identity, &at(&input, 5), suite.until());
        refused("offsets of who is no member now", sent, |error| *error == ClientError::Group(expected))?;
        let outcome = writer.transactions()?.commit(suite.until());
        let is_that = |error: &ClientError| *error == ClientError::Group(expected);
        ensure(matches!(&outcome, TransactionOutcome::Aborted(error) if is_that(error)), || {
            format!("a transaction without its offsets should be aborted, not {outcome:?}")
        })?;
    }
    // The producer is none the worse for it.
    writer.begin()?;
    writer.write(suite, &output, &["member"])?;
    writer.transactions()?.send_offsets(&valid, &at(&input, 6), suite.until())?;
    writer.commit(suite)?;
    equal("the committed offset", &stable(suite, &group, &input)?, &Some(6))?;
    super::committed(suite, &output, &["member"])?;
    member.leave(suite)??;
    Ok(())
}

pub(super) fn offsets_need_no_records(suite: &Suite<'_>) -> Outcome {
    let input = partition(suite, "tx-only")?;
    let group = suite.name("tx-only");
    let mut member = joined(suite, &group)?;
    let mut writer = Writer::new(suite, "only")?;
    writer.begin()?;
    writer.transactions()?.send_offsets(&member.identity, &[], suite.until())?;
    writer.commit(suite)?;
    equal("the offset after none was sent", &stable(suite, &group, &input)?, &None)?;
    writer.begin()?;
    writer.transactions()?.send_offsets(&member.identity, &at(&input, 2), suite.until())?;
    writer.commit(suite)?;
    equal("the committed offset", &stable(suite, &group, &input)?, &Some(2))?;
    member.leave(suite)??;
    Ok(())
}
