//! A REST service over its own state: customers and what they have spent. Two instances share the work; whichever is asked answers for both.
//!
//! `cargo run -p headwater-query --example state_service`
#![allow(clippy::print_stdout, reason = "an example talks on its standard output")]

use std::error::Error;
use std::sync::Arc;

use headwater::memory::{Cluster, ClusterConfig, Waiting};
use headwater::prelude::*;
use headwater::query::axum::extract::{Path, State};
use headwater::query::axum::http::StatusCode;
use headwater::query::axum::routing::get;
use headwater::query::axum::{Json, Router};
use headwater::query::{Client, QueryServer, Serving};
use headwater::record::{Headers, Topic};
use headwater::runtime::SystemClock;

const HOSTS: [&str; 2] = ["127.0.0.1:17070", "127.0.0.1:17071"];

/// What each customer has spent, in cents.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let payments = builder.stream::<String, i64>("payments").group_by_key();
    payments.reduce_with(|sum, cents| sum + cents, Materialized::named("totals"));
    builder.build()
}

/// An instance that listens at `host`.
async fn start(cluster: &Cluster, host: &str) -> Result<(KafkaStreams, Serving), Box<dyn Error>> {
    let streams = KafkaStreams::builder(topology()?)
        .application_id("spending")
        .set("application.server", host)
        .set("dsl.store.suppliers.class", "in_memory")
        .set("commit.interval.ms", "50")
        .set("heartbeat.interval.ms", "200")
        .on(cluster)
        .start()?;
    // It asks the others over the network, and itself as well: where a customer is changes with each rebalance.
    let client = HOSTS.iter().try_fold(Client::builder(), |client, host| client.seed(host))?.build()?;
    let server = QueryServer::builder(&streams).key_value(&StoreHandle::<String, i64>::named("totals")).build()?;
    let own = Router::new().route("/customers/{name}", get(customer)).with_state(client);
    let serving = server.serve_with(own.merge(server.router())).await?;
    Ok((streams, serving))
}

/// What the service's own clients ask.
async fn customer(State(client): State<Client>, Path(name): Path<String>) -> Result<Json<i64>, (StatusCode, String)> {
    match client.key_value::<String, i64>("totals").get(&name).await {
        Ok(Some(cents)) => Ok(Json(cents)),
        Ok(None) => Err((StatusCode::NOT_FOUND, format!("{name} has bought nothing"))),
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = ClusterConfig { waiting: Waiting::Block, ..ClusterConfig::default() };
    let cluster = Cluster::with(Arc::new(SystemClock), config);
    cluster.create_topic("payments", 4)?;
    let instances = [start(&cluster, HOSTS[0]).await?, start(&cluster, HOSTS[1]).await?];
    for (customer, cents) in [("ann", 500), ("bob", 20), ("ann", 250), ("cleo", 9), ("dan", 1)] {
        let (topic, value) = (Topic::from("payments"), i64::to_be_bytes(cents));
        let time = Timestamp::from_millis(1);
        cluster.produce(&topic, Some(customer.as_bytes()), Some(&value), time, &Headers::new())?;
    }
    for host in HOSTS {
        for (customer, spent) in [("ann", 750), ("bob", 20), ("cleo", 9), ("dan", 1)] {
            while ask(host, customer).await? != Some(spent) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            println!("{host} says: {customer} has spent {spent} cents");
        }
        assert_eq!(ask(host, "eve").await?, None);
    }
    for (streams, serving) in instances {
        tokio::task::spawn_blocking(move || streams.close(CloseOptions::default())).await??;
        serving.stop().await;
    }
    Ok(())
}

/// What somebody with a browser sees.
async fn ask(host: &str, customer: &str) -> Result<Option<i64>, Box<dyn Error>> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    let request = format!("GET /customers/{customer} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer has a head")?;
    Ok(if head.starts_with("HTTP/1.1 200") { Some(body.parse()?) } else { None })
}

/// Starts both instances, asks them, and ends.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run())
}
