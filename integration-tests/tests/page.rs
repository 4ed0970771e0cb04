//! The page in a browser: three instances on a real broker, of which one is killed and one added. What `page/look.mjs` sees must be what there is.
//!
//! It needs a broker, and the folder with what drives Chromium: `cargo xtask page` has both.
#![allow(missing_docs, reason = "a test of real applications on a real broker")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_integration_tests::broker::Broker;
use headwater_integration_tests::fleet::Fleet;

const PATIENCE: Duration = Duration::from_mins(2);
const PARTITIONS: i32 = 6;
/// Clicks at a time, on so many products.
const CLICKS: usize = 600;
const PRODUCTS: usize = 10;
/// A product that would do harm where it is taken for markup.
const HOSTILE: &str = r#"<img src=x onerror="window.hacked=1">"#;

/// Somebody with a browser.
struct Looker {
    child: Child,
    says: ChildStdin,
    sees: BufReader<ChildStdout>,
}

impl Looker {
    fn start() -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/page/look.mjs");
        let mut child =
            Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("node")?;
        let says = child.stdin.take().context("it is piped")?;
        let sees = BufReader::new(child.stdout.take().context("it is piped")?);
        Ok(Looker { child, says, sees })
    }

    /// Waits until this is to be seen: the members of an object of JSON, without its braces.
    fn see(&mut self, step: &str, with: &str) -> Result<()> {
        let comma = if with.is_empty() { "" } else { ", " };
        writeln!(self.says, "{{\"see\": {step:?}{comma}{with}}}")?;
        let mut answer = String::new();
        self.sees.read_line(&mut answer)?;
        ensure!(answer.trim() == "ok", "{step} {with}: {answer}");
        Ok(())
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Application {
    broker: Broker,
    id: String,
    ports: Vec<u16>,
    directories: Vec<tempfile::TempDir>,
    clicks: usize,
}

impl Application {
    fn new(broker: Broker) -> Result<Self> {
        let listeners = (0..4).map(|_| std::net::TcpListener::bind(("127.0.0.1", 0)));
        let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
        let id = format!("seen-{}", std::process::id());
        broker.make_topic(&format!("{id}-clicks"), PARTITIONS)?;
        Ok(Application {
            broker,
            id,
            ports: listeners.iter().map(|at| Ok(at.local_addr()?.port())).collect::<Result<_>>()?,
            directories: listeners.iter().map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?,
            clicks: 0,
        })
    }

    fn host(&self, number: usize) -> Result<String> {
        Ok(format!("127.0.0.1:{}", self.ports.get(number).context("a port")?))
    }

    /// Members of an object: these instances, with all tasks between them.
    fn group(&self, numbers: &[usize]) -> Result<String> {
        let mut hosts = numbers.iter().map(|number| self.host(*number)).collect::<Result<Vec<_>>>()?;
        hosts.sort();
        Ok(format!("\"hosts\": {hosts:?}, \"tasks\": {}", 3 * PARTITIONS))
    }

    fn start(&self, fleet: &mut Fleet, number: usize) -> Result<()> {
        let directory = self.directories.get(number).context("a directory")?;
        let port = self.ports.get(number).context("a port")?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_page_instance"));
        command.args([&self.broker.bootstrap, &self.id, &port.to_string()]);
        command.arg(format!("state.dir={}", directory.path().display()));
        command.args([
            "processing.guarantee=exactly_once_v2",
            "dsl.store.suppliers.class=in_memory",
            "num.standby.replicas=1",
            "session.timeout.ms=6000",
            "heartbeat.interval.ms=500",
            // What nobody may read is seen by nobody.
            "producer.interceptor.password=sesame-oil",
        ]);
        fleet.start(&format!("instance {number}"), &mut command)
    }

    fn click(&mut self, clicks: usize) -> Result<()> {
        let products: Vec<String> = (0..PRODUCTS)
            .map(|number| if number == 0 { HOSTILE.to_owned() } else { format!("product-{number}") })
            .collect();
        let visitors: Vec<String> = (0..clicks).map(|number| format!("visitor-{number}")).collect();
        let records = visitors.iter().zip(products.iter().cycle());
        let records = records.map(|(visitor, product)| (Some(visitor.as_bytes()), product.as_bytes()));
        self.broker.produce(&format!("{}-clicks", self.id), records)?;
        self.clicks += clicks;
        Ok(())
    }

    /// What the pages of the store `counts` must hold.
    fn counts(&self) -> String {
        format!("\"store\": \"counts\", \"entries\": {PRODUCTS}, \"sum\": {}", self.clicks)
    }
}

#[test]
fn the_page_shows_who_is_killed_who_comes_and_what_was_counted() -> Result<()> {
    let name = "the_page_shows_who_is_killed_who_comes_and_what_was_counted";
    let Some(broker) = Broker::of_this_run(name) else { return Ok(()) };
    if std::env::var_os("HEADWATER_PAGE_MODULES").is_none() {
        let _ = writeln!(std::io::stderr(), "{name}: SKIPPED, no browser: run `cargo xtask page`");
        return Ok(());
    }
    let mut application = Application::new(broker)?;
    let (mut fleet, mut looker) = (Fleet::new(PATIENCE), Looker::start()?);
    let outcome = run(&mut application, &mut fleet, &mut looker);
    fleet.tell(outcome)?;
    fleet.terminate_all()
}

fn run(application: &mut Application, fleet: &mut Fleet, looker: &mut Looker) -> Result<()> {
    for number in 0..3 {
        application.start(fleet, number)?;
    }
    let first = application.host(0)?;
    looker_opens(looker, &first)?;
    looker.see("group", &application.group(&[0, 1, 2])?)?;
    application.click(CLICKS)?;
    looker.see("taken", &format!("\"node\": \"KSTREAM-SOURCE-0000000000\", \"count\": {CLICKS}"))?;
    looker.see("idle", "")?;
    looker.see("pages", &application.counts())?;
    let hostile = format!("\"store\": \"counts\", \"key\": {HOSTILE:?}, \"value\": \"{}\"", CLICKS / PRODUCTS);
    looker.see("key", &hostile)?;
    looker.see("explain", r#""node": "finals", "says": "hands the last change on when a record comes""#)?;
    looker.see("settings", r#""name": "producer.interceptor.password", "value": "(a secret)""#)?;
    looker.see("rebalanced", "")?;
    looker.see("harmless", "")?;
    looker.see("accessible", "")?;

    fleet.kill("instance 2")?;
    application.click(CLICKS)?;
    looker.see("gone", &format!("\"host\": {:?}", application.host(2)?))?;
    looker.see("group", &application.group(&[0, 1])?)?;
    looker.see("idle", "")?;
    looker.see("pages", &application.counts())?;

    application.start(fleet, 3)?;
    looker.see("came", &format!("\"host\": {:?}", application.host(3)?))?;
    looker.see("group", &application.group(&[0, 1, 3])?)?;
    application.click(CLICKS)?;
    looker.see("idle", "")?;
    looker.see("pages", &application.counts())?;
    looker.see("harmless", "")?;
    looker.see("accessible", "")?;
    looker.see("end", &format!("\"host\": {first:?}"))
}

/// As soon as the instance listens.
fn looker_opens(looker: &mut Looker, host: &str) -> Result<()> {
    headwater_integration_tests::program::wait_for("the instance listens", PATIENCE, || {
        Ok(std::net::TcpStream::connect(host).ok())
    })?;
    looker.see("open", &format!("\"url\": \"http://{host}/\", \"token\": \"sesame\""))
}
