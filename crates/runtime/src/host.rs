//! The machine: its clock, its threads, its signals, and waiting. Nothing outside this module has any of them.

mod clock;
mod run;
mod signals;

pub use clock::SystemClock;
pub(crate) use run::{Threads, is_own_thread, spawn_all, take_turns, takes_turns};
pub(crate) use signals::on_signal;
