//! The delayed end: many small applications side by side, whose transactions meet a network that loses, holds back and repeats their
//! requests, for longer than anybody waits for them.
//!
//! Under protocol 1 (`transaction.version` below 2) no end of a transaction and no offsets come twice here. All transactions of a
//! producer have one epoch there, so that an end which is repeated late ends the next one, whoever sent it; and nobody repeats
//! one: connections do not, and our producer is never used again after an end whose answer it has not heard. That the fault would
//! be seen is shown by repeating them: for a broker that is the same as a producer which goes on although an end of its is still
//! on the way.

mod proxy;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater::KafkaStreams;
use headwater::runtime::CloseOptions;

use crate::broker::Broker;
use crate::dice::Dice;
use crate::kill::application::{Extent, topology};
use crate::kill::input::Input;
use crate::kill::ledger::Ledger;
use crate::kill::{Faults, make_topics};

pub use proxy::{Injected, Mischief, Proxy};

/// So many events each application gets at a time.
const AT_A_TIME: usize = 3;
const PAUSE: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_mins(2);

/// What is to happen.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Applications side by side.
    pub applications: u64,
    /// So many requests meet a fault.
    pub faults: u32,
    /// What befalls them.
    pub mischief: Mischief,
    /// How late one may come.
    pub longest: Duration,
    /// Decides which.
    pub seed: u64,
}

/// What has happened.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests that met a fault, and how many of each kind.
    pub injected: Arc<Injected>,
    /// Events that were written.
    pub records: u64,
    /// What is not as it must be.
    pub faults: Faults,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} records: {}", self.injected, self.records, self.faults)
    }
}

/// One application, and its way to the broker.
struct Application {
    id: String,
    streams: KafkaStreams,
    proxy: Proxy,
    input: Input,
    ledger: Ledger,
    _state: tempfile::TempDir,
}

impl Application {
    fn start(broker: &Broker, plan: &Plan, number: u64, injected: &Arc<Injected>) -> Result<Self> {
        let id = format!("torn-{:?}-{}-{number}-{}", plan.mischief, plan.seed, broker.clients().clock().now());
        let extent = Extent::Together;
        make_topics(broker, &id, extent, 1, 1)?;
        let seed = plan.seed.wrapping_mul(1_000) + number;
        let proxy = Proxy::of(&broker.bootstrap, Dice::new(seed), plan.mischief, plan.longest, injected)?;
        let (input, ledger) = (Input::new(broker, &id, extent, seed)?, Ledger::new(broker, &id, extent)?);
        let state = tempfile::tempdir()?;
        let streams = KafkaStreams::builder(topology(&id, extent)?)
            .application_id(&id)
            .bootstrap_servers(proxy.address())
            .state_dir(state.path())
            .set("processing.guarantee", "exactly_once_v2")
            .set("statestore.cache.max.bytes", "0")
            .set("producer.transaction.timeout.ms", "10000")
            // What is late by more is given up.
            .set("producer.request.timeout.ms", "1500")
            .start()?;
        Ok(Application { id, streams, proxy, input, ledger, _state: state })
    }

    fn poll(&mut self) -> Result<()> {
        self.ledger.poll(Duration::from_millis(1))
    }

    fn runs(&self) -> Result<()> {
        let state = self.streams.state();
        let closed = || format!("{}: {:?}", self.id, self.streams.close(CloseOptions::default()));
        ensure!(!state.is_final(), "an application has ended: {}", closed());
        Ok(())
    }
}

/// Does what `plan` says, on a single broker. `tell` hears how far it is.
pub fn run(broker: &Broker, plan: &Plan, tell: impl Fn(&str)) -> Result<Report> {
    let injected = Arc::new(Injected::default());
    let all = (0..plan.applications).map(|number| Application::start(broker, plan, number, &injected));
    let mut all = all.collect::<Result<Vec<_>>>()?;
    let (mut told, mut since) = (0, Instant::now());
    while injected.all() < plan.faults {
        go_on(&mut all, plan)?;
        if injected.all() >= told + 50 {
            (told, since) = (injected.all(), Instant::now());
            tell(&format!("{told} of {} requests have met a fault", plan.faults));
        }
        ensure!(since.elapsed() < PATIENCE, "nothing goes on after {injected}");
    }
    for application in &all {
        application.proxy.calm_down();
    }
    // What is late comes while transactions are open.
    let until = Instant::now() + plan.longest + PATIENCE;
    while injected.pending.load(Ordering::SeqCst) > 0 {
        go_on(&mut all, plan)?;
        ensure!(Instant::now() < until, "{injected}, and some requests never come to the broker");
    }
    end(&mut all, plan)?;
    let mut faults = Faults::default();
    for application in &all {
        faults.add(application.ledger.faults(&application.input.expected, PATIENCE)?);
    }
    let records = all.iter().map(|application| application.input.expected.records()).sum();
    Ok(Report { injected, records, faults })
}

fn go_on(all: &mut [Application], plan: &Plan) -> Result<()> {
    for application in all.iter_mut() {
        application.input.write(AT_A_TIME)?;
        application.poll()?;
        // Where requests come twice that must not, an application may end.
        if plan.mischief != Mischief::OnlyTwice {
            application.runs()?;
        }
    }
    std::thread::sleep(PAUSE);
    Ok(())
}

/// Has everything come through.
fn end(all: &mut [Application], plan: &Plan) -> Result<()> {
    all.iter_mut().try_for_each(|application| application.input.finish())?;
    let mut seen = 0;
    let mut since = Instant::now();
    let patience = if plan.mischief == Mischief::OnlyTwice { Duration::from_secs(15) } else { PATIENCE };
    // What never comes is lost: that is told with all else.
    while since.elapsed() < patience && !all.iter().all(|one| one.ledger.is_complete(&one.input.expected)) {
        all.iter_mut().try_for_each(Application::poll)?;
        let now: u64 = all.iter().map(|application| application.ledger.seen()).sum();
        if now > seen {
            (seen, since) = (now, Instant::now());
        }
    }
    for application in all {
        application.streams.close(CloseOptions::default().timeout(PATIENCE)).or_else(|error| match plan.mischief {
            Mischief::OnlyTwice => Ok(()),
            _ => Err(error).context(application.id.clone()),
        })?;
        application.ledger.read_to_end(PATIENCE)?;
    }
    Ok(())
}

/// Does `work` while the cluster speaks protocol 1.
pub fn under_protocol_one<T>(broker: &Broker, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let feature = |change: &str, version: &str| {
        let said = broker.tool("org.apache.kafka.tools.FeatureCommand", &[change, "--feature", version])?;
        ensure!(said.contains("transaction.version was"), "{change}: {said}");
        Ok(())
    };
    feature("downgrade", "transaction.version=1")?;
    let outcome = work();
    feature("upgrade", "transaction.version=2").and(outcome)
}
