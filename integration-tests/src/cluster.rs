//! A cluster of three brokers whose nodes crash, freeze, stop and come back.

mod node;
mod view;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::broker::Broker;
use crate::program::wait_for;
use node::{Node, Ports};

pub use view::{Replicas, View};

/// How many nodes there are: of two that remain a majority is left.
pub const NODES: i32 = 3;
/// Ends a wait that will never come to it; three nodes start within ten seconds on an idle machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// The nodes, in a folder that goes with them.
#[derive(Debug)]
pub struct Cluster {
    broker: Broker,
    nodes: Vec<Node>,
    folder: tempfile::TempDir,
}

/// The cluster that the tests of one program share: it ends with the last of them that holds it.
#[derive(Debug)]
pub struct Shared(Mutex<Cluster>);

static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

impl Shared {
    /// The cluster of this run, started for the first that asks; `None`, and a line that says so, where there are no jars.
    pub fn of_this_run(test: &str) -> Result<Option<Arc<Self>>> {
        let Some(libs) = Broker::jars_of_this_run(test) else { return Ok(None) };
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(Some(running));
        }
        let started = Arc::new(Shared(Mutex::new(Cluster::start(&libs)?)));
        *shared = Arc::downgrade(&started);
        Ok(Some(started))
    }

    /// All nodes up and in step, for one test alone.
    pub fn alone(&self) -> Result<MutexGuard<'_, Cluster>> {
        let mut cluster = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cluster.heal()?;
        Ok(cluster)
    }
}

impl Cluster {
    /// Formats and starts all nodes from the jars in the folder `libs`, and returns when they know each other.
    pub fn start(libs: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports()?;
        let nodes = std::thread::scope(|scope| {
            let (ports, folder) = (&ports[..], folder.path());
            let formatting: Vec<_> =
                (1..=NODES).map(|number| scope.spawn(move || Node::format(number, ports, folder, libs))).collect();
            let nodes = formatting.into_iter().map(|node| node.join().unwrap_or_else(|_| bail!("formatting panicked")));
            nodes.collect::<Result<Vec<_>>>()
        })?;
        let bootstrap: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let mut cluster = Cluster { broker: Broker::at(&bootstrap.join(",")), nodes, folder };
        cluster.heal()?;
        Ok(cluster)
    }

    /// The cluster as clients and tools meet it, all nodes together.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    fn node(&mut self, number: i32) -> Result<&mut Node> {
        self.nodes.iter_mut().find(|node| node.number == number).with_context(|| format!("there is no node {number}"))
    }

    /// What a node that is up says of the cluster.
    pub fn view(&mut self) -> Result<View> {
        wait_for("a node answers", PATIENCE, || {
            for node in &mut self.nodes {
                if let Some(view) = node.view()? {
                    return Ok(Some(view));
                }
            }
            Ok(None)
        })
    }

    /// Waits until a partition has a leader other than `not`, and gives it.
    pub fn leader_other_than(&mut self, not: i32, topic: &str, partition: i32) -> Result<i32> {
        wait_for(&format!("{topic}-{partition} is led by another than {not}"), PATIENCE, || {
            let view = self.view()?;
            let place = view.partitions.get(&(topic.to_owned(), partition)).map(|replicas| replicas.leader);
            Ok(place.filter(|leader| *leader >= 0 && *leader != not))
        })
    }

    /// The leader of a partition.
    pub fn leader(&mut self, topic: &str, partition: i32) -> Result<i32> {
        self.leader_other_than(-1, topic, partition)
    }

    /// Waits until `found` gives something of a view of the cluster.
    pub fn wait_for<T>(&mut self, what: &str, mut found: impl FnMut(&View) -> Option<T>) -> Result<T> {
        wait_for(what, PATIENCE, || Ok(found(&self.view()?)))
    }

    /// Waits until every node says that all live and all replicas are in step.
    pub fn wait_until_whole(&mut self) -> Result<()> {
        let mut seen = Vec::new();
        let whole = wait_for("all nodes are up and all replicas in step", PATIENCE, || {
            seen = self.nodes.iter_mut().map(Node::view).collect::<Result<Vec<_>>>()?;
            let all = usize::try_from(NODES)?;
            Ok(seen.iter().all(|view| view.as_ref().is_some_and(|view| view.is_whole(all))).then_some(()))
        });
        whole.with_context(|| format!("the nodes say {seen:?}"))
    }

    /// Brings back whatever is not up, and waits until nothing shows that it ever was.
    pub fn heal(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::heal)?;
        self.wait_until_whole()
    }

    /// Ends all nodes as an operator does, and leaves what they have written where this says.
    pub fn leave(mut self) -> Result<PathBuf> {
        self.heal()?;
        self.nodes.iter_mut().try_for_each(Node::stop)?;
        self.folder.disable_cleanup(true);
        Ok(self.folder.path().to_owned())
    }

    /// Has a node end at once, as a crash does.
    pub fn kill(&mut self, number: i32) -> Result<()> {
        self.node(number)?.kill()
    }

    /// Has all nodes end at once.
    pub fn kill_all(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::kill)
    }

    /// Has a node end as an operator does.
    pub fn stop(&mut self, number: i32) -> Result<()> {
        self.node(number)?.stop()
    }

    /// Keeps a node from doing anything; its connections stay open.
    pub fn freeze(&mut self, number: i32) -> Result<()> {
        self.node(number)?.freeze()
    }

    /// Lets a frozen node go on.
    pub fn thaw(&mut self, number: i32) -> Result<()> {
        self.node(number)?.thaw()
    }
}

/// Ports for all nodes that nobody listens on now. They lie below those that the system gives to outgoing connections: while a node
/// is down, a client that keeps trying to reach it would at last be given the node's port, and reach itself.
fn free_ports() -> Result<Vec<Ports>> {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000)?;
    let mut free = (first..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<Ports> =
        (0..NODES).map_while(|_| Some(Ports { broker: free.next()?, controller: free.next()? })).collect();
    ensure!(ports.len() == usize::try_from(NODES)?, "no free ports from {first} on");
    Ok(ports)
}
