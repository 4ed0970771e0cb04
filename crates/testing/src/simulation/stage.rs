//! The world that plays on this thread: what a client or a store deep in an instance's turn reaches it by.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::process::Process;
use super::world::World;

thread_local! {
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// Has `world` play until this is dropped.
pub(crate) struct Stage;

impl Stage {
    pub(crate) fn of(world: &Rc<World>) -> Self {
        WORLD.set(Some(Rc::clone(world)));
        Stage
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        WORLD.set(None);
    }
}

fn world() -> Option<Rc<World>> {
    WORLD.with_borrow(Clone::clone)
}

/// Writes a line of the trace.
pub(crate) fn tell(line: impl FnOnce() -> String) {
    if let Some(world) = world() {
        world.tell(line);
    }
}

/// The others and the clock go on, while `process` stands still in the middle of its turn.
pub(crate) fn pause(process: &Process, duration: Duration) {
    if let Some(world) = world() {
        world.pause(process, duration);
    }
}
