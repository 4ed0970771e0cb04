//! An instance whose page is looked at: `page_instance BOOTSTRAP ID PORT [KEY=VALUE ...]`, until SIGTERM.
//!
//! It counts the values of the topic `ID-clicks`: in all, and by windows that are told when they are over. The token is `sesame`.

use std::time::Duration;

use anyhow::Result;
use headwater::prelude::*;
use headwater::query::QueryServer;
use headwater_integration_tests::instance;

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
    let streams = instance::start("page_instance", topology)?;
    let server = QueryServer::builder(&streams)
        .key_value(&StoreHandle::<String, i64>::named("counts"))
        .window(&StoreHandle::<String, i64>::named("windows"))
        .bearer_token("sesame")
        .build()?;
    instance::serve(&streams, &server)
}
