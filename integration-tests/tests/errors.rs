//! What an application says when its surroundings are not as it needs them: each mistake is an error of a kind, with a text that
//! says what to do, and the process ends by itself; where Java tries again for ever, so does it, and says so.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a test of real programs on a real broker")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use headwater::record::Topic;
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::program::{Program, wait_for};

/// Ends a run that hangs; a healthy one needs a fraction.
const PATIENCE: Duration = Duration::from_mins(3);
const STORE: &str = "KSTREAM-AGGREGATE-STATE-STORE-0000000003";

/// An application that no other run has.
struct Application {
    id: String,
    bootstrap: String,
    state: tempfile::TempDir,
}

impl Application {
    fn new(name: &str, bootstrap: &str) -> Result<Self> {
        let id = format!("{name}-{}", std::process::id());
        Ok(Application { id, bootstrap: bootstrap.to_owned(), state: tempfile::tempdir()? })
    }

    fn input(&self) -> String {
        format!("{}-lines", self.id)
    }

    fn output(&self) -> String {
        format!("{}-lengths", self.id)
    }

    fn with_topics(self, broker: &Broker) -> Result<Self> {
        broker.make_topic(&self.input(), 2)?;
        broker.make_topic(&self.output(), 2)?;
        Ok(self)
    }

    fn start(&self) -> Result<Program> {
        self.start_in(self.state.path())
    }

    fn start_in(&self, state: &Path) -> Result<Program> {
        self.start_reading(&self.input(), state)
    }

    fn start_reading(&self, input: &str, state: &Path) -> Result<Program> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_word_lengths"));
        command.args([&self.bootstrap, input, &self.output()]);
        command.args([format!("application.id={}", self.id), format!("state.dir={}", state.display())]);
        command.arg("commit.interval.ms=200");
        Program::start(&mut command)
    }

    /// Until something that was written to the input has come out.
    fn wait_until_it_runs(&self, broker: &Broker) -> Result<()> {
        broker.produce(&self.input(), [(None, &b"three words here"[..])])?;
        wait_for("words are counted", PATIENCE, || Ok((!broker.table(&self.output())?.is_empty()).then_some(())))
    }
}

/// That the program ends with an error which consists of these parts.
fn ends_with(program: Program, kind: &str, parts: &[&str]) -> Result<()> {
    let (status, log) = program.wait(PATIENCE)?;
    let log = log.join("\n");
    ensure!(!status.success(), "it ended without an error:\n{log}");
    let last = log.lines().rev().find(|line| line.starts_with(&format!("{kind}: ")));
    let Some(error) = last else { anyhow::bail!("there is no error of kind {kind}:\n{log}") };
    for part in parts {
        ensure!(error.contains(part), "{part:?} is missing in {error:?}");
    }
    Ok(())
}

#[test]
fn addresses_that_lead_nowhere_are_refused_before_anything_starts() -> Result<()> {
    let cases = [
        ("127.0.0.1:99999", "Invalid port in bootstrap.servers: 127.0.0.1:99999"),
        ("broker.invalid:9092", "No resolvable bootstrap urls given in bootstrap.servers: broker.invalid:9092"),
    ];
    for (servers, said) in cases {
        ends_with(Application::new("no-address", servers)?.start()?, "Config", &[said])?;
    }
    Ok(())
}

#[test]
fn an_address_may_begin_with_its_protocol() -> Result<()> {
    let Some(broker) = Broker::of_this_run("an_address_may_begin_with_its_protocol") else { return Ok(()) };
    let servers = format!("PLAINTEXT://{}", broker.bootstrap);
    let application = Application::new("protocol", &servers)?.with_topics(&broker)?;
    let program = application.start()?;
    application.wait_until_it_runs(&broker)?;
    program.terminate(PATIENCE)?;
    Ok(())
}

#[test]
fn another_topology_under_the_same_name_is_named_and_the_first_goes_on() -> Result<()> {
    let Some(broker) = Broker::of_this_run("another_topology_under_the_same_name_is_named_and_the_first_goes_on")
    else {
        return Ok(());
    };
    let application = Application::new("two-topologies", &broker.bootstrap)?.with_topics(&broker)?;
    let other = format!("{}-other", application.id);
    broker.make_topic(&other, 2)?;
    broker.produce(&other, [(None, &b"never counted"[..])])?;
    let mut first = application.start()?;
    application.wait_until_it_runs(&broker)?;
    let counted = broker.table(&application.output())?;
    let elsewhere = tempfile::tempdir()?;
    let second = application.start_reading(&other, elsewhere.path())?;
    let reads = format!("reads {}, which this instance's topology does not read: it reads ", application.input());
    ends_with(second, "Topology", &["Assigned partitions for non-subscribed topics", &reads, &other])?;
    ensure!(broker.table(&application.output())? == counted, "what the second read was counted");
    ensure!(first.runs()?, "the first has ended: {}", first.log().join("\n"));
    broker.produce(&application.input(), [(None, &b"unheard-of-length-of-a-word"[..])])?;
    wait_for("the first counts on", PATIENCE, || Ok((broker.table(&application.output())? != counted).then_some(())))?;
    first.terminate(PATIENCE)?;
    Ok(())
}

#[test]
fn an_input_topic_that_does_not_exist_is_named() -> Result<()> {
    let Some(broker) = Broker::of_this_run("an_input_topic_that_does_not_exist_is_named") else { return Ok(()) };
    let application = Application::new("no-input", &broker.bootstrap)?;
    let missing = format!("source topics do not exist: {}", application.input());
    let parts = [missing.as_str(), "create them before the application is started"];
    ends_with(application.start()?, "Topology", &parts)
}

fn delete(broker: &Broker, topic: &str) -> Result<()> {
    for deleted in broker.admin()?.delete_topics(&[Topic::from(topic)], broker.soon())? {
        deleted?;
    }
    Ok(())
}

#[test]
fn an_input_topic_that_is_deleted_is_named() -> Result<()> {
    let Some(broker) = Broker::of_this_run("an_input_topic_that_is_deleted_is_named") else { return Ok(()) };
    let application = Application::new("deleted-input", &broker.bootstrap)?.with_topics(&broker)?;
    let program = application.start()?;
    application.wait_until_it_runs(&broker)?;
    delete(&broker, &application.input())?;
    let missing = format!("source topics do not exist: {}", application.input());
    ends_with(program, "Topology", &[&missing])
}

#[test]
fn an_input_topic_that_is_made_again_is_read_from_its_beginning() -> Result<()> {
    let Some(broker) = Broker::of_this_run("an_input_topic_that_is_made_again_is_read_from_its_beginning") else {
        return Ok(());
    };
    let application = Application::new("input-again", &broker.bootstrap)?.with_topics(&broker)?;
    let mut program = application.start()?;
    application.wait_until_it_runs(&broker)?;
    let input = application.input();
    delete(&broker, &input)?;
    wait_for("the input is made again", PATIENCE, || Ok(broker.make_topic(&input, 2).is_ok().then_some(())))?;
    // More than the one before had, at once: nothing of it is passed over.
    let lines = vec![(None, &b"sevenfold"[..]); 100];
    broker.produce(&input, lines)?;
    wait_for("what is in the new one is counted", PATIENCE, || {
        ensure!(program.runs()?, "it has ended: {}", program.log().join("\n"));
        Ok((broker.table(&application.output())?.get("9") == Some(&100)).then_some(()))
    })?;
    wait_for("all of it is committed", PATIENCE, || {
        Ok((broker.committed(&application.id, &input)? == 100).then_some(()))
    })?;
    program.terminate(PATIENCE)?;
    Ok(())
}

#[test]
fn a_topic_to_write_to_that_does_not_exist_is_told_while_records_wait_for_it() -> Result<()> {
    let Some(broker) = Broker::of_this_run("a_topic_to_write_to_that_does_not_exist_is_told_while_records_wait_for_it")
    else {
        return Ok(());
    };
    let application = Application::new("no-output", &broker.bootstrap)?;
    broker.make_topic(&application.input(), 2)?;
    let program = application.start()?;
    broker.produce(&application.input(), [(None, &b"three words here"[..])])?;
    let missing = format!("topic {} does not exist", application.output());
    wait_for("a warning that names the output topic", PATIENCE, || {
        Ok(program.log().iter().any(|line| line.contains("WARN") && line.contains(&missing)).then_some(()))
    })?;
    // What waited goes on when the topic is there.
    broker.make_topic(&application.output(), 2)?;
    application.wait_until_it_runs(&broker)?;
    let changelog = format!("{}-{STORE}-changelog", application.id);
    delete(&broker, &changelog)?;
    broker.produce(&application.input(), [(None, &b"three more words here"[..])])?;
    let missing = format!("topic {changelog} does not exist");
    wait_for("a warning that names the changelog", PATIENCE, || {
        Ok(program.log().iter().any(|line| line.contains("WARN") && line.contains(&missing)).then_some(()))
    })
}

#[test]
fn brokers_that_do_not_answer_are_asked_until_the_application_is_closed() -> Result<()> {
    // Nothing listens on port 1. Java's clients go on for ever, too, with a warning each time.
    let application = Application::new("nobody", "127.0.0.1:1")?;
    let program = application.start()?;
    let warning = wait_for("a warning", PATIENCE, || {
        Ok(program.log().into_iter().find(|line| line.contains("the cluster does not answer; trying again")))
    })?;
    for part in
        ["no Kafka broker answers at 127.0.0.1:1", "refused", "check bootstrap.servers and that the cluster is up"]
    {
        ensure!(warning.contains(part), "{part:?} is missing in {warning:?}");
    }
    let (status, log) = program.terminate(PATIENCE)?;
    ensure!(status.success(), "a closed application ended with {status}:\n{}", log.join("\n"));
    Ok(())
}

#[test]
fn a_state_directory_that_another_process_has_is_refused() -> Result<()> {
    let Some(broker) = Broker::of_this_run("a_state_directory_that_another_process_has_is_refused") else {
        return Ok(());
    };
    let application = Application::new("locked", &broker.bootstrap)?.with_topics(&broker)?;
    let first = application.start()?;
    application.wait_until_it_runs(&broker)?;
    let path = application.state.path().display().to_string();
    let parts = [path.as_str(), "is in use by another application", "give each on this machine a state.dir of its own"];
    ends_with(application.start()?, "Fenced", &parts)?;
    let (status, log) = first.terminate(PATIENCE)?;
    ensure!(status.success(), "the first is not disturbed, but ended with {status}:\n{}", log.join("\n"));
    Ok(())
}

#[test]
fn a_state_directory_that_cannot_be_written_is_refused() -> Result<()> {
    let Some(broker) = Broker::of_this_run("a_state_directory_that_cannot_be_written_is_refused") else {
        return Ok(());
    };
    let application = Application::new("unwritable", &broker.bootstrap)?.with_topics(&broker)?;
    let file = application.state.path().join("a-file");
    std::fs::write(&file, b"in the way")?;
    // Also root can write neither below a file nor below /proc.
    for path in [file.as_path(), Path::new("/proc/headwater")] {
        let text = path.display().to_string();
        let parts = [text.as_str(), "cannot be", "set state.dir to a directory that this process may write to"];
        ends_with(application.start_in(path)?, "Config", &parts)?;
    }
    Ok(())
}

#[test]
fn an_internal_topic_of_other_partitions_is_told_with_its_cure() -> Result<()> {
    let Some(broker) = Broker::of_this_run("an_internal_topic_of_other_partitions_is_told_with_its_cure") else {
        return Ok(());
    };
    let application = Application::new("partitions", &broker.bootstrap)?.with_topics(&broker)?;
    let internal = format!("{}-{STORE}-repartition", application.id);
    broker.make_topic(&internal, 3)?;
    let found = format!("Existing internal topic {internal} has invalid partitions: expected: 2; actual: 3");
    ends_with(application.start()?, "Topology", &[&found, "reset the application"])
}

#[test]
fn a_record_that_cannot_be_read_is_found_by_what_is_said_of_it() -> Result<()> {
    let Some(broker) = Broker::of_this_run("a_record_that_cannot_be_read_is_found_by_what_is_said_of_it") else {
        return Ok(());
    };
    let application = Application::new("unreadable", &broker.bootstrap)?.with_topics(&broker)?;
    let program = application.start()?;
    application.wait_until_it_runs(&broker)?;
    let partition = headwater::record::partition_for_key(b"key", 2);
    let place = format!("{}-{partition}", application.input());
    broker.produce(&application.input(), [(Some(&b"key"[..]), &[0xff, 0xfe][..])])?;
    let parts = [place.as_str(), "offset", "deserialization.exception.handler"];
    ends_with(program, "Data", &parts)
}
