//! One node of the cluster: broker and controller in one process, which keeps its ports and its folder while it comes and goes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::view::View;
use crate::program::Program;

/// Any id will do: nothing else listens on these ports.
const CLUSTER: &str = "headwaterFaultsAAAAAAA";
/// Ends a wait for a node that hangs; writing its state down takes it about a second.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where the nodes of a cluster listen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) broker: u16,
    pub(super) controller: u16,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: i32,
    pub(super) port: u16,
    folder: PathBuf,
    class_path: String,
    program: Option<Program>,
    frozen: bool,
}

impl Node {
    /// Writes the settings of node `number`, counted from 1, and formats its folder.
    pub(super) fn format(number: i32, all: &[Ports], folder: &Path, libs: &str) -> Result<Self> {
        let own = usize::try_from(number - 1).ok().and_then(|at| all.get(at)).context("a node of this cluster")?;
        let folder = folder.join(format!("node-{number}"));
        std::fs::create_dir_all(&folder)?;
        // The logger lies beside the libraries where xtask put them; without it a broker says nothing.
        let class_path = format!("{libs}/*:{libs}/../logging/*");
        let node = Node { number, port: own.broker, folder, class_path, program: None, frozen: false };
        std::fs::write(node.properties(), settings(number, *own, all, &node.folder.join("data")))?;
        let tool = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"];
        let output = node.java("128m").args(tool).arg(node.properties()).output()?;
        ensure!(output.status.success(), "formatting failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(node)
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn java(&self, memory: &str) -> Command {
        let mut java = Command::new("java");
        // Three nodes share the machine with what they test: what is compiled shall be compiled soon rather than well.
        java.args([&format!("-Xmx{memory}"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", &self.class_path]);
        java.current_dir(&self.folder);
        java
    }

    /// Starts it, where it left off.
    pub(super) fn start(&mut self) -> Result<()> {
        ensure!(self.program.is_none(), "node {} runs already", self.number);
        self.program = Some(Program::start(self.java("320m").arg("kafka.Kafka").arg(self.properties()))?);
        Ok(())
    }

    pub(super) fn is_up(&self) -> bool {
        self.program.is_some() && !self.frozen
    }

    /// Has it end as an operator does: it gives its partitions to others first.
    pub(super) fn stop(&mut self) -> Result<()> {
        let program = self.program.take().with_context(|| format!("node {} does not run", self.number))?;
        program.terminate(PATIENCE).map(drop)
    }

    /// Has it end at once, as a crash does.
    pub(super) fn kill(&mut self) -> Result<()> {
        let program = self.program.take().with_context(|| format!("node {} does not run", self.number))?;
        self.frozen = false;
        program.signal(Signal::SIGKILL)?;
        program.wait(PATIENCE).map(drop)
    }

    /// Keeps it from doing anything; its connections stay open.
    pub(super) fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        self.frozen = true;
        Ok(())
    }

    /// Lets a frozen one go on.
    pub(super) fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::SIGCONT)?;
        self.frozen = false;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.program.as_ref().with_context(|| format!("node {} does not run", self.number))?.signal(signal)
    }

    /// Brings it back from whatever was done to it.
    pub(super) fn heal(&mut self) -> Result<()> {
        if self.frozen {
            self.thaw()?;
        }
        if let Some(program) = &mut self.program
            && !program.runs()?
        {
            self.program = None;
        }
        if self.program.is_some() { Ok(()) } else { self.start() }
    }

    /// The cluster as this node sees it, once it answers.
    pub(super) fn view(&mut self) -> Result<Option<View>> {
        if let Some(program) = &mut self.program {
            ensure!(program.runs()?, "node {} has ended by itself:\n{}", self.number, program.log().join("\n"));
        }
        Ok(if self.is_up() { View::from(self.port).ok() } else { None })
    }
}

/// Faults are found within seconds and nothing is lost by one: with two replicas that must be in step, an acknowledged record is
/// on a node that lives.
fn settings(number: i32, own: Ports, all: &[Ports], data: &Path) -> String {
    let voters: Vec<String> =
        (1..).zip(all).map(|(number, ports)| format!("{number}@127.0.0.1:{}", ports.controller)).collect();
    format!(
        "process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
unclean.leader.election.enable=false
default.replication.factor=3
min.insync.replicas=2
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=6000
replica.lag.time.max.ms=3000
replica.fetch.backoff.ms=200
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
log.retention.ms=-1
log.segment.delete.delay.ms=1000
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
background.threads=2
",
        voters = voters.join(","),
        port = own.broker,
        controller = own.controller,
        data = data.display(),
    )
}
