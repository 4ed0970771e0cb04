//! What is made of orders, payments and page views.

use std::time::Duration;

use headwater::prelude::*;

pub(crate) const ORDERS: &str = "orders";
pub(crate) const PAYMENTS: &str = "payments";
pub(crate) const VIEWS: &str = "views";
pub(crate) const PRODUCTS: &str = "products";
pub(crate) const OUTPUTS: [&str; 3] = ["revenue-by-product", "unpaid", "popular"];

/// An order of one piece; its key is its number.
#[derive(Clone, serde::Serialize, serde::Deserialize, headwater::Json)]
pub(crate) struct Order {
    pub(crate) product: String,
    pub(crate) cents: i64,
}

/// An order that is paid, or was not in time.
#[derive(Clone, serde::Serialize, serde::Deserialize, headwater::Json)]
struct Sale {
    product: String,
    cents: i64,
    paid: bool,
}

/// Stores that may be asked: what products have earned, what categories have sold, what was viewed, how long people stay.
pub(crate) const REVENUE: &str = "revenue";
pub(crate) const BY_CATEGORY: &str = "paid-by-category";
pub(crate) const VIEWED: &str = "views-by-product";
pub(crate) const VISITS: &str = "visits";
pub(crate) const CATEGORIES: &str = "categories";

pub(crate) fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    sales(&builder);
    page_views(&builder);
    builder.build()
}

/// Orders find their payments within ten seconds, or are told as unpaid.
fn sales(builder: &StreamsBuilder) {
    let orders = builder.stream::<String, Order>(ORDERS);
    let payments = builder.stream::<String, i64>(PAYMENTS);
    let products =
        builder.global_table_with(PRODUCTS, Consumed::<String, String>::by_type(), Materialized::named(CATEGORIES));
    let sale = |_: &String, order: &Order, paid: Option<&i64>| Sale {
        product: order.product.clone(),
        cents: order.cents,
        paid: paid.is_some(),
    };
    let within = JoinWindows::of_time_difference_and_grace(Duration::from_secs(10), Duration::from_secs(2));
    let sales = orders.left_join(&payments, sale, within);
    sales.filter(|_, sale| !sale.paid).to(OUTPUTS[1]);

    let paid = sales.filter(|_, sale| sale.paid);
    let by_product = paid.map(|_, sale| (sale.product.clone(), sale.cents)).group_by_key();
    by_product.reduce_with(|sum, cents| sum + cents, Materialized::named(REVENUE)).to_stream().to(OUTPUTS[0]);
    let of_category = paid.join_global(&products, |_, sale| sale.product.clone(), |_, _, category| category.clone());
    of_category.group_by(|_, category| category.clone()).count_with(Materialized::named(BY_CATEGORY));
}

/// What is looked at most in each ten seconds, told when they are over; and how long people stay.
fn page_views(builder: &StreamsBuilder) {
    let viewed = builder.stream::<String, String>(VIEWS);
    let ten_seconds = TimeWindows::of_size_and_grace(Duration::from_secs(10), Duration::from_secs(1));
    let kept = Materialized::named(VIEWED).with_retention(Duration::from_mins(5));
    let by_product = viewed.group_by(|_, product| product.clone()).windowed_by(ten_seconds).count_with(kept);
    let final_counts = Suppressed::until_window_closes(BufferConfig::unbounded()).with_name("popular-when-closed");
    by_product.suppress(final_counts).to_stream().select_key(|window, _| window.key.clone()).to(OUTPUTS[2]);

    let pauses = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(2), Duration::from_secs(1));
    let kept = Materialized::named(VISITS).with_retention(Duration::from_mins(1));
    viewed.group_by_key().windowed_by(pauses).count_with(kept);
}
