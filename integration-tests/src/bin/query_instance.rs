//! An instance that keeps a table and answers of it: `query_instance BOOTSTRAP ID PORT [KEY=VALUE ...]`, until SIGTERM.
//!
//! The table `values` is that of the topic `ID-values`, and the token `sesame`.

use anyhow::Result;
use headwater::prelude::*;
use headwater::query::QueryServer;
use headwater_integration_tests::instance;

fn topology(id: &str) -> Result<Topology> {
    let builder = StreamsBuilder::new();
    let table = Consumed::<String, i64>::by_type();
    builder.table_with(&format!("{id}-values"), table, Materialized::named("values"));
    Ok(builder.build()?)
}

fn main() -> Result<()> {
    let streams = instance::start("query_instance", topology)?;
    let values = StoreHandle::<String, i64>::named("values");
    let server = QueryServer::builder(&streams).key_value(&values).bearer_token("sesame").build()?;
    instance::serve(&streams, &server)
}
