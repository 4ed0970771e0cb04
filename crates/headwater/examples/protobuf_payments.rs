//! Payments in Protocol Buffers: messages as values and in stores.
//!
//! `cargo run -p headwater --no-default-features --features protobuf,testing --example protobuf_payments`

use headwater::prelude::*;
use headwater::testing::TopologyTestDriver;

/// A payment, as `prost-build` generates it from a `.proto` file.
#[derive(Clone, PartialEq, prost::Message, headwater::Protobuf)]
struct Payment {
    #[prost(string, tag = "1")]
    to: String,
    #[prost(int64, tag = "2")]
    cents: i64,
}

/// What everybody has got together, and from how many payments.
#[derive(Clone, PartialEq, prost::Message, headwater::Protobuf)]
struct Total {
    #[prost(int64, tag = "1")]
    cents: i64,
    #[prost(uint32, tag = "2")]
    payments: u32,
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .values::<Payment>("payments")
        .group_by(|(), payment| payment.to.clone())
        .aggregate(Total::default, |_, payment, total| Total {
            cents: total.cents + payment.cents,
            payments: total.payments + 1,
        })
        .to_stream()
        .to("totals");
    builder.build()
}

/// Runs the topology on three payments.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = TopologyTestDriver::new(topology()?)?;
    let payment = |to: &str, cents| Payment { to: to.to_owned(), cents };
    let payments = driver.input_topic::<(), Payment>("payments");
    payments.pipe_values([payment("Ann", 150), payment("Bob", 20), payment("Ann", 50)])?;

    let totals = driver.output_topic::<String, Total>("totals").read_map()?;
    assert_eq!(totals.get("Ann"), Some(&Total { cents: 200, payments: 2 }));
    assert_eq!(totals.get("Bob"), Some(&Total { cents: 20, payments: 1 }));
    Ok(())
}
