//! A real broker, started natively: one node, loopback only, a few hundred megabytes, ready in a few seconds.
//!
//! [`Broker`] lives as long as a test run; `cargo xtask kafka up|down|status` keeps one for daily work.

mod daily;
mod jars;
mod node;
mod probe;

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{process, workspace};
use node::Node;

pub(crate) use daily::run;
pub(crate) use jars::Jars;

/// The broker's version: the one that the behaviour is compared with.
pub(crate) const VERSION: &str = "4.4.0";
/// What tests that meet a real Kafka read. The address of a broker, `host:port`: tests that need one and do not see it say so and
/// return. The folder with Kafka's jars, for tests that call its tools. The folder with the jars of Java Kafka Streams, for tests
/// that run it beside ours.
pub(crate) const VARIABLES: [&str; 3] = ["HEADWATER_TEST_BOOTSTRAP", "HEADWATER_KAFKA_LIBS", "HEADWATER_STREAMS_LIBS"];

/// [`VARIABLES`] of the broker at `bootstrap`.
///
/// # Errors
/// When Maven cannot fetch the jars of Java Kafka Streams.
pub(crate) fn variables(bootstrap: &str, jars: &Jars) -> Result<Vec<(&'static str, String)>> {
    let folders = [jars.libs(), jars::streams_libs()?].map(|folder| folder.display().to_string());
    Ok(VARIABLES.into_iter().zip([bootstrap.to_owned()].into_iter().chain(folders)).collect())
}

/// How long a broker may take to write its state down before it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker of this process, on a free port with an empty folder; it ends and its folder goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    node: Node,
}

impl Broker {
    /// Formats and starts a broker, and returns when it answers.
    ///
    /// # Errors
    /// When Java does not run it; the message ends with the broker's last lines.
    pub(crate) fn start(jars: &Jars) -> Result<Self> {
        let runs = runs_folder()?;
        sweep(&runs);
        let folder = runs.join(format!("test-{}", std::process::id()));
        let mut last = None;
        // Another program may take a free port between our finding it and the broker's listening.
        for _ in 0..3 {
            let node = Node { folder: folder.clone(), port: node::free_port()? };
            match node.start(jars) {
                Ok(child) => return Ok(Self { child, node }),
                Err(error) if process::interrupted() => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("the broker did not start")))
    }

    /// `host:port`, as clients want it.
    pub(crate) fn bootstrap(&self) -> String {
        self.node.bootstrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        process::end_child(&mut self.child, PATIENCE);
        self.node.delete();
        println!("kafka: the broker on port {} (process {}) has ended", self.node.port, self.child.id());
    }
}

fn runs_folder() -> Result<PathBuf> {
    Ok(workspace::cache()?.join("kafka-run"))
}

/// Ends what a killed test run left behind.
fn sweep(runs: &Path) {
    for entry in std::fs::read_dir(runs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix("test-")).and_then(|pid| pid.parse().ok());
        if owner.is_some_and(|pid| pid != std::process::id() && !process::alive(pid)) {
            let left = Node { folder: entry.path(), port: 0 };
            if let Some(pid) = left.running() {
                process::end_pid(pid, PATIENCE);
            }
            left.delete();
        }
    }
}

/// Fails on words that `kafka up|down|status|libs` does not know.
fn unknown(words: &[&str]) -> Result<()> {
    bail!("unknown: `kafka {}`; say `kafka up|down|status [--port N]` or `kafka libs`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_beside_us_has_the_version_of_the_broker() {
        let version = format!("<kafka.version>{VERSION}</kafka.version>");
        for pom in ["integration-tests/conformance/oracle/pom.xml", "benches/side-by-side/java/pom.xml"] {
            let text = std::fs::read_to_string(workspace::root().join(pom)).expect("the POM is there");
            assert!(text.contains(&version), "{pom} has another version than {VERSION}");
        }
    }

    #[test]
    fn a_broker_left_by_a_killed_run_is_ended_and_its_folder_removed() {
        let runs = tempfile::tempdir().expect("a scratch folder");
        let mut owner = process::start(std::process::Command::new("true").env("A", "b")).expect("it starts");
        owner.wait().expect("it ends at once");
        let folder = runs.path().join(format!("test-{}", owner.id()));
        std::fs::create_dir_all(&folder).expect("a left folder");
        let properties = folder.join("server.properties");
        // A stand-in for Java: its command line names the properties, as the broker's does.
        let script = "while :; do sleep 0.1; done";
        let mut left = process::start(std::process::Command::new("sh").args(["-c", script]).arg(&properties))
            .expect("the stand-in starts");
        std::fs::write(folder.join("pid"), left.id().to_string()).expect("its process id is written");
        sweep(runs.path());
        let ended = matches!(left.try_wait(), Ok(Some(_)));
        process::end_child(&mut left, PATIENCE);
        assert!(ended);
        assert!(!folder.exists());
    }
}
