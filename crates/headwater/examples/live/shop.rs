//! The cluster, both instances with their servers, and the customers.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::query::{QueryServer, Serving};
use headwater::runtime::query::IsolationLevel;
use headwater::runtime::{ErrorKind, State, SystemClock};
use tokio::runtime::Runtime;

use super::topology::{self, BY_CATEGORY, CATEGORIES, REVENUE, VIEWED, VISITS};
use super::traffic::{self, Traffic};

const PARTITIONS: i32 = 4;
/// What is under way is counted within this time, or something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Shop {
    instances: Vec<Instance>,
    traffic: Traffic,
    began: Instant,
    runtime: Runtime,
}

struct Instance {
    streams: KafkaStreams,
    serving: Serving,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    seconds: u64,
    records: u64,
    orders: u64,
    pub(crate) paid_cents: i64,
    /// What the instances have counted of that; `None` while a part of it moves.
    pub(crate) counted_cents: Option<i64>,
}

impl Shop {
    /// Opens it, with an instance on each of these ports.
    pub(crate) fn open(ports: [u16; 2]) -> Result<Self, Box<dyn Error>> {
        let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
        let cluster = Cluster::with(Arc::new(SystemClock), config);
        let inputs = [topology::ORDERS, topology::PAYMENTS, topology::VIEWS, topology::PRODUCTS];
        for topic in inputs.into_iter().chain(topology::OUTPUTS) {
            cluster.create_topic(topic, PARTITIONS)?;
        }
        traffic::stock(&cluster)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let start = |port| runtime.block_on(Instance::start(&cluster, port));
        let instances = ports.into_iter().map(start).collect::<Result<_, _>>()?;
        Ok(Shop { instances, traffic: Traffic::begin(&cluster), began: Instant::now(), runtime })
    }

    pub(crate) fn close_on_signals(&self) -> Result<(), headwater::Error> {
        self.instances.iter().try_for_each(|instance| instance.streams.close_on_signals())
    }

    /// Where to look.
    pub(crate) fn page(&self) -> String {
        self.instances.first().map_or_else(String::new, |one| format!("http://{}/", one.serving.address()))
    }

    /// Whether nobody ended it.
    pub(crate) fn is_open(&self) -> bool {
        self.instances
            .iter()
            .all(|one| matches!(one.streams.state(), State::Created | State::Rebalancing | State::Running))
    }

    /// Waits, as long as it is open.
    pub(crate) fn pause(&self, time: Duration) {
        let began = Instant::now();
        while self.is_open() && began.elapsed() < time {
            std::thread::sleep(Duration::from_millis(50).min(time));
        }
    }

    pub(crate) fn totals(&self) -> Result<Totals, headwater::Error> {
        let done = &self.traffic.done;
        let counted = self.instances.iter().map(Instance::counted).sum::<Result<i64, _>>();
        let counted_cents = match counted {
            Ok(cents) => Some(cents),
            Err(error) if error.kind() == ErrorKind::Unavailable => None,
            Err(error) => return Err(error),
        };
        Ok(Totals {
            seconds: self.began.elapsed().as_secs(),
            records: done.records.load(Ordering::Relaxed),
            orders: done.orders.load(Ordering::Relaxed),
            paid_cents: done.paid_cents.load(Ordering::Relaxed),
            counted_cents,
        })
    }

    /// Nobody comes any more; when everything that was paid is counted, it closes.
    pub(crate) fn close(mut self) -> Result<Totals, Box<dyn Error>> {
        self.traffic.end()?;
        let began = Instant::now();
        let mut totals = self.totals()?;
        while self.is_open() && totals.counted_cents != Some(totals.paid_cents) {
            if began.elapsed() > PATIENCE {
                return Err(format!("not all of it was counted: {totals}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
            totals = self.totals()?;
        }
        for instance in self.instances {
            instance.streams.close(CloseOptions::default())?;
            self.runtime.block_on(instance.serving.stop());
        }
        Ok(totals)
    }
}

impl Instance {
    async fn start(cluster: &Cluster, port: u16) -> Result<Self, Box<dyn Error>> {
        let streams = KafkaStreams::builder(topology::topology()?)
            .application_id("shop")
            .set("application.server", format!("127.0.0.1:{port}"))
            .set("dsl.store.suppliers.class", "in_memory")
            .set("num.standby.replicas", "1")
            .set("commit.interval.ms", "200")
            .set("heartbeat.interval.ms", "500")
            .set("deserialization.exception.handler", "LogAndContinueExceptionHandler")
            .threads(2)
            .on(cluster)
            .start()?;
        let server = QueryServer::builder(&streams)
            .key_value(&StoreHandle::<String, i64>::named(REVENUE))
            .key_value(&StoreHandle::<String, i64>::named(BY_CATEGORY))
            .key_value(&StoreHandle::<String, String>::named(CATEGORIES))
            .window(&StoreHandle::<String, i64>::named(VIEWED))
            .session(&StoreHandle::<String, i64>::named(VISITS))
            .build()?;
        Ok(Instance { serving: server.serve().await?, streams })
    }

    /// What products have earned, as far as they are here.
    fn counted(&self) -> Result<i64, headwater::Error> {
        let queries = self.streams.queries().with_isolation(IsolationLevel::ReadCommitted);
        let revenue = queries.key_value_store(&StoreHandle::<String, i64>::named(REVENUE))?;
        revenue.all()?.map(|entry| entry.map(|(_, cents)| cents)).sum()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { seconds, records, orders, paid_cents, counted_cents } = self;
        write!(f, "{seconds:>4} s: {records} records, {orders} orders, {} paid", Euros(*paid_cents))?;
        match counted_cents {
            Some(cents) => write!(f, ", {} of it counted", Euros(*cents)),
            None => write!(f, ", and what is counted moves to another instance"),
        }
    }
}

struct Euros(i64);

impl fmt::Display for Euros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} €", self.0 / 100, self.0 % 100)
    }
}
