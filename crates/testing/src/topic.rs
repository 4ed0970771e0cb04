//! Typed topics of a test.

mod given;
mod input;
mod output;

pub use given::Given;
pub use input::TestInputTopic;
pub use output::TestOutputTopic;
