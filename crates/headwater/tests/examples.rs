//! The examples do what they say.
#![allow(missing_docs, reason = "a test")]

macro_rules! run {
    ($($example:ident: $path:literal, $feature:literal;)*) => {$(
        #[cfg(feature = $feature)]
        #[path = $path]
        mod $example;

        #[cfg(feature = $feature)]
        #[test]
        fn $example() -> Result<(), Box<dyn std::error::Error>> {
            self::$example::main()
        }
    )*};
}

run! {
    bank_balance: "../examples/bank_balance.rs", "json";
    deduplication: "../examples/deduplication.rs", "testing";
    json_orders: "../examples/json_orders.rs", "json";
    page_views: "../examples/page_views.rs", "json";
    protobuf_payments: "../examples/protobuf_payments.rs", "protobuf";
}
