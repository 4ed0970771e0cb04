//! All brokers go, and come back.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::client::ClientError;
use headwater::record::Offset;
use headwater_integration_tests::traffic::{Answer, Reader, Writer, compare};

use crate::{make, on_cluster};

/// Polls of the outage, so many after the one that told of it.
const FURTHER_POLLS: usize = 20;

fn timed_out(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(ClientError::TimedOut { .. }))
}

/// Writes a hundred records of each partition, again when one of them came too late; gives how many were written by then.
fn write_until_stored(writer: &mut Writer) -> Result<usize> {
    loop {
        let before = writer.answered(0);
        writer.write(100)?;
        writer.settle()?;
        let answers: Vec<_> = (0..writer.partitions().len()).flat_map(|at| &writer.answers(at)[before..]).collect();
        if answers.iter().all(|answer| matches!(answer, Answer::Stored(_))) {
            return Ok(writer.answered(0));
        }
        ensure!(answers.iter().all(|one| timed_out(one) || matches!(one, Answer::Stored(_))), "became {answers:?}");
        ensure!(before < 3_000, "what is written does not come in time: {answers:?}");
    }
}

/// Whether a partition holds in order what was stored, and nothing of what came back while nobody was there.
fn is_without(reader: &mut Reader, at: usize, stored: &[(Option<Offset>, usize)], outage: Range<usize>) -> Result<()> {
    let last = stored.last().map(|(_, number)| *number);
    reader.poll_until("the last record is read", |reader| reader.read(at).last().map(|(_, number)| *number) >= last)?;
    let read = reader.read(at);
    ensure!(read.is_sorted_by(|(_, one), (_, next)| one < next), "not in order, or more than once: {read:?}");
    ensure!(read.iter().all(|(_, number)| !outage.contains(number)), "of {outage:?} some are there: {read:?}");
    for (offset, number) in stored {
        let found = read.iter().find(|(_, found)| found == number).map(|(offset, _)| *offset);
        ensure!(found.is_some() && offset.is_none_or(|_| found == *offset), "record {number} of {offset:?}: {found:?}");
    }
    Ok(())
}

#[test]
fn an_outage_of_all_brokers_is_told_and_survived() -> Result<()> {
    on_cluster("an_outage_of_all_brokers_is_told_and_survived", |cluster| {
        let broker = cluster.broker().clone();
        let all = broker.bootstrap.clone();
        let patiently = make(cluster, "patient", 3, 3, &[])?;
        let hastily = make(cluster, "hasty", 3, 3, &[])?;
        let mut patient = Writer::new(&broker, &patiently, &[])?;
        let mut hasty =
            Writer::new(&broker, &hastily, &[("delivery.timeout.ms", "3000"), ("request.timeout.ms", "2000")])?;
        let mut reader = Reader::new(&broker, &patiently, &[])?;
        patient.write(100)?;
        patient.settle()?;
        patient.nothing_failed()?;
        let before = write_until_stored(&mut hasty)?;
        reader.read_to(&patient)?;
        ensure!(reader.told.is_empty(), "polls failed before anything happened: {:?}", reader.told);

        cluster.kill_all()?;
        patient.write(100)?;
        hasty.write(100)?;
        reader.poll_until("a poll says that nobody answers", |reader| !reader.told.is_empty())?;
        for _ in 0..FURTHER_POLLS {
            reader.poll(Duration::from_millis(50))?;
        }
        let mut told = reader.told.clone();
        told.dedup();
        // Answers come while nobody is there to give them.
        hasty.settle()?;
        for (at, partition) in hastily.iter().enumerate() {
            let late = &hasty.answers(at)[before..];
            ensure!(late.len() == 100 && late.iter().all(timed_out), "of the records of {partition} became {late:?}");
        }
        patient.hear(Duration::from_millis(50))?;
        patient.nothing_failed()?;
        ensure!(patient.answered(0) == 100, "a record was stored nowhere");

        cluster.heal()?;
        patient.settle()?;
        patient.nothing_failed()?;
        patient.write(100)?;
        patient.settle()?;
        patient.nothing_failed()?;
        reader.read_to(&patient)?;
        compare(&broker, &patient, &mut reader)?;
        write_until_stored(&mut hasty)?;
        let mut reader = Reader::new(&broker, &hastily, &[])?;
        for at in 0..hastily.len() {
            is_without(&mut reader, at, &hasty.stored(at), before..before + 100)?;
        }
        let named = |error: &ClientError| matches!(error, ClientError::Unavailable { servers, .. } if *servers == all);
        ensure!(told.iter().all(named), "all records are right, but polls should name {all}: {told:?}");
        Ok(())
    })
}
