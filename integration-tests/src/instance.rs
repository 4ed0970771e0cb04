//! An instance that a test starts as a program, and asks over the network.

use anyhow::{Context, Result};
use headwater::prelude::{KafkaStreams, Topology};
use headwater::query::QueryServer;

/// Starts the instance of `PROGRAM BOOTSTRAP ID PORT [KEY=VALUE ...]`: application `ID`, whose topology `topology` makes of that, with its
/// `application.server` at `PORT` and these settings. It closes on SIGTERM.
pub fn start(program: &str, topology: impl FnOnce(&str) -> Result<Topology>) -> Result<KafkaStreams> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().with_context(|| format!("{program} BOOTSTRAP ID PORT [KEY=VALUE ...]"));
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
    Ok(streams)
}

/// Serves until the instance has ended.
pub fn serve(streams: &KafkaStreams, server: &QueryServer) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let serving = server.serve().await?;
        let ended = streams.closed().await;
        serving.stop().await;
        Ok(ended?)
    })
}
