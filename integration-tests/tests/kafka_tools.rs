//! What an application does on a real cluster, as Kafka's own tools see it.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real programs on a real broker")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::lines::{Lines, count};
use headwater_integration_tests::program::{Program, wait_for};

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
const PARTITIONS: i32 = 4;

fn counts(text: &str) -> BTreeMap<String, i64> {
    let pairs = text.lines().filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(word, count)| Some((word.to_owned(), count.trim().parse().ok()?))).collect()
}

#[test]
fn kafkas_own_tools_see_members_lag_counts_and_changelog() -> Result<()> {
    let Some(broker) = Broker::of_this_run("kafkas_own_tools_see_members_lag_counts_and_changelog") else {
        return Ok(());
    };
    // Said before anything is begun.
    broker.tools()?;
    let application = format!("tools-{}", std::process::id());
    let (input, output) = (format!("{application}-lines"), format!("{application}-counts"));
    let store = "KSTREAM-AGGREGATE-STATE-STORE-0000000003";
    let changelog = format!("{application}-{store}-changelog");
    broker.make_topic(&input, PARTITIONS)?;
    broker.make_topic(&output, PARTITIONS)?;
    let state = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_word_count"));
    command.args(["--bootstrap", &broker.bootstrap, "--input", &input, "--output", &output]);
    command.args(["--set", &format!("application.id={application}"), "--set", "commit.interval.ms=200"]);
    command.args(["--set", &format!("state.dir={}", state.path().display())]);
    let program = Program::start(&mut command)?;

    let lines: Vec<String> = Lines::new(11, 300).take(2_000).collect();
    broker.produce(&input, lines.iter().map(|line| (None, line.as_bytes())))?;
    let expected = count(lines.iter().map(String::as_str));
    wait_for("all words are counted", PATIENCE, || Ok((broker.table(&output)? == expected).then_some(())))?;

    let groups = broker
        .tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &["--describe", "--group", &application])?;
    let assigned = groups.lines().filter(|line| line.contains("-StreamThread-1-consumer"));
    ensure!(
        assigned.count() == 2 * PARTITIONS as usize,
        "two topics of {PARTITIONS} partitions have an owner:\n{groups}"
    );
    ensure!(groups.contains(&format!("{application}-{store}-repartition")), "{groups}");

    let reader = "org.apache.kafka.tools.consumer.ConsoleConsumer";
    let long = "org.apache.kafka.common.serialization.LongDeserializer";
    for topic in [&output, &changelog] {
        let records: i64 = broker.ends(topic)?.iter().map(|(_, end)| end.value()).sum();
        let arguments =
            ["--topic", topic, "--from-beginning", "--max-messages", &records.to_string(), "--timeout-ms", "60000"];
        let format =
            ["--formatter-property", "print.key=true", "--formatter-property", &format!("value.deserializer={long}")];
        let read = broker.tool(reader, &[&arguments[..], &format[..]].concat())?;
        ensure!(counts(&read) == expected, "{topic} does not hold the counts as Kafka's tools read them");
    }
    let (status, log) = program.terminate(PATIENCE)?;
    ensure!(status.success(), "the word count ended with {status}:\n{}", log.join("\n"));
    Ok(())
}

/// Runs the other test of this file again, with this broker and without jars.
fn again(bootstrap: &str) -> Result<(bool, String)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", "kafkas_own_tools_see_members_lag_counts_and_changelog"])
        .env("HEADWATER_TEST_BOOTSTRAP", bootstrap)
        .env_remove("HEADWATER_KAFKA_LIBS")
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(said)?))
}

#[test]
fn a_test_that_lacks_something_says_what_to_run() -> Result<()> {
    // Nobody asks a test that passes what it said: it is shown all the same.
    let (passed, skipped) = again("")?;
    let (goes_on, refused) = again("127.0.0.1:1")?;
    ensure!(passed, "{skipped}");
    ensure!(!goes_on, "{refused}");
    for (said, missing) in [
        (&skipped, "changelog: SKIPPED, HEADWATER_TEST_BOOTSTRAP names no broker"),
        (&refused, "HEADWATER_KAFKA_LIBS names no folder with the jars of Kafka's tools"),
    ] {
        for part in [missing, "run `cargo xtask test`", "`cargo xtask kafka up`"] {
            ensure!(said.contains(part), "{part:?} is missing in {said}");
        }
    }
    Ok(())
}
