//! Typed topics of a test.

mod input;
mod output;

pub use input::TestInputTopic;
pub use output::TestOutputTopic;
