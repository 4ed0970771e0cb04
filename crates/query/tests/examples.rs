//! The examples do what they say.
#![cfg(test)]

macro_rules! run {
    ($($example:ident: $path:literal;)*) => {$(
        #[path = $path]
        mod $example;

        #[test]
        fn $example() -> Result<(), Box<dyn std::error::Error>> {
            self::$example::main()
        }
    )*};
}

run! {
    fraud_alarms: "../examples/fraud_alarms.rs";
    state_service: "../examples/state_service.rs";
    top_ten: "../examples/top_ten.rs";
}
