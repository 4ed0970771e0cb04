//! The machine: its clock, its threads, its signals, and waiting. Nothing outside this module has any of them.

mod clock;
mod gate;
mod run;
mod signals;

pub use clock::SystemClock;
pub(crate) use gate::Gate;
pub(crate) use run::{Threads, is_own_thread, of_panic, spawn_all};
pub(crate) use signals::on_signal;
