//! All processors of a task: initialised, punctuated and closed together.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use headwater_record::Timestamp;

use crate::caught::caught;
use crate::punctuate::Punctuations;
use crate::tally::Tally;
use crate::{NodeId, ProcessError, PunctuationType, RecordContext, ScheduleId, TaskContext, WiringError};

/// A processor in a running task, as the task sees it.
pub trait LiveProcessor {
    /// Its node's name.
    fn name(&self) -> &str;

    /// Before the first record.
    ///
    /// # Errors
    /// The user's.
    fn init(&self, cx: &mut TaskContext<'_>) -> Result<(), ProcessError>;

    /// A schedule fired.
    ///
    /// # Errors
    /// The user's.
    fn punctuate(&self, cx: &mut TaskContext<'_>, schedule: ScheduleId, time: Timestamp) -> Result<(), ProcessError>;

    /// Whether it made this schedule of its node.
    fn has(&self, schedule: ScheduleId) -> bool;

    /// After the last record.
    fn close(&self);
}

/// A processor of a node.
struct Entry {
    node: NodeId,
    processor: Rc<dyn LiveProcessor>,
    /// What is left out by it outside of a record.
    tally: Rc<Tally>,
}

/// All processors of a task, and their schedules.
#[derive(Default)]
pub struct ProcessorTable {
    processors: Vec<Entry>,
    punctuations: Rc<RefCell<Punctuations>>,
}

impl ProcessorTable {
    /// Adds a processor of `node`, which may have several: tables that it looks at bring their own.
    pub fn add(&mut self, node: NodeId, processor: Rc<dyn LiveProcessor>) {
        self.processors.push(Entry { node, processor, tally: Rc::default() });
    }

    /// Has each node's processors count by the tally that `of` gives for it.
    pub(crate) fn count_by(&mut self, mut of: impl FnMut(NodeId) -> Rc<Tally>) {
        self.processors.iter_mut().for_each(|entry| entry.tally = of(entry.node));
    }

    /// The schedules that all share.
    pub fn punctuations(&self) -> Rc<RefCell<Punctuations>> {
        Rc::clone(&self.punctuations)
    }

    pub(crate) fn init(&mut self, cx: &mut TaskContext<'_>) -> Result<(), WiringError> {
        self.processors.sort_by_key(|entry| entry.node);
        for Entry { processor, tally, .. } in &self.processors {
            caught(|| processor.init(cx))
                .map_err(|error| WiringError::Init { node: processor.name().to_owned(), error })?;
            cx.charge(0, tally);
        }
        Ok(())
    }

    pub(crate) fn punctuate(&self, cx: &mut TaskContext<'_>, kind: PunctuationType) -> Result<bool, ProcessError> {
        let time = match kind {
            PunctuationType::StreamTime => cx.stream_time(),
            PunctuationType::WallClockTime => cx.now(),
        };
        let mut fired = false;
        loop {
            let Some(schedule) = self.punctuations.borrow_mut().due(kind, time) else { return Ok(fired) };
            fired = true;
            let mut all = self.processors.iter();
            if let Some(Entry { processor, tally, .. }) =
                all.find(|entry| entry.node == schedule.node && entry.processor.has(schedule.id))
            {
                cx.outside_input(RecordContext::punctuation(time), |cx| {
                    caught(|| processor.punctuate(cx, schedule.id, time))
                        .or_else(|error| cx.punctuator_failed(processor.name(), error))
                })?;
                cx.charge(0, tally);
            }
            self.punctuations.borrow_mut().fired(kind, schedule, time);
        }
    }

    /// When the next wall clock punctuation is due.
    pub(crate) fn next_wall_clock(&self) -> Option<Timestamp> {
        self.punctuations.borrow().next_wall_clock()
    }

    pub(crate) fn close(&self) {
        for entry in &self.processors {
            entry.processor.close();
        }
    }
}

impl fmt::Debug for ProcessorTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.processors.iter().map(|entry| entry.processor.name())).finish()
    }
}
