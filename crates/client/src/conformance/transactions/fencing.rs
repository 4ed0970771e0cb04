//! Two producers with one `transactional.id`, and what happens to a transaction that its producer left.

use std::time::Duration;

use headwater_record::{Deadline, Offset};

use super::super::{Outcome, Suite, ensure, record, refused};
use super::{Writer, committed, end, partition};
use crate::{BatchAck, ClientError, ErrorClass, Isolation, TransactionOutcome};

/// That whatever a producer does that is of no more use, it is told so, and nothing comes of it.
fn is_fenced(suite: &Suite<'_>, writer: &mut Writer) -> Outcome {
    let outcome = writer.transactions()?.commit(suite.until());
    ensure(matches!(outcome, TransactionOutcome::Fenced(_)), || {
        format!("the commit of a producer whose place was taken should be fenced, not {outcome:?}")
    })?;
    let fenced = |error: &ClientError| error.class() == ErrorClass::Fenced;
    refused("beginning again", writer.transactions()?.begin(), fenced)
}

pub(super) fn second_producer_fences_the_first(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-fenced")?;
    let mut first = Writer::new(suite, "fenced")?;
    first.begin()?;
    first.write(suite, &partition, &["first"])?;
    let mut second = Writer::new(suite, "fenced")?;
    // What the first one still writes is refused, whether it hears of it from the batch or from the call.
    let target = first.producer.partition(&partition.topic, 0)?;
    let _ = first.producer.append(target, record(None, Some("zombie"), 1).view());
    let mut acks = Vec::new();
    let flushed = first.producer.flush(suite.until(), &mut acks);
    let failed = acks.iter().any(|ack| matches!(ack, BatchAck::Failed { .. }));
    ensure(failed || flushed.is_err(), || format!("a zombie's batch should be refused, not {acks:?}"))?;
    is_fenced(suite, &mut first)?;
    second.begin()?;
    second.write(suite, &partition, &["second"])?;
    second.commit(suite)?;
    // Two records and two markers.
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(4))?;
    committed(suite, &partition, &["second"])
}

pub(super) fn new_producer_settles_what_was_left_open(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-left")?;
    let mut first = Writer::new(suite, "left")?;
    first.begin()?;
    first.write(suite, &partition, &["left"])?;
    drop(first);
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::ZERO)?;
    Writer::new(suite, "left")?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(2))?;
    committed(suite, &partition, &[])
}

pub(super) fn new_producer_settles_an_indefinite_outcome(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-indefinite")?;
    let mut first = Writer::new(suite, "indefinite")?;
    first.begin()?;
    first.write(suite, &partition, &["first"])?;
    // A cluster that answers fast may still do so in time.
    let outcome = first.transactions()?.commit(Deadline::NOW);
    let is_known = matches!(outcome, TransactionOutcome::Committed);
    ensure(is_known || matches!(outcome, TransactionOutcome::Indefinite(_)), || {
        format!("a commit without time should be done or not known, not {outcome:?}")
    })?;
    if !is_known {
        ensure(first.transactions()?.begin().is_err(), || "the producer can be used again".to_owned())?;
    }
    let mut second = Writer::new(suite, "indefinite")?;
    let settled = end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(2))?;
    let mut reader = super::Reader::new(suite, Isolation::ReadCommitted, std::slice::from_ref(&partition))?;
    suite.wait("what became of it", || {
        reader.poll(suite)?;
        Ok((reader.consumer.position(&partition) == Some(settled)).then_some(()))
    })?;
    let seen = reader.of(&partition);
    ensure(seen == ["first"] || (seen.is_empty() && !is_known), || format!("the transaction left {seen:?}"))?;
    let mut expected = seen;
    expected.push("second");
    second.begin()?;
    second.write(suite, &partition, &["second"])?;
    second.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(4))?;
    committed(suite, &partition, &expected)
}

pub(super) fn transaction_that_takes_too_long_is_aborted(suite: &Suite<'_>) -> Outcome {
    let partition = partition(suite, "tx-long")?;
    let mut writer = Writer::with_timeout(suite, "long", Duration::from_secs(1))?;
    writer.begin()?;
    writer.write(suite, &partition, &["late"])?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(2))?;
    is_fenced(suite, &mut writer)?;
    committed(suite, &partition, &[])?;
    let mut next = Writer::new(suite, "long")?;
    next.begin()?;
    next.write(suite, &partition, &["next"])?;
    next.commit(suite)?;
    end(suite, &partition, Isolation::ReadCommitted, |end| end == Offset::new(4))?;
    committed(suite, &partition, &["next"])
}
