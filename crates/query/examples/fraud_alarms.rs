//! Fraud alarms: a card that pays in two countries within a minute opens a case, until somebody closes it; open cases are asked over the network.
//!
//! `cargo run -p headwater-query --example fraud_alarms`
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::query::{Client, QueryServer};
use headwater::record::{Headers, Topic};
use headwater::runtime::SystemClock;

/// Payments at tills and on the web, both by the number of the card, with the country; and cards whose cases are closed.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let tills = builder.stream::<String, String>("tills");
    let web = builder.stream::<String, String>("web");
    let minute = JoinWindows::of_time_difference_with_no_grace(Duration::from_mins(1));
    let pairs = tills.join(&web, |_, till, web| (till.clone(), web.clone()), minute);
    let alarms = pairs.filter(|_, (till, web)| till != web);
    let opened = alarms.map_values(|_, (till, web)| Some(format!("{till} and {web}")));
    // A null in the topic of a table deletes its row.
    let closed = builder.stream::<String, String>("closed").map_values(|_, _| None::<String>);
    let cases = Materialized::<String, String>::named("open-cases");
    let _: KTable<String, String> = opened.merge(&closed).to_table_with(cases);
    builder.build()
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    for topic in ["tills", "web", "closed"] {
        cluster.create_topic(topic, 4)?;
    }
    let host = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string();
    let streams = KafkaStreams::builder(topology()?)
        .application_id("fraud-alarms")
        .set("application.server", &host)
        .set("dsl.store.suppliers.class", "in_memory")
        .set("commit.interval.ms", "50")
        .on(&cluster)
        .start()?;
    let cases = StoreHandle::<String, String>::named("open-cases");
    let serving = QueryServer::builder(&streams).key_value(&cases).build()?.serve().await?;
    println!("the page: http://{host}/");

    let happens = |topic: &str, card: &str, what: &str, second: i64| {
        let (topic, time) = (Topic::from(topic), Timestamp::from_millis(second * 1_000));
        cluster.produce(&topic, Some(card.as_bytes()), Some(what.as_bytes()), time, &Headers::new())
    };
    happens("tills", "card-1", "Norway", 10)?;
    happens("web", "card-1", "Peru", 40)?;
    happens("tills", "card-2", "Chile", 10)?;
    happens("web", "card-2", "Chile", 20)?;
    happens("web", "card-3", "Ghana", 5)?;
    happens("tills", "card-3", "Japan", 50)?;
    happens("tills", "card-4", "Italy", 0)?;
    happens("web", "card-4", "Nepal", 61)?;

    let client = Client::builder().seed(&host)?.build()?;
    let norway_and_ghana = [("card-1", "Norway and Peru"), ("card-3", "Japan and Ghana")];
    open_cases(&client, &norway_and_ghana).await?;
    happens("closed", "card-1", "it was her sister", 70)?;
    open_cases(&client, &norway_and_ghana[1..]).await?;
    assert_eq!(client.key_value::<String, String>("open-cases").get(&"card-1".to_owned()).await?, None);
    tokio::task::spawn_blocking(move || streams.close(CloseOptions::default())).await??;
    serving.stop().await;
    Ok(())
}

/// Until these cases are open, and no others.
async fn open_cases(client: &Client, expected: &[(&str, &str)]) -> Result<(), Box<dyn Error>> {
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(card, why)| ((*card).to_owned(), (*why).to_owned())).collect();
    let cases = client.key_value::<String, String>("open-cases");
    let shown = async {
        while cases.all().try_collect::<BTreeMap<_, _>>().await? != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok::<_, headwater::Error>(())
    };
    tokio::time::timeout(Duration::from_mins(1), shown).await??;
    for (card, why) in &expected {
        println!("{card} was used in {why}");
    }
    println!("{} open", expected.len());
    Ok(())
}

/// Opens two cases and closes one.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}
