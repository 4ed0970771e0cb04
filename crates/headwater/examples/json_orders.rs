//! Orders in JSON: a type of one's own as value and in a store, a tuple as key, a list as result.
//!
//! `cargo run -p headwater --no-default-features --features json,testing --example json_orders`

use headwater::prelude::*;
use headwater::testing::TopologyTestDriver;

/// An order, in JSON wherever it is written.
#[derive(Clone, serde::Serialize, serde::Deserialize, headwater::Json)]
struct Order {
    customer: String,
    item: String,
    pieces: u32,
}

/// What each customer wants of each item, and which items a customer has ordered.
fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let orders = builder.stream::<String, Order>("orders");
    orders
        .group_by(|_, order| (order.customer.clone(), order.item.clone()))
        .reduce(|sum, order| Order { pieces: sum.pieces + order.pieces, ..sum })
        .to_stream()
        .to("wanted");
    orders
        .group_by(|_, order| order.customer.clone())
        .aggregate(Vec::<String>::new, |_, order, mut items| {
            if !items.contains(&order.item) {
                items.push(order.item.clone());
            }
            items
        })
        .to_stream()
        .to("items");
    builder.build()
}

/// Runs the topology on three orders.
pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let driver = TopologyTestDriver::new(topology()?)?;
    let order = |item: &str, pieces| Order { customer: "Ann".to_owned(), item: item.to_owned(), pieces };
    driver.input_topic::<String, Order>("orders").pipe_all([
        ("1", order("pen", 2)),
        ("2", order("ink", 1)),
        ("3", order("pen", 5)),
    ])?;

    let wanted = driver.records("wanted");
    let last = wanted.last().and_then(|record| record.value.as_deref());
    assert_eq!(last, Some(br#"{"customer":"Ann","item":"pen","pieces":7}"#.as_slice()));
    let wanted = driver.output_topic::<(String, String), Order>("wanted").read_map()?;
    assert_eq!(
        wanted.into_values().map(|order| (order.item, order.pieces)).collect::<Vec<_>>(),
        [("ink".to_owned(), 1), ("pen".to_owned(), 7)]
    );
    let items = driver.output_topic::<String, Vec<String>>("items").read_map()?;
    assert_eq!(items.into_values().collect::<Vec<_>>(), [["pen", "ink"]]);
    Ok(())
}
