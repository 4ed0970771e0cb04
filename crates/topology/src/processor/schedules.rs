//! The schedules of a processor, with the closures that some of them call.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::Timestamp;

use super::ProcessorContext;
use crate::caught::caught;
use crate::punctuate::Punctuations;
use crate::{ProcessError, ScheduleId};

type Punctuator<K, V> = Box<dyn FnMut(&mut ProcessorContext<'_, '_, K, V>, Timestamp) -> Result<(), ProcessError>>;

/// The schedules of one processor: all that its task has, and its own with their closures.
pub struct Schedules<K: 'static, V: 'static> {
    of_task: Rc<RefCell<Punctuations>>,
    /// `None` where there is no closure, and while it runs.
    own: RefCell<Vec<(ScheduleId, Option<Punctuator<K, V>>)>>,
}

impl<K: 'static, V: 'static> Schedules<K, V> {
    /// None yet of this processor's.
    pub fn new(of_task: Rc<RefCell<Punctuations>>) -> Self {
        Schedules { of_task, own: RefCell::default() }
    }

    /// Makes a schedule with [`Punctuations::schedule`].
    pub(super) fn make(
        &self,
        make: impl FnOnce(&mut Punctuations) -> Result<ScheduleId, ProcessError>,
    ) -> Result<ScheduleId, ProcessError> {
        let schedule = make(&mut self.of_task.borrow_mut())?;
        self.own.borrow_mut().push((schedule, None));
        Ok(schedule)
    }

    /// Whether `schedule` is one of this processor's.
    pub fn has(&self, schedule: ScheduleId) -> bool {
        self.slot(schedule, |_| ()).is_some()
    }

    pub(super) fn call(&self, schedule: ScheduleId, punctuator: Punctuator<K, V>) {
        self.slot(schedule, |slot| *slot = Some(punctuator));
    }

    fn slot<T>(&self, schedule: ScheduleId, work: impl FnOnce(&mut Option<Punctuator<K, V>>) -> T) -> Option<T> {
        let mut own = self.own.borrow_mut();
        own.iter_mut().find(|(id, _)| *id == schedule).map(|(_, slot)| work(slot))
    }

    pub(super) fn cancel(&self, schedule: ScheduleId) {
        self.of_task.borrow_mut().cancel(schedule);
        self.own.borrow_mut().retain(|(id, _)| *id != schedule);
    }

    /// Calls the closure of `schedule`; `None` when it has none.
    pub(super) fn fire(
        &self,
        cx: &mut ProcessorContext<'_, '_, K, V>,
        schedule: ScheduleId,
        time: Timestamp,
    ) -> Option<Result<(), ProcessError>> {
        let mut punctuator = self.slot(schedule, Option::take).flatten()?;
        let done = caught(|| punctuator(cx, time));
        // Its place is gone when it has cancelled itself.
        self.slot(schedule, |slot| *slot = Some(punctuator));
        Some(done)
    }
}

impl<K: 'static, V: 'static> fmt::Debug for Schedules<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of_task.borrow().fmt(f)
    }
}
