//! An instance whose page is looked at: `page_instance BOOTSTRAP ID PORT [KEY=VALUE ...]`, until SIGTERM.
//!
//! It counts the values of the topic `ID-clicks`: in all, and by windows that are told when they are over. The token is `sesame`.

use std::time::Duration;

use anyhow::{Context, Result};
use headwater::prelude::*;
use headwater::query::QueryServer;

fn topology(id: &str) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let clicks = builder.stream::<String, String>(&format!("{id}-clicks"));
    let of_product = clicks.group_by(|_, product| product.clone());
    of_product.count_with(Materialized::named("counts"));
    let by_hour = of_product.windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_hours(1)));
    let finals = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("finals");
    by_hour.count_with(Materialized::named("windows")).suppress(finals).to_stream().for_each(|_, _| {});
    Ok(builder.build()?)
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("page_instance BOOTSTRAP ID PORT [KEY=VALUE ...]");
    let (bootstrap, id, port) = (next()?, next()?, next()?);
    let mut builder = KafkaStreams::builder(topology(&id)?)
        .application_id(&id)
        .bootstrap_servers(&bootstrap)
        .set("application.server", format!("127.0.0.1:{port}"));
    for setting in arguments {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting}: KEY=VALUE"))?;
        builder = builder.set(key, value);
    }
    let streams = builder.start()?;
    streams.close_on_signals()?;
    let server = QueryServer::builder(&streams)
        .key_value(&StoreHandle::<String, i64>::named("counts"))
        .window(&StoreHandle::<String, i64>::named("windows"))
        .bearer_token("sesame")
        .build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let serving = server.serve().await?;
        let ended = streams.closed().await;
        serving.stop().await;
        Ok(ended?)
    })
}
