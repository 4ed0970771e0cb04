//! `cargo xtask kafka up|down|status`: brokers that outlive the command. `cargo xtask kafka libs`: the jars without a broker.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{Jars, PATIENCE, VERSION, node::Node, probe, runs_folder, unknown, variables};
use crate::{process, setup};

const PORT: u16 = 9092;

/// Runs the words after `kafka`.
///
/// # Errors
/// When they are not known, or the broker does not start.
pub(crate) fn run(words: &[&str]) -> Result<()> {
    let runs = runs_folder()?;
    match words {
        ["up", rest @ ..] => up(&node(&runs, port(rest)?)),
        ["down", rest @ ..] => down(&node(&runs, port(rest)?)),
        ["status"] => {
            status(&runs);
            Ok(())
        }
        ["status", rest @ ..] => {
            show(&node(&runs, port(rest)?));
            Ok(())
        }
        ["libs"] => libs(),
        other => unknown(other),
    }
}

/// Says last where the jars are: programs that start brokers of their own read it.
fn libs() -> Result<()> {
    setup::run(setup::Need::Broker)?;
    println!("{}", Jars::fetch()?.libs().display());
    Ok(())
}

fn port(words: &[&str]) -> Result<u16> {
    match words {
        [] => Ok(PORT),
        ["--port", number] => number.parse().with_context(|| format!("`{number}` is not a port")),
        other => bail!("unknown: `{}`; say `--port N`", other.join(" ")),
    }
}

fn node(runs: &Path, port: u16) -> Node {
    Node { folder: runs.join(format!("port-{port}")), port }
}

fn up(node: &Node) -> Result<()> {
    if node.running().is_none() {
        if probe::brokers(node.port).is_ok() {
            bail!("another Kafka listens on port {}: say `--port N`", node.port);
        }
        setup::run(setup::Need::Broker)?;
        // The child is left to itself: `down` ends it by its process id.
        node.start(&Jars::fetch()?)?;
    }
    show(node);
    // The broker needs no jars of Kafka Streams; the tests beside Java do.
    match Jars::fetch().and_then(|jars| variables(&node.bootstrap(), &jars)) {
        Ok(variables) => println!("kafka: tests meet it so:\n  {}", test_command(&variables)),
        Err(error) => println!("kafka: the tests need more than the broker: {error:#}"),
    }
    Ok(())
}

/// What to type to run the tests that meet a real Kafka.
fn test_command(variables: &[(&str, String)]) -> String {
    let set: Vec<String> = variables.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
    format!("{} cargo test -p headwater-integration-tests -p headwater-client-kafka", set.join(" "))
}

fn down(node: &Node) -> Result<()> {
    match node.running() {
        Some(pid) => {
            process::end_pid(pid, PATIENCE);
            if process::alive(pid) {
                bail!("process {pid} does not end");
            }
            println!("kafka: ended process {pid} on port {} and removed its data", node.port);
        }
        None => println!("kafka: nothing of ours runs on port {}", node.port),
    }
    node.delete();
    Ok(())
}

fn status(runs: &Path) {
    let mut ports: Vec<u16> = std::fs::read_dir(runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("port-")?.parse().ok())
        .collect();
    ports.sort_unstable();
    if ports.is_empty() {
        println!("kafka: nothing runs; `cargo xtask kafka up` starts a broker");
    }
    for port in ports {
        show(&node(runs, port));
    }
}

fn show(node: &Node) {
    match node.running() {
        Some(pid) => {
            let (at, log) = (node.bootstrap(), node.log());
            println!("kafka: Kafka {VERSION} on {at} (process {pid}), log in {}", log.display());
        }
        None => println!("kafka: nothing of ours runs on port {}", node.port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_kafkas_own_unless_told() {
        assert_eq!(port(&[]).expect("a port"), 9092);
        assert_eq!(port(&["--port", "19092"]).expect("a port"), 19092);
        assert!(port(&["--port", "many"]).is_err());
        assert!(port(&["--prot", "1"]).is_err());
    }

    #[test]
    fn unknown_words_say_what_is_known() {
        let error = run(&["start"]).expect_err("there is no `start`");
        assert!(error.to_string().contains("up|down|status"), "{error}");
    }
}
