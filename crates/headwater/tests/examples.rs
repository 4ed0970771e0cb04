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
    json_orders: "../examples/json_orders.rs", "json";
    protobuf_payments: "../examples/protobuf_payments.rs", "protobuf";
}
