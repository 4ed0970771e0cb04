//! Schedules by stream time and by wall clock.

use std::time::Duration;

use headwater_record::Timestamp;

use crate::priority_queue::PriorityQueue;
use crate::{NodeId, ProcessError};

/// By which time a punctuator fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PunctuationType {
    /// The greatest timestamp of the records that the task has taken: no records, no firing. A schedule first fires with the first
    /// record, and after a restart as soon as the task's time is known again, whatever the interval is; from then on at its interval.
    StreamTime,
    /// The clock of the machine. A schedule first fires after one interval.
    WallClockTime,
}

/// A schedule of a processor; it tells punctuations apart and cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScheduleId(u64);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) id: ScheduleId,
    pub(crate) node: NodeId,
    pub(crate) due: i64,
    interval: i64,
}

/// A schedule as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Its id.
    pub id: ScheduleId,
    /// By which time it fires.
    pub kind: PunctuationType,
    /// How often.
    pub interval: Duration,
    /// When next.
    pub due: Timestamp,
    /// Whether it was ended.
    pub cancelled: bool,
}

/// All schedules of a task (Java's two `PunctuationQueue`s).
#[derive(Debug, Default)]
pub struct Punctuations {
    stream: PriorityQueue<Schedule>,
    wall: PriorityQueue<Schedule>,
    cancelled: Vec<ScheduleId>,
    next: u64,
}

impl Punctuations {
    fn queue(&mut self, kind: PunctuationType) -> &mut PriorityQueue<Schedule> {
        match kind {
            PunctuationType::StreamTime => &mut self.stream,
            PunctuationType::WallClockTime => &mut self.wall,
        }
    }

    /// Schedules `node` every `interval`. By stream time it first fires as soon as there is any; by wall clock, one interval
    /// from `now`. With `start` (KIP-1146) firings are aligned to it: first at `start`, or at the next multiple of the interval
    /// after it when it has passed.
    pub(crate) fn schedule(
        &mut self,
        node: NodeId,
        interval: Duration,
        kind: PunctuationType,
        start: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<ScheduleId, ProcessError> {
        let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
        if interval < 1 {
            return Err(ProcessError::user("The minimum supported scheduling interval is 1 millisecond."));
        }
        let now = now.millis();
        let due = match (start.map(Timestamp::millis), kind) {
            (None, PunctuationType::StreamTime) => 0,
            (None, PunctuationType::WallClockTime) => now.saturating_add(interval),
            (Some(start), _) if start >= now => start,
            (Some(start), _) => start + ((now - start) / interval + 1) * interval,
        };
        let id = ScheduleId(self.next);
        self.next += 1;
        self.queue(kind).push(due, Schedule { id, node, due, interval });
        Ok(id)
    }

    /// All schedules, in the order in which they were made.
    pub fn scheduled(&self) -> Vec<Scheduled> {
        let kinds = [(PunctuationType::StreamTime, &self.stream), (PunctuationType::WallClockTime, &self.wall)];
        let mut all: Vec<Scheduled> = Vec::new();
        for (kind, queue) in kinds {
            all.extend(queue.iter().map(|(_, schedule)| Scheduled {
                id: schedule.id,
                kind,
                interval: Duration::from_millis(u64::try_from(schedule.interval).unwrap_or_default()),
                due: Timestamp::from_millis(schedule.due),
                cancelled: self.cancelled.contains(&schedule.id),
            }));
        }
        all.sort_by_key(|schedule| schedule.id.0);
        all
    }

    pub(crate) fn cancel(&mut self, schedule: ScheduleId) {
        self.cancelled.push(schedule);
    }

    /// The next schedule that is due at `time`, cancelled ones left out.
    pub(crate) fn due(&mut self, kind: PunctuationType, time: Timestamp) -> Option<Schedule> {
        loop {
            let queue = self.queue(kind);
            queue.peek().filter(|(due, _)| *due <= time.millis())?;
            let (_, schedule) = queue.pop()?;
            if !self.forget(schedule.id) {
                return Some(schedule);
            }
        }
    }

    /// Schedules `fired` again after it fired at `time`; firings that were missed are not made up for.
    pub(crate) fn fired(&mut self, kind: PunctuationType, mut fired: Schedule, time: Timestamp) {
        if self.forget(fired.id) {
            return;
        }
        let next = fired.due.saturating_add(fired.interval);
        let time = time.millis();
        fired.due = if time >= next {
            fired.due.saturating_add(((time - fired.due) / fired.interval + 1).saturating_mul(fired.interval))
        } else {
            next
        };
        self.queue(kind).push(fired.due, fired);
    }

    /// When the next wall clock punctuation is due.
    pub(crate) fn next_wall_clock(&self) -> Option<Timestamp> {
        self.wall.peek().map(|(due, _)| Timestamp::from_millis(due))
    }

    fn forget(&mut self, schedule: ScheduleId) -> bool {
        let position = self.cancelled.iter().position(|cancelled| *cancelled == schedule);
        position.map(|position| self.cancelled.swap_remove(position)).is_some()
    }
}
