//! An instance of Kafka's smoke test: `smoke BOOTSTRAP ID [KEY=VALUE ...]`, until SIGTERM.

use headwater_integration_tests::kill::application::instance;
use headwater_integration_tests::smoke::client::topology;

fn main() -> anyhow::Result<()> {
    instance(std::env::args().skip(1), topology)
}
