//! An instance that keeps a table and answers of it: `query_instance BOOTSTRAP ID PORT [KEY=VALUE ...]`, until SIGTERM.
//!
//! The table `values` is that of the topic `ID-values`, and the token `sesame`.

use anyhow::{Context, Result};
use headwater::prelude::*;
use headwater::query::QueryServer;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("query_instance BOOTSTRAP ID PORT [KEY=VALUE ...]");
    let (bootstrap, id, port) = (next()?, next()?, next()?);
    let builder = StreamsBuilder::new();
    let table = Consumed::<String, i64>::by_type();
    builder.table_with(&format!("{id}-values"), table, Materialized::named("values"));
    let mut builder = KafkaStreams::builder(builder.build()?)
        .application_id(&id)
        .bootstrap_servers(&bootstrap)
        .set("application.server", format!("127.0.0.1:{port}"));
    for setting in arguments {
        let (key, value) = setting.split_once('=').with_context(|| format!("{setting}: KEY=VALUE"))?;
        builder = builder.set(key, value);
    }
    let streams = builder.start()?;
    streams.close_on_signals()?;
    let values = StoreHandle::<String, i64>::named("values");
    let server = QueryServer::builder(&streams).key_value(&values).bearer_token("sesame").build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let serving = server.serve().await?;
        let ended = streams.closed().await;
        serving.stop().await;
        Ok(ended?)
    })
}
