//! One `KRaft` node in one folder: its settings, formatting, starting, and whether it runs.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Jars, PATIENCE, probe};
use crate::process;

/// Any id will do: the node is alone in its cluster.
const CLUSTER: &str = "headwaterTestsAAAAAAAA";
/// A cold start takes about three seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Where a node lives and listens.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
}

/// A port of the loopback that nobody listens on now.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on the loopback")?;
    Ok(listener.local_addr()?.port())
}

impl Node {
    pub(super) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// Formats an empty folder, starts the broker and waits until it answers. A broker that does not is ended.
    pub(super) fn start(&self, jars: &Jars) -> Result<Child> {
        self.delete();
        std::fs::create_dir_all(&self.folder).with_context(|| format!("cannot write {}", self.folder.display()))?;
        std::fs::write(self.properties(), settings(self.port, free_port()?, &self.folder.join("data")))?;
        let format = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"];
        process::output(java(jars, "128m").args(format).arg(self.properties()))?;
        let log = File::create(self.log())?;
        let mut child = process::start(
            java(jars, "512m")
                .arg("kafka.Kafka")
                .arg(self.properties())
                .current_dir(&self.folder)
                .stdout(log.try_clone()?)
                .stderr(log),
        )?;
        let ready = std::fs::write(self.pid_file(), child.id().to_string()).map_err(anyhow::Error::from);
        if let Err(error) = ready.and_then(|()| self.wait_until_ready(&mut child)) {
            process::end_child(&mut child, PATIENCE);
            return Err(error);
        }
        Ok(child)
    }

    fn wait_until_ready(&self, child: &mut Child) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < START_LIMIT {
            if process::interrupted() {
                bail!("interrupted while the broker started");
            }
            if let Some(status) = child.try_wait()? {
                bail!("the broker ended at once: {status}\n{}", last_lines(&self.log(), 30));
            }
            if probe::brokers(self.port).is_ok_and(|brokers| brokers > 0) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the broker does not answer on port {}\n{}", self.port, last_lines(&self.log(), 30));
    }

    /// The process id, if this node's broker runs: the file's process must have been started with this folder.
    pub(super) fn running(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        let ours = process::command_line(pid)?.contains(&*self.properties().to_string_lossy());
        (ours && process::alive(pid)).then_some(pid)
    }

    /// Removes the folder with all data.
    pub(super) fn delete(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!("xtask: cannot remove {}: {error}", self.folder.display());
        }
    }
}

fn java(jars: &Jars, memory: &str) -> Command {
    let mut command = Command::new("java");
    command.args([&format!("-Xmx{memory}"), "-XX:+UseSerialGC", "-cp", &jars.class_path()]);
    command
}

fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("\n")
}

/// Everything a test's broker needs and nothing that waits: one node is controller and broker, groups form at once, and
/// session time-outs may be short.
fn settings(port: u16, controller: u16, data: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=100
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.ms=-1
log.segment.delete.delay.ms=1000
",
        data = data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_listens_on_the_loopback_alone() {
        let text = settings(9092, 9093, Path::new("some/data"));
        for line in text.lines().filter(|line| line.contains("listeners=PLAINTEXT")) {
            assert!(line.split(',').all(|listener| listener.contains("://127.0.0.1:")), "{line}");
        }
        assert!(text.contains("log.dirs=some/data\n"));
    }

    #[test]
    fn a_process_id_that_now_belongs_to_another_program_is_not_ours() {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let node = Node { folder: scratch.path().to_path_buf(), port: 1 };
        assert_eq!(node.running(), None);
        std::fs::write(node.pid_file(), std::process::id().to_string()).expect("it is written");
        assert_eq!(node.running(), None);
    }
}
