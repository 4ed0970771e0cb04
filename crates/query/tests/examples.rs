//! The example does what it says.
#![cfg(test)]

#[path = "../examples/state_service.rs"]
mod state_service;

#[test]
fn state_service() -> Result<(), Box<dyn std::error::Error>> {
    self::state_service::main()
}
